/**
 * The page where people judge: read two or more answers, press one key, read the next. It leases ahead, draws ahead,
 * saves behind, and can take everything back. It never learns which model wrote what.
 */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams, useRouteContext } from "@tanstack/react-router";
import { Activity, useCallback, useEffect, useEffectEvent, useRef, useState, useSyncExternalStore } from "react";
import { sendAndForget } from "../api/client";
import { myJudgmentsQuery, nextComparisons, progressQuery, projectQuery, renewLease, voidJudgment } from "../api/queries";
import type { Comparison, Judgment, NewJudgment, Progress, Project } from "../api/types";
import { ActiveTime } from "../annotate/activeTime";
import { ComparisonView } from "../annotate/ComparisonView";
import { readDraft, writeDraft } from "../annotate/drafts";
import { Extras } from "../annotate/Extras";
import { markRead, readVersion } from "../annotate/guidelines";
import { actionOf, grades, isTyping, plainKey } from "../annotate/keys";
import { KeysDialog } from "../annotate/KeysDialog";
import type { JudgmentEntry } from "../annotate/outbox";
import { Queue } from "../annotate/queue";
import { type Order, put, ranks as ranksOf, takeBack } from "../annotate/ranking";
import { openDesk, openOutbox, useJudged, useOutbox } from "../annotate/session";
import { Toolbar } from "../annotate/Toolbar";
import { type Answer, VoteBar } from "../annotate/VoteBar";
import { announce } from "../components/announcer";
import { Button, ButtonLink } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { Markdown, prefetchMarkdown } from "../components/Markdown";
import { useTitle } from "../components/Page";
import { Empty, ErrorNote } from "../components/Status";
import { count, verdict } from "../format";
import { keyMap, type Layout, setPreferences, usePreferences } from "../preferences";

export function AnnotatePage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/annotate" });
  const project = useQuery(projectQuery(slug));
  useTitle(project.data ? `Annotate ${project.data.name}` : "Annotate");
  useEffect(prefetchMarkdown, []);
  if (project.isError && !project.data) return <ErrorNote className="m-6" error={project.error} retry={() => void project.refetch()} />;
  return <Desk key={slug} slug={slug} project={project.data ?? null} />;
}

interface Draft {
  order: Order;
  tied: boolean;
  aspects: Record<string, number[]>;
  comment: string;
  front: number;
  /** Chosen already, and waiting for the comment that the project requires. */
  waiting: Answer | null;
}

const NEW_DRAFT: Draft = { order: [], tied: false, aspects: {}, comment: "", front: 0, waiting: null };

/** A key that bounces can fire twice within this time; nobody has read anything by then. */
const BOUNCE_MS = 60;
/** A page that is only reloaded goes on with the same comparisons: for so long nobody else gets them. */
const COME_BACK_S = 30;
const REST_AFTER_MS = 25 * 60_000;
const REST_GAP_MS = 4 * 60_000;
const WIDE = "(min-width: 48rem)";

function useMedia(media: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const list = window.matchMedia(media);
      list.addEventListener("change", listener);
      return () => list.removeEventListener("change", listener);
    },
    () => window.matchMedia(media).matches,
  );
}

function Desk({ slug, project }: { slug: string; project: Project | null }) {
  const { me } = useRouteContext({ from: "/app" });
  const client = useQueryClient();
  const outbox = openOutbox(me.user.id);
  const sent = useOutbox(outbox);
  const [queue] = useState(
    () =>
      new Queue(
        slug,
        {
          next: async (wanted) => (await nextComparisons(slug, wanted)).items,
          renew: renewLease,
          giveBack: (lease) => sendAndForget("DELETE", `/api/v1/leases/${lease}?after_s=${COME_BACK_S}`),
          takeBack: async (judgment) => (await voidJudgment(judgment)).comparison,
          latest: async () => (await client.fetchQuery({ ...myJudgmentsQuery(slug, 1), staleTime: 0 })).items[0]?.id ?? null,
        },
        outbox,
        openDesk(me.user.id, slug),
      ),
  );
  const view = useSyncExternalStore(queue.subscribe, queue.get);
  const current = view.comparisons[0] ?? null;
  const protocol = current?.protocol ?? project?.protocol ?? null;
  const size = current?.completions.length ?? protocol?.size ?? 2;

  const preferences = usePreferences();
  const keys = keyMap(preferences);
  const wide = useMedia(WIDE);
  const layout: Layout = !wide ? (preferences.layout === "stacked" ? "stacked" : "single") : (preferences.layout ?? "side");
  const [diff, setDiff] = useState(false);
  const [foldedByHand, setFolded] = useState<boolean | null>(null);
  // On a phone a long prompt would leave no room for the answers, so it starts folded.
  const folded = foldedByHand ?? !wide;
  const [message, setMessage] = useState<string | null>(null);
  const [panel, setPanel] = useState<"keys" | "guidelines" | "welcome" | null>(null);
  const [drafts, setDrafts] = useState<Record<string, Draft>>({});
  const [rest, setRest] = useState(false);
  const comment = useRef<HTMLTextAreaElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const shownAt = useRef(0);
  const [active] = useState(() => new ActiveTime(Date.now()));
  const stretch = useRef({ from: Date.now(), last: Date.now() });

  const draft = (current && (drafts[current.id] ?? firstDraft(current, queue.earlier))) || NEW_DRAFT;
  const change = (part: Partial<Draft>) => {
    if (!current) return;
    if (part.comment !== undefined) writeDraft(current.id, part.comment);
    setDrafts((all) => ({ ...all, [current.id]: { ...draft, ...part } }));
  };

  // Leases are held exactly while this page is open.
  useEffect(() => {
    queue.start();
    const leave = () => queue.leave();
    const back = (event: PageTransitionEvent) => event.persisted && queue.start();
    const fill = () => void queue.fill();
    window.addEventListener("pagehide", leave);
    window.addEventListener("pageshow", back);
    window.addEventListener("online", fill);
    return () => {
      window.removeEventListener("pagehide", leave);
      window.removeEventListener("pageshow", back);
      window.removeEventListener("online", fill);
      queue.leave();
    };
  }, [queue]);

  useEffect(() => {
    const sign = () => {
      active.sign(Date.now());
      queue.sign();
    };
    const visibility = () => active.visibility(document.visibilityState === "visible", Date.now());
    const events = ["keydown", "pointermove", "wheel", "touchmove", "pointerdown"] as const;
    for (const event of events) window.addEventListener(event, sign, { passive: true });
    document.addEventListener("visibilitychange", visibility);
    return () => {
      for (const event of events) window.removeEventListener(event, sign);
      document.removeEventListener("visibilitychange", visibility);
    };
  }, [active, queue]);

  // A new comparison starts at its top, with a clock of its own.
  const currentId = current?.id;
  useEffect(() => {
    shownAt.current = performance.now();
    active.take(Date.now());
    if (window.scrollY > 0) window.scrollTo(0, 0);
  }, [currentId, active]);

  // Guidelines are read before the first judgment, and again when they change.
  const version = Math.max(current?.guidelines_version ?? 0, project?.guidelines_version ?? 0);
  useEffect(() => {
    if (!project || project.guidelines.trim() === "" || version <= readVersion(me.user.id, project.id)) return;
    if (version > project.guidelines_version) void client.invalidateQueries({ queryKey: projectQuery(slug).queryKey, exact: true });
    setPanel("welcome");
  }, [version, project, me.user.id, client, slug]);

  const onJudged = useCallback(
    (entry: JudgmentEntry, judgment: Judgment) => {
      if (entry.project !== slug) return;
      if (!judgment.counted) setMessage(`Kept, but not counted: ${judgment.reason ?? "somebody else was faster."}`);
      client.setQueryData(progressQuery(slug).queryKey, (old: Progress | undefined) => old && { ...old, judgments: old.judgments + 1, mine: old.mine + 1, today: old.today + 1 });
    },
    [client, slug],
  );
  useJudged(onJudged);

  const offline = sent.trouble !== null;
  useEffect(() => {
    if (offline) announce("The server cannot be reached. Your judgments are kept and sent later.");
  }, [offline]);

  const finish = (answer: Answer) => {
    if (!current || !protocol) return;
    const text = draft.comment.trim();
    if (protocol.comment === "required" && text === "") {
      change({ waiting: answer });
      announce("This project asks for a comment. Write it and press Enter.");
      comment.current?.focus();
      return;
    }
    const now = Date.now();
    const body: Omit<NewJudgment, "comparison" | "lease"> = {
      ranks: answer.ranks,
      none_acceptable: answer.ranks === null,
      active_ms: active.take(now),
      ...(answer.strength ? { strength: answer.strength } : {}),
      ...(Object.keys(draft.aspects).length > 0 ? { aspects: draft.aspects } : {}),
      ...(text !== "" ? { comment: text } : {}),
    };
    setMessage(null);
    comment.current?.blur(); // The next key belongs to the next comparison, not to its comment.
    queue.judge(body);
    writeDraft(current.id, "");
    setDrafts(({ [current.id]: _, ...others }) => others);
    announce(`${verdict(answer.ranks, answer.ranks === null)}. ${queue.get().comparisons.length > 0 ? "Next comparison." : ""}`);
    if (now - stretch.current.last > REST_GAP_MS) stretch.current.from = now;
    stretch.current.last = now;
    if (now - stretch.current.from > REST_AFTER_MS) {
      stretch.current.from = now;
      setRest(true);
    }
  };

  const skip = () => {
    if (!current) return;
    setMessage(null);
    queue.skip(null);
    announce("Skipped. Next comparison.");
  };

  const undo = async () => {
    const judged = view.last?.what !== "skip";
    const trouble = await queue.undo();
    setMessage(trouble);
    announce(trouble ?? "Taken back. The comparison is here again.");
    if (trouble === null && judged) void client.invalidateQueries({ queryKey: progressQuery(slug).queryKey });
  };

  const place = (at: number, tied = draft.tied) => {
    if (!protocol) return;
    const order = put(draft.order, at, tied && protocol.allow_tie);
    const done = ranksOf(order, size, protocol.allow_tie);
    if (done) {
      setDrafts((all) => (current ? { ...all, [current.id]: { ...draft, order } } : all));
      finish({ ranks: done });
    } else change({ order, tied: false });
  };
  const restEqual = () => {
    const done = protocol ? ranksOf(draft.order, size, protocol.allow_tie, true) : null;
    if (done) finish({ ranks: done });
  };
  const ranking = {
    order: draft.order,
    tied: draft.tied,
    onTie: () => change({ tied: !draft.tied && draft.order.length > 0 }),
    onBack: () => change({ order: takeBack(draft.order), tied: false }),
    onRest: restEqual,
  };

  const turn = (step: number) => change({ front: (draft.front + step + size) % size });
  const nextLayout = () => {
    const all: Layout[] = wide ? ["side", "stacked", "single"] : ["single", "stacked"];
    const next = all[(all.indexOf(layout) + 1) % all.length]!;
    setPreferences({ layout: next });
    announce({ side: "Side by side.", stacked: "Below each other.", single: "One at a time." }[next]);
  };
  const scroll = (direction: 1 | -1) => {
    const inside = [...(frame.current?.querySelectorAll<HTMLElement>("[data-scroller]") ?? [])].filter((one) => one.offsetParent !== null && one.scrollHeight > one.clientHeight + 1);
    const targets: { scrollBy: (options: ScrollToOptions) => void }[] = inside.length > 0 ? inside : [window];
    for (const target of targets) target.scrollBy({ top: direction * 220, behavior: "smooth" });
  };
  const toggleDiff = () => {
    setDiff(!diff);
    announce(diff ? "Words are no longer marked." : "The words that differ are marked.");
  };
  const togglePlain = () => {
    setPreferences({ plain: !preferences.plain });
    announce(preferences.plain ? "Markdown is drawn." : "Plain text.");
  };

  /** True when the key meant something here. */
  const press = (key: string): boolean => {
    const ready = current !== null && performance.now() - shownAt.current > BOUNCE_MS;
    const graded = size === 2 && (protocol?.strength_levels ?? 0) > 0;
    if (/^[1-9]$/.test(key) && current && protocol) {
      const at = Number(key) - 1;
      if (size > 2 && at < size) {
        if (ready) place(at);
        return true;
      }
      const grade = graded ? grades(protocol.strength_levels, protocol.allow_tie)[at] : undefined;
      if (grade && ready) finish(grade);
      return grade !== undefined;
    }
    if (size > 2 && key === "Backspace") {
      ranking.onBack();
      return true;
    }
    const action = actionOf(key, keys);
    const judging = action === "left" || action === "right" || action === "tie" || action === "none" || action === "skip";
    if (judging && !ready) return true;
    switch (action) {
      case "left":
      case "right":
        if (size > 2 || graded) return false;
        finish({ ranks: action === "left" ? [1, 2] : [2, 1] });
        return true;
      case "tie":
        if (!protocol?.allow_tie) return false;
        if (size > 2) ranking.onTie();
        else finish({ ranks: [1, 1] });
        return true;
      case "none":
        if (protocol?.allow_none_acceptable) finish({ ranks: null });
        return true;
      case "skip":
        skip();
        return true;
      case "undo":
        void undo();
        return true;
      case "layout":
        nextLayout();
        return true;
      case "flip":
        if (layout === "single") turn(1);
        return true;
      case "diff":
        toggleDiff();
        return true;
      case "plain":
        togglePlain();
        return true;
      case "prompt":
        setFolded(!folded);
        return true;
      case "comment":
        comment.current?.focus();
        return true;
      case "guidelines":
        setPanel("guidelines");
        return true;
      case "down":
      case "up":
        scroll(action === "down" ? 1 : -1);
        return true;
      case "help":
        setPanel("keys");
        return true;
      case null:
        return false;
    }
  };

  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && size > 2 && draft.order.length > 0 && !(event.target instanceof HTMLButtonElement)) {
      restEqual();
      event.preventDefault();
      return;
    }
    // Scrolling may repeat while the key is held; a judgment never does.
    const key = plainKey(event) ?? (event.repeat && !event.ctrlKey && !event.metaKey && !event.altKey && [keys.down, keys.up].includes(event.key.toLowerCase()) ? event.key.toLowerCase() : null);
    if (key === null || (!preferences.singleKeys && key !== keys.help)) return;
    if (press(key)) event.preventDefault();
  });
  useEffect(() => {
    const listener = (event: KeyboardEvent) => onKey(event);
    window.addEventListener("keydown", listener);
    return () => window.removeEventListener("keydown", listener);
  }, []);

  const fold = useCallback(() => setFolded((was) => !(was ?? !wide)), [wide]);
  const closeGuidelines = () => {
    if (project) markRead(me.user.id, project.id, version);
    setPanel(null);
  };

  return (
    <div ref={frame} className="flex min-h-[calc(100dvh-3.3rem)] flex-col md:min-h-dvh desk:h-dvh desk:overflow-hidden">
      <h1 className="sr-only">Annotate {project?.name}</h1>
      <Toolbar
        slug={slug}
        name={project?.name ?? null}
        sent={sent}
        onRetry={outbox.retry}
        layout={layout}
        wide={wide}
        onLayout={(next) => setPreferences({ layout: next })}
        diff={diff}
        diffPossible={size === 2}
        onDiff={toggleDiff}
        plain={preferences.plain}
        onPlain={togglePlain}
        onGuidelines={() => setPanel("guidelines")}
        onHelp={() => setPanel("keys")}
        keys={preferences.singleKeys ? keys : null}
      />
      {sent.refused.filter((entry) => entry.project === slug).map((entry) => (
        <Notice key={entry.id} onClose={() => outbox.dismiss(entry.id)}>One judgment was not accepted: {entry.refused}</Notice>
      ))}
      {!sent.durable && <Notice>This browser stores nothing. Keep this window open until everything is saved.</Notice>}
      {view.late && <Notice>You had this comparison for long, so it may have gone to somebody else. Judge it all the same: your answer is kept, and counts if it is still needed.</Notice>}
      {rest && <Notice onClose={() => setRest(false)}>You have judged for 25 minutes. A short break keeps your eye fresh; nothing is lost while you are away.</Notice>}
      {current ? (
        view.comparisons.slice(0, 2).map((comparison, at) => (
          <Activity key={comparison.id} mode={at === 0 ? "visible" : "hidden"}>
            <ComparisonView
              comparison={comparison}
              layout={layout}
              plain={preferences.plain}
              diff={diff}
              folded={folded}
              onFold={fold}
              front={at === 0 ? draft.front : 0}
              onFront={(front) => change({ front })}
              order={at === 0 ? draft.order : NEW_DRAFT.order}
              onRank={(answer) => place(answer)}
            />
          </Activity>
        ))
      ) : (
        <Waiting status={view.status} problem={view.problem} onRetry={() => void queue.fill()} slug={slug} project={project} admin={me.user.role === "admin"} />
      )}
      <div className="sticky bottom-0 z-30 shrink-0">
        {current && protocol && (
          <Extras
            protocol={protocol}
            size={size}
            aspects={draft.aspects}
            onAspects={(aspects) => change({ aspects })}
            comment={draft.comment}
            onComment={(text) => change({ comment: text })}
            commentRef={comment}
            commentKey={preferences.singleKeys ? keys.comment : null}
            waiting={draft.waiting !== null}
            onSend={() => draft.waiting && draft.comment.trim() !== "" && finish(draft.waiting)}
          />
        )}
        {protocol && (
          <VoteBar
            protocol={protocol}
            size={size}
            keys={preferences.singleKeys ? keys : null}
            disabled={current === null}
            onAnswer={finish}
            onSkip={skip}
            onUndo={() => void undo()}
            onHelp={() => setPanel("keys")}
            undoing={view.undoing}
            last={view.last}
            message={message}
            ranking={ranking}
          />
        )}
      </div>
      {panel === "keys" && <KeysDialog keys={keys} on={preferences.singleKeys} protocol={protocol} size={size} onClose={() => setPanel(null)} />}
      {(panel === "guidelines" || panel === "welcome") && project && (
        <Dialog
          title={panel === "welcome" && readVersion(me.user.id, project.id) > 0 ? "The guidelines have changed" : "Guidelines"}
          shape={panel === "welcome" ? "wide" : "drawer"}
          onClose={closeGuidelines}
          footer={panel === "welcome" && <Button look="primary" onClick={closeGuidelines} data-focus>Start judging</Button>}
        >
          {project.guidelines.trim() === "" ? <p className="text-soft">This project has no guidelines yet.</p> : <Markdown text={project.guidelines} />}
          <p className="mt-5 text-sm text-faint">Version {count(project.guidelines_version)}. Your judgments are recorded under the version you saw.</p>
        </Dialog>
      )}
    </div>
  );
}

/** After an undo everything that had been entered is there again. */
function firstDraft(comparison: Comparison, earlier: Map<string, NewJudgment>): Draft {
  const before = earlier.get(comparison.id);
  return { ...NEW_DRAFT, aspects: before?.aspects ?? {}, comment: before?.comment ?? readDraft(comparison.id) };
}

function Notice({ children, onClose }: { children: React.ReactNode; onClose?: () => void }) {
  return (
    <div role="status" className="flex shrink-0 items-center gap-3 border-b border-line bg-warn-wash px-4 py-2 text-warn">
      <p className="min-w-0 flex-1">{children}</p>
      {onClose && <Button look="quiet" className="min-h-8 text-warn" onClick={onClose}>Close</Button>}
    </div>
  );
}

interface WaitingProps {
  status: "loading" | "ready" | "empty" | "failed";
  problem: Error | null;
  onRetry: () => void;
  slug: string;
  project: Project | null;
  admin: boolean;
}

function Waiting({ status, problem, onRetry, slug, project, admin }: WaitingProps) {
  if (status === "failed") {
    return (
      <div className="flex-1 p-6">
        <ErrorNote error={problem ?? "No comparison could be loaded."} retry={onRetry} className="mx-auto max-w-xl" />
      </div>
    );
  }
  if (status === "empty") {
    const bare = project !== null && project.counts.completions === 0;
    const stopped = project !== null && project.state !== "active";
    return (
      <div className="flex-1">
        <Empty
          icon="annotate"
          title={stopped ? `This project is ${project.state}` : bare ? "There is nothing to compare yet" : "All done for now"}
          action={
            <>
              {admin && bare && <ButtonLink to="/projects/$project" params={{ project: slug }} look="primary">Add prompts and answers</ButtonLink>}
              {!bare && <ButtonLink to="/projects/$project/mine" params={{ project: slug }}>Look at my work</ButtonLink>}
              <Button onClick={onRetry}>Look again</Button>
            </>
          }
        >
          {stopped
            ? "Comparisons are handed out again when an admin makes it active."
            : bare
              ? "Comparisons appear as soon as prompts have at least two answers."
              : "Every comparison is judged or with somebody else. New ones appear here by themselves."}
        </Empty>
      </div>
    );
  }
  return (
    <div className="flex min-h-0 flex-1 flex-col" role="status" aria-label="Loading the next comparison">
      <div className="border-b border-line px-6 py-4"><div className="skeleton h-5 w-1/2" /></div>
      <div className="grid flex-1 gap-px bg-line md:grid-cols-2">
        {[0, 1].map((side) => (
          <div key={side} className={`bg-surface p-6 ${side === 1 ? "max-md:hidden" : ""}`}>
            <div className="skeleton mb-4 h-4 w-6" />
            {[92, 86, 95, 60, 0, 88, 73].map((width, row) => (
              <div key={row} className="skeleton mb-3 h-4" style={{ width: `${width}%` }} />
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

