/** Ranking more than two answers by digits, best first. Pure. */

/** Groups of shown places, best group first; places in one group are tied. */
export type Order = readonly (readonly number[])[];

export function placed(order: Order): number {
  return order.reduce((sum, group) => sum + group.length, 0);
}

/** Puts `place` behind the others, or beside the last one when `tied`. A place that is in already stays. */
export function put(order: Order, place: number, tied: boolean): Order {
  if (order.some((group) => group.includes(place))) return order;
  const last = order.at(-1);
  if (tied && last) return [...order.slice(0, -1), [...last, place]];
  return [...order, [place]];
}

/** Takes the last placed one back. */
export function takeBack(order: Order): Order {
  const last = order.at(-1);
  if (!last) return order;
  return last.length === 1 ? order.slice(0, -1) : [...order.slice(0, -1), last.slice(0, -1)];
}

/** 1 for the best; null while a place has no rank. */
export function rankOf(order: Order, place: number): number | null {
  const at = order.findIndex((group) => group.includes(place));
  return at === -1 ? null : at + 1;
}

/** What finishes a ranking besides placing every answer. */
export interface Rules {
  allowTie: boolean;
  /** Only the best so many are ranked. */
  top?: number | null;
}

/**
 * The ranks to send, in shown order, or null while the ranking is not finished. Without ties the last place follows
 * from the others; with ties it must be named, unless `rest` says that all that are left share the last rank.
 */
export function ranks(order: Order, size: number, { allowTie, top = null }: Rules, rest = false): number[] | null {
  const done = placed(order);
  const left = size - done;
  const finished = left === 0 || (left === 1 && !allowTie) || (top !== null && done >= top) || (rest && allowTie && done > 0);
  if (!finished) return null;
  return Array.from({ length: size }, (_, place) => rankOf(order, place) ?? order.length + 1);
}
