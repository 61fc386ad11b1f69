/**
 * Marking parts of the answers: what is selected by mouse or finger, or word by word with the arrow keys, gets a
 * remark, which can be changed and removed until the comparison is judged.
 */
import { type RefObject, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Comparison, Span } from "../api/types";
import { announce } from "../components/announcer";
import { answerName } from "./answers";
import type { Draft } from "./drafts";
import { type Drawn, partOf, rangeOf, readDrawn, type Word, wordsOf } from "./drawnText";
import { MOST_SPANS, spanOf } from "./spans";

/** A selection is lost when a finger taps a button; so long it is still meant. */
const JUST_LOST_MS = 2_000;

/** Words from `anchor` to `head`, of one answer. */
interface Picking {
  place: number;
  drawn: Drawn;
  words: Word[];
  anchor: number;
  head: number;
}

export interface Editing {
  span: Span;
  /** Its place in the list; null while it is new. */
  at: number | null;
}

export interface Remarks {
  editing: Editing | null;
  picking: boolean;
  /** Marks what is selected, or begins to choose words by key. */
  mark: () => void;
  /** While words are chosen: true when the key meant something. */
  pick: (event: KeyboardEvent) => boolean;
  save: (remark: string) => void;
  cancel: () => void;
  edit: (at: number) => void;
  remove: (at: number) => void;
}

export function useRemarks(frame: RefObject<HTMLElement | null>, current: Comparison | null, draft: Draft, change: (part: Partial<Draft>) => void): Remarks {
  const { t } = useTranslation("annotate");
  const [editing, setEditing] = useState<Editing | null>(null);
  const [picking, setPicking] = useState<Picking | null>(null);
  const selected = useRef<{ place: number; root: Element; range: Range; lostAt: number | null } | null>(null);
  const id = current?.id;

  useEffect(() => {
    setEditing(null);
    setPicking(null);
    selected.current = null;
  }, [id]);

  const roots = (): HTMLElement[] => [...(frame.current?.querySelectorAll<HTMLElement>("[data-text]") ?? [])].filter((one) => one.offsetParent !== null);

  useEffect(() => {
    const look = () => {
      const selection = window.getSelection();
      const range = selection && selection.rangeCount > 0 && !selection.isCollapsed ? selection.getRangeAt(0) : null;
      const root = range && (range.startContainer instanceof Element ? range.startContainer : range.startContainer.parentElement)?.closest<HTMLElement>("[data-text]");
      if (range && root) selected.current = { place: Number(root.dataset["text"]), root, range: range.cloneRange(), lostAt: null };
      else if (selected.current && selected.current.lostAt === null) selected.current.lostAt = performance.now();
    };
    document.addEventListener("selectionchange", look);
    return () => document.removeEventListener("selectionchange", look);
  }, []);

  const begin = (place: number, drawn: Drawn, part: readonly [number, number] | null): boolean => {
    const span = current && part && spanOf(current, place, drawn, part);
    if (!span) return false;
    setPicking(null);
    setEditing({ span, at: null });
    return true;
  };

  const show = (next: Picking) => {
    setPicking(next);
    const [from, to] = [Math.min(next.anchor, next.head), Math.max(next.anchor, next.head)];
    const range = rangeOf(next.drawn, next.words[from]!.start, next.words[to]!.end);
    if (!range) return;
    const selection = window.getSelection();
    selection?.removeAllRanges();
    selection?.addRange(range);
    const head = rangeOf(next.drawn, next.words[next.head]!.start, next.words[next.head]!.end);
    const node = head?.startContainer;
    (node instanceof Element ? node : node?.parentElement)?.scrollIntoView({ block: "nearest" });
    announce(range.toString());
  };

  const pickIn = (root: HTMLElement): boolean => {
    const drawn = readDrawn(root);
    const words = wordsOf(drawn.text);
    if (words.length === 0) return false;
    show({ place: Number(root.dataset["text"]), drawn, words, anchor: 0, head: 0 });
    return true;
  };

  const mark = () => {
    if (!current || editing) return;
    if (draft.spans.length >= MOST_SPANS) return announce(t("remark.full", { most: MOST_SPANS }));
    const last = selected.current;
    if (last && last.root.isConnected && (last.lostAt === null || performance.now() - last.lostAt < JUST_LOST_MS)) {
      const drawn = readDrawn(last.root);
      if (begin(last.place, drawn, partOf(drawn, last.range))) return;
    }
    const all = roots();
    const focused = all.find((one) => one.closest("[data-answer]")?.contains(document.activeElement));
    const first = focused ?? all[0];
    if (first && pickIn(first)) announce(t("remark.pick", { answer: answerName(Number(first.dataset["text"]), current.completions.length) }));
  };

  const pick = (event: KeyboardEvent): boolean => {
    if (!picking || event.ctrlKey || event.metaKey || event.altKey) return false;
    const { words, anchor, head } = picking;
    const go = (to: number) => {
      const next = Math.min(words.length - 1, Math.max(0, to));
      show({ ...picking, head: next, anchor: event.shiftKey ? anchor : next });
      return true;
    };
    switch (event.key) {
      case "ArrowRight":
        return go(head + 1);
      case "ArrowLeft":
        return go(head - 1);
      case "ArrowDown": {
        const next = words.findIndex((word, at) => at > head && word.first);
        // With Shift to the end of the line first.
        return go(event.shiftKey ? (next === -1 ? words.length - 1 : next - 1 === head ? next : next - 1) : next === -1 ? head : next);
      }
      case "ArrowUp":
        return go(Math.max(0, words.findLastIndex((word, at) => at < head && word.first)));
      case "Tab": {
        const all = roots();
        const here = all.findIndex((one) => Number(one.dataset["text"]) === picking.place);
        return all.length < 2 || pickIn(all[(here + (event.shiftKey ? all.length - 1 : 1)) % all.length]!);
      }
      case "Enter":
        return begin(picking.place, picking.drawn, [words[Math.min(anchor, head)]!.start, words[Math.max(anchor, head)]!.end]);
      case "Escape":
        setPicking(null);
        window.getSelection()?.removeAllRanges();
        return true;
      default:
        return false;
    }
  };

  return {
    editing,
    picking: picking !== null,
    mark: picking ? () => void begin(picking.place, picking.drawn, [picking.words[Math.min(picking.anchor, picking.head)]!.start, picking.words[Math.max(picking.anchor, picking.head)]!.end]) : mark,
    pick,
    save: (remark) => {
      if (!editing) return;
      const span = { ...editing.span, remark: remark.trim() };
      change({ spans: editing.at === null ? [...draft.spans, span] : draft.spans.map((one, at) => (at === editing.at ? span : one)) });
      setEditing(null);
      window.getSelection()?.removeAllRanges();
      selected.current = null;
      announce(t("remark.saved"));
    },
    cancel: () => setEditing(null),
    edit: (at) => draft.spans[at] && setEditing({ span: draft.spans[at], at }),
    remove: (at) => {
      change({ spans: draft.spans.filter((_, other) => other !== at) });
      if (editing?.at === at) setEditing(null);
      announce(t("remark.removed"));
    },
  };
}
