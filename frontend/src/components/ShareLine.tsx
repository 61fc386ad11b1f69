/** A share with its error bar, and one sentence on what it means. Knows nothing of what is counted. */
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { count, percent } from "../format";

export interface Share {
  share: number;
  low: number;
  high: number;
  n: number;
}

interface ShareLineProps {
  name: string;
  /** Null: there is nothing to tell it from. */
  share: Share | null;
  /** What the number says, or why there is none. */
  children: ReactNode;
  /** What the two ends of the scale mean; with them, the middle is where nothing leans. */
  ends?: readonly [left: string, right: string];
  /** The share counts what stands at the left end. */
  mirrored?: boolean;
}

export function ShareLine({ name, share, children, ends, mirrored = false }: ShareLineProps) {
  const { t } = useTranslation("work");
  return (
    <li className="grid gap-x-8 gap-y-2 px-4 py-3.5 sm:px-5 lg:grid-cols-[minmax(0,1fr)_22rem] lg:items-center">
      <div>
        <h3 className="font-medium">{name}</h3>
        <p className="mt-0.5 max-w-[60ch] text-pretty text-soft">{children}</p>
      </div>
      {share && (
        <div>
          <p className="flex flex-wrap items-baseline gap-x-2 text-sm text-faint">
            <span className="text-ink"><span className="title text-lg">{percent(share.share)}</span>{ends && ` ${ends[mirrored ? 0 : 1]}`}</span>
            <span>{t("interval", { low: percent(share.low), high: percent(share.high) })}</span>
            <span>{t("cases", { count: share.n, n: count(share.n) })}</span>
          </p>
          <Bar name={name} share={share} middle={ends !== undefined} mirrored={mirrored} />
          {ends && (
            <p className="mt-0.5 flex justify-between gap-4 text-xs text-faint" aria-hidden="true"><span>{ends[0]}</span><span>{ends[1]}</span></p>
          )}
        </div>
      )}
    </li>
  );
}

function Bar({ name, share, middle, mirrored }: { name: string; share: Share; middle: boolean; mirrored: boolean }) {
  const { t } = useTranslation("work");
  const at = (value: number): string => `${(mirrored ? 1 - value : value) * 100}%`;
  const from = mirrored ? share.high : share.low;
  return (
    <div
      role="img"
      aria-label={t("plot", { name, share: percent(share.share), low: percent(share.low), high: percent(share.high) })}
      className="relative mt-1 h-4"
    >
      <div className="absolute inset-x-0 top-[7px] h-0.5 rounded-full bg-line" />
      {middle && <div className="absolute inset-y-0 left-1/2 w-px bg-edge" />}
      <div className="absolute top-[5px] h-1.5 rounded-full bg-accent/35" style={{ left: at(from), width: `${(share.high - share.low) * 100}%` }} />
      <div className="absolute top-[3px] size-2.5 -translate-x-1/2 rounded-full bg-accent" style={{ left: at(share.share) }} />
    </div>
  );
}
