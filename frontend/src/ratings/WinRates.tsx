/** Who wins how often against whom. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { winMatrixQuery } from "../api/ratings";
import type { WinMatrix } from "../api/types";
import { Figure } from "../components/Figure";
import { HeatMap } from "../components/HeatMap";
import { shortNames } from "../components/plot";
import { Loaded } from "../components/Status";
import { count } from "../format";

const FIRST = 20;

export function WinRates({ slug }: { slug: string }) {
  const matrix = useQuery(winMatrixQuery(slug));
  return <Loaded query={matrix}>{(data) => (data.models.length < 2 ? null : <Matrix matrix={data} slug={slug} />)}</Loaded>;
}

function Matrix({ matrix, slug }: { matrix: WinMatrix; slug: string }) {
  const [all, setAll] = useState(false);
  const games = (i: number, j: number): number => matrix.games[i]![j]!;
  const share = (i: number, j: number): number | null => (games(i, j) > 0 ? matrix.wins[i]![j]! / games(i, j) : null);
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
  const overall = matrix.models.map((_, i) => sum(matrix.wins[i]!) / Math.max(1, sum(matrix.games[i]!)));
  const order = matrix.models.map((_, i) => i).toSorted((a, b) => overall[b]! - overall[a]!);
  const short = shortNames(matrix.models.map((model) => model.name));
  const shown = all ? order : order.slice(0, FIRST);
  return (
    <Figure
      className="mt-6"
      title="Who wins against whom"
      caption={`The share of judgments, in percent, that put the model of the row above that of the column; ties count half. ${shown.length < order.length ? `The first ${FIRST} of ${count(order.length)} models` : "Models"} by share of wins.`}
      file={`${slug}-win-rates`}
      data={{
        columns: ["model", "against", "share_of_wins", "wins", "games"],
        rows: order.flatMap((i) => order.filter((j) => games(i, j) > 0).map((j) => [matrix.models[i]!.name, matrix.models[j]!.name, share(i, j), matrix.wins[i]![j]!, games(i, j)])),
      }}
      actions={order.length > FIRST && <label className="flex min-h-8 items-center gap-2"><input type="checkbox" checked={all} onChange={(event) => setAll(event.target.checked)} /> all {count(order.length)}</label>}
    >
      <HeatMap label="Who wins against whom" names={shown.map((i) => short(matrix.models[i]!.name))} share={(row, column) => share(shown[row]!, shown[column]!)} of={(row, column) => games(shown[row]!, shown[column]!)} />
    </Figure>
  );
}
