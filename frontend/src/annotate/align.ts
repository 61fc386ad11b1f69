/**
 * Where a part of the drawn text stands in the text that was written, and the other way round: Markdown draws without
 * its signs, so the two are aligned by the words that they share. Offsets are UTF-16 as in the DOM; `codePoints` makes
 * them what is sent. Pure.
 */
import { shared, words } from "./diff";

/** So many words are aligned at once: the time goes with the length of a text, not with its square. */
const WINDOW = 600;

type Part = readonly [start: number, end: number];

interface Anchor {
  source: number;
  drawn: number;
  length: number;
}

export class Alignment {
  private anchors: Anchor[] | null = null;

  constructor(
    readonly source: string,
    readonly drawn: string,
  ) {}

  /** Runs of words that both texts have, in their order. */
  private common(): Anchor[] {
    if (this.anchors) return this.anchors;
    const anchors: Anchor[] = [];
    if (this.source === this.drawn) anchors.push({ source: 0, drawn: 0, length: this.source.length });
    else {
      const [a, b] = [words(this.source), words(this.drawn)];
      const [startsA, startsB] = [starts(a), starts(b)];
      for (const [i, j] of matches(a, b)) anchors.push({ source: startsA[i]!, drawn: startsB[j]!, length: a[i]!.length });
    }
    return (this.anchors = anchors);
  }

  /** The written text of a drawn part; null where it cannot be told. */
  toSource(start: number, end: number): Part | null {
    const quote = this.drawn.slice(start, end);
    return this.carry([start, end], "drawn", "source") ?? only(this.source, quote);
  }

  /** The drawn text of a written part. */
  toDrawn(start: number, end: number): Part | null {
    return this.carry([start, end], "source", "drawn") ?? only(this.drawn, this.source.slice(start, end));
  }

  private carry([start, end]: Part, from: "source" | "drawn", to: "source" | "drawn"): Part | null {
    const inside = this.common().filter((anchor) => anchor[from] < end && anchor[from] + anchor.length > start);
    // White space alone is shared by chance.
    const told = inside.filter((anchor) => (from === "source" ? this.source : this.drawn).slice(anchor[from], anchor[from] + anchor.length).trim() !== "");
    const [first, last] = [told[0], told.at(-1)];
    if (!first || !last) return null;
    const begin = first[to] + Math.max(0, start - first[from]);
    const stop = last[to] + Math.min(last.length, end - last[from]);
    return begin < stop ? [begin, stop] : null;
  }
}

function starts(tokens: string[]): number[] {
  let offset = 0;
  return tokens.map((token) => (offset += token.length) - token.length);
}

/** Pairs of equal words in their order, found window by window. */
function* matches(a: string[], b: string[]): Generator<[number, number]> {
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    const [partA, partB] = [a.slice(i, i + WINDOW), b.slice(j, j + WINDOW)];
    const [keepA, keepB] = shared(partA, partB);
    const [hitsA, hitsB] = [kept(keepA), kept(keepB)];
    const final = i + WINDOW >= a.length && j + WINDOW >= b.length;
    // What is near the end of a window may match better in the next one.
    const trusted = final ? hitsA.length : hitsA.findLastIndex((hit, at) => hit < WINDOW * 0.75 && hitsB[at]! < WINDOW * 0.75) + 1;
    for (let at = 0; at < trusted; at++) yield [i + hitsA[at]!, j + hitsB[at]!];
    if (final) return;
    i += trusted > 0 ? hitsA[trusted - 1]! + 1 : WINDOW / 2; // a long address, or HTML that is not drawn
    j += trusted > 0 ? hitsB[trusted - 1]! + 1 : 0;
  }
}

function kept(keep: Uint8Array): number[] {
  return [...keep.keys()].filter((at) => keep[at] === 1);
}

/** Where a quote stands, if it stands there once. */
export function only(text: string, quote: string): Part | null {
  const at = quote === "" ? -1 : text.indexOf(quote);
  return at === -1 || text.indexOf(quote, at + 1) !== -1 ? null : [at, at + quote.length];
}

/** How many characters, as Unicode counts them, stand before this offset. */
export function codePoints(text: string, offset: number): number {
  let count = 0;
  for (const _ of text.slice(0, offset)) count++;
  return count;
}

/** The offset behind so many characters. */
export function offsetOf(text: string, points: number): number {
  let offset = 0;
  let left = points;
  for (const character of text) {
    if (left-- <= 0) break;
    offset += character.length;
  }
  return offset;
}

/** A part without white space at its ends, and never half a character. */
export function trimmed(text: string, [start, end]: Part): Part | null {
  let [from, to] = [start, end];
  while (from < to && /\s/.test(text[from]!)) from++;
  while (to > from && /\s/.test(text[to - 1]!)) to--;
  if (from > 0 && /[\uDC00-\uDFFF]/.test(text[from] ?? "")) from--;
  if (/[\uDC00-\uDFFF]/.test(text[to] ?? "")) to++;
  return from < to ? [from, to] : null;
}
