/** What plots drawn as SVG share: a linear scale, round ticks, the width they may take, and colours of series. */
import { type RefObject, useLayoutEffect, useRef, useState } from "react";
import { count } from "../format";

/** Written out, so that the style sheet keeps them; beyond these, dashes tell series apart. */
export const SERIES = [
  "var(--color-plot-a)", "var(--color-plot-b)", "var(--color-plot-c)", "var(--color-plot-d)",
  "var(--color-plot-e)", "var(--color-plot-f)", "var(--color-plot-g)", "var(--color-plot-h)",
] as const;
const DASHES = [undefined, "7 3", "2 3", "9 3 2 3"] as const;

/** Its name in the palette, for what is drawn without a style sheet. */
export const seriesName = (at: number): string => `plot-${"abcdefgh"[at % SERIES.length]!}`;
export const seriesColour = (at: number): string => SERIES[at % SERIES.length]!;
export const seriesDash = (at: number): string | undefined => DASHES[Math.floor(at / SERIES.length) % DASHES.length];

const OVER = [9, 19, 28] as const;
/** The series of what lies over another: neither its hue nor its dashes are those of the others, or of a warning. */
export const overSeries = (at: number): number => OVER[at % OVER.length]!;

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

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const STEPS = [1, 5, 15, 60, 180, 720].map((minutes) => minutes * MINUTE).concat([1, 2, 7, 14, 30, 91, 182, 365, 730, 1825].map((days) => days * DAY));

/** Round times of the reader's own clock within a range of milliseconds, at most `most`; `whole`: they are days. */
export function timeTicks([low, high]: readonly [number, number], most: number): { at: number[]; whole: boolean } {
  const offset = new Date(low).getTimezoneOffset() * MINUTE;
  const fits = (step: number): number[] => {
    const found: number[] = [];
    for (let at = Math.ceil((low - offset) / step) * step + offset; at <= high && found.length <= most; at += step) found.push(at);
    return found;
  };
  const step = STEPS.find((one) => fits(one).length <= most) ?? STEPS.at(-1)!;
  return { at: fits(step), whole: step >= DAY };
}

/** Names of ticks that count steps. There is no half step; the first says what is counted, where an axis has no title. */
export function stepNames(places: readonly number[]): string[] {
  const first = places.findIndex(Number.isInteger);
  return places.map((tick, at) => (Number.isInteger(tick) ? `${at === first ? "step " : ""}${count(tick)}` : ""));
}

/** Places for labels of one height, as near as may be to where they belong without lying on each other. */
export function spread(wanted: readonly number[], height: number, [low, high]: readonly [number, number]): number[] {
  const order = wanted.map((_, at) => at).toSorted((a, b) => wanted[a]! - wanted[b]!);
  const placed = [...wanted];
  let free = low;
  for (const at of order) free = (placed[at] = Math.max(wanted[at]!, free)) + height;
  free = high;
  for (const at of order.toReversed()) free = (placed[at] = Math.min(placed[at]!, free)) - height;
  return placed;
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

/** Names without the namespace that they all have in common: in a plot, room is dear. */
export function shortNames(names: readonly string[]): (name: string) => string {
  const end = (names[0] ?? "").indexOf("/") + 1;
  const common = names.length > 1 && end > 0 && names.every((name) => name.startsWith(names[0]!.slice(0, end)));
  return (name) => (common ? name.slice(end) : name);
}

let pen: CanvasRenderingContext2D | null = null;

/** How wide a text of the plots is in CSS pixels. */
export function textWidth(text: string, size = 12): number {
  pen ??= document.createElement("canvas").getContext("2d")!;
  pen.font = `${size}px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}

/** What fits of a text, the rest as an ellipsis. The title of the element says all. */
export function shortened(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let end = Math.min(text.length, Math.ceil(width / 3));
  while (end > 2 && textWidth(`${text.slice(0, end)}…`) > width) end--;
  return `${text.slice(0, end).trimEnd()}…`;
}
