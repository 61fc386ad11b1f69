/** One run, live: its state in words, how long it will take, its curves, texts and log, and what can be asked of it. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { cancelRun, resumeRun, runLog, runQuery } from "../api/queries";
import type { LogLine, Run, RunWarning } from "../api/types";
import { Button, ButtonLink } from "../components/Button";
import { Numbers } from "../components/Numbers";
import { Page, Section } from "../components/Page";
import { StateBadge } from "../components/StateBadge";
import { Bones, ErrorNote, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { useTail } from "../components/useTail";
import { useAction } from "../components/useAction";
import { clock, count, duration, figure, KIND_NAMES, runSentence, timeLeft } from "../format";
import { OpenContest } from "../runs/OpenContest";
import { AccuracyBy, isSources } from "../runs/AccuracyBy";
import { byModel } from "../runs/byModel";
import { Curves } from "../runs/Curves";
import { Models } from "../runs/Models";
import { Texts } from "../runs/Texts";
import { isWinRates, WinRates } from "../runs/WinRates";

const LIVE_MS = 2_000;

export function RunPage() {
  const { run: id } = useParams({ from: "/app/runs/$run" });
  const query = useQuery({
    ...runQuery(id),
    refetchInterval: (state) => (state.state.data && ["queued", "running"].includes(state.state.data.state) ? LIVE_MS : 15_000),
  });
  return <Loaded query={query} bones={<Bones rows={8} />}>{(run) => <Shown key={`${id}.${run.attempt}`} run={run} />}</Loaded>;
}

function Shown({ run }: { run: Run }) {
  const live = run.state === "running" || run.state === "queued";
  return (
    <Page
      title={run.name}
      back={<><Link to="/runs" search={run.project ? { project: run.project.slug } : {}} className="link">Runs</Link>{run.project && <> · <Link to="/projects/$project" params={{ project: run.project.slug }} className="link">{run.project.name}</Link></>}</>}
      lead={<>{KIND_NAMES[run.kind] ?? run.kind}, started by {run.created_by ?? "somebody"} <Time at={run.created_at} />{run.attempt > 1 && `, attempt ${run.attempt}`}</>}
      actions={<Moves run={run} />}
      wide
    >
      <State run={run} />
      {/* The steps of an evaluation are models, which no curve joins. */}
      {run.kind !== "evaluate" && <Curves run={run} live={live} />}
      <Texts run={run} live={live} />
      <div className="grid grid-cols-1 gap-x-8 xl:grid-cols-2">
        <Log run={run} live={live} />
        <Section title="Config">
          <Pairs values={{ ...run.config, seed: run.seed }} />
        </Section>
      </div>
    </Page>
  );
}

function Moves({ run }: { run: Run }) {
  const client = useQueryClient();
  const action = useAction();
  const ask = (move: typeof cancelRun, done: string) =>
    void action.run(async () => client.setQueryData(runQuery(run.id).queryKey, await move(run.id)), done);
  return (
    <>
      <ErrorNote error={action.problem} />
      <OpenContest run={run} />
      {run.checkpoint && <ButtonLink to="/checkpoints/$checkpoint" params={{ checkpoint: run.checkpoint }} icon="checkpoints" look="primary">Its checkpoint</ButtonLink>}
      {run.moves.includes("resume") && <Button look="primary" busy={action.busy} onClick={() => ask(resumeRun, "The run is queued again.")}>Resume</Button>}
      {run.moves.includes("cancel") && <Button look="danger" busy={action.busy} onClick={() => ask(cancelRun, "The run is asked to stop.")}>{run.state === "queued" ? "Cancel" : "Stop and save"}</Button>}
    </>
  );
}

function State({ run }: { run: Run }) {
  const share = run.progress?.total ? Math.min(1, run.progress.step / run.progress.total) : null;
  const silent = run.state === "running" && run.heartbeat_at !== null && Date.now() - Date.parse(run.heartbeat_at) > 15_000;
  const now = run.finished_at ? Date.parse(run.finished_at) : Date.now();
  return (
    <div className="panel px-5 py-4">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
        <StateBadge state={run.state} />
        <p className="min-w-0">{runSentence(run)}</p>
        <p className="ml-auto text-soft">
          {run.state === "running" && (run.eta_s !== null ? timeLeft(run.eta_s) : "time left not known yet")}
          {run.state !== "running" && run.started_at && run.finished_at && <Time at={run.finished_at} />}
        </p>
      </div>
      {run.state === "running" && (
        <div role="progressbar" aria-label="Progress" aria-valuemin={0} aria-valuemax={100} aria-valuenow={share === null ? undefined : Math.round(share * 100)} className="mt-3 h-2 overflow-hidden rounded-full bg-sunken">
          <div className={`h-full rounded-full bg-accent transition-[width] duration-500 ${share === null ? "w-1/3 animate-pulse" : ""}`} style={share === null ? undefined : { width: `${share * 100}%` }} />
        </div>
      )}
      {run.state === "running" && run.started_at && <p className="mt-1.5 text-sm text-faint">Running for {duration((now - Date.parse(run.started_at)) / 1000)}.{silent && " The worker has been silent for a while; if it is gone, the run is queued again by itself."}</p>}
      {run.message && run.state !== "cancelled" && <p className={`mt-3 rounded-md px-3.5 py-2.5 ${run.state === "failed" ? "bg-danger-wash text-danger" : "bg-warn-wash text-warn"}`} role={run.state === "failed" ? "alert" : undefined}>{run.message}</p>}
      {run.warnings.length > 0 && <Warnings warnings={run.warnings} />}
      {run.result && <Result run={run} values={run.result} />}
    </div>
  );
}

/** What rules found while it worked, the newest first. */
function Warnings({ warnings }: { warnings: RunWarning[] }) {
  return (
    <section aria-label="Warnings" className="mt-3 rounded-md bg-warn-wash px-3.5 py-2.5">
      <ul className="grid gap-1">
        {warnings.toReversed().map((one) => (
          <li key={`${one.step}/${one.rule}`} className="flex gap-3">
            <span className="number shrink-0 text-sm text-faint">step {count(one.step)}</span>
            <span>{one.message}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Result({ run, values }: { run: Run; values: Record<string, unknown> }) {
  const models = run.config["models"];
  const [table, { win_rates: winRates, accuracy_by: sources, ...numbers }] = byModel(values, Array.isArray(models) ? models.map(String) : []);
  const others = Object.entries(numbers).filter(([, value]) => typeof value !== "number");
  return (
    <>
      {isWinRates(winRates) && <WinRates tables={winRates} />}
      {table.models.length > 0 && <Models table={table} file={run.name} />}
      {others.length < Object.keys(numbers).length && <div className="mt-4"><Numbers values={numbers} /></div>}
      {isSources(sources) && <AccuracyBy run={run} sources={sources} />}
      {others.length > 0 && <div className="mt-4"><Pairs values={Object.fromEntries(others)} /></div>}
    </>
  );
}

/** Names and values; what has parts of its own is written out as JSON. */
function Pairs({ values }: { values: Record<string, unknown> }) {
  return (
    <dl className="panel grid divide-y divide-line text-sm">
      {Object.entries(values).toSorted(([one], [other]) => one.localeCompare(other)).map(([name, value]) => (
        <div key={name} className="grid gap-x-4 px-3.5 py-1.5 sm:grid-cols-[minmax(10rem,2fr)_3fr]">
          <dt className="text-faint [overflow-wrap:anywhere]">{name}</dt>
          <dd className="[overflow-wrap:anywhere] whitespace-pre-wrap">{valueText(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function valueText(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : figure(value);
  if (typeof value === "object") return Array.isArray(value) && value.every((one) => typeof one !== "object") ? value.join(", ") : JSON.stringify(value, null, 1);
  return String(value);
}

interface PartProps {
  run: Run;
  live: boolean;
}

function append<T>(before: readonly T[], more: readonly T[]): T[] {
  return [...before, ...more];
}

const MOST_LINES = 2_000;

function Log({ run, live }: PartProps) {
  const { items, error } = useTail((after) => runLog(run.id, after), (before, more) => append<LogLine>(before, more).slice(-MOST_LINES), live, LIVE_MS);
  const box = useRef<HTMLDivElement>(null);
  const [follow, setFollow] = useState(true);
  useEffect(() => {
    const element = box.current;
    if (follow && element) element.scrollTop = element.scrollHeight;
  }, [items, follow]);
  return (
    <Section title="Log">
      <ErrorNote error={error} className="mb-2" />
      <div
        ref={box}
        tabIndex={0}
        role="log"
        aria-label="Log"
        aria-live="off"
        onScroll={(event) => {
          const element = event.currentTarget;
          setFollow(element.scrollHeight - element.scrollTop - element.clientHeight < 24);
        }}
        className="panel max-h-80 overflow-auto bg-sunken px-3 py-2 font-mono text-xs leading-5"
      >
        {items.length === 0 ? <p className="text-faint">{live ? "Nothing written yet." : "This run wrote nothing."}</p> : items.map((line) => (
          <div key={line.id} className="whitespace-pre-wrap [overflow-wrap:anywhere]"><span className="text-faint select-none">{clock(new Date(line.at))} </span>{line.line}</div>
        ))}
      </div>
      {!follow && live && <Button look="quiet" className="mt-1 min-h-8" onClick={() => setFollow(true)}>Follow the end</Button>}
    </Section>
  );
}
