/** One quantity against another, a dot for each thing. Dots open on a click; by keyboard, things are opened in the list beside it. */
import { figure } from "../format";
import { linear, range, textWidth, ticks, useWidth } from "./plot";

export interface Dot {
  key: string;
  x: number;
  y: number;
  title: string;
}

interface ScatterProps {
  label: string;
  dots: readonly Dot[];
  xName: string;
  yName: string;
  /** Where both axes measure the same: a line on which the two are equal. */
  equal?: boolean;
  onOpen?: (key: string) => void;
  height?: number;
}

export function Scatter(props: ScatterProps) {
  const [box, width] = useWidth<HTMLDivElement>();
  return <div ref={box}>{width > 0 && <Dots {...props} width={width} />}</div>;
}

function Dots({ label, dots, xName, yName, equal, onOpen, height = 300, width }: ScatterProps & { width: number }) {
  const xs = range(dots.map((dot) => dot.x), 0.03);
  const ys = range(dots.map((dot) => dot.y), 0.04);
  const yTicks = ticks(ys, 6);
  const left = Math.max(0, ...yTicks.map((tick) => textWidth(figure(tick), 11))) + 10;
  const [top, bottom] = [22, height - 38];
  const x = linear(xs, [left, width - 18]);
  const y = linear(ys, [bottom, top]);
  const both: [number, number] = [Math.max(xs[0], ys[0]), Math.min(xs[1], ys[1])];
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label} className="block max-w-full">
      <text x={0} y={11} fontSize={11} className="fill-faint">{yName}</text>
      {yTicks.map((tick) => (
        <g key={tick}>
          <line x1={left} x2={width - 18} y1={y(tick)} y2={y(tick)} strokeWidth={1} className="stroke-line" />
          <text x={left - 8} y={y(tick) + 4} textAnchor="end" fontSize={11} className="fill-faint">{figure(tick)}</text>
        </g>
      ))}
      {ticks(xs, Math.max(2, Math.floor((width - left) / 60))).map((tick) => <text key={tick} x={x(tick)} y={bottom + 16} textAnchor="middle" fontSize={11} className="fill-faint">{figure(tick)}</text>)}
      <text x={(left + width) / 2} y={height - 4} textAnchor="middle" fontSize={11} className="fill-faint">{xName}</text>
      {equal && both[0] < both[1] && <line x1={x(both[0])} y1={y(both[0])} x2={x(both[1])} y2={y(both[1])} strokeWidth={1} strokeDasharray="3 3" className="stroke-edge" />}
      {dots.map((dot) => (
        <circle key={dot.key} cx={x(dot.x)} cy={y(dot.y)} r={3.2} fillOpacity={0.45} className={`fill-accent ${onOpen ? "cursor-pointer hover:fill-warn" : ""}`} onClick={onOpen && (() => onOpen(dot.key))}>
          <title>{dot.title}</title>
        </circle>
      ))}
    </svg>
  );
}
