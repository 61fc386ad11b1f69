/**
 * What is entered for a comparison but not yet sent: ranking so far, aspects, comment, remarks, the ideal answer. Kept
 * by comparison in the browser, so that neither a skip, nor an undo, nor a reload loses a sentence.
 */
import { useEffect, useMemo, useReducer, useState } from "react";
import type { Comparison, NewJudgment, Span } from "../api/types";
import type { Answer } from "./answers";
import type { Order } from "./ranking";

export interface Draft {
  order: Order;
  tied: boolean;
  aspects: Record<string, number[]>;
  comment: string;
  spans: Span[];
  ideal: string;
  /** One at a time: which answer is in front. */
  front: number;
  /** Chosen already, and waiting for the comment that the project requires. */
  waiting: Answer | null;
}

export const NEW_DRAFT: Draft = { order: [], tied: false, aspects: {}, comment: "", spans: [], ideal: "", front: 0, waiting: null };

const PREFIX = "podium.draft.";
/** A sentence that is being typed is stored this long after its last key, and when the page is left. */
const STORE_AFTER_MS = 250;
/** So long after the last key nobody comes back to a comparison. */
const FORGET_AFTER_MS = 30 * 86_400_000;

interface Stored extends Partial<Draft> {
  at: number;
}

function parse(text: string): Stored | null {
  try {
    return JSON.parse(text) as Stored;
  } catch {
    return null;
  }
}

export function readDraft(comparison: string): Draft | null {
  try {
    const stored = parse(localStorage.getItem(PREFIX + comparison) ?? "");
    return stored && { ...NEW_DRAFT, ...stored };
  } catch {
    return null; // Storage is off: the draft lives as long as the page.
  }
}

/** Null, or a draft in which nothing stands: there is nothing to keep. */
export function writeDraft(comparison: string, draft: Draft | null, now: number = Date.now()): void {
  try {
    if (draft && !isEmpty(draft)) localStorage.setItem(PREFIX + comparison, JSON.stringify({ ...draft, waiting: null, at: now }));
    else localStorage.removeItem(PREFIX + comparison);
  } catch {
    // As above.
  }
}

export function isEmpty(draft: Draft): boolean {
  return draft.order.length === 0 && Object.keys(draft.aspects).length === 0 && draft.comment.trim() === "" && draft.spans.length === 0 && draft.ideal.trim() === "";
}

/** Drafts of comparisons that never came back. */
export function forgetOldDrafts(now: number = Date.now()): void {
  try {
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(PREFIX)) continue;
      const stored = parse(localStorage.getItem(key) ?? "");
      if (!stored || now - stored.at > FORGET_AFTER_MS) localStorage.removeItem(key);
    }
  } catch {
    // As above.
  }
}

/** After an undo everything that had been entered is there again. */
function fromJudgment(before: NewJudgment | undefined): Draft | null {
  return before ? { ...NEW_DRAFT, aspects: before.aspects ?? {}, comment: before.comment ?? "", spans: before.spans ?? [], ideal: before.ideal_answer ?? "" } : null;
}

export interface Drafting {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  /** The comparison is judged: what was entered is on its way. */
  drop: () => void;
}

export function useDraft(comparison: Comparison | null, earlier: Map<string, NewJudgment>): Drafting {
  const [drafts] = useState(() => new Map<string, Draft>());
  const [, redraw] = useReducer((times: number) => times + 1, 0);
  const [store] = useState(() => new LateStore());
  useEffect(() => {
    forgetOldDrafts();
    const flush = () => store.flush();
    window.addEventListener("pagehide", flush);
    document.addEventListener("visibilitychange", flush);
    return () => {
      window.removeEventListener("pagehide", flush);
      document.removeEventListener("visibilitychange", flush);
      flush();
    };
  }, [store]);
  const id = comparison?.id;
  const first = useMemo(() => (id === undefined ? NEW_DRAFT : (fromJudgment(earlier.get(id)) ?? readDraft(id) ?? NEW_DRAFT)), [id, earlier]);
  const draft = () => (id !== undefined && drafts.get(id)) || first;
  return {
    draft: draft(),
    change: (part) => {
      if (id === undefined) return;
      const next = { ...draft(), ...part };
      drafts.set(id, next);
      store.later(id, next);
      redraw();
    },
    drop: () => {
      if (id === undefined) return;
      drafts.delete(id);
      store.drop(id);
      redraw();
    },
  };
}

/** Writes at the pace of sentences, not of keys. */
class LateStore {
  private waiting = new Map<string, Draft>();
  private timer: ReturnType<typeof setTimeout> | null = null;

  later(comparison: string, draft: Draft): void {
    this.waiting.set(comparison, draft);
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), STORE_AFTER_MS);
  }

  drop(comparison: string): void {
    this.waiting.delete(comparison);
    writeDraft(comparison, null);
  }

  flush(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    for (const [comparison, draft] of this.waiting) writeDraft(comparison, draft);
    this.waiting.clear();
  }
}
