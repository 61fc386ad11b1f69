/** Which model wins how often against which, as each judge of an evaluation says. */
import { TableFrame } from "../components/Page";
import { shortNames } from "../components/plot";
import { percent } from "../format";

export interface WinRateTable {
  judge: string;
  models: string[];
  /** Of the row against the column; null against itself. */
  rate: (number | null)[][];
  low: (number | null)[][];
  high: (number | null)[][];
}

export function isWinRates(value: unknown): value is WinRateTable[] {
  return Array.isArray(value) && value.every((one) => typeof one === "object" && one !== null && "judge" in one && "rate" in one);
}

export function WinRates({ tables }: { tables: WinRateTable[] }) {
  return (
    <div className="mt-4 grid gap-6">
      {tables.map((table) => {
        const short = shortNames(table.models);
        return (
        <section key={table.judge} className="min-w-0" aria-label={`Win rates by ${nameOf(table.judge)}`}>
          <p className="mb-2 max-w-[75ch] text-pretty text-soft">How often the model of the row wins against that of the column, by {nameOf(table.judge)}; ties count half, with 95% intervals over prompts.</p>
          <TableFrame label={`Table of win rates by ${nameOf(table.judge)}`}>
            <table className="table">
              <thead>
                <tr><th scope="col">Model</th>{table.models.map((model, column) => <th key={model} scope="col" className="number" title={model}><span aria-hidden="true">{column + 1}</span><span className="sr-only">{model}</span></th>)}</tr>
              </thead>
              <tbody>
                {table.models.map((model, row) => (
                  <tr key={model}>
                    <th scope="row" className="text-left font-medium break-words" title={model}><span className="mr-1 text-faint sm:mr-2" aria-hidden="true">{row + 1}</span>{short(model)}</th>
                    {table.models.map((other, column) => <Cell key={other} rate={table.rate[row]?.[column]} low={table.low[row]?.[column]} high={table.high[row]?.[column]} />)}
                  </tr>
                ))}
              </tbody>
            </table>
          </TableFrame>
        </section>
        );
      })}
    </div>
  );
}

type Part = number | null | undefined;

/** Bold where the interval leaves one half on one side: then it is beyond doubt who is better. */
function Cell({ rate, low, high }: { rate: Part; low: Part; high: Part }) {
  if (typeof rate !== "number" || typeof low !== "number" || typeof high !== "number") return <td className="number text-faint">–</td>;
  return (
    <td className="number">
      <span className={low > 0.5 || high < 0.5 ? "font-semibold" : ""}>{percent(rate)}</span>
      <span className="block text-xs text-faint sm:text-sm lg:ml-1.5 lg:inline">{Math.round(low * 100)}–{percent(high)}</span>
    </td>
  );
}

function nameOf(judge: string): string {
  return judge === "reward_model" ? "the reward model" : judge;
}
