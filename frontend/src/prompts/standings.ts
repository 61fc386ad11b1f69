/** The completions of a prompt in their order, each under the name that tells it from the others. */
import type { Prompt } from "../api/types";
import { shortNames } from "../components/plot";

type Completion = Prompt["completions"][number];

export interface Answer extends Completion {
  /** The model's, numbered where it answered more than once. */
  name: string;
}

/** By Bradley-Terry where that is known, else by Elo; who was never judged comes last. */
export function standings(completions: readonly Completion[]): Answer[] {
  const ordered = completions.toSorted(
    (one, other) => Number(other.judgments > 0) - Number(one.judgments > 0) || (other.bradley_terry ?? -Infinity) - (one.bradley_terry ?? -Infinity) || (other.rating ?? -Infinity) - (one.rating ?? -Infinity),
  );
  const short = shortNames([...new Set(ordered.map((one) => one.model.name))]);
  const total = new Map<string, number>();
  for (const one of ordered) total.set(one.model.id, (total.get(one.model.id) ?? 0) + 1);
  const seen = new Map<string, number>();
  return ordered.map((one) => {
    const number = (seen.get(one.model.id) ?? 0) + 1;
    seen.set(one.model.id, number);
    return { ...one, name: total.get(one.model.id)! > 1 ? `${short(one.model.name)} (${number})` : short(one.model.name) };
  });
}

/** The groups among which nobody has ever compared; one, where all hang together. */
export function groups(answers: readonly Answer[]): number {
  return new Set(answers.flatMap((one) => (one.component === null || one.judgments === 0 ? [] : [one.component]))).size;
}
