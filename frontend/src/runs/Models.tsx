/** What a run measured of each model, or before and after, a column each. */
import { Button } from "../components/Button";
import { TableFrame } from "../components/Page";
import { shortNames } from "../components/plot";
import { csv, save } from "../components/rows";
import { fieldName, figure } from "../format";
import { type ByModel, rowsOf } from "./byModel";

export function Models({ table, file }: { table: ByModel; file: string }) {
  const short = shortNames(table.models);
  return (
    <div className="mt-4">
      <TableFrame label="Measured">
        <table className="table">
          <thead><tr><th scope="col">Measured</th>{table.models.map((model) => <th key={model} scope="col" className="number" title={model}>{short(model)}</th>)}</tr></thead>
          <tbody>
            {table.metrics.map(({ name, values }) => (
              <tr key={name}>
                <th scope="row" className="text-left font-normal" title={name}>{nameOf(name)}</th>
                {values.map((value, at) => <td key={table.models[at]} className="number">{value === null ? <span className="text-faint">–</span> : figure(value)}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </TableFrame>
      <div className="mt-2 flex justify-end"><Button onClick={() => save(new Blob([csv(rowsOf(table))], { type: "text/csv" }), `${file}.csv`)}>Save data</Button></div>
    </div>
  );
}

function nameOf(metric: string): string {
  const [label, unit] = fieldName(metric);
  return unit ? `${label} (${unit})` : label;
}
