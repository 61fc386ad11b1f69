/** Which model people prefer in this project, and how sure that is. */
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { type Method, ratingsQuery } from "../api/queries";
import type { Rating } from "../api/types";
import { ButtonLink } from "../components/Button";
import { Segments } from "../components/Field";
import { Page, TableFrame } from "../components/Page";
import { Empty, Loaded } from "../components/Status";
import { count, plural } from "../format";

const CLOSE = 1.96; // 95 % of a normal distribution

export function LeaderboardPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/leaderboard" });
  const [method, setMethod] = useState<Method>("elo");
  // Null: the server's own K, as in every other place that shows ratings.
  const [typed, setTyped] = useState<string | null>(null);
  const [asked, setAsked] = useState<number | null>(null);
  const ratings = useQuery({ ...ratingsQuery(slug, method, asked), refetchInterval: 10_000 });
  const k = typed ?? (ratings.data?.k ? String(ratings.data.k) : "");
  const valid = k === "" || (Number(k) > 0 && Number(k) <= 1000);
  return (
    <Page
      title="Leaderboard"
      lead={
        method === "elo"
          ? "Elo follows the judgments in the order they came: quick to move, and the measure that rewards are made from."
          : "Bradley-Terry takes all judgments at once, with an error for each rating: the better answer to “which model is best”."
      }
      actions={
        <div className="flex flex-wrap items-center gap-3">
          <Segments label="Method" value={method} onChange={setMethod} options={[{ value: "elo", label: "Elo" }, { value: "bradley_terry", label: "Bradley-Terry" }]} />
          {method === "elo" && (
            <label className="flex items-center gap-2">
              K
              <input type="number" min={1} max={1000} aria-invalid={!valid || undefined} className="field w-20" value={k} onChange={(event) => {
                const value = Number(event.target.value);
                setTyped(event.target.value);
                if (event.target.value === "") setAsked(null);
                else if (value > 0 && value <= 1000) setAsked(value);
              }} onBlur={() => typed === "" && setTyped(null)} />
            </label>
          )}
        </div>
      }
    >
      <Loaded query={ratings}>
        {(data) =>
          data.items.length === 0 ? (
            <Empty icon="leaderboard" title="No ratings yet" action={<ButtonLink to="/projects/$project/annotate" params={{ project: slug }} look="primary">Judge the first comparisons</ButtonLink>}>
              Models appear here as soon as their answers have been compared.
            </Empty>
          ) : (
            <>
              <Board items={data.items} />
              <p className="mt-2 text-sm text-faint">
                From {plural(data.judgments, "judgment")}. {data.items.some((item) => item.standard_error !== null) ? "The bars span 95 % intervals; where two overlap, more judgments are needed to tell them apart." : "Elo gives no error of its own; Bradley-Terry does."}
              </p>
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

function Board({ items }: { items: Rating[] }) {
  const low = Math.min(...items.map((item) => item.rating - CLOSE * (item.standard_error ?? 0)));
  const high = Math.max(...items.map((item) => item.rating + CLOSE * (item.standard_error ?? 0)));
  const margin = Math.max(20, (high - low) * 0.06);
  const at = (rating: number): number => ((rating - low + margin) / (high - low + 2 * margin)) * 100;
  return (
    <TableFrame label="Models by rating">
      <table className="table">
        <thead><tr><th className="number w-12">#</th><th>Model</th><th className="number">Rating</th><th className="w-[42%] max-sm:hidden"><span className="sr-only">Interval</span></th><th className="number">Judgments</th></tr></thead>
        <tbody>
          {items.map((item, rank) => {
            const spread = item.standard_error === null || item.standard_error === undefined ? null : CLOSE * item.standard_error;
            return (
              <tr key={item.id} className="*:align-middle">
                <td className="number text-faint">{rank + 1}</td>
                <td className="font-medium [overflow-wrap:anywhere]">{item.name}</td>
                <td className="number">
                  <span className="title text-lg">{count(item.rating)}</span>
                  {spread !== null && <span className="ml-1.5 text-sm text-faint">± {count(spread)}</span>}
                </td>
                <td className="max-sm:hidden">
                  <div className="relative h-7" aria-hidden="true">
                    <div className="absolute inset-x-0 top-1/2 border-t border-line" />
                    {spread !== null && <div className="absolute top-1/2 h-2 -translate-y-1/2 rounded-full bg-accent/30" style={{ left: `${at(item.rating - spread)}%`, width: `${at(item.rating + spread) - at(item.rating - spread)}%` }} />}
                    <div className="absolute top-1/2 size-3 -translate-x-1/2 -translate-y-1/2 rounded-full border-2 border-surface bg-accent" style={{ left: `${at(item.rating)}%` }} />
                  </div>
                </td>
                <td className="number">{count(item.judgments)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </TableFrame>
  );
}
