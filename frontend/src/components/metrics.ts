/** Points of a run gathered as they arrive, and its curves by group. Pure. */
import type { MetricPoint } from "../api/types";

export interface Curve {
  name: string;
  /** The name without its group. */
  title: string;
  steps: number[];
  values: (number | null)[];
  last: number | null;
}

/** A step that is done again after a resume replaces the earlier one; the result stays in order. */
export function gather(before: readonly MetricPoint[], more: readonly MetricPoint[]): MetricPoint[] {
  const first = more[0];
  if (!first) return [...before];
  const last = before.at(-1);
  if (!last || first.step > last.step) return [...before, ...more];
  const byStep = new Map(before.map((point) => [point.step, point]));
  for (const point of more) byStep.set(point.step, point);
  return [...byStep.values()].sort((one, other) => one.step - other.step);
}

/** What a run is judged by comes first; groups that are not named here follow by name. */
const ORDER = ["held_out", "train", "samples", "objective", "judge", "evaluate", "sample", "policy", "value", "returns", "advantage", "rollout", "engine", "time", "memory"];
/** And within a group these. */
const FIRST = ["score", "reward", "loss", "accuracy", "kl_base_per_seq_nats", "reward_per_seq"];

function place(among: readonly string[], name: string): number {
  const known = among.indexOf(name);
  return known === -1 ? among.length : known;
}

function titleOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** The part before the last slash is the group. The database keeps no order of names, so the order is made here. */
export function curvesByGroup(points: readonly MetricPoint[]): Map<string, Curve[]> {
  const names = [...new Set(points.flatMap((point) => Object.keys(point.values)))].sort((one, other) => place(FIRST, titleOf(one)) - place(FIRST, titleOf(other)) || one.localeCompare(other));
  const groups = new Map<string, Curve[]>();
  for (const name of names) {
    const cut = name.lastIndexOf("/");
    const group = cut === -1 ? "" : name.slice(0, cut);
    const having = points.filter((point) => name in point.values);
    const values = having.map((point) => point.values[name] ?? null);
    const curve: Curve = { name, title: titleOf(name), steps: having.map((point) => point.step), values, last: values.findLast((value) => value !== null) ?? null };
    groups.set(group, [...(groups.get(group) ?? []), curve]);
  }
  return new Map([...groups].sort(([one], [other]) => place(ORDER, one) - place(ORDER, other) || one.localeCompare(other)));
}

/** What a curve said last at this step; null before its first value. */
export function valueAt(curve: Pick<Curve, "steps" | "values">, step: number): number | null {
  let [low, high] = [0, curve.steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (curve.steps[middle]! <= step) low = middle + 1;
    else high = middle;
  }
  for (let at = low - 1; at >= 0; at--) if (curve.values[at] !== null) return curve.values[at]!;
  return null;
}
