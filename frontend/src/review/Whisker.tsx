/** A value with its 95 % interval, in figures and drawn on a scale that all rows of a table share. */
import { signed } from "../format";

/** Of a normal distribution. */
export const CLOSE = 1.96;

interface WhiskerProps {
  label: string;
  value: number | null;
  error: number | null;
  /** The ends of the scale; what lies beyond is drawn at its end. */
  span: readonly [number, number];
  /** Where nothing stands out: marked on the scale. */
  expected: number;
  /** A sign says that it wants a look. */
  marked: boolean;
}

export function Whisker({ label, value, error, span, expected, marked }: WhiskerProps) {
  if (value === null || error === null) return <span className="text-faint">–</span>;
  const [low, high] = span;
  const at = (where: number): number => Math.max(0, Math.min(100, (100 * (where - low)) / (high - low)));
  const [from, to] = [value - CLOSE * error, value + CLOSE * error];
  const said = `between ${signed(from)} and ${signed(to)}`;
  return (
    <span className="relative inline-flex items-center gap-2 whitespace-nowrap" title={`${label}: ${signed(value)}, ${said} (95 %)`}>
      <span className="w-12 text-right">{signed(value)}</span>
      <span aria-hidden="true" className="relative inline-block h-3 w-20">
        <span className="absolute inset-x-0 top-1/2 border-t border-line" />
        <span className="absolute inset-y-0 border-l border-edge" style={{ left: `${at(expected)}%` }} />
        <span className={`absolute top-1/2 h-1.5 -translate-y-1/2 rounded-full ${marked ? "bg-warn/45" : "bg-accent/35"}`} style={{ left: `${at(from)}%`, width: `${Math.max(1, at(to) - at(from))}%` }} />
        <span className={`absolute top-1/2 size-1.5 -translate-x-1/2 -translate-y-1/2 rounded-full ${marked ? "bg-warn" : "bg-accent"}`} style={{ left: `${at(value)}%` }} />
      </span>
      <span className="sr-only">{said}</span>
    </span>
  );
}
