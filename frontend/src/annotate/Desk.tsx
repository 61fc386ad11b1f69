/** The screen of the annotate page, put together: toolbar, notices, the comparison with the next one behind it, the bar. */
import { useRouteContext } from "@tanstack/react-router";
import { Activity, useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Project, Span } from "../api/types";
import { announce } from "../components/announcer";
import { verdict } from "../format";
import { keyMap, usePreferences } from "../preferences";
import { answerName } from "./answers";
import { ComparisonView } from "./ComparisonView";
import { NEW_DRAFT } from "./drafts";
import { Extras } from "./Extras";
import { FeedbackCard } from "./FeedbackCard";
import { GuidelinesDialog } from "./GuidelinesDialog";
import { IdealPanel } from "./IdealPanel";
import { KeysDialog } from "./KeysDialog";
import { FlagLine, HintLine, SkipLine, Toast } from "./Lines";
import { Notices } from "./Notices";
import { ReasonPanel } from "./ReasonPanel";
import { RemarkPanel } from "./RemarkPanel";
import { RestCard } from "./RestCard";
import { openOutbox, useOutbox } from "./session";
import { Toolbar } from "./Toolbar";
import { useAgain } from "./useAgain";
import { useDesk } from "./useDesk";
import { type Panel, useDeskKeys } from "./useDeskKeys";
import { useGuidelines } from "./useGuidelines";
import { useKeptFocus } from "./useKeptFocus";
import { useQueue } from "./useQueue";
import { useReading } from "./useReading";
import { useRemarks } from "./useRemarks";
import { VoteBar } from "./VoteBar";
import { Waiting } from "./Waiting";

const NO_SPANS: readonly Span[] = [];

export function Desk({ slug, project }: { slug: string; project: Project | null }) {
  const { t } = useTranslation("annotate");
  const { me } = useRouteContext({ from: "/app" });
  const outbox = openOutbox(me.user.id);
  const sent = useOutbox(outbox);
  const [queue, view] = useQueue(slug, me.user.id, outbox);
  const current = view.comparisons[0] ?? null;
  const protocol = current?.protocol ?? project?.protocol ?? null;
  const size = current?.completions.length ?? protocol?.size ?? 2;

  const preferences = usePreferences();
  const keys = keyMap(preferences);
  const shownKeys = preferences.singleKeys ? keys : null;
  const frame = useRef<HTMLDivElement>(null);
  const reading = useReading(frame);
  useKeptFocus(frame, current?.id);

  const [panel, setPanel] = useState<Panel | null>(null);
  const welcome = useCallback(() => setPanel("welcome"), []);
  const guidelines = useGuidelines(me.user.id, slug, project, current, welcome);
  const desk = useDesk({ slug, queue, view, current, protocol, size, guidelines: guidelines.read });
  const { draft } = desk;
  useAgain(desk.again);
  const remarks = useRemarks(frame, current, draft, desk.change);
  const { aspect, setAspect } = useDeskKeys({ keys, on: preferences.singleKeys, protocol, size, desk, reading, remarks, view, onPanel: setPanel, goOn: () => queue.goOn() });

  const [swiped, setSwiped] = useState<{ text: string; at: number } | null>(null);
  const closeToast = useCallback(() => setSwiped(null), []);
  const plainPair = protocol !== null && size === 2 && protocol.strength_levels === 0 && protocol.comment !== "required" && protocol.aspects.length === 0;
  const swipeJudge = (place: 0 | 1) => {
    if (!desk.isReady() || view.practised) return;
    const ranks = place === 0 ? [1, 2] : [2, 1];
    desk.answer({ ranks });
    setSwiped({ text: verdict(ranks, false), at: Date.now() });
  };

  const offline = sent.trouble !== null;
  useEffect(() => {
    if (offline) announce(t("said.offline"));
  }, [offline, t]);

  // What belongs to a comparison closes with it.
  const currentId = current?.id;
  useEffect(() => setPanel((open) => (open === "keys" || open === "guidelines" || open === "welcome" ? open : null)), [currentId]);

  const close = () => setPanel(null);
  const closeGuidelines = () => {
    guidelines.done();
    close();
  };

  return (
    <div ref={frame} className="flex min-h-[calc(100dvh-3.3rem)] flex-col md:min-h-dvh desk:h-dvh desk:overflow-hidden">
      <h1 className="sr-only">{t("title", { name: project?.name ?? "" })}</h1>
      <Toolbar
        slug={slug}
        name={project?.name ?? null}
        stage={view.stage}
        sent={sent}
        onRetry={outbox.retry}
        reading={reading}
        diffPossible={size === 2}
        onGuidelines={() => setPanel("guidelines")}
        onHelp={() => setPanel("keys")}
        keys={shownKeys}
      />
      <Notices slug={slug} outbox={outbox} sent={sent} late={view.late} />
      {current ? (
        view.comparisons.slice(0, 2).map((comparison, at) => (
          <Activity key={comparison.id} mode={at === 0 ? "visible" : "hidden"}>
            <ComparisonView
              comparison={comparison}
              reading={reading}
              front={at === 0 ? draft.front : 0}
              onFront={(front) => desk.change({ front })}
              order={at === 0 ? draft.order : NEW_DRAFT.order}
              onRank={desk.place}
              spans={at === 0 ? draft.spans : NO_SPANS}
              onEdit={remarks.edit}
              onRemove={remarks.remove}
              onSwipeJudge={plainPair && !reading.wide ? swipeJudge : null}
            />
          </Activity>
        ))
      ) : (
        <Waiting status={view.status} problem={view.problem} stage={view.stage} onRetry={() => void queue.fill()} slug={slug} project={project} admin={me.user.role === "admin"} />
      )}
      <div className="sticky bottom-0 z-30 shrink-0">
        {swiped && <Toast said={swiped} onUndo={() => { closeToast(); desk.undo(); }} onClose={closeToast} />}
        {desk.skipped !== null && !view.practised && <SkipLine onReason={desk.explainSkip} onClose={() => desk.explainSkip(null)} />}
        {view.flag && <FlagLine flag={view.flag} onTakeBack={desk.unflag} />}
        {current && protocol && (
          <>
            {shownKeys && panel === null && !remarks.editing && !view.practised && desk.skipped === null && <HintLine keys={keys} protocol={protocol} size={size} judged={desk.judged} />}
            {panel === "skip" && <ReasonPanel about="skip" onReason={(reason) => { close(); desk.skip(reason); }} onClose={close} />}
            {panel === "flag" && <ReasonPanel about="flag" onReason={(reason) => { close(); if (reason) desk.flag(reason); }} onClose={close} />}
            {panel === "ideal" && <IdealPanel comparison={current} text={draft.ideal} onChange={(ideal) => desk.change({ ideal })} onClose={close} />}
            {remarks.editing && (
              <RemarkPanel
                key={remarks.editing.at ?? "new"}
                editing={remarks.editing}
                answer={answerName(remarks.editing.span.completion, size)}
                onSave={remarks.save}
                onRemove={() => remarks.editing?.at != null && remarks.remove(remarks.editing.at)}
                onClose={remarks.cancel}
              />
            )}
            {view.practised ? (
              <FeedbackCard body={view.practised.body} feedback={view.practised.feedback} offline={offline} onGoOn={() => queue.goOn()} />
            ) : (
              <Extras
                protocol={protocol}
                size={size}
                draft={draft}
                onChange={desk.change}
                keys={shownKeys}
                aspect={aspect}
                onAspect={setAspect}
                commentRef={desk.comment}
                onSend={() => draft.waiting && draft.comment.trim() !== "" && desk.answer(draft.waiting)}
                onMark={remarks.mark}
                picking={remarks.picking}
                onIdeal={() => setPanel(panel === "ideal" ? null : "ideal")}
              />
            )}
          </>
        )}
        {protocol && (
          <VoteBar
            protocol={protocol}
            size={size}
            keys={shownKeys}
            disabled={current === null || view.practised !== null}
            onAnswer={desk.answer}
            onSkip={() => desk.skip()}
            onSkipBecause={() => setPanel("skip")}
            onFlag={() => setPanel("flag")}
            flagged={view.flag !== null}
            onUndo={desk.undo}
            onHelp={() => setPanel("keys")}
            undoing={view.undoing}
            last={view.last}
            message={desk.message}
            ranking={{ order: draft.order, tied: draft.tied, onTie: desk.tied, onBack: desk.back, onRest: desk.restEqual }}
          />
        )}
      </div>
      {panel === "keys" && <KeysDialog keys={keys} on={preferences.singleKeys} protocol={protocol} size={size} onClose={close} />}
      {(panel === "guidelines" || panel === "welcome") && project && (
        <GuidelinesDialog slug={slug} project={project} first={panel === "welcome"} read={guidelines.read} onClose={closeGuidelines} />
      )}
      {desk.rest.due && panel === null && <RestCard judged={desk.judged} onClose={desk.rest.close} />}
    </div>
  );
}
