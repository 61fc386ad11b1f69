/** How many lie where: columns side by side, each made of parts on top of each other. */
import { count, figure, signed } from "../format";
import { linear, seriesColour, textWidth, ticks, useWidth } from "./plot";

interface HistogramProps {
  label: string;
  /** One more than there are columns, ascending. */
  edges: readonly number[];
  parts: readonly { name: string; counts: readonly number[] }[];
  xName: string;
  height?: number;
}

export function Histogram(props: HistogramProps) {
  const [box, width] = useWidth<HTMLDivElement>();
  return <div ref={box}>{width > 0 && <Columns {...props} width={width} />}</div>;
}

function Columns({ label, edges, parts, xName, height = 220, width }: HistogramProps & { width: number }) {
  const totals = edges.slice(1).map((_, at) => parts.reduce((sum, part) => sum + part.counts[at]!, 0));
  const most = Math.max(1, ...totals);
  const yTicks = ticks([0, most], 4).filter(Number.isInteger);
  const left = Math.max(0, ...yTicks.map((tick) => textWidth(count(tick), 11))) + 10;
  const [top, bottom] = [22, height - 38];
  const span: [number, number] = [edges[0]!, edges.at(-1)!];
  const x = linear(span, [left, width - 8]);
  const y = linear([0, most], [bottom, top]);
  const flat = span[0] === span[1];
  const places = (at: number): [number, number] => (flat ? [(left + width) / 2 - 20, (left + width) / 2 + 20] : [x(edges[at]!), x(edges[at + 1]!)]);
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label} className="block max-w-full">
      {parts.map((part, index) => (
        <g key={part.name} transform={`translate(${left + parts.slice(0, index).reduce((sum, one) => sum + textWidth(one.name) + 34, 0)} 4)`}>
          <rect width={10} height={10} rx={2} fillOpacity={0.85} style={{ fill: seriesColour(index) }} />
          <text x={15} y={9} fontSize={12} className="fill-soft">{part.name}</text>
        </g>
      ))}
      {yTicks.map((tick) => (
        <g key={tick}>
          <line x1={left} x2={width - 8} y1={y(tick)} y2={y(tick)} strokeWidth={1} className={tick === 0 ? "stroke-edge" : "stroke-line"} />
          <text x={left - 8} y={y(tick) + 4} textAnchor="end" fontSize={11} className="fill-faint">{count(tick)}</text>
        </g>
      ))}
      {totals.map((total, at) => {
        const [from, to] = places(at);
        let below = 0;
        return (
          <g key={edges[at]}>
            <title>{`${signed(edges[at]!)} to ${signed(edges[at + 1]!)}: ${parts.map((part) => `${count(part.counts[at]!)} ${part.name}`).join(", ")}`}</title>
            <rect x={from} y={top} width={to - from} height={bottom - top} fillOpacity={0} />
            {total > 0 && parts.map((part, index) => {
              const start = below;
              below += part.counts[at]!;
              return <rect key={part.name} x={from + 0.5} width={Math.max(1, to - from - 1)} y={y(below)} height={y(start) - y(below)} fillOpacity={0.85} style={{ fill: seriesColour(index) }} />;
            })}
          </g>
        );
      })}
      {ticks(span, Math.max(2, Math.floor((width - left) / 60))).map((tick) => <text key={tick} x={x(tick)} y={bottom + 16} textAnchor="middle" fontSize={11} className="fill-faint">{figure(tick)}</text>)}
      <text x={(left + width) / 2} y={height - 4} textAnchor="middle" fontSize={11} className="fill-faint">{xName}</text>
    </svg>
  );
}
