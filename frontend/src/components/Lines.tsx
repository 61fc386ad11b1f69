/**
 * Several lines over one axis, each with a band around it where its error is known, named where it ends.
 *
 * The values at one place are read by pointing, or with the arrow keys: the plot is a slider along its axis.
 */
import { type KeyboardEvent, type PointerEvent, useState } from "react";
import { clock, count, day, figure, moment } from "../format";
import { linear, range, seriesColour, seriesDash, shortened, spread, textWidth, ticks, timeTicks, useWidth } from "./plot";

export interface Line {
  key: string;
  name: string;
  /** One for each place on the axis; null where there is none. */
  values: readonly (number | null)[];
  low?: readonly (number | null)[];
  high?: readonly (number | null)[];
  /** Which of the series' colours; its place among the lines, if left out. */
  colour?: number;
}

interface LinesProps {
  label: string;
  /** The places on the axis, ascending: numbers, or milliseconds where `time` is set. */
  x: readonly number[];
  lines: readonly Line[];
  time?: boolean;
  /** What the axes count. */
  xName?: string;
  yName?: string;
  format?: (value: number) => string;
  /** Of the places on the axis; plain numbers, if left out. */
  xFormat?: (place: number) => string;
  /** What must be on the scale. */
  within?: readonly number[];
  height?: number;
}

const LABEL = 14;
const MOST_LABELS = 16;

export function Lines(props: LinesProps) {
  const [box, width] = useWidth<HTMLDivElement>();
  return <div ref={box} style={{ minHeight: props.height ?? 280 }}>{width > 0 && <LinesPlot {...props} width={width} />}</div>;
}

function LinesPlot({ label, x, lines, time, xName, yName, format = count, xFormat, within = [], height = 280, width }: LinesProps & { width: number }) {
  const [pointed, setPointed] = useState<number | null>(null);
  const named = lines.length <= MOST_LABELS;
  const ends = lines.map((line) => line.values.findLastIndex((value) => value !== null));
  const last = lines.map((line, index) => (ends[index]! < 0 ? "" : format(line.values[ends[index]!]!)));
  const numbers = Math.max(0, ...last.map((text) => textWidth(text))) + 6;
  const right = named ? Math.min(Math.max(0, ...lines.map((line) => textWidth(line.name))) + numbers + 10, width * (width < 500 ? 0.38 : 0.28)) : 12;
  const ySpan = range([...lines.flatMap((line) => [...line.values, ...(line.low ?? []), ...(line.high ?? [])]), ...within], 0.05);
  const yTicks = ticks(ySpan, Math.max(2, Math.floor(height / 45)));
  const left = Math.max(0, ...yTicks.map((tick) => textWidth(format(tick), 11))) + 10;
  const top = yName ? 22 : 8;
  const bottom = height - (xName ? 38 : 22);
  const xSpan: [number, number] = x.length > 0 ? [x[0]!, x.at(-1)!] : [0, 1];
  const xAt = linear(xSpan, [left, Math.max(left + 20, width - right)]);
  const yAt = linear(ySpan, [bottom, top]);
  const room = Math.max(2, Math.floor((width - left - right) / (time ? 95 : width < 500 ? 38 : 64)));
  const times = time ? timeTicks(xSpan, room) : null;
  // Between two whole things that are counted there is nothing.
  const counted = x.every(Number.isInteger);
  const marks = times?.at ?? ticks(xSpan, room).filter((tick) => !counted || Number.isInteger(tick));
  const number = xFormat ?? (counted ? count : figure);
  const spoken = (place: number): string => (time ? moment(new Date(place)) : `${number(place)}${xName ? ` ${xName}` : ""}`);
  const at = pointed === null ? null : Math.min(pointed, x.length - 1);
  const read = at === null ? [] : lines.flatMap((line, index) => (line.values[at] === null || line.values[at] === undefined ? [] : [{ line, index, value: line.values[at] }])).toSorted((a, b) => b.value - a.value);

  const point = (event: PointerEvent<HTMLDivElement>): void => {
    const where = event.clientX - event.currentTarget.getBoundingClientRect().left;
    let best = 0;
    x.forEach((place, index) => {
      if (Math.abs(xAt(place) - where) < Math.abs(xAt(x[best]!) - where)) best = index;
    });
    setPointed(best);
  };
  const end = x.length - 1;
  const onKey = (event: KeyboardEvent): void => {
    const from = at ?? end;
    const to = { ArrowLeft: from - 1, ArrowDown: from - 1, ArrowRight: from + 1, ArrowUp: from + 1, PageDown: from - 10, PageUp: from + 10, Home: 0, End: end }[event.key];
    if (event.key === "Escape") setPointed(null);
    if (to === undefined) return;
    event.preventDefault();
    setPointed(Math.max(0, Math.min(end, to)));
  };
  const labels = named ? spread(lines.map((line, index) => yAt(line.values[ends[index]!] ?? ySpan[0])), LABEL, [top + 4, bottom]) : [];
  return (
    <div
      className="relative touch-pan-y rounded-sm"
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={Math.max(0, end)}
      aria-valuenow={at ?? Math.max(0, end)}
      aria-valuetext={at === null ? `${lines.length} lines; arrow keys read their values` : `${spoken(x[at]!)}: ${read.map((one) => `${one.line.name} ${format(one.value)}`).join(", ")}`}
      onPointerMove={point}
      onPointerDown={point}
      onPointerLeave={() => setPointed(null)}
      onKeyDown={onKey}
      onBlur={() => setPointed(null)}
    >
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true" className="block max-w-full text-xs">
        {yName && <text x={0} y={11} className="fill-faint" fontSize={11}>{yName}</text>}
        {yTicks.map((tick) => (
          <g key={tick}>
            <line x1={left} x2={width - right} y1={yAt(tick)} y2={yAt(tick)} className="stroke-line" strokeWidth={1} />
            <text x={left - 8} y={yAt(tick) + 4} textAnchor="end" className="fill-faint" fontSize={11}>{format(tick)}</text>
          </g>
        ))}
        {marks.map((tick) => (
          <text key={tick} x={xAt(tick)} y={bottom + 17} textAnchor="middle" className="fill-faint" fontSize={11}>{times ? (times.whole ? day(new Date(tick)) : clock(new Date(tick)).replace(/:\d\d(?=\s|$)/, "")) : number(tick)}</text>
        ))}
        {xName && <text x={(left + width - right) / 2} y={height - 3} textAnchor="middle" className="fill-faint" fontSize={11}>{xName}</text>}
        {lines.map((line, index) => <Band key={line.key} line={line} colour={seriesColour(line.colour ?? index)} x={x.map(xAt)} y={yAt} />)}
        {lines.map((line, index) => (
          <Curve key={line.key} values={line.values} x={x.map(xAt)} y={yAt} colour={seriesColour(line.colour ?? index)} dash={seriesDash(line.colour ?? index)} />
        ))}
        {named && lines.map((line, index) => ends[index]! >= 0 && (
          <text key={line.key} x={width - right + 8} y={labels[index]! + 4} fontSize={12} style={{ fill: seriesColour(line.colour ?? index) }}>
            {shortened(line.name, right - numbers - 8)} <tspan className="fill-soft">{last[index]}</tspan>
          </text>
        ))}
        {at !== null && (
          <g data-aside="">
            <line x1={xAt(x[at]!)} x2={xAt(x[at]!)} y1={top} y2={bottom} className="stroke-edge" strokeWidth={1} />
            {read.map((one) => <circle key={one.line.key} cx={xAt(x[at]!)} cy={yAt(one.value)} r={3.5} className="stroke-surface" strokeWidth={1.5} style={{ fill: seriesColour(one.line.colour ?? one.index) }} />)}
          </g>
        )}
      </svg>
      {at !== null && (
        <div aria-hidden="true" className="pointer-events-none absolute z-10 max-h-full overflow-hidden rounded-md border border-line bg-raised px-2.5 py-1.5 text-xs shadow-float" style={xAt(x[at]!) > width * 0.55 ? { top, right: width - xAt(x[at]!) + 10 } : { top, left: xAt(x[at]!) + 10 }}>
          <div className="mb-1 whitespace-nowrap text-faint">{spoken(x[at]!)}</div>
          {read.slice(0, MOST_LABELS).map((one) => (
            <div key={one.line.key} className="flex items-center justify-between gap-4 whitespace-nowrap">
              <span className="flex items-center gap-1.5"><Swatch at={one.line.colour ?? one.index} />{shortened(one.line.name, Math.min(190, width * 0.35))}</span>
              <span className="tabular-nums">{format(one.value)}</span>
            </div>
          ))}
          {read.length === 0 && <div className="text-faint">nothing yet</div>}
        </div>
      )}
    </div>
  );
}

/** The colour and the dashes of a series. */
export function Swatch({ at }: { at: number }) {
  return (
    <svg width={16} height={8} viewBox="0 0 16 8" aria-hidden="true" focusable="false" data-aside="" className="shrink-0">
      <line x1={0} x2={16} y1={4} y2={4} strokeWidth={2.5} strokeDasharray={seriesDash(at)} style={{ stroke: seriesColour(at) }} />
    </svg>
  );
}

interface Drawn {
  x: readonly number[];
  y: (value: number) => number;
  colour: string;
}

function Curve({ values, x, y, colour, dash }: Drawn & { values: Line["values"]; dash?: string | undefined }) {
  const known = (at: number): boolean => values[at] !== null && values[at] !== undefined;
  const steps = values.map((value, at) => (value === null ? "" : `${known(at - 1) ? "L" : "M"}${x[at]!.toFixed(1)} ${y(value).toFixed(1)}`));
  return (
    <>
      <path d={steps.join("")} fill="none" strokeWidth={1.75} strokeLinejoin="round" strokeDasharray={dash} style={{ stroke: colour }} />
      {values.map((value, at) => (value !== null && !known(at - 1) && !known(at + 1) ? <circle key={at} cx={x[at]!} cy={y(value)} r={2.5} style={{ fill: colour }} /> : null))}
    </>
  );
}

function Band({ line, x, y, colour }: Drawn & { line: Line }) {
  const { low, high } = line;
  if (!low || !high) return null;
  const there = x.map((_, at) => at).filter((at) => typeof low[at] === "number" && typeof high[at] === "number");
  if (there.length === 0) return null;
  const edge = [...there.map((at) => `${x[at]!.toFixed(1)} ${y(high[at]!).toFixed(1)}`), ...there.toReversed().map((at) => `${x[at]!.toFixed(1)} ${y(low[at]!).toFixed(1)}`)];
  return <path d={`M${edge.join("L")}Z`} fillOpacity={0.13} style={{ fill: colour }} />;
}
