/** What a run measured of each model, or before and after, a column each. */
import { Button } from "../components/Button";
import { TableFrame } from "../components/Page";
import { shortNames } from "../components/plot";
import { csv, save } from "../components/rows";
import { type ByModel, rowsOf } from "./byModel";
import { inWords, meaningOf, valueOf } from "./meanings";

interface ModelsProps {
  table: ByModel;
  file: string;
  /** Rows that need not be shown, because the page says them elsewhere; the saved data has them. */
  told?: RegExp | undefined;
}

export function Models({ table, file, told }: ModelsProps) {
  const short = shortNames(table.models);
  return (
    <div className="mt-4">
      <TableFrame label="Measured">
        <table className="table">
          <thead><tr><th scope="col">Measured</th>{table.models.map((model) => <th key={model} scope="col" className="number" title={model}>{short(model)}</th>)}</tr></thead>
          <tbody>
            {table.metrics.filter(({ name }) => !told?.test(name)).map(({ name, values }) => (
              <tr key={name}>
                <th scope="row" className="text-sm font-normal whitespace-normal! text-soft" title={name}>{inWords(name)}<Explained name={name} /></th>
                {values.map((value, at) => <td key={table.models[at]} className="number">{value === null ? <span className="text-faint">–</span> : valueOf(name, value)}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </TableFrame>
      <div className="mt-2 flex justify-end"><Button onClick={() => save(new Blob([csv(rowsOf(table))], { type: "text/csv" }), `${file}.csv`)}>Save data</Button></div>
    </div>
  );
}

function Explained({ name }: { name: string }) {
  const { text } = meaningOf(name);
  return text && <span className="block max-w-[60ch] text-xs text-pretty whitespace-normal text-faint">{text}</span>;
}
