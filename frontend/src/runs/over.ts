/** Which runs lie over one: chosen in the list of runs or on the page of one, and remembered by the address. Pure. */
import type { Run } from "../api/types";

/** More lines than these in one small picture nobody tells apart. */
export const MOST_TOGETHER = 4;

/** The runs that an address names to lie over this one. */
export function overOf(run: string, text: string | undefined): string[] {
  const ids = (text ?? "").split(",").filter((id) => id !== "" && id !== run);
  return [...new Set(ids)].slice(0, MOST_TOGETHER - 1);
}

/** What the address remembers of them. */
export function overText(ids: readonly string[]): string | undefined {
  return ids.join(",") || undefined;
}

/** Why a run cannot be laid over those that are chosen already; null where it can. */
export function whyNot(run: Pick<Run, "id" | "kind">, chosen: readonly Pick<Run, "id" | "kind">[]): string | null {
  if (chosen.some((one) => one.id === run.id)) return null;
  if (run.kind === "evaluate" || run.kind === "sample") return "Only runs that train have curves to compare.";
  if (chosen.some((one) => one.kind !== run.kind)) return "Only runs of one kind have the same curves.";
  if (chosen.length >= MOST_TOGETHER) return `At most ${MOST_TOGETHER} runs are laid over each other.`;
  return null;
}
