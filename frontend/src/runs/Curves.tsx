/** The curves of a run: first what it is judged by, then what the page shows beside, then all by group. Other runs of
 * its kind may lie over them. */
import { useQueries, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactNode, useDeferredValue, useEffect, useEffectEvent, useMemo, useState } from "react";
import { runMetrics, runQuery, runsQuery, tensorboardUrl } from "../api/queries";
import type { MetricPoint, Run } from "../api/types";
import { Anchor, Button } from "../components/Button";
import { Check } from "../components/Field";
import { type Curve, curvesByGroup, gather } from "../components/metrics";
import { Section } from "../components/Page";
import { csv, save } from "../components/rows";
import { FEW } from "../components/smooth";
import { Bones, ErrorNote } from "../components/Status";
import { useTail } from "../components/useTail";
import { count, moment, percent, plural } from "../format";
import { type Beside, CurveCard, type Reading } from "./CurveCard";
import { Differences } from "./Differences";
import { Frontier } from "./Frontier";
import { firstOf, groupTitle } from "./meanings";
import { metricRows } from "./metricRows";
import { MOST_TOGETHER, overOf, overText, whyNot } from "./over";

const LIVE_MS = 2_000;

interface CurvesProps {
  run: Run;
  live: boolean;
  /** Stands between the first curves and all of them. */
  children: ReactNode;
}

export function Curves({ run, live, children }: CurvesProps) {
  const { items, loading, error } = useTail((after) => runMetrics(run.id, after), gather, live, LIVE_MS);
  const { over } = useSearch({ from: "/app/runs/$run" });
  const runs = useQueries({ queries: overOf(run.id, over).map(runQuery), combine: (found) => found.flatMap(({ data }) => (data?.kind === run.kind ? [data] : [])) });
  const [curves, setCurves] = useState<Readonly<Record<string, Other["curves"]>>>({});
  const others = useMemo(() => runs.map((one) => ({ run: one, curves: curves[one.id] ?? NONE })), [runs, curves]);
  if (items.length === 0) {
    const none = live ? "The first numbers appear after the first step." : run.state === "succeeded" ? "This run left no numbers." : "There are no curves: it ended before its first step.";
    return (
      <>
        <Section title="Curves">{error !== null ? <ErrorNote error={error} /> : loading ? <Bones /> : <p className="panel p-4 text-soft">{none}</p>}</Section>
        {children}
      </>
    );
  }
  return (
    <>
      <Drawn run={run} points={items} error={error} others={others}>{children}</Drawn>
      {runs.map((one) => <Followed key={one.id} run={one} onCurves={(found) => setCurves((all) => ({ ...all, [one.id]: found }))} />)}
    </>
  );
}

interface DrawnProps {
  run: Run;
  points: readonly MetricPoint[];
  error: unknown;
  others: readonly Other[];
  children: ReactNode;
}

/** A run that lies over this one, and its curves by name. */
interface Other {
  run: Run;
  curves: ReadonlyMap<string, Curve>;
}

const NONE: Other["curves"] = new Map();

/** Fetches the curves of another run, and goes on while it lives. */
function Followed({ run, onCurves }: { run: Run; onCurves: (curves: Other["curves"]) => void }) {
  const live = run.state === "running" || run.state === "queued";
  const { items, error } = useTail((after) => runMetrics(run.id, after), gather, live, LIVE_MS);
  const tell = useEffectEvent(onCurves);
  useEffect(() => tell(named(curvesByGroup(items))), [items]);
  return <ErrorNote error={error} className="mt-3" />;
}

function Drawn({ run, points, error, others, children }: DrawnProps) {
  const groups = useMemo(() => curvesByGroup(points), [points]);
  const byName = useMemo(() => named(groups), [groups]);
  const besideByName = useMemo(() => beside(byName.keys(), others), [byName, others]);
  const marks = useMemo(() => run.warnings.map((one) => one.step), [run.warnings]);
  const [smoothing, setSmoothing] = useState(0.6);
  const [explained, setExplained] = useState(false);
  const [at, setAt] = useState<number | null>(null);
  const reading: Reading = { smoothing, marks, at: useDeferredValue(at), onPoint: setAt };
  const first = firstOf(run.kind, new Set(byName.keys()));
  const draw = (curve: Curve, large = false) => <CurveCard key={curve.name} curve={curve} beside={besideByName.get(curve.name)} large={large} explained={explained} {...reading} />;

  const head = (
    <div className="flex flex-wrap items-center gap-x-5 gap-y-2 text-sm text-soft">
      <CompareWith run={run} chosen={others.map((one) => one.run)} />
      <ReadAt steps={points.map((point) => point.step)} at={at} onChange={setAt} />
      {(points.length >= FEW || others.length > 0) && (
        <label className="flex items-center gap-2">
          Smoothing
          <input type="range" min={0} max={0.95} step={0.05} value={smoothing} aria-valuetext={percent(smoothing)} onChange={(event) => setSmoothing(Number(event.target.value))} className="w-24" />
        </label>
      )}
    </div>
  );
  const takeAlong = (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2 text-sm">
      <Check label="Explain each curve" checked={explained} onChange={setExplained} />
      <Button onClick={() => save(new Blob([csv(metricRows(points))], { type: "text/csv" }), `${run.name}.csv`)}>Save data</Button>
      <Anchor href={tensorboardUrl(run.id)} download>Save for TensorBoard</Anchor>
    </div>
  );
  const all = byTitle(groups);
  // On a phone all curves make a page of twenty screens; there a title opens its own.
  const [wide] = useState(() => window.matchMedia("(min-width: 48rem)").matches);
  return (
    <>
      <ErrorNote error={error} className="mt-3" />
      {first.length > 0 && (
        <Section title="What it is judged by" actions={head}>
          {others.length > 0 && <Differences run={run} others={others.map((one) => one.run)} />}
          <div className={LARGE}>{first.map((name) => draw(byName.get(name)!, true))}</div>
          <Frontier run={run} curves={byName} others={others} />
        </Section>
      )}
      {children}
      <Section title={first.length > 0 ? `All ${plural(byName.size, "curve")}` : "Curves"} actions={<div className="flex flex-wrap items-center gap-x-5 gap-y-2">{first.length === 0 && head}{takeAlong}</div>}>
        {[...all].map(([title, curves]) => (
          <details key={title} open={wide} className="group mb-4">
            <summary className="mb-1.5 min-h-7 text-sm font-medium text-soft">{title} <span className="font-normal text-faint">{count(curves.length)}</span></summary>
            <div className={SMALL}>{curves.map((curve) => draw(curve))}</div>
          </details>
        ))}
      </Section>
    </>
  );
}

const LARGE = "mb-4 grid grid-cols-[repeat(auto-fill,minmax(min(22rem,100%),1fr))] gap-3";
const SMALL = "grid grid-cols-[repeat(auto-fill,minmax(min(17rem,100%),1fr))] gap-3";

function named(groups: Map<string, Curve[]>): Map<string, Curve> {
  return new Map([...groups.values()].flat().map((curve) => [curve.name, curve]));
}

/** The same curve of each of the others. */
function beside(names: Iterable<string>, others: readonly Other[]): Map<string, Beside[]> {
  return others.length === 0 ? new Map() : new Map([...names].map((name) => [name, others.map((one) => ({ name: one.run.name, curve: one.curves.get(name) }))]));
}

function byTitle(groups: Map<string, Curve[]>): Map<string, Curve[]> {
  const all = new Map<string, Curve[]>();
  for (const [group, curves] of groups) all.set(groupTitle(group), [...(all.get(groupTitle(group)) ?? []), ...curves]);
  return all;
}

/** All curves read at one step: without a pointer, too. */
function ReadAt({ steps, at, onChange }: { steps: number[]; at: number | null; onChange: (step: number | null) => void }) {
  const end = steps.length - 1;
  const place = at === null ? end : Math.max(0, steps.findLastIndex((step) => step <= at));
  if (end < 1) return null;
  return (
    <label className="flex items-center gap-2">
      <span>Read at step <span className="inline-block min-w-[4ch] font-medium text-ink">{count(at ?? steps[end]!)}</span></span>
      <input
        type="range"
        min={0}
        max={end}
        value={place}
        aria-valuetext={`step ${steps[place]}`}
        onChange={(event) => onChange(Number(event.target.value) === end ? null : steps[Number(event.target.value)]!)}
        className="w-32"
      />
    </label>
  );
}

/** One more run of the kind, to be seen over this one. The address remembers them. */
function CompareWith({ run, chosen }: { run: Run; chosen: readonly Run[] }) {
  const navigate = useNavigate({ from: "/runs/$run" });
  const all = useQuery(runsQuery({ kind: run.kind })).data?.items ?? [];
  const together = [run, ...chosen];
  const found = all.filter((one) => one.started_at !== null && together.every(({ id }) => id !== one.id) && whyNot(one, together) === null);
  if (found.length === 0) return chosen.length + 1 >= MOST_TOGETHER ? <span>{MOST_TOGETHER} runs, no more fit</span> : null;
  const add = (id: string) => void navigate({ search: { over: overText([...chosen.map((one) => one.id), id]) }, replace: true, resetScroll: false });
  return (
    <label className="flex items-center gap-2">
      {chosen.length > 0 ? "And with" : "Compare with"}
      <select className="field w-auto max-w-56" value="" onChange={(event) => add(event.target.value)}>
        <option value="" disabled>another run</option>
        {found.map((one) => <option key={one.id} value={one.id}>{one.name}, {moment(new Date(one.started_at ?? one.created_at))}</option>)}
      </select>
    </label>
  );
}
