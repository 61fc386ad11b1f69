/** Answering aspects by key, one after another. Pure. */
import type { KeyMap } from "./keys";

/** Ranks of one aspect from one choice: the best one before the rest, or all equal. */
export function aspectRanks(choice: string, size: number): number[] {
  return Array.from({ length: size }, (_, place) => (choice === "=" || choice === String(place) ? 1 : 2));
}

export function choiceOf(ranks: number[] | undefined): string | null {
  if (!ranks) return null;
  return ranks.every((rank) => rank === 1) ? "=" : String(ranks.indexOf(1));
}

export type AspectStep =
  | { choice: string }
  /** Another aspect: the next one, the one before. */
  | { by: 1 | -1 }
  | { clear: true }
  | { leave: true };

/** Null: the key means nothing while aspects are answered. */
export function aspectStep(key: string, shift: boolean, size: number, keys: KeyMap): AspectStep | null {
  if (key === "Escape" || key === keys.aspects) return { leave: true };
  if (key === "Enter" || key === "ArrowRight") return { by: 1 };
  if (key === "Tab") return { by: shift ? -1 : 1 };
  if (key === "ArrowLeft") return { by: -1 };
  if (key === "Backspace") return { clear: true };
  if (key === keys.tie || key === "=" || key === "0") return { choice: "=" };
  if (size === 2 && (key === keys.left || key === keys.right)) return { choice: key === keys.left ? "0" : "1" };
  if (/^[1-9]$/.test(key) && Number(key) <= size) return { choice: String(Number(key) - 1) };
  return null;
}
