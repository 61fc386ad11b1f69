/** How many prompts are known how well: columns, with the precision asked for; read out by the figure's table. */
import type { Asking } from "../api/types";
import { linear, seriesColour, ticks, useWidth } from "../components/plot";
import { count, plural } from "../format";

type Bins = Asking["distribution"];

interface DistributionProps {
  bins: Bins;
  target: number | null;
}

const HEIGHT = 260;

export function Distribution(props: DistributionProps) {
  const [box, width] = useWidth<HTMLDivElement>();
  return <div ref={box} style={{ minHeight: HEIGHT }}>{width > 0 && <Columns {...props} width={width} />}</div>;
}

function Columns({ bins, target, width }: DistributionProps & { width: number }) {
  const most = Math.max(...bins.map((bin) => bin.prompts));
  const marks = ticks([0, most], 5).filter(Number.isInteger);
  const left = Math.max(...marks.map((mark) => count(mark).length)) * 6.4 + 10;
  const [top, bottom] = [22, HEIGHT - 38];
  const y = linear([0, most], [bottom, top]);
  const span: [number, number] = [Math.min(bins[0]!.low, target ?? Infinity), Math.max(bins.at(-1)!.high, target ?? 0)];
  const x = linear(span, [left, width - 12]);
  return (
    <svg width={width} height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} aria-hidden="true" className="block text-xs">
      <text x={0} y={11} className="fill-faint" fontSize={11}>prompts</text>
      {marks.map((mark) => (
        <g key={mark}>
          <line x1={left} x2={width} y1={y(mark)} y2={y(mark)} className="stroke-line" strokeWidth={1} />
          <text x={left - 8} y={y(mark) + 4} textAnchor="end" className="fill-faint" fontSize={11}>{count(mark)}</text>
        </g>
      ))}
      {ticks(span, Math.max(2, Math.floor((width - left) / 60))).map((mark) => (
        <text key={mark} x={x(mark)} y={bottom + 17} textAnchor="middle" className="fill-faint" fontSize={11}>{count(mark)}</text>
      ))}
      {bins.map((bin) => (
        <rect key={bin.low} x={x(bin.low) + 0.5} y={y(bin.prompts)} width={Math.max(1, x(bin.high) - x(bin.low) - 1)} height={bottom - y(bin.prompts)} style={{ fill: seriesColour(0) }}>
          <title>{`±${bin.low} to ±${bin.high}: ${plural(bin.prompts, "prompt")}`}</title>
        </rect>
      ))}
      {target !== null && (
        <>
          <line x1={x(target)} x2={x(target)} y1={top - 6} y2={bottom} strokeWidth={1.5} strokeDasharray="5 3" style={{ stroke: seriesColour(1) }} />
          <text x={x(target)} y={11} textAnchor={x(target) > width - 60 ? "end" : "middle"} fontSize={11} style={{ fill: seriesColour(1) }}>asked for</text>
        </>
      )}
      <text x={(left + width) / 2} y={HEIGHT - 3} textAnchor="middle" className="fill-faint" fontSize={11}>± Elo points</text>
    </svg>
  );
}
