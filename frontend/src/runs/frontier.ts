/** What was thought of a policy, by how far it was from its reference: what runs are to be compared by. Pure. */
import type { Run } from "../api/types";
import type { Curve } from "../components/metrics";
import { same } from "./settings";

type Curves = ReadonlyMap<string, Pick<Curve, "steps" | "values">>;

/** Of judged policies what the judge says on held-out prompts; of all others the reward on the prompts they learn from. */
export const BY = {
  judge: { kl: "judge/kl_base_per_seq_nats", score: "judge/score" },
  score: { kl: "objective/kl_base_per_seq_nats", score: "objective/score" },
} as const;

export interface Place {
  step: number;
  /** Square root of the divergence from the reference, in nats an answer. */
  distance: number;
  /** Of each curve that was asked for. */
  values: number[];
}

/** The values of curves by the distance that the policy had then, nearest to the reference first. */
export function along(curves: Curves, kl: string, names: readonly string[]): Place[] {
  const [distances, ...asked] = [kl, ...names].map((name) => {
    const { steps, values } = curves.get(name) ?? { steps: [], values: [] };
    return new Map(steps.map((step, at) => [step, values[at]]));
  });
  const places = [...distances!].flatMap(([step, nats]): Place[] => {
    const values = asked.map((curve) => curve.get(step));
    return typeof nats === "number" && values.every((value) => typeof value === "number") ? [{ step, distance: Math.sqrt(Math.max(0, nats)), values }] : [];
  });
  return places.toSorted((one, other) => one.distance - other.distance);
}

/** By what all of these can be compared: a judge that looked at each of them twice or more, else their score. */
export function comparedBy(runs: readonly { config: Run["config"]; curves: Curves }[]): keyof typeof BY {
  const looked = runs.every(({ curves }) => along(curves, BY.judge.kl, [BY.judge.score]).length > 1);
  return looked && alike(runs, judgeOf) ? "judge" : "score";
}

/** Whether they are trained on the same reward: else their scores say nothing of each other. */
export const sameReward = (runs: readonly { config: Run["config"] }[]): boolean => alike(runs, rewardOf);

function alike(runs: readonly { config: Run["config"] }[], of: (config: Run["config"]) => unknown): boolean {
  return runs.every(({ config }) => same(of(config), of(runs[0]!.config)));
}

function scorers(config: Run["config"], judge: boolean): unknown[] {
  return ((config["scorers"] ?? []) as { role?: string }[]).filter((one) => (one.role === "judge") === judge);
}

const judgeOf = (config: Run["config"]): unknown => [config["judge"], scorers(config, true)];
const rewardOf = (config: Run["config"]): unknown => [config["reward_model"], config["reward_model_weight"], scorers(config, false)];

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

/** At most so many places: where there are more, neighbours are averaged, for each round's score is a noisy one. */
export function thinned(places: readonly Place[], most: number): Place[] {
  if (places.length <= most) return [...places];
  return Array.from({ length: most }, (_, at) => {
    const some = places.slice(Math.round((at * places.length) / most), Math.round(((at + 1) * places.length) / most));
    return { step: some[0]!.step, distance: mean(some.map((one) => one.distance)), values: some[0]!.values.map((__, of) => mean(some.map((one) => one.values[of]!))) };
  });
}

/** Lines over the distances of all of them: between two of its own places a line is straight, beyond them it is not. */
export function together(lines: readonly (readonly Place[])[]): { x: number[]; values: (number | null)[][] } {
  const x = [...new Set(lines.flat().map((place) => place.distance))].sort((one, other) => one - other);
  return { x, values: lines.map((line) => x.map((distance) => valueAt(line, distance))) };
}

function valueAt(line: readonly Place[], distance: number): number | null {
  const here = line.filter((place) => place.distance === distance);
  if (here.length > 0) return mean(here.map((place) => place.values[0]!));
  const [before, after] = [line.findLast((place) => place.distance < distance), line.find((place) => place.distance > distance)];
  if (!before || !after) return null;
  const share = (distance - before.distance) / (after.distance - before.distance);
  return before.values[0]! + share * (after.values[0]! - before.values[0]!);
}
