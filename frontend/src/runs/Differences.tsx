/** Which runs lie over one, and in which settings they differ: what their curves are to be laid to. */
import { Link, useNavigate } from "@tanstack/react-router";
import type { Run } from "../api/types";
import { IconButton } from "../components/Button";
import { Swatch } from "../components/Lines";
import { TableFrame } from "../components/Page";
import { overSeries } from "../components/plot";
import { count, moment } from "../format";
import { overText } from "./over";
import { differing, valueText } from "./settings";
import { useFields } from "./useFields";

/** More settings than these would push the curves out of sight. */
const FEW = 6;

export function Differences({ run, others }: { run: Run; others: readonly Run[] }) {
  const navigate = useNavigate({ from: "/runs/$run" });
  const rows = differing([run, ...others].map((one) => ({ ...one.config, seed: one.seed })), useFields(run.kind));
  const without = (id: string) => void navigate({ search: { over: overText(others.map((one) => one.id).filter((one) => one !== id)) }, replace: true, resetScroll: false });
  return (
    <section aria-label="Differences" className="mb-4">
      <ul className="mb-2 flex flex-wrap items-center gap-x-5 text-sm text-soft">
        <li className="flex min-h-9 items-center gap-2"><Swatch at={0} />This run</li>
        {others.map((other, place) => (
          <li key={other.id} className="flex items-center gap-2">
            <Swatch at={overSeries(place)} />
            <span><Link to="/runs/$run" params={{ run: other.id }} className="link [overflow-wrap:anywhere]">{other.name}</Link>, {moment(new Date(other.started_at ?? other.created_at))}</span>
            <IconButton icon="close" label={`Take ${other.name} away`} onClick={() => without(other.id)} />
          </li>
        ))}
      </ul>
      {rows.length === 0 ? <p className="text-sm text-soft">Their settings are the same.</p> : (
        <details open={rows.length <= FEW}>
          <summary className="mb-1.5 min-h-7 text-sm font-medium text-soft">Their settings differ in {rows.length === 1 ? "one" : count(rows.length)}</summary>
          <TableFrame label="Settings that differ">
            <table className="table text-sm">
              <thead>
                <tr>
                  <th scope="col">Setting</th>
                  <th scope="col">This run</th>
                  {others.map((other, place) => <th key={other.id} scope="col"><span className="inline-flex items-center gap-1.5"><Swatch at={overSeries(place)} />{other.name}</span></th>)}
                </tr>
              </thead>
              <tbody>
                {rows.map(({ path, label, description, values }) => (
                  <tr key={path}>
                    <th scope="row" className="font-normal" title={description}>{label}</th>
                    {values.map((value, place) => <td key={place} className="[overflow-wrap:anywhere]">{valueText(value)}</td>)}
                  </tr>
                ))}
              </tbody>
            </table>
          </TableFrame>
        </details>
      )}
    </section>
  );
}
