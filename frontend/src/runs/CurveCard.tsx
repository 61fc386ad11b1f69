/** A curve with its name, its value at the step that is read (or the last), and what it means. */
import { lazy, memo, Suspense, useEffect, useRef, useState } from "react";
import { type Curve, valueAt } from "../components/metrics";
import { figure } from "../format";
import { meaningOf } from "./meanings";

const Chart = lazy(() => import("../components/Chart"));

/** What all curves of a run have in common. */
export interface Reading {
  smoothing: number;
  /** Steps at which a rule warned. */
  marks: readonly number[];
  at: number | null;
  onPoint: (step: number | null) => void;
  /** The name of the run that lies over this one. */
  other: string | undefined;
}

interface CurveCardProps extends Reading {
  curve: Curve;
  their: Curve | undefined;
  large?: boolean;
  explained?: boolean;
}

export const CurveCard = memo(function CurveCard({ curve, their, large = false, explained = false, other, at, ...reading }: CurveCardProps) {
  const { label, unit, text } = meaningOf(curve.name);
  const height = large ? 170 : 130;
  const [box, seen] = useSeen();
  return (
    <figure ref={box} className="panel flex min-w-0 flex-col px-3 pt-2.5 pb-1.5">
      <figcaption className="grow">
        <div className="flex items-baseline justify-between gap-3">
          <span className={`min-w-0 text-pretty ${large ? "font-medium" : "text-sm"}`} title={curve.name}>{label}{unit && <span className="font-normal text-faint"> {unit}</span>}</span>
          <span className="whitespace-nowrap">
            <span className={`title ${large ? "text-lg" : "text-md"}`}>{value(curve, at)}</span>
            {their && <span className="ml-2 text-sm text-faint" title={other}><span className="sr-only">over it </span>{value(their, at)}</span>}
          </span>
        </div>
        {(large || explained) && text && <p className="mt-0.5 text-xs text-pretty text-faint">{text}</p>}
      </figcaption>
      {seen ? (
        <Suspense fallback={<div className="skeleton my-2" style={{ height: height - 16 }} />}>
          <Chart name={label} steps={curve.steps} values={curve.values} height={height} beside={their} at={at} {...reading} />
        </Suspense>
      ) : (
        <div style={{ height }} />
      )}
    </figure>
  );
});

function value(curve: Curve, at: number | null): string {
  const found = at === null ? curve.last : valueAt(curve, at);
  return found === null ? "–" : figure(found);
}

/** Whether it has come near the window: what nobody scrolls to need not be drawn. */
function useSeen() {
  const box = useRef<HTMLElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (!box.current || seen) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && setSeen(true), { rootMargin: "400px" });
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [seen]);
  return [box, seen] as const;
}
