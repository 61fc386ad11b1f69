/** All numbers of a run as rows, a step each. Pure. */
import type { MetricPoint } from "../api/types";
import type { Rows } from "../components/rows";

export function metricRows(points: readonly MetricPoint[]): Rows {
  const names = [...new Set(points.flatMap((point) => Object.keys(point.values)))].sort();
  return { columns: ["step", "at", ...names], rows: points.map((point) => [point.step, point.at, ...names.map((name) => point.values[name] ?? null)]) };
}
