/** Points with their intervals on one scale, a row each: how far apart, and how sure. */
import { count } from "../format";
import { linear, range, shortened, textWidth, ticks, useWidth } from "./plot";

export interface ForestRow {
  key: string;
  name: string;
  value: number;
  /** Ends of the interval. */
  low: number;
  high: number;
  /** Another value of the same, drawn pale: without controls, say. */
  beside?: number | null;
  /** Written at the right end; the value, if left out. */
  note?: string;
}

interface ForestProps {
  rows: readonly ForestRow[];
  label: string;
  /** A line through all rows: what would be no difference. */
  zero?: number;
  format?: (value: number) => string;
}

const ROW = 22;
const AXIS = 22;

/** As wide as its place. */
export function Forest(props: ForestProps) {
  const [box, width] = useWidth<HTMLDivElement>();
  return <div ref={box}>{width > 0 && <ForestPlot {...props} width={width} />}</div>;
}

export function ForestPlot({ rows, label, zero, format = count, width }: ForestProps & { width: number }) {
  const left = Math.min(Math.max(0, ...rows.map((row) => textWidth(row.name))) + 18, width * 0.4);
  const notes = rows.map((row) => row.note ?? format(row.value));
  const right = Math.max(0, ...notes.map((note) => textWidth(note))) + 16;
  const span = range([...rows.flatMap((row) => [row.low, row.high, row.value, row.beside]), zero], 0.04);
  const at = linear(span, [left, Math.max(left + 20, width - right)]);
  const height = rows.length * ROW + AXIS;
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label} className="block max-w-full text-xs">
      {ticks(span, Math.max(2, Math.floor((width - left - right) / 70))).map((tick) => (
        <g key={tick}>
          <line x1={at(tick)} x2={at(tick)} y1={0} y2={height - AXIS} className="stroke-line" strokeWidth={1} />
          <text x={at(tick)} y={height - 6} textAnchor="middle" className="fill-faint" fontSize={11}>{format(tick)}</text>
        </g>
      ))}
      {zero !== undefined && <line x1={at(zero)} x2={at(zero)} y1={0} y2={height - AXIS} className="stroke-edge" strokeWidth={1} strokeDasharray="3 3" />}
      {rows.map((row, index) => {
        const y = index * ROW + ROW / 2;
        return (
          <g key={row.key}>
            <title>{`${row.name}: ${format(row.value)}, between ${format(row.low)} and ${format(row.high)}`}</title>
            <rect x={0} y={y - ROW / 2} width={width} height={ROW} fillOpacity={0} />
            <text x={0} y={y + 4} className="fill-ink" fontSize={12}>{shortened(row.name, left - 12)}</text>
            <line x1={at(row.low)} x2={at(row.high)} y1={y} y2={y} className="stroke-accent" strokeWidth={5} strokeOpacity={0.28} strokeLinecap="round" />
            {row.beside !== null && row.beside !== undefined && <circle cx={at(row.beside)} cy={y} r={4} className="fill-surface stroke-accent" strokeWidth={1.2} opacity={0.65} />}
            <circle cx={at(row.value)} cy={y} r={4.5} className="fill-accent stroke-surface" strokeWidth={1.5} />
            <text x={width} y={y + 4} textAnchor="end" className="fill-soft" fontSize={12}>{notes[index]}</text>
          </g>
        );
      })}
    </svg>
  );
}
