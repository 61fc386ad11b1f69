/** The screen of the annotate page, put together: toolbar, notices, the comparison with the next one behind it, the bar. */
import { useRouteContext } from "@tanstack/react-router";
import { Activity, useCallback, useEffect, useRef, useState } from "react";
import type { Project } from "../api/types";
import { announce } from "../components/announcer";
import { keyMap, usePreferences } from "../preferences";
import { commandOf, type Command, judges } from "./commands";
import { ComparisonView } from "./ComparisonView";
import { NEW_DRAFT } from "./drafts";
import { Extras } from "./Extras";
import { GuidelinesDialog } from "./GuidelinesDialog";
import { KeysDialog } from "./KeysDialog";
import { Notices } from "./Notices";
import { openOutbox, useOutbox } from "./session";
import { Toolbar } from "./Toolbar";
import { useDesk } from "./useDesk";
import { useGuidelines } from "./useGuidelines";
import { useKeys } from "./useKeys";
import { useQueue } from "./useQueue";
import { useReading } from "./useReading";
import { VoteBar } from "./VoteBar";
import { Waiting } from "./Waiting";

type Panel = "keys" | "guidelines" | "welcome";

export function Desk({ slug, project }: { slug: string; project: Project | null }) {
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
  const desk = useDesk({ slug, queue, view, current, protocol, size });
  const { draft } = desk;

  const [panel, setPanel] = useState<Panel | null>(null);
  const welcome = useCallback(() => setPanel("welcome"), []);
  const guidelines = useGuidelines(me.user.id, slug, project, current, welcome);

  const offline = sent.trouble !== null;
  useEffect(() => {
    if (offline) announce("The server cannot be reached. Your judgments are kept and sent later.");
  }, [offline]);

  const obey = (command: Command) => {
    switch (command.do) {
      case "answer":
        return desk.answer(command.answer);
      case "place":
        return desk.place(command.place);
      case "tied":
        return desk.tied();
      case "back":
        return desk.back();
      case "skip":
        return desk.skip();
      case "undo":
        return desk.undo();
      case "layout":
        return reading.nextLayout();
      case "flip":
        return reading.layout === "single" ? desk.change({ front: (draft.front + 1) % size }) : undefined;
      case "diff":
        return reading.toggleDiff();
      case "plain":
        return reading.togglePlain();
      case "prompt":
        return reading.fold();
      case "comment":
        return desk.comment.current?.focus();
      case "guidelines":
        return setPanel("guidelines");
      case "down":
      case "up":
        return reading.scroll(command.do === "down" ? 1 : -1);
      case "help":
        return setPanel("keys");
    }
  };

  const press = (key: string, event: KeyboardEvent): boolean => {
    if (key === "Enter") {
      if (size === 2 || draft.order.length === 0 || event.target instanceof HTMLButtonElement) return false;
      desk.restEqual();
      return true;
    }
    const command = commandOf(key, keys, { protocol, size });
    if (command === null) return false;
    if (!judges(command) || desk.isReady()) obey(command);
    return true;
  };
  useKeys({ keys, on: preferences.singleKeys, press });

  const closeGuidelines = () => {
    guidelines.done();
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
        reading={reading}
        diffPossible={size === 2}
        onGuidelines={() => setPanel("guidelines")}
        onHelp={() => setPanel("keys")}
        keys={shownKeys}
      />
      <Notices slug={slug} outbox={outbox} sent={sent} late={view.late} rest={desk.rest.due} onRested={desk.rest.close} />
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
            draft={draft}
            onChange={desk.change}
            commentRef={desk.comment}
            commentKey={shownKeys?.comment ?? null}
            onSend={() => draft.waiting && draft.comment.trim() !== "" && desk.answer(draft.waiting)}
          />
        )}
        {protocol && (
          <VoteBar
            protocol={protocol}
            size={size}
            keys={shownKeys}
            disabled={current === null}
            onAnswer={desk.answer}
            onSkip={desk.skip}
            onUndo={desk.undo}
            onHelp={() => setPanel("keys")}
            undoing={view.undoing}
            last={view.last}
            message={desk.message}
            ranking={{ order: draft.order, tied: draft.tied, onTie: desk.tied, onBack: desk.back, onRest: desk.restEqual }}
          />
        )}
      </div>
      {panel === "keys" && <KeysDialog keys={keys} on={preferences.singleKeys} protocol={protocol} size={size} onClose={() => setPanel(null)} />}
      {(panel === "guidelines" || panel === "welcome") && project && (
        <GuidelinesDialog project={project} first={panel === "welcome"} changed={guidelines.read > 0} onClose={closeGuidelines} />
      )}
    </div>
  );
}
