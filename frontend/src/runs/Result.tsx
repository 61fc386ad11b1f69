/** What a run found, in the form that its kind asks for; all further numbers behind a fold. */
import type { Run } from "../api/types";
import { BeforeAfter, Numbers } from "./Numbers";
import { plural } from "../format";
import { AccuracyBy, isSources } from "./AccuracyBy";
import { byModel, WHEN } from "./byModel";
import { headline } from "./meanings";
import { Models } from "./Models";
import { isRewardReport, RewardReport } from "./RewardReport";
import { isWinRates, WinRates } from "./WinRates";

export function Result({ run, values }: { run: Pick<Run, "kind" | "name" | "config" | "project">; values: Record<string, unknown> }) {
  const models = run.config["models"];
  const [table, { win_rates: winRates, accuracy_by: sources, reliability, ...others }] = byModel(values, Array.isArray(models) ? models.map(String) : []);
  const numbers = Object.entries(others).filter(([, value]) => typeof value === "number");
  const beforeAfter = table.models.join() === WHEN.join();
  const report = isRewardReport(values);
  const rates = isWinRates(winRates) ? winRates : null;
  const head = report || beforeAfter ? [] : headline(run.kind, numbers.map(([name]) => name));
  const rest = numbers.filter(([name]) => !head.includes(name));
  return (
    <>
      {report && <RewardReport values={values} reliability={reliability} file={run.name} />}
      {isSources(sources) && <AccuracyBy run={run} sources={sources} />}
      {rates && <WinRates tables={rates} />}
      {beforeAfter && <div className="mt-4"><BeforeAfter table={table} /></div>}
      {table.models.length > 0 && !beforeAfter && <Models table={table} file={run.name} told={rates ? TOLD : undefined} />}
      {head.length > 0 && <div className="mt-4"><Numbers values={Object.fromEntries(head.map((name) => [name, others[name]]))} /></div>}
      {rest.length > 0 && <More numbers={Object.fromEntries(rest)} />}
    </>
  );
}

/** Rows that the table of win rates has said already. */
const TOLD = /win_rate(_low|_high)?$/;

function More({ numbers }: { numbers: Record<string, unknown> }) {
  return (
    <details className="mt-3">
      <summary className="min-h-8 text-sm font-medium text-accent">{plural(Object.keys(numbers).length, "further number")}</summary>
      <div className="mt-1"><Numbers values={numbers} /></div>
    </details>
  );
}
