/** All numbers of a run as rows, a step each. Pure. */
import type { MetricPoint } from "../api/types";
import type { Rows } from "../components/rows";

export function metricRows(points: readonly MetricPoint[]): Rows {
  const names = [...new Set(points.flatMap((point) => Object.keys(point.values)))].sort();
  return { columns: ["step", "at", ...names], rows: points.map((point) => [point.step, point.at, ...names.map((name) => point.values[name] ?? null)]) };
}

export interface Look {
  step: number;
  /** Square root of the divergence from the reference, in nats an answer. */
  distance: number;
  judge: number;
  reward: number;
}

/** What the judge saw along the way, nearest to the reference first. */
export function looks(points: readonly MetricPoint[]): Look[] {
  return points
    .flatMap(({ step, values }) => {
      const [kl, judge, reward] = [values["judge/kl_base_per_seq_nats"], values["judge/score"], values["judge/reward"]];
      return typeof kl === "number" && typeof judge === "number" && typeof reward === "number" ? [{ step, distance: Math.sqrt(Math.max(0, kl)), judge, reward }] : [];
    })
    .toSorted((one, other) => one.distance - other.distance);
}
