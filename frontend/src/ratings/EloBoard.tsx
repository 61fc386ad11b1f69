/** Elo of the models, with another K where somebody wants it, and how much of it is owed to the order of judgments. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ratingsQuery } from "../api/ratings";
import type { EloBoard as EloBoardOut } from "../api/types";
import { Loaded } from "../components/Status";
import { count, plural } from "../format";
import { Board, CLOSE, type Column } from "./Board";
import { NoRatings } from "./NoRatings";

const ORDERS = 100;

export function EloBoard({ slug }: { slug: string }) {
  // Null: the server's own K, as in every other place that shows ratings.
  const [typed, setTyped] = useState<string | null>(null);
  const [asked, setAsked] = useState<number | null>(null);
  const [shuffled, setShuffled] = useState(false);
  const ratings = useQuery({ ...ratingsQuery(slug, asked, shuffled ? ORDERS : 0), refetchInterval: shuffled ? false : 10_000 });
  const k = typed ?? (ratings.data?.k ? String(ratings.data.k) : "");
  const valid = k === "" || (Number(k) > 0 && Number(k) <= 1000);
  const onType = (text: string) => {
    setTyped(text);
    if (text === "") setAsked(null);
    else if (Number(text) > 0 && Number(text) <= 1000) setAsked(Number(text));
  };
  return (
    <>
      {(ratings.isError || ratings.data?.items.length !== 0) && (
        <div className="mb-3 flex flex-wrap items-center gap-x-6 gap-y-2">
          <span className="flex items-center gap-2">
            <label className="flex items-center gap-2">K
              <input type="number" min={1} max={1000} aria-invalid={!valid || undefined} className="field w-20" value={k} onChange={(event) => onType(event.target.value)} onBlur={() => typed === "" && setTyped(null)} />
            </label>
            <span className="text-sm text-faint">how far one judgment moves a rating</span>
          </span>
          <label className="flex min-h-8 items-center gap-2"><input type="checkbox" checked={shuffled} onChange={(event) => setShuffled(event.target.checked)} /> play {ORDERS} random orders</label>
        </div>
      )}
      <Loaded query={ratings}>{(data) => (data.items.length === 0 ? <NoRatings /> : <Rated slug={slug} board={data} />)}</Loaded>
    </>
  );
}

function Rated({ slug, board: { items, judgments, k } }: { slug: string; board: EloBoardOut }) {
  const ordered = items.some((item) => typeof item.order_deviation === "number");
  const standings = items.map((item, at) => {
    const band = CLOSE * (item.order_deviation ?? 0);
    const middle = item.order_mean ?? item.rating;
    return { ...item, rank: at + 1, low: ordered ? middle - band : null, high: ordered ? middle + band : null };
  });
  const columns: Column[] = ordered
    ? [{ name: "Mean of orders", hint: `The mean and the standard deviation over ${ORDERS} random orders of the same judgments`, cells: new Map(items.map((item) => [item.id, <Orders key={item.id} mean={item.order_mean ?? null} deviation={item.order_deviation ?? null} />])) }]
    : [];
  return (
    <Board
      slug={slug}
      title="Models by Elo"
      caption={`From ${plural(judgments, "judgment")}, K ${k ?? ""}. ${ordered ? `Bands span where 95 % of ${ORDERS} random orders of the same judgments put a model: what the order alone decides.` : "Elo gives no error of its own; Bradley-Terry does."}`}
      standings={standings}
      columns={columns}
      data={{
        columns: ["rank", "model", "elo", "judgments", ...(ordered ? ["mean_of_orders", "deviation_of_orders"] : [])],
        rows: items.map((item, at) => [at + 1, item.name, item.rating, item.judgments, ...(ordered ? [item.order_mean, item.order_deviation] : [])]),
      }}
    />
  );
}

function Orders({ mean, deviation }: { mean: number | null; deviation: number | null }) {
  if (mean === null || deviation === null) return null;
  return <>{count(mean)} <span className="text-sm text-faint">s.d. {deviation.toFixed(1)}</span></>;
}
