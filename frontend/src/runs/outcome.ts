/** What came of a run in one line: by it a run is found again among others. Pure. */
import type { Run } from "../api/types";
import { count, figure, percent } from "../format";

export function outcomeOf({ kind, result }: Pick<Run, "kind" | "result">): string | null {
  const of = (name: string): number | null => (typeof result?.[name] === "number" ? (result[name] as number) : null);
  const told = (name: string, words: (value: number) => string): string[] => {
    const value = of(name);
    return value === null ? [] : [words(value)];
  };
  const parts: Record<string, string[]> = {
    pretrain: told("held_out/loss", (value) => `held-out loss ${figure(value)} nats`),
    sft: told("held_out/loss", (value) => `held-out loss ${figure(value)} nats`),
    sample: told("completions_added", (value) => `${count(value)} new completions`),
    reward_model: [...told("held_out/accuracy", (value) => `right on ${percent(value)} of held-out pairs`), ...told("held_out/no_better_than_length", (value) => (value === 1 ? "no better than length" : "")).filter(Boolean)],
    ppo: [...told("end/score", (end) => `score ${(of("start/score") ?? 0).toFixed(2)} → ${end.toFixed(2)}`), ...told("end/kl_base_per_seq_nats", (value) => `KL ${value.toFixed(1)} nats an answer`)],
  };
  return parts[kind]?.join(", ") || null;
}
