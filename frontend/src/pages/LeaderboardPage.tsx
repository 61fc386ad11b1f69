/** Which model people prefer in this project, and how sure that is. */
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { type Cluster, leaderboardQuery, type Method, ratingsQuery, type Taken, winMatrixQuery } from "../api/queries";
import type { BoardLine, WinMatrix } from "../api/types";
import { Button, ButtonLink } from "../components/Button";
import { Segments } from "../components/Field";
import { Page, TableFrame } from "../components/Page";
import { Empty, Loaded } from "../components/Status";
import { count, figure, percent, plural, signed } from "../format";

const CLOSE = 1.96; // 95 % of a normal distribution

export function LeaderboardPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/leaderboard" });
  const [method, setMethod] = useState<Method>("elo");
  return (
    <Page
      title="Leaderboard"
      lead={
        method === "elo"
          ? "Elo follows the judgments in the order they came: quick to move, and easy to read."
          : "Bradley-Terry takes all judgments at once, with an error for each rating: the better answer to “which model is best”."
      }
      actions={<Segments label="Method" value={method} onChange={setMethod} options={[{ value: "elo", label: "Elo" }, { value: "bradley_terry", label: "Bradley-Terry" }]} />}
    >
      {method === "elo" ? <EloBoard slug={slug} /> : <FittedBoard slug={slug} />}
      <WinRates slug={slug} />
    </Page>
  );
}

const Nothing = (
  <Empty icon="leaderboard" title="No ratings yet" action={<ButtonLink to="/projects" look="primary">Judge the first comparisons</ButtonLink>}>
    Models appear here as soon as their answers have been compared.
  </Empty>
);

function EloBoard({ slug }: { slug: string }) {
  // Null: the server's own K, as in every other place that shows ratings.
  const [typed, setTyped] = useState<string | null>(null);
  const [asked, setAsked] = useState<number | null>(null);
  const ratings = useQuery({ ...ratingsQuery(slug, "elo", asked), refetchInterval: 10_000 });
  const k = typed ?? (ratings.data?.k ? String(ratings.data.k) : "");
  const valid = k === "" || (Number(k) > 0 && Number(k) <= 1000);
  const onType = (text: string) => {
    setTyped(text);
    if (text === "") setAsked(null);
    else if (Number(text) > 0 && Number(text) <= 1000) setAsked(Number(text));
  };
  return (
    <Loaded query={ratings}>
      {(data) =>
        data.items.length === 0 ? Nothing : (
          <>
            <div className="mb-3 flex items-center gap-2">
              <label className="flex items-center gap-2">K
              <input type="number" min={1} max={1000} aria-invalid={!valid || undefined} className="field w-20" value={k} onChange={(event) => onType(event.target.value)} onBlur={() => typed === "" && setTyped(null)} />
              </label>
              <span className="text-sm text-faint">how far one judgment moves a rating</span>
            </div>
            <Bars label="Models by Elo" items={data.items.map((item, at) => ({ ...item, rank: at + 1, beside: null }))} />
            <p className="mt-2 text-sm text-faint">From {plural(data.judgments, "judgment")}. Elo gives no error of its own; Bradley-Terry does.</p>
          </>
        )
      }
    </Loaded>
  );
}

const CLUSTERS: { value: Cluster; label: string }[] = [
  { value: "prompt", label: "prompt" },
  { value: "annotator", label: "annotator" },
  { value: "both", label: "both" },
];

const CONTROL_NAMES: Record<string, string> = { length: "length", headings: "headings", list_items: "lists", emphasis: "bold text", code: "code", "shown on the left": "being shown first" };

function FittedBoard({ slug }: { slug: string }) {
  const [cluster, setCluster] = useState<Cluster>("prompt");
  const [taken, setTaken] = useState<Taken>({ controls: false, side: false });
  const board = useQuery(leaderboardQuery(slug, cluster, taken));
  return (
    <Loaded query={board}>
      {(data) =>
        data.items.length === 0 ? Nothing : (
          <>
            <div className="mb-3 flex flex-wrap items-center gap-x-6 gap-y-2">
              <span className="flex items-center gap-2">Votes hang together by <Segments label="Votes hang together by" value={cluster} onChange={setCluster} options={CLUSTERS} /></span>
              <label className="flex min-h-8 items-center gap-2"><input type="checkbox" checked={taken.controls} onChange={(event) => setTaken({ ...taken, controls: event.target.checked })} /> take out length and style</label>
              <label className="flex min-h-8 items-center gap-2"><input type="checkbox" checked={taken.side} onChange={(event) => setTaken({ ...taken, side: event.target.checked })} /> take out the side</label>
            </div>
            {!data.connected && <p className="mb-3 rounded-md bg-warn-wash px-4 py-2 text-warn">Some models only won, only lost, or were never compared with the others: a weak prior holds them, and their ratings may still move far.</p>}
            <Bars label="Models by Bradley-Terry" items={data.items.map(barOf)} />
            <p className="mt-2 text-sm text-faint">
              From {plural(data.judgments, "judgment")}, errors from {plural(data.clusters, data.cluster === "votes" ? "vote" : "cluster")}{data.clusters < 30 ? ": so few that they are rough" : ""}. Bars span 95 % intervals. Models share a rank until a difference is beyond doubt.
            </p>
            {data.controls.length > 0 && (
              <p className="mt-1 text-sm text-faint">
                Taken out, in log-odds of winning for one deviation more: {data.controls.map((one) => `${CONTROL_NAMES[one.name] ?? one.name} ${signed(one.value, 2)} ± ${figure(CLOSE * one.standard_error)}`).join(", ")}. The pale mark is the rating as it is.
              </p>
            )}
          </>
        )
      }
    </Loaded>
  );
}

function barOf(line: BoardLine): Bar {
  const place = line.controlled ?? line.raw;
  return { id: line.id, name: line.name, judgments: line.judgments, ...place, beside: line.controlled ? line.raw.rating : null };
}

interface Bar {
  id: string;
  name: string;
  rating: number;
  standard_error?: number | null;
  judgments: number;
  rank: number;
  chance_of_best?: number;
  /** The rating without controls, where they are taken out. */
  beside: number | null;
}

function Bars({ items, label }: { items: Bar[]; label: string }) {
  const low = Math.min(...items.map((item) => Math.min(item.beside ?? item.rating, item.rating - CLOSE * (item.standard_error ?? 0))));
  const high = Math.max(...items.map((item) => Math.max(item.beside ?? item.rating, item.rating + CLOSE * (item.standard_error ?? 0))));
  const margin = Math.max(20, (high - low) * 0.06);
  const at = (rating: number): number => ((rating - low + margin) / (high - low + 2 * margin)) * 100;
  const best = items.some((item) => item.chance_of_best !== undefined);
  return (
    <TableFrame label={label}>
      <table className="table">
        <thead><tr><th className="number w-12">#</th><th>Model</th><th className="number">Rating</th><th className="w-[42%] max-sm:hidden"><span className="sr-only">Interval</span></th>{best && <th className="number">Best with</th>}<th className="number">Judgments</th></tr></thead>
        <tbody>
          {items.map((item) => {
            const spread = item.standard_error === null || item.standard_error === undefined ? null : CLOSE * item.standard_error;
            return (
              <tr key={item.id} className="*:align-middle">
                <td className="number text-faint">{item.rank}</td>
                <td className="font-medium [overflow-wrap:anywhere]">{item.name}</td>
                <td className="number">
                  <span className="title text-lg">{count(item.rating)}</span>
                  {spread !== null && <span className="ml-1.5 text-sm text-faint">± {count(spread)}</span>}
                </td>
                <td className="max-sm:hidden">
                  <div className="relative h-7" aria-hidden="true">
                    <div className="absolute inset-x-0 top-1/2 border-t border-line" />
                    {spread !== null && <div className="absolute top-1/2 h-2 -translate-y-1/2 rounded-full bg-accent/30" style={{ left: `${at(item.rating - spread)}%`, width: `${at(item.rating + spread) - at(item.rating - spread)}%` }} />}
                    {item.beside !== null && <div className="absolute top-1/2 size-2.5 -translate-x-1/2 -translate-y-1/2 rounded-full border border-accent bg-surface opacity-60" style={{ left: `${at(item.beside)}%` }} />}
                    <div className="absolute top-1/2 size-3 -translate-x-1/2 -translate-y-1/2 rounded-full border-2 border-surface bg-accent" style={{ left: `${at(item.rating)}%` }} />
                  </div>
                </td>
                {best && <td className="number">{item.chance_of_best === undefined || item.chance_of_best < 0.001 ? <span className="text-faint">–</span> : item.chance_of_best < 0.01 ? "< 1 %" : percent(item.chance_of_best)}</td>}
                <td className="number">{count(item.judgments)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </TableFrame>
  );
}

const MOST_IN_MATRIX = 25;

/** Who wins how often against whom; folded, because it is wide. */
function WinRates({ slug }: { slug: string }) {
  const [open, setOpen] = useState(false);
  const matrix = useQuery({ ...winMatrixQuery(slug), enabled: open });
  return (
    <details className="mt-6" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="cursor-pointer font-medium">Who wins against whom</summary>
      <div className="mt-3">
        {open && <Loaded query={matrix}>{(data) => (data.models.length < 2 ? <p className="text-soft">No two models were compared yet.</p> : <Matrix matrix={data} slug={slug} />)}</Loaded>}
      </div>
    </details>
  );
}

function Matrix({ matrix, slug }: { matrix: WinMatrix; slug: string }) {
  const share = (i: number, j: number): number | null => (matrix.games[i]![j]! > 0 ? matrix.wins[i]![j]! / matrix.games[i]![j]! : null);
  const total = matrix.models.map((_, i) => matrix.wins[i]!.reduce((sum, one) => sum + one, 0) / Math.max(1, matrix.games[i]!.reduce((sum, one) => sum + one, 0)));
  const order = matrix.models.map((_, i) => i).toSorted((a, b) => total[b]! - total[a]!);
  const shown = order.slice(0, MOST_IN_MATRIX);
  const csv = () => {
    const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
    const head = ["model", ...order.map((j) => quoted(matrix.models[j]!.name))].join(",");
    const lines = order.map((i) => [quoted(matrix.models[i]!.name), ...order.map((j) => (i === j ? "" : (share(i, j)?.toFixed(4) ?? "")))].join(","));
    return URL.createObjectURL(new Blob([[head, ...lines].join("\n")], { type: "text/csv" }));
  };
  const save = () => {
    const link = document.createElement("a");
    link.href = csv();
    link.download = `${slug}-win-rates.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <>
      <TableFrame label="Share of wins of the model in the row against the model in the column">
        <table className="table text-sm">
          <thead><tr><th>Model</th>{shown.map((j, place) => <th key={j} className="number" title={matrix.models[j]!.name}><abbr title={matrix.models[j]!.name} className="no-underline">{place + 1}</abbr></th>)}</tr></thead>
          <tbody>
            {shown.map((i, place) => (
              <tr key={i}>
                <th scope="row" className="max-w-64 truncate text-left font-medium">{place + 1}. {matrix.models[i]!.name}</th>
                {shown.map((j) => {
                  const won = i === j ? null : share(i, j);
                  return (
                    <td key={j} className="number relative" title={won === null ? undefined : `${matrix.models[i]!.name} against ${matrix.models[j]!.name}: ${percent(won)} of ${count(matrix.games[i]![j]!)}`}>
                      {won !== null && <span aria-hidden="true" className={`absolute inset-0.5 rounded ${won >= 0.5 ? "bg-accent" : "bg-warn"}`} style={{ opacity: Math.abs(won - 0.5) * 0.55 }} />}
                      <span className="relative">{i === j ? "" : won === null ? <span className="text-faint">·</span> : Math.round(won * 100)}</span>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </TableFrame>
      <p className="mt-2 flex flex-wrap items-center gap-3 text-sm text-faint">
        In percent, ties count half.{order.length > shown.length && ` The first ${MOST_IN_MATRIX} of ${order.length} models by share of wins.`}
        <Button look="quiet" className="min-h-8" onClick={save}>Save all as CSV</Button>
      </p>
    </>
  );
}
