/** What plots drawn as SVG share: a linear scale, round ticks, the width they may take, and colours of series. */
import { type RefObject, useLayoutEffect, useRef, useState } from "react";

/** Written out, so that the style sheet keeps them; beyond these, dashes tell series apart. */
export const SERIES = [
  "var(--color-plot-a)", "var(--color-plot-b)", "var(--color-plot-c)", "var(--color-plot-d)",
  "var(--color-plot-e)", "var(--color-plot-f)", "var(--color-plot-g)", "var(--color-plot-h)",
] as const;
const DASHES = [undefined, "7 3", "2 3", "9 3 2 3"] as const;

export const seriesColour = (at: number): string => SERIES[at % SERIES.length]!;
export const seriesDash = (at: number): string | undefined => DASHES[Math.floor(at / SERIES.length) % DASHES.length];

export type Scale = (value: number) => number;

/** From values to pixels; values that are all one stand in the middle. */
export function linear([low, high]: readonly [number, number], [start, end]: readonly [number, number]): Scale {
  if (high === low) return () => (start + end) / 2;
  return (value) => start + ((value - low) / (high - low)) * (end - start);
}

/** Round numbers within a range, at most `most` of them: steps of 1, 2 or 5 times a power of ten. */
export function ticks([low, high]: readonly [number, number], most: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span) || most < 1) return Number.isFinite(low) ? [low] : [];
  const power = 10 ** Math.floor(Math.log10(span / most));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => Math.floor(high / size) - Math.ceil(low / size) + 1 <= most) ?? 20 * power;
  const found: number[] = [];
  // A multiple, not a sum: sums of 0.1 are no round numbers.
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) found.push(Number((at * step).toPrecision(12)));
  return found;
}

/** The least and the largest of the known values, with a margin as a share of their span. */
export function range(values: Iterable<number | null | undefined>, margin = 0): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value === null || value === undefined || !Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  const more = (high - low || Math.abs(high) || 1) * margin;
  return [low - more, high + more];
}

/** The width in CSS pixels of the element that the ref is given to; 0 before it is known. */
export function useWidth<E extends HTMLElement>(): [RefObject<E | null>, number] {
  const ref = useRef<E>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    setWidth(element.clientWidth);
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

/** Letters of the plots' 12 px type that fit a width, the rest as an ellipsis. The title of the element says all. */
export function shortened(text: string, width: number, letter = 6.4): string {
  const most = Math.max(3, Math.floor(width / letter));
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
