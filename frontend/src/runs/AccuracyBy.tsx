/** How often a reward model agrees with each annotator, and between each two models, on prompts that it never saw. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { annotatorsQuery } from "../api/queries";
import type { Run } from "../api/types";
import { TableFrame } from "../components/Page";
import { shortNames } from "../components/plot";
import { count, plural } from "../format";
import { Interval } from "../review/Interval";

/** Of fewer prompts hardly anything can be said. */
const FEW = 10;

interface Row<Of> {
  of: Of;
  accuracy: number;
  /** Of 95 %, over prompts. */
  low: number;
  high: number;
  pairs: number;
  prompts: number;
}

interface Part<Of> {
  rows: Row<Of>[];
  left_out: number;
}

export interface Sources {
  annotator?: Part<string>;
  models?: Part<[string, string]>;
}

export function isSources(value: unknown): value is Sources {
  return typeof value === "object" && value !== null && ("annotator" in value || "models" in value);
}

export function AccuracyBy({ run, sources: { annotator, models } }: { run: Pick<Run, "project">; sources: Sources }) {
  return (
    <div className="mt-4 grid gap-x-8 gap-y-6 xl:grid-cols-2">
      {annotator && <ByAnnotator part={annotator} slug={run.project?.slug ?? null} />}
      {models && <ByModels part={models} />}
    </div>
  );
}

function ByAnnotator({ part, slug }: { part: Part<string>; slug: string | null }) {
  const people = useQuery({ ...annotatorsQuery(slug ?? ""), enabled: slug !== null }).data?.items;
  const who = (id: string): ReactNode => {
    const name = people?.find((one) => one.id === id)?.name;
    if (slug === null || name === undefined) return <span className="text-faint">{people ? "somebody" : "…"} <span className="font-mono text-xs">{id.slice(-6)}</span></span>;
    return <Link to="/projects/$project/annotators/$annotator" params={{ project: slug, annotator: id }} className="link">{name}</Link>;
  };
  return <Told title="Held-out accuracy by annotator" lead="How often the higher score is what this person preferred. Far below the others is who answers carelessly, or by another taste than the reward model has learnt." head="Annotator" part={part} keyOf={(id) => id} name={who} />;
}

function ByModels({ part }: { part: Part<[string, string]> }) {
  const short = shortNames([...new Set(part.rows.flatMap((row) => row.of))]);
  const pair = ([one, other]: [string, string]): ReactNode => <span title={`${one}, ${other}`}>{one === other ? <>{short(one)} <span className="text-faint">against itself</span></> : <>{short(one)} <span className="text-faint">and</span> {short(other)}</>}</span>;
  return <Told title="Held-out accuracy by models" lead="How often it is right about two answers, by the models that wrote them. PPO asks it about answers of one model alone." head="Answers of" part={part} keyOf={(of) => of.join(" ")} name={pair} />;
}

interface ToldProps<Of> {
  title: string;
  lead: string;
  head: string;
  part: Part<Of>;
  keyOf: (of: Of) => string;
  name: (of: Of) => ReactNode;
}

function Told<Of>({ title, lead, head, part, keyOf, name }: ToldProps<Of>) {
  return (
    <section className="min-w-0" aria-label={title}>
      <h2 className="title">{title}</h2>
      <p className="mt-1 mb-2 max-w-[65ch] text-pretty text-soft">{lead}</p>
      <TableFrame label={`${title}, as a table`}>
        <table className="table">
          <thead><tr><th scope="col">{head}</th><th scope="col" className="number">Pairs</th><th scope="col" className="number max-sm:hidden">Prompts</th><th scope="col">Accuracy</th></tr></thead>
          <tbody>
            {part.rows.map((row) => (
              <tr key={keyOf(row.of)}>
                <th scope="row" className="text-left font-normal [overflow-wrap:anywhere]">{name(row.of)}</th>
                <td className="number">{count(row.pairs)}</td>
                <td className="number max-sm:hidden">{count(row.prompts)}</td>
                <td className="whitespace-nowrap">
                  <Interval label="Held-out accuracy" share={{ share: row.accuracy, low: row.low, high: row.high, n: row.pairs }} />
                  {row.prompts < FEW && <span className="text-sm text-faint max-sm:block sm:ml-2">few prompts</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableFrame>
      {part.left_out > 0 && <p className="mt-1.5 text-sm text-faint">And {plural(part.left_out, "other")} with fewer pairs.</p>}
    </section>
  );
}
