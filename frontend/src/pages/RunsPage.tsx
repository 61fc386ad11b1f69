/** All runs, newest first, by name, project, state and kind; some of one kind can be chosen to be compared. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { projectsQuery, runsQuery } from "../api/queries";
import type { Run, RunState } from "../api/types";
import { Button, ButtonLink } from "../components/Button";
import { Icon } from "../components/Icon";
import { Page, TableFrame } from "../components/Page";
import { Pager, useCursor } from "../components/Pager";
import { StateBadge } from "../components/StateBadge";
import { Empty, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { KIND_NAMES, plural, runSentence, timeLeft } from "../format";
import { usePreferences } from "../preferences";
import { outcomeOf } from "../runs/outcome";
import { overText, whyNot } from "../runs/over";
import { byRule } from "../runs/warnings";

const STATES: RunState[] = ["queued", "running", "succeeded", "failed", "cancelled"];

export function RunsPage() {
  const search = useSearch({ from: "/app/runs" });
  const navigate = useNavigate({ from: "/runs" });
  const projects = useQuery(projectsQuery).data?.items ?? [];
  const used = usePreferences().project;
  const project = search.project ?? projects.find((one) => one.slug === used)?.slug ?? projects[0]?.slug;
  const cursor = useCursor();
  // They stay chosen while filters and pages bring others into view.
  const [chosen, setChosen] = useState<Run[]>([]);
  const runs = useQuery({ ...runsQuery(search, cursor.after), refetchInterval: 3_000 });
  const filtered = Boolean(search.project ?? search.state ?? search.kind ?? search.name);
  const filter = (part: typeof search) => {
    cursor.reset();
    void navigate({ search: { ...search, ...part }, replace: true });
  };
  const start = project && <ButtonLink to="/projects/$project/new-run" params={{ project }} look="primary" icon="plus">Start a run</ButtonLink>;
  return (
    <Page title="Runs" lead="Long work: sampling, training, evaluation. A run goes on when this page is closed, survives a restart, and can be watched live." actions={start}>
      <div className="mb-3 flex flex-wrap gap-2" role="group" aria-label="Filter">
        <input type="search" aria-label="Part of the name" placeholder="Part of the name" className="field w-auto max-w-60" maxLength={120} value={search.name ?? ""} onChange={(event) => filter({ name: event.target.value || undefined })} />
        <select aria-label="Project" className="field w-auto max-w-60" value={search.project ?? ""} onChange={(event) => filter({ project: event.target.value || undefined })}>
          <option value="">All projects</option>
          {projects.map((one) => <option key={one.slug} value={one.slug}>{one.name}</option>)}
        </select>
        <select aria-label="Kind" className="field w-auto" value={search.kind ?? ""} onChange={(event) => filter({ kind: event.target.value || undefined })}>
          <option value="">All kinds</option>
          {Object.entries(KIND_NAMES).map(([kind, name]) => <option key={kind} value={kind}>{name}</option>)}
        </select>
        <select aria-label="State" className="field w-auto" value={search.state ?? ""} onChange={(event) => filter({ state: (event.target.value || undefined) as RunState | undefined })}>
          <option value="">All states</option>
          {STATES.map((state) => <option key={state}>{state}</option>)}
        </select>
        {filtered && <Button look="quiet" onClick={() => filter({ project: undefined, state: undefined, kind: undefined, name: undefined })}>Clear</Button>}
      </div>
      <Loaded query={runs}>
        {({ items, next }) =>
          items.length === 0 ? (
            filtered ? (
              <Empty icon="runs" title="No run fits these filters">Clear them to see all runs.</Empty>
            ) : (
              <Empty icon="runs" title="No run yet" action={start}>A first one could sample completions for your prompts.</Empty>
            )
          ) : (
            <>
              <TableFrame label="Runs">
                <table className="table">
                  <thead><tr><th><span className="max-lg:sr-only">Compare</span></th><th>Run</th><th>Progress and outcome</th></tr></thead>
                  <tbody>{items.map((run) => <Row key={run.id} run={run} chosen={chosen} onChoose={setChosen} />)}</tbody>
                </table>
              </TableFrame>
              <Pager cursor={cursor} next={next} />
            </>
          )
        }
      </Loaded>
      {chosen.length > 0 && <Chosen runs={chosen} onClear={() => setChosen([])} />}
    </Page>
  );
}

/** What is chosen, and the way to their curves. Stays in view, however long the list is. */
function Chosen({ runs, onClear }: { runs: readonly Run[]; onClear: () => void }) {
  const [first, ...others] = runs as [Run, ...Run[]];
  return (
    <section aria-label="Chosen to compare" className="sticky bottom-3 mt-3 flex flex-wrap items-center gap-x-4 gap-y-2 rounded-lg border border-line bg-raised px-4 py-2.5 shadow-float">
      <p role="status" className="min-w-0 grow [overflow-wrap:anywhere]">
        {plural(runs.length, "run")} chosen: {runs.map((run) => run.name).join(", ")}
        {others.length === 0 && <span className="text-faint">. Choose another of its kind to lay their curves over each other.</span>}
      </p>
      <Button look="quiet" onClick={onClear}>Choose none</Button>
      {others.length > 0 && <ButtonLink to="/runs/$run" params={{ run: first.id }} search={{ over: overText(others.map((run) => run.id)) }} look="primary">Compare their curves</ButtonLink>}
    </section>
  );
}

function Row({ run, chosen, onChoose }: { run: Run; chosen: readonly Run[]; onChoose: (runs: Run[]) => void }) {
  const share = run.state === "running" && run.progress?.total ? run.progress.step / run.progress.total : null;
  const outcome = outcomeOf(run);
  const others = chosen.filter((one) => one.id !== run.id);
  const reason = whyNot(run, chosen);
  return (
    <tr>
      <td className="w-px align-top">
        <label className="-my-1.5 grid size-8 cursor-pointer place-items-center has-disabled:cursor-not-allowed" title={reason ?? `Compare ${run.name} with others`}>
          <input type="checkbox" aria-label={`Compare ${run.name}`} className="size-4" checked={others.length < chosen.length} disabled={reason !== null} onChange={(event) => onChoose(event.target.checked ? [...others, run] : others)} />
        </label>
      </td>
      <td className="min-w-28 sm:min-w-44 lg:min-w-72">
        <Link to="/runs/$run" params={{ run: run.id }} className="link font-medium [overflow-wrap:anywhere]">{run.name}</Link>
        <div className="text-sm text-faint">{KIND_NAMES[run.kind] ?? run.kind}{run.project && `, ${run.project.name}`}, <Time at={run.started_at ?? run.created_at} /></div>
      </td>
      <td className="w-3/5">
        <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
          <StateBadge state={run.state} />
          {run.warnings.length > 0 && <span className="flex items-center gap-1 text-sm font-medium whitespace-nowrap text-warn"><Icon name="alert" size={14} />{run.result?.["stopped_early"] === 1 ? "ended by its guard" : plural(byRule(run.warnings).length, "warning")}</span>}
          <span className="text-sm text-soft">
            {run.state === "failed" && run.message ? <span className="line-clamp-2">{run.message}</span> : runSentence(run)}
            {run.state === "running" && run.eta_s !== null && <span className="text-faint"> {timeLeft(run.eta_s)}</span>}
          </span>
        </div>
        {outcome && <div className="mt-0.5 text-sm [overflow-wrap:anywhere]">{outcome}</div>}
        {share !== null && (
          <div className="mt-1.5 h-1 overflow-hidden rounded-full bg-sunken">
            <div className="h-full bg-accent" style={{ width: `${share * 100}%` }} />
          </div>
        )}
      </td>
    </tr>
  );
}
