/** What can be done at the desk: judge, skip, flag, undo, rank, and what is entered before. Every way to do it ends here. */
import { useQueryClient } from "@tanstack/react-query";
import { type RefObject, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { progressQuery } from "../api/queries";
import type { Comparison, NewJudgment, Progress, Protocol } from "../api/types";
import { announce } from "../components/announcer";
import { verdict } from "../format";
import type { Answer } from "./answers";
import { type Draft, useDraft } from "./drafts";
import type { Heard } from "./outbox";
import type { Queue, Undone, View } from "./queue";
import { put, ranks as ranksOf, takeBack } from "./ranking";
import { useHeard } from "./session";
import { useAttention } from "./useQueue";
import { type Rest, useRest } from "./useRest";

/** A key that bounces can fire twice within this time; nobody has read anything by then. */
const BOUNCE_MS = 60;

export interface Desk {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  message: string | null;
  rest: Rest;
  /** Judged since the page was opened. */
  judged: number;
  /** Just skipped without a reason. */
  skipped: string | null;
  comment: RefObject<HTMLTextAreaElement | null>;
  /** The comparison has been on the screen long enough to be meant. */
  isReady: () => boolean;
  answer: (answer: Answer) => void;
  place: (at: number) => void;
  tied: () => void;
  back: () => void;
  restEqual: () => void;
  /** Without an argument the reason is asked for afterwards; null: there is none. */
  skip: (reason?: string | null) => void;
  /** Null: no reason, and no more questions. */
  explainSkip: (reason: string | null) => void;
  flag: (reason: string) => void;
  unflag: () => void;
  undo: () => void;
  again: (judgment: string) => void;
}

interface DeskOptions {
  slug: string;
  queue: Queue;
  view: View;
  current: Comparison | null;
  protocol: Protocol | null;
  size: number;
  /** The guidelines that this person has read. */
  guidelines: number;
}

export function useDesk({ slug, queue, view, current, protocol, size, guidelines }: DeskOptions): Desk {
  const { t } = useTranslation("annotate");
  const client = useQueryClient();
  const active = useAttention(queue);
  const rest = useRest();
  const { draft, change, drop } = useDraft(current, queue.earlier);
  const [message, setMessage] = useState<string | null>(null);
  const [skipped, setSkipped] = useState<string | null>(null);
  const [judged, setJudged] = useState(0);
  const comment = useRef<HTMLTextAreaElement>(null);
  const shownAt = useRef(0);

  // A new comparison starts at its top, with a clock of its own.
  const currentId = current?.id;
  useEffect(() => {
    shownAt.current = performance.now();
    active.take(Date.now());
    if (window.scrollY > 0) window.scrollTo(0, 0);
  }, [currentId, active]);

  const heard = useMemo<Heard>(
    () => ({
      judged: (entry, judgment) => {
        queue.judged(entry.id, judgment);
        if (entry.project !== slug) return;
        if (!judgment.counted) setMessage(t("notCounted", { reason: judgment.reason ?? t("notCountedElse") }));
        client.setQueryData(progressQuery(slug).queryKey, (old: Progress | undefined) => old && { ...old, judgments: old.judgments + 1, mine: old.mine + 1, today: old.today + 1 });
      },
      flagged: (entry, flag) => queue.flagged(entry.id, flag),
    }),
    [client, slug, queue, t],
  );
  useHeard(heard);

  /** Whatever was said about the last one is over. */
  const clear = () => {
    setMessage(null);
    setSkipped(null);
  };

  const answer = (given: Answer) => {
    if (!current || !protocol || view.practised) return;
    const text = draft.comment.trim();
    if (protocol.comment === "required" && text === "") {
      change({ waiting: given });
      announce(t("comment.asked"));
      comment.current?.focus();
      return;
    }
    const now = Date.now();
    clear();
    comment.current?.blur(); // The next key belongs to the next comparison, not to its comment.
    queue.judge({ ...bodyOf(draft, given, guidelines), active_ms: active.take(now) });
    drop();
    setJudged(judged + 1);
    const next = queue.get();
    announce(`${verdict(given.ranks, given.ranks === null)}. ${next.comparisons.length > 0 && !next.practised ? t("said.next") : ""}`);
    rest.worked(now);
  };

  const undone = ({ what, trouble }: Undone) => {
    setMessage(trouble);
    announce(trouble ?? t(what === "flag" ? "said.flagBack" : "said.back"));
    if (trouble === null && what !== "skip") void client.invalidateQueries({ queryKey: progressQuery(slug).queryKey });
  };

  const place = (at: number) => {
    if (!protocol || view.practised) return;
    const order = put(draft.order, at, draft.tied && protocol.allow_tie);
    change({ order, tied: false });
    const done = ranksOf(order, size, { allowTie: protocol.allow_tie, top: protocol.top });
    if (done) answer({ ranks: done });
  };

  return {
    draft,
    change,
    message,
    rest,
    judged,
    skipped,
    comment,
    isReady: () => current !== null && performance.now() - shownAt.current > BOUNCE_MS,
    answer,
    place,
    tied: () => change({ tied: !draft.tied && draft.order.length > 0 }),
    back: () => change({ order: takeBack(draft.order), tied: false }),
    restEqual: () => {
      const done = protocol ? ranksOf(draft.order, size, { allowTie: protocol.allow_tie, top: protocol.top }, true) : null;
      if (done) answer({ ranks: done });
    },
    skip: (reason) => {
      if (!current || view.practised) return;
      clear();
      queue.skip(reason ?? null);
      if (reason === undefined) setSkipped(current.id);
      announce(t("said.skipped"));
    },
    explainSkip: (reason) => {
      if (skipped !== null && reason !== null) {
        queue.explainSkip(skipped, reason);
        announce(t("said.reason"));
      }
      setSkipped(null);
    },
    flag: (reason) => {
      queue.flag(reason);
      announce(t("said.flagged"));
    },
    unflag: () => void queue.unflag().then(undone),
    undo: () => {
      clear();
      void queue.undo().then(undone);
    },
    again: (judgment) => {
      clear();
      void queue.again(judgment).then(undone);
    },
  };
}

function bodyOf(draft: Draft, { ranks, strength }: Answer, guidelines: number): Omit<NewJudgment, "comparison" | "lease"> {
  const [comment, ideal] = [draft.comment.trim(), draft.ideal.trim()];
  return {
    ranks,
    none_acceptable: ranks === null,
    ...(strength ? { strength } : {}),
    ...(Object.keys(draft.aspects).length > 0 ? { aspects: draft.aspects } : {}),
    ...(comment !== "" ? { comment } : {}),
    ...(ideal !== "" ? { ideal_answer: ideal } : {}),
    ...(draft.spans.length > 0 ? { spans: draft.spans } : {}),
    ...(guidelines > 0 ? { guidelines_version: guidelines } : {}),
  };
}
