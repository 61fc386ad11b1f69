/** The curves of a run, group by group, and those of another run of its kind over them. */
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo, useState } from "react";
import { runMetrics, runsQuery, tensorboardUrl } from "../api/queries";
import type { Run } from "../api/types";
import { Anchor, Button } from "../components/Button";
import { type Curve, curvesByGroup, gather } from "../components/metrics";
import { Section } from "../components/Page";
import { csv, save } from "../components/rows";
import { Bones, ErrorNote } from "../components/Status";
import { useTail } from "../components/useTail";
import { fieldName, figure } from "../format";
import { Frontier } from "./Frontier";
import { metricRows } from "./metricRows";

const Chart = lazy(() => import("../components/Chart"));
const LIVE_MS = 2_000;

export function Curves({ run, live }: { run: Run; live: boolean }) {
  const { items, loading, error } = useTail((after) => runMetrics(run.id, after), gather, live, LIVE_MS);
  const groups = useMemo(() => curvesByGroup(items), [items]);
  const [smoothing, setSmoothing] = useState(0.6);
  const [other, setOther] = useState<Run | null>(null);
  if (items.length === 0) {
    return (
      <Section title="Curves">
        {error !== null ? <ErrorNote error={error} /> : loading ? <Bones /> : <p className="panel p-4 text-soft">{live ? "The first numbers appear after the first step." : "This run left no numbers."}</p>}
      </Section>
    );
  }
  const takeAlong = () => save(new Blob([csv(metricRows(items))], { type: "text/csv" }), `${run.name}.csv`);
  const head = (
    <div className="flex flex-wrap items-center gap-x-5 gap-y-2 text-sm text-soft">
      <Beside run={run} chosen={other} onChoose={setOther} />
      <label className="flex items-center gap-2">
        Smoothing
        <input type="range" min={0} max={0.95} step={0.05} value={smoothing} onChange={(event) => setSmoothing(Number(event.target.value))} />
      </label>
      <Button onClick={takeAlong}>Save data</Button>
      <Anchor href={tensorboardUrl(run.id)} download>Save for TensorBoard</Anchor>
    </div>
  );
  return (
    <Section title="Curves" actions={head}>
      <ErrorNote error={error} className="mb-3" />
      <Frontier run={run} points={items} />
      {other ? <Both key={other.id} groups={groups} other={other} smoothing={smoothing} /> : <Groups groups={groups} smoothing={smoothing} />}
    </Section>
  );
}

/** Another run of the kind, to be seen over this one. */
function Beside({ run, chosen, onChoose }: { run: Run; chosen: Run | null; onChoose: (run: Run | null) => void }) {
  const runs = useQuery(runsQuery({ kind: run.kind })).data?.items.filter((one) => one.id !== run.id && one.started_at !== null) ?? [];
  if (runs.length === 0) return null;
  return (
    <label className="flex items-center gap-2">
      Over
      <select className="field w-auto max-w-56" value={chosen?.id ?? ""} onChange={(event) => onChoose(runs.find((one) => one.id === event.target.value) ?? null)}>
        <option value="">no other run</option>
        {runs.map((one) => <option key={one.id} value={one.id}>{one.name}{one.project && one.project.id !== run.project?.id ? `, ${one.project.name}` : ""}</option>)}
      </select>
    </label>
  );
}

function Both({ groups, other, smoothing }: { groups: Map<string, Curve[]>; other: Run; smoothing: number }) {
  const live = other.state === "running" || other.state === "queued";
  const { items, error } = useTail((after) => runMetrics(other.id, after), gather, live, LIVE_MS);
  const theirs = useMemo(() => new Map([...curvesByGroup(items).values()].flat().map((curve) => [curve.name, curve])), [items]);
  return (
    <>
      <ErrorNote error={error} className="mb-3" />
      <p className="mb-2 text-sm text-faint">Dashed: {other.name}.</p>
      <Groups groups={groups} smoothing={smoothing} theirs={theirs} other={other.name} />
    </>
  );
}

interface GroupsProps {
  groups: Map<string, Curve[]>;
  smoothing: number;
  theirs?: Map<string, Curve>;
  other?: string;
}

function Groups({ groups, smoothing, theirs, other }: GroupsProps) {
  return [...groups].map(([group, curves]) => (
    <section key={group} className="mb-4" aria-label={group || "metrics"}>
      <h3 className="mb-1.5 text-sm font-medium text-faint">{group || "metrics"}</h3>
      <div className="grid grid-cols-[repeat(auto-fill,minmax(min(17rem,100%),1fr))] gap-3">
        {curves.map((curve) => {
          const their = theirs?.get(curve.name);
          return (
            <figure key={curve.name} className="panel min-w-0 px-3 pt-2.5 pb-1.5">
              <figcaption className="flex items-baseline justify-between gap-3">
                <span className="min-w-0 truncate text-sm" title={curve.name}>{metricName(curve.title)}</span>
                <span className="whitespace-nowrap">
                  <span className="title text-md">{last(curve)}</span>
                  {their && <span className="ml-2 text-sm text-faint" title={other}>{last(their)}</span>}
                </span>
              </figcaption>
              <Suspense fallback={<div className="skeleton my-2 h-[7.2rem]" />}>
                <Chart name={curve.name} steps={curve.steps} values={curve.values} smoothing={smoothing} beside={their} />
              </Suspense>
            </figure>
          );
        })}
      </div>
    </section>
  ));
}

function last(curve: Curve): string {
  return curve.last === null ? "–" : figure(curve.last);
}

function metricName(title: string): string {
  const [label, unit] = fieldName(title);
  return unit ? `${label} (${unit})` : label;
}
