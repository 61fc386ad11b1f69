/** In which settings two runs differ: what their curves are to be laid to. */
import { Link } from "@tanstack/react-router";
import type { Run } from "../api/types";
import { TableFrame } from "../components/Page";
import { same, settingsOf, valueText } from "./settings";
import { useFields } from "./useFields";

export function Differences({ run, other }: { run: Run; other: Run }) {
  const fields = useFields(run.kind);
  const theirs = new Map(settingsOf(other.config, fields).map((one) => [one.path, one.value]));
  const rows = settingsOf(run.config, fields).filter((one) => one.path !== "output_name" && !same(one.value, theirs.get(one.path)));
  const link = <Link to="/runs/$run" params={{ run: other.id }} className="link [overflow-wrap:anywhere]">{other.name}</Link>;
  return (
    <section aria-label="Differences" className="mb-4">
      <p className="mb-2 text-sm text-soft">Dashed, and the paler number: {link}. {rows.length === 0 ? "Its settings are the same." : "Its settings differ in these:"}</p>
      {rows.length > 0 && (
        <TableFrame label="Settings that differ">
          <table className="table text-sm">
            <thead><tr><th scope="col">Setting</th><th scope="col">Here</th><th scope="col">There</th></tr></thead>
            <tbody>
              {rows.map((one) => (
                <tr key={one.path}>
                  <th scope="row" className="font-normal" title={one.description}>{one.label}</th>
                  <td className="[overflow-wrap:anywhere]">{valueText(one.value)}</td>
                  <td className="[overflow-wrap:anywhere]">{valueText(theirs.get(one.path))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableFrame>
      )}
    </section>
  );
}
