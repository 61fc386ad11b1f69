/** What can be answered to one comparison, and what its answers are called. Pure. */

/** A verdict as it is made by one key: a ranking, or none acceptable (null). */
export interface Answer {
  ranks: number[] | null;
  strength?: number | null;
}

/** Two answers have letters, more have numbers: the digits that rank them. */
export function answerName(place: number, size: number): string {
  return size === 2 ? (place === 0 ? "A" : "B") : String(place + 1);
}
