/** Keeps the marks of one answer painted, also when the text is drawn anew: Markdown, plain, words marked. */
import { type RefObject, useEffect, useRef } from "react";
import type { Span } from "../api/types";
import { Alignment } from "./align";
import { rangeOf, readDrawn } from "./drawnText";
import { paintMarks, wipeMarks } from "./marks";
import { partOfSpan } from "./spans";

export function useMarks(root: RefObject<HTMLElement | null>, source: string, spans: readonly { span: Span; at: number }[], here: number | null): void {
  const aligned = useRef<Alignment | null>(null);
  useEffect(() => {
    const element = root.current;
    if (!element || spans.length === 0) return;
    const draw = () => {
      const drawn = readDrawn(element);
      if (aligned.current?.source !== source || aligned.current.drawn !== drawn.text) aligned.current = new Alignment(source, drawn.text);
      const alignment = aligned.current;
      const found = spans.flatMap(({ span, at }) => {
        const part = partOfSpan(span, source, drawn, alignment);
        const range = part && rangeOf(drawn, ...part);
        return range ? [{ at, range }] : [];
      });
      paintMarks(element, found.map((one) => one.range), found.find((one) => one.at === here)?.range ?? null);
    };
    draw();
    const observer = new MutationObserver(draw);
    observer.observe(element, { childList: true, subtree: true, characterData: true });
    return () => {
      observer.disconnect();
      wipeMarks(element);
    };
  }, [root, source, spans, here]);
}
