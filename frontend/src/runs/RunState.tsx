/** How a run stands: what its guard saw before all else, its state in words, its progress, why it failed, its result. */
import { useEffect, useRef } from "react";
import type { Run } from "../api/types";
import { announce } from "../components/announcer";
import { Icon } from "../components/Icon";
import { StateBadge } from "../components/StateBadge";
import { Time } from "../components/Time";
import { count, duration, plural, runSentence, timeLeft } from "../format";
import { Result } from "./Result";
import { byRule, newsOf } from "./warnings";

export const STATE_ID = "run-state";

export function RunState({ run }: { run: Run }) {
  const known = useRef(run);
  useEffect(() => {
    const news = newsOf(known.current, run);
    known.current = run;
    if (news.length > 0) announce(news.join(" "));
  }, [run]);
  return (
    <>
      {run.warnings.length > 0 && <Warnings run={run} />}
      <Panel run={run} />
    </>
  );
}

function Panel({ run }: { run: Run }) {
  const share = run.progress?.total ? Math.min(1, run.progress.step / run.progress.total) : null;
  const silent = run.state === "running" && run.heartbeat_at !== null && Date.now() - Date.parse(run.heartbeat_at) > 15_000;
  const now = run.finished_at ? Date.parse(run.finished_at) : Date.now();
  const failed = run.state === "failed";
  return (
    <div className="panel px-3 py-4 sm:px-5">
      <div id={STATE_ID} tabIndex={-1} className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
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
      {run.message && run.state !== "cancelled" && (
        <div className={`mt-3 rounded-md px-3.5 py-2.5 ${failed ? "bg-danger-wash text-danger" : "bg-warn-wash text-warn"}`} role={failed ? "alert" : undefined}>
          <p className="[overflow-wrap:anywhere]">{run.message}</p>
          {failed && <p className="mt-1 text-sm">{wayOut(run)}</p>}
        </div>
      )}
      {run.result && <Result run={run} values={run.result} />}
    </div>
  );
}

/** Where to go from a failure: what was done already is not lost. */
function wayOut(run: Run): string {
  const begun = (run.progress?.step ?? 0) > 0;
  return begun
    ? `Once the cause is gone, “Resume” goes on from the last saved state; “Repeat with changes” opens the form with these settings.`
    : `Nothing was learnt yet. “Repeat with changes” opens the form with these settings; if the cause lay outside of them, “Resume” tries again.`;
}

/** What rules found while it worked, by rule: the last thing each said, and since when. */
function Warnings({ run }: { run: Run }) {
  const rules = byRule(run.warnings);
  const stopped = run.result?.["stopped_early"] === 1;
  const saved = run.result?.["saved_iteration"];
  const done = run.result?.["iterations"];
  const older = typeof saved === "number" && typeof done === "number" && saved < done && run.result?.["judge/best_iteration"] === undefined;
  return (
    <section aria-label="Warnings" className={`mb-3 rounded-lg border-l-4 px-4 py-3 ${stopped ? "border-danger bg-danger-wash text-danger" : "border-warn bg-warn-wash text-warn"}`}>
      <h2 className="flex items-center gap-2 text-md font-semibold"><Icon name="alert" size={18} />{stopped ? "The guard ended this run" : plural(rules.length, "warning")}</h2>
      {older ? <p className="mt-0.5 text-ink">{saved === 0 ? "What was saved is the policy as it was at first: " : `What was saved is the policy after ${plural(saved, "round")} of learning: `}something speaks against all later ones. Read what its answers are like before you use it.</p>
        : stopped && <p className="mt-0.5 text-ink">What was saved is the policy that was kept before. Read what its answers are like before you use it.</p>}
      <ul className="mt-2 grid gap-1.5 text-ink">
        {rules.toReversed().map((all) => (
          <li key={all[0]!.rule}>
            {all.at(-1)!.message}
            <span className="ml-2 inline-block text-sm text-soft">{all.length > 1 ? `${count(all.length)} times, from step ${count(all[0]!.step)} to ${count(all.at(-1)!.step)}` : `at step ${count(all[0]!.step)}`}</span>
          </li>
        ))}
      </ul>
      <p className="mt-2 text-sm text-soft">Dotted lines on the curves stand at these steps.</p>
    </section>
  );
}
