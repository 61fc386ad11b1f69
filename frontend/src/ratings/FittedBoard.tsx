/** Bradley-Terry of the models with its error: as it is, and beside it with length, style and side taken out. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Cluster, leaderboardQuery, type Taken } from "../api/ratings";
import type { Board as BoardOut } from "../api/types";
import { Segments } from "../components/Field";
import { Loaded } from "../components/Status";
import { count, plural, signed } from "../format";
import { Board, CLOSE, type Column, type Standing } from "./Board";
import { NoRatings } from "./NoRatings";

const CLUSTERS: { value: Cluster; label: string }[] = [
  { value: "prompt", label: "prompt" },
  { value: "annotator", label: "annotator" },
  { value: "both", label: "both" },
];

const SWITCHES: readonly [keyof Taken, label: string, hint: string][] = [
  ["controls", "take out length and style", "What longer and more decorated answers win by that alone"],
  ["side", "take out the side", "What being shown first wins"],
  ["weighted", "weigh annotators", "Votes count by how sharply their annotator sees differences, and what being shown first is worth to them is taken out"],
];

const CONTROL_NAMES: Record<string, string> = { length: "length", headings: "headings", list_items: "lists", emphasis: "bold text", code: "code", "shown on the left": "being shown first" };

export function FittedBoard({ slug }: { slug: string }) {
  const [cluster, setCluster] = useState<Cluster>("prompt");
  const [taken, setTaken] = useState<Taken>({ controls: false, side: false, weighted: false });
  const board = useQuery(leaderboardQuery(slug, cluster, taken));
  return (
    <>
      <div className="mb-3 flex flex-wrap items-center gap-x-6 gap-y-2">
        <span className="flex flex-wrap items-center gap-2">Votes hang together by <Segments label="Votes hang together by" value={cluster} onChange={setCluster} options={CLUSTERS} /></span>
        {SWITCHES.map(([name, label, hint]) => (
          <label key={name} title={hint} className="flex min-h-8 items-center gap-2"><input type="checkbox" checked={taken[name]} onChange={(event) => setTaken({ ...taken, [name]: event.target.checked })} /> {label}</label>
        ))}
      </div>
      <Loaded query={board}>
        {(data) =>
          data.items.length === 0 ? <NoRatings /> : (
            <>
              {!data.connected && <p className="mb-3 rounded-md bg-warn-wash px-4 py-2 text-warn">Some models only won, only lost, or were never compared with the others: a weak prior holds them, and their ratings may still move far.</p>}
              <Fitted slug={slug} board={data} />
            </>
          )
        }
      </Loaded>
    </>
  );
}

function Fitted({ slug, board }: { slug: string; board: BoardOut }) {
  const standings = board.items.map((line): Standing => {
    const place = line.controlled ?? line.raw;
    const spread = CLOSE * place.standard_error;
    return { ...line, ...place, error: spread, low: place.rating - spread, high: place.rating + spread, best: place.chance_of_best, beside: line.controlled ? line.raw.rating : null };
  });
  const controlled = board.items.some((line) => line.controlled);
  const columns: Column[] = controlled ? [{ name: "As it is", hint: "With nothing taken out: rating, error, rank", cells: new Map(board.items.map((line) => [line.id, <Raw key={line.id} line={line} />])) }] : [];
  const weighed = board.annotator_fit ? ` Votes count by the slope of their annotator, and leans are taken out (fit ${board.annotator_fit}).` : "";
  const taken = board.controls.map((one) => `${CONTROL_NAMES[one.name] ?? one.name} ${signed(one.value, 2)} ± ${(CLOSE * one.standard_error).toFixed(2)}`).join(", ");
  return (
    <Board
      slug={slug}
      title={controlled ? "Models by Bradley-Terry, with controls" : "Models by Bradley-Terry"}
      caption={`From ${plural(board.judgments, "judgment")}, errors from ${plural(board.clusters, board.cluster === "votes" ? "vote" : "cluster")}${board.clusters < 30 ? ": so few that they are rough" : ""}. Bars span 95 % intervals. Models share a rank until a difference is beyond doubt.${taken ? ` Taken out, in log-odds of winning for one deviation more: ${taken}.` : ""}${weighed}${controlled ? " The pale mark is the rating as it is." : ""}`}
      standings={standings}
      columns={columns}
      data={{
        columns: ["model", "judgments", "rating", "standard_error", "rank", "chance_of_best", ...(controlled ? ["controlled_rating", "controlled_standard_error", "controlled_rank", "controlled_chance_of_best"] : [])],
        rows: board.items.map((line) => [line.name, line.judgments, ...numbers(line.raw), ...(controlled ? numbers(line.controlled) : [])]),
      }}
    />
  );
}

type Line = BoardOut["items"][number];

function Raw({ line: { raw, controlled } }: { line: Line }) {
  const climbed = controlled ? raw.rank - controlled.rank : 0;
  return (
    <>
      {count(raw.rating)} <span className="text-sm text-faint">± {count(CLOSE * raw.standard_error)}, # {raw.rank}</span>
      {climbed !== 0 && <span className={`ml-1 text-sm ${climbed > 0 ? "text-accent" : "text-warn"}`} title={`${Math.abs(climbed)} ${climbed > 0 ? "higher" : "lower"} with controls`}>{climbed > 0 ? "↑" : "↓"}{Math.abs(climbed)}</span>}
    </>
  );
}

const numbers = (place: Line["controlled"]): (number | null)[] => (place ? [place.rating, place.standard_error, place.rank, place.chance_of_best] : [null, null, null, null]);
