/** What can be done at the desk: judge, skip, undo, rank, and what is entered before. Every way to do it ends here. */
import { useQueryClient } from "@tanstack/react-query";
import { type RefObject, useCallback, useEffect, useRef, useState } from "react";
import { progressQuery } from "../api/queries";
import type { Comparison, Judgment, NewJudgment, Progress, Protocol } from "../api/types";
import { announce } from "../components/announcer";
import { verdict } from "../format";
import type { Answer } from "./answers";
import { type Draft, useDraft } from "./drafts";
import type { JudgmentEntry } from "./outbox";
import type { Queue, View } from "./queue";
import { put, ranks as ranksOf, takeBack } from "./ranking";
import { useJudged } from "./session";
import { useAttention } from "./useQueue";
import { type Rest, useRest } from "./useRest";

/** A key that bounces can fire twice within this time; nobody has read anything by then. */
const BOUNCE_MS = 60;

export interface Desk {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  message: string | null;
  rest: Rest;
  comment: RefObject<HTMLTextAreaElement | null>;
  /** The comparison has been on the screen long enough to be meant. */
  isReady: () => boolean;
  answer: (answer: Answer) => void;
  place: (at: number) => void;
  tied: () => void;
  back: () => void;
  restEqual: () => void;
  skip: () => void;
  undo: () => void;
}

interface DeskOptions {
  slug: string;
  queue: Queue;
  view: View;
  current: Comparison | null;
  protocol: Protocol | null;
  size: number;
}

export function useDesk({ slug, queue, view, current, protocol, size }: DeskOptions): Desk {
  const client = useQueryClient();
  const active = useAttention(queue);
  const rest = useRest();
  const { draft, change, drop } = useDraft(current, queue.earlier);
  const [message, setMessage] = useState<string | null>(null);
  const comment = useRef<HTMLTextAreaElement>(null);
  const shownAt = useRef(0);

  // A new comparison starts at its top, with a clock of its own.
  const currentId = current?.id;
  useEffect(() => {
    shownAt.current = performance.now();
    active.take(Date.now());
    if (window.scrollY > 0) window.scrollTo(0, 0);
  }, [currentId, active]);

  const onJudged = useCallback(
    (entry: JudgmentEntry, judgment: Judgment) => {
      if (entry.project !== slug) return;
      if (!judgment.counted) setMessage(`Kept, but not counted: ${judgment.reason ?? "somebody else was faster."}`);
      client.setQueryData(progressQuery(slug).queryKey, (old: Progress | undefined) => old && { ...old, judgments: old.judgments + 1, mine: old.mine + 1, today: old.today + 1 });
    },
    [client, slug],
  );
  useJudged(onJudged);

  const answer = (given: Answer) => {
    if (!current || !protocol) return;
    const text = draft.comment.trim();
    if (protocol.comment === "required" && text === "") {
      change({ waiting: given });
      announce("This project asks for a comment. Write it and press Enter.");
      comment.current?.focus();
      return;
    }
    const now = Date.now();
    const body: Omit<NewJudgment, "comparison" | "lease"> = {
      ranks: given.ranks,
      none_acceptable: given.ranks === null,
      active_ms: active.take(now),
      ...(given.strength ? { strength: given.strength } : {}),
      ...(Object.keys(draft.aspects).length > 0 ? { aspects: draft.aspects } : {}),
      ...(text !== "" ? { comment: text } : {}),
    };
    setMessage(null);
    comment.current?.blur(); // The next key belongs to the next comparison, not to its comment.
    queue.judge(body);
    drop();
    announce(`${verdict(given.ranks, given.ranks === null)}. ${queue.get().comparisons.length > 0 ? "Next comparison." : ""}`);
    rest.worked(now);
  };

  const undo = async () => {
    const judged = view.last?.what !== "skip";
    const trouble = await queue.undo();
    setMessage(trouble);
    announce(trouble ?? "Taken back. The comparison is here again.");
    if (trouble === null && judged) void client.invalidateQueries({ queryKey: progressQuery(slug).queryKey });
  };

  return {
    draft,
    change,
    message,
    rest,
    comment,
    isReady: () => current !== null && performance.now() - shownAt.current > BOUNCE_MS,
    answer,
    place: (at) => {
      if (!protocol) return;
      const order = put(draft.order, at, draft.tied && protocol.allow_tie);
      change({ order, tied: false });
      const done = ranksOf(order, size, protocol.allow_tie);
      if (done) answer({ ranks: done });
    },
    tied: () => change({ tied: !draft.tied && draft.order.length > 0 }),
    back: () => change({ order: takeBack(draft.order), tied: false }),
    restEqual: () => {
      const done = protocol ? ranksOf(draft.order, size, protocol.allow_tie, true) : null;
      if (done) answer({ ranks: done });
    },
    skip: () => {
      if (!current) return;
      setMessage(null);
      queue.skip(null);
      announce("Skipped. Next comparison.");
    },
    undo: () => void undo(),
  };
}
