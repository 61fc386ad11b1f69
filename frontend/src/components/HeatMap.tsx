/** Shares in a square of rows and columns: green above a half, amber below, as strong as they are far from it. */
import { count, percent } from "../format";
import { shortened, textWidth, useWidth } from "./plot";

interface HeatMapProps {
  label: string;
  names: readonly string[];
  /** The share of the row against the column; null where the two never met. */
  share: (row: number, column: number) => number | null;
  /** How many the share is of. */
  of: (row: number, column: number) => number;
}

const LEAST = 26;
const MOST = 44;

/** Columns are numbered like rows; where all do not fit, the frame scrolls. */
export function HeatMap({ label, names, share, of }: HeatMapProps) {
  const [box, width] = useWidth<HTMLDivElement>();
  const left = Math.min(Math.max(0, ...names.map((name) => textWidth(name))) + 36, Math.max(130, width * 0.26));
  const cell = Math.min(MOST, Math.max(LEAST, (width - left) / Math.max(1, names.length)));
  const tall = Math.min(cell, 28);
  const [across, down] = [left + cell * names.length, tall * (names.length + 1)];
  return (
    <div ref={box} className="overflow-x-auto" tabIndex={0} role="region" aria-label={label}>
      {width > 0 && (
        <svg width={across} height={down} viewBox={`0 0 ${across} ${down}`} role="img" aria-label={`${label}: ${names.length} by ${names.length}`} className="block">
          {names.map((name, column) => <text key={name} x={left + cell * (column + 0.5)} y={tall - 9} textAnchor="middle" fontSize={11} className="fill-faint"><title>{name}</title>{column + 1}</text>)}
          {names.map((name, row) => (
            <g key={name}>
              <text x={0} y={tall * (row + 1.5) + 4} fontSize={12} className="fill-ink"><title>{name}</title><tspan className="fill-faint">{row + 1}</tspan> <tspan x={24}>{shortened(name, left - 34)}</tspan></text>
              {names.map((other, column) => {
                const won = row === column ? null : share(row, column);
                const [x, y] = [left + cell * column, tall * (row + 1)];
                if (won === null) return row === column ? <rect key={other} x={x + 1} y={y + 1} width={cell - 2} height={tall - 2} rx={3} className="fill-sunken" /> : null;
                return (
                  <g key={other}>
                    <title>{`${name} against ${other}: ${percent(won)} of ${count(of(row, column))}`}</title>
                    <rect x={x + 1} y={y + 1} width={cell - 2} height={tall - 2} rx={3} className={won >= 0.5 ? "fill-accent" : "fill-warn"} fillOpacity={0.04 + Math.abs(won - 0.5) * 0.9} />
                    <text x={x + cell / 2} y={y + tall / 2 + 4} textAnchor="middle" fontSize={11} className="fill-ink">{Math.round(won * 100)}</text>
                  </g>
                );
              })}
            </g>
          ))}
        </svg>
      )}
    </div>
  );
}
