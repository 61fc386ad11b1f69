/** A share with its 95 % interval, in figures and drawn from 0 to 100 %; `expected` is marked on it. */
import type { Share } from "../api/types";
import { count, percent } from "../format";

export function Interval({ share, expected, label }: { share: Share | null | undefined; expected?: number; label: string }) {
  if (!share || share.n === 0) return <span className="text-faint">–</span>;
  const at = (value: number): string => `${value * 100}%`;
  const leaning = expected !== undefined && (share.low > expected || share.high < expected);
  return (
    <span className="inline-flex items-center gap-2 whitespace-nowrap" title={`${label}: ${percent(share.share)}, between ${percent(share.low)} and ${percent(share.high)} (95 %), of ${count(share.n)}`}>
      <span className="w-11 text-right">{percent(share.share)}</span>
      <span aria-hidden="true" className="relative inline-block h-3 w-20">
        <span className="absolute inset-x-0 top-1/2 border-t border-line" />
        {expected !== undefined && <span className="absolute inset-y-0 border-l border-edge" style={{ left: at(expected) }} />}
        <span className={`absolute top-1/2 h-1.5 -translate-y-1/2 rounded-full ${leaning ? "bg-warn/45" : "bg-accent/35"}`} style={{ left: at(share.low), width: at(Math.max(0.01, share.high - share.low)) }} />
        <span className={`absolute top-1/2 size-2 -translate-x-1/2 -translate-y-1/2 rounded-full ${leaning ? "bg-warn" : "bg-accent"}`} style={{ left: at(share.share) }} />
      </span>
      <span className="sr-only">between {percent(share.low)} and {percent(share.high)}</span>
      {leaning && <span className="rounded-sm bg-warn-wash px-1.5 text-xs text-warn">leans</span>}
    </span>
  );
}
