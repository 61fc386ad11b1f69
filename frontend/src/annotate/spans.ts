/** Remarks on parts of answers: made from what is selected on the screen, kept as what is sent. */
import type { Comparison, Span } from "../api/types";
import { Alignment, codePoints, offsetOf, only, trimmed } from "./align";
import type { Drawn } from "./drawnText";

export const MOST_SPANS = 50;
/** A longer quote says no more. */
const LONGEST_QUOTE = 20_000;

/** The span of a drawn part, with its place in the written text where that can be told. */
export function spanOf(comparison: Comparison, completion: number, drawn: Drawn, part: readonly [number, number]): Span | null {
  const source = comparison.completions[completion]?.text;
  const selected = trimmed(drawn.text, part);
  if (source === undefined || selected === null) return null;
  const [from, to] = selected;
  const found = new Alignment(source, drawn.text).toSource(from, to);
  const written = found && trimmed(source, found);
  if (!written || written[1] - written[0] > LONGEST_QUOTE) {
    return { completion, start: null, end: null, quote: drawn.text.slice(from, Math.min(to, from + LONGEST_QUOTE)), remark: "" };
  }
  const [start, end] = written.map((offset) => codePoints(source, offset)) as [number, number];
  return { completion, start, end, quote: source.slice(...written), remark: "" };
}

/** Where a span stands on the screen now; null where it cannot be found. */
export function partOfSpan(span: Span, source: string, drawn: Drawn, alignment: Alignment): readonly [number, number] | null {
  if (span.start == null || span.end == null) return only(drawn.text, span.quote);
  const part = alignment.toDrawn(offsetOf(source, span.start), offsetOf(source, span.end));
  return part && trimmed(drawn.text, part);
}
