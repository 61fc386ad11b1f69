/** Models in their order: rating, interval, chance of being the best. As a table with links, and as a picture. */
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Figure } from "../components/Figure";
import { ForestPlot } from "../components/Forest";
import { Icon } from "../components/Icon";
import { range, shortNames } from "../components/plot";
import type { Rows } from "../components/rows";
import { count, percent } from "../format";

export const CLOSE = 1.96; // 95 % of a normal distribution

export interface Standing {
  id: string;
  name: string;
  rank: number;
  rating: number;
  /** Half of the 95 % interval, where there is one. */
  error?: number;
  /** Ends of the band; null where nothing is known of it. */
  low: number | null;
  high: number | null;
  judgments: number;
  best?: number;
  /** The rating without controls, where they are taken out: drawn pale. */
  beside?: number | null;
}

/** A further column of the table. */
export interface Column {
  name: string;
  hint?: string;
  /** By the id of the model. */
  cells: ReadonlyMap<string, ReactNode>;
}

interface BoardProps {
  slug: string;
  title: string;
  caption: string;
  standings: readonly Standing[];
  /** Behind the rating and its interval. */
  columns?: readonly Column[];
  data: Rows;
}

export function Board({ slug, title, caption, standings, columns = [], data }: BoardProps) {
  const [low, high] = range(standings.flatMap((one) => [one.rating, one.low, one.high, one.beside]), 0.04);
  const at = (rating: number): string => `${((rating - low) / (high - low)) * 100}%`;
  const short = shortNames(standings.map((one) => one.name));
  const best = standings.some((one) => one.best !== undefined);
  const picture = (width: number) => (
    <ForestPlot
      width={width}
      label={title}
      rows={standings.map((one) => ({ key: one.id, name: short(one.name), value: one.rating, low: one.low ?? one.rating, high: one.high ?? one.rating, beside: one.beside, note: `${count(one.rating)}${spreadOf(one)}` }))}
    />
  );
  return (
    <Figure title={title} caption={caption} file={`${slug}-leaderboard`} data={data} tabled picture={picture}>
      <div className="-mx-4 -mb-2 overflow-x-auto" tabIndex={0} role="region" aria-label={title}>
        <table className="table">
          <thead>
            <tr>
              <th className="number w-12">#</th>
              <th>Model</th>
              <th className="number">Rating</th>
              <th className={`max-sm:hidden ${columns.length > 0 ? "w-[26%]" : "w-[36%]"}`}><span className="sr-only">Interval</span></th>
              {columns.map((column) => <th key={column.name} className="number" title={column.hint}>{column.name}</th>)}
              {best && <th className="number">Best with</th>}
              <th className="number">Judgments</th>
              <th><span className="sr-only">History</span></th>
            </tr>
          </thead>
          <tbody>
            {standings.map((one) => (
              <tr key={one.id} className="*:py-1.5! *:align-middle">
                <td className="number text-faint">{one.rank}</td>
                <td className="font-medium max-sm:min-w-32 sm:whitespace-nowrap"><Link to="/models" hash={one.id} className="quiet-link [overflow-wrap:anywhere]" title={`${one.name} among the models`}>{short(one.name)}</Link></td>
                <td className="number">
                  <span className="title text-lg">{count(one.rating)}</span>
                  <span className="ml-1.5 text-sm text-faint">{spreadOf(one)}</span>
                </td>
                <td className="max-sm:hidden">
                  <div className="relative h-6" aria-hidden="true">
                    <div className="absolute inset-x-0 top-1/2 border-t border-line" />
                    {one.low !== null && one.high !== null && <div className="absolute top-1/2 h-2 -translate-y-1/2 rounded-full bg-accent/30" style={{ left: at(one.low), right: `calc(100% - ${at(one.high)})` }} />}
                    {one.beside !== null && one.beside !== undefined && <div className="absolute top-1/2 size-2.5 -translate-x-1/2 -translate-y-1/2 rounded-full border border-accent bg-surface opacity-60" style={{ left: at(one.beside) }} />}
                    <div className="absolute top-1/2 size-3 -translate-x-1/2 -translate-y-1/2 rounded-full border-2 border-surface bg-accent" style={{ left: at(one.rating) }} />
                  </div>
                </td>
                {columns.map((column) => <td key={column.name} className="number">{column.cells.get(one.id)}</td>)}
                {best && <td className="number">{chance(one.best)}</td>}
                <td className="number">{count(one.judgments)}</td>
                <td className="w-10 pl-0!">
                  <Link to="/projects/$project/history" params={{ project: slug }} search={{ models: one.id }} aria-label={`History of ${one.name}`} title="How its rating came about" className="grid size-7 place-items-center rounded-md text-faint hover:bg-sunken hover:text-ink">
                    <Icon name="runs" size={14} />
                  </Link>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Figure>
  );
}

function spreadOf({ error }: Standing): string {
  return error === undefined ? "" : ` ± ${count(error)}`;
}

/** A chance too small to print is none to speak of. */
export function chance(share: number | null | undefined): ReactNode {
  if (share === null || share === undefined || share < 0.001) return <span className="text-faint">–</span>;
  return share < 0.01 ? "< 1%" : percent(share);
}
