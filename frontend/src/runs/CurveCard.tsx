/** A curve with its name, its value at the step that is read (or the last), and what it means. */
import { lazy, memo, Suspense, useEffect, useRef, useState } from "react";
import { Swatch } from "../components/Lines";
import { type Curve, valueAt } from "../components/metrics";
import { overSeries } from "../components/plot";
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
}

/** The same curve of a run that lies over this one, if that has it. */
export interface Beside {
  name: string;
  curve: Curve | undefined;
}

interface CurveCardProps extends Reading {
  curve: Curve;
  beside: readonly Beside[] | undefined;
  large?: boolean;
  explained?: boolean;
}

export const CurveCard = memo(function CurveCard({ curve, beside = NONE, large = false, explained = false, at, ...reading }: CurveCardProps) {
  const { label, unit, text } = meaningOf(curve.name);
  const height = large ? 170 : 130;
  const [box, seen, near] = useSeen();
  return (
    <figure ref={box} className="panel flex min-w-0 flex-col px-3 pt-2.5 pb-1.5">
      <figcaption className="grow pb-1">
        <div className="flex items-baseline justify-between gap-3">
          <span className={`min-w-0 text-pretty ${large ? "font-medium" : "text-sm"}`} title={curve.name}>{label}{unit && <span className="font-normal text-faint"> {unit}</span>}</span>
          <span className={`title whitespace-nowrap ${large ? "text-lg" : "text-md"}`}>{value(curve, at)}</span>
        </div>
        {beside.length > 0 && (
          <p className="flex flex-wrap justify-end gap-x-3 text-sm text-soft">
            {beside.map((one, place) => (
              <span key={place} className="inline-flex items-center gap-1.5" title={one.name}><Swatch at={overSeries(place)} /><span className="sr-only">{one.name}: </span>{value(one.curve, at)}</span>
            ))}
          </p>
        )}
        {(large || explained) && text && <p className="mt-0.5 text-xs text-pretty text-faint">{text}</p>}
      </figcaption>
      {seen ? (
        <Suspense fallback={<div className="skeleton my-2" style={{ height: height - 16 }} />}>
          <Chart near={near} name={label} steps={curve.steps} values={curve.values} height={height} beside={beside} at={at} {...reading} />
        </Suspense>
      ) : (
        <div style={{ height }} />
      )}
    </figure>
  );
});

const NONE: readonly Beside[] = [];

function value(curve: Curve | undefined, at: number | null): string {
  const found = !curve || at === null ? curve?.last : valueAt(curve, at);
  return found === null || found === undefined ? "–" : figure(found);
}

/** Whether it has ever come near the window, and whether it is: what nobody scrolls to need not be drawn. */
function useSeen() {
  const box = useRef<HTMLElement>(null);
  const [near, setNear] = useState(false);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (!box.current) return;
    const observer = new IntersectionObserver(
      (entries) => {
        const now = entries.at(-1)!.isIntersecting;
        setNear(now);
        if (now) setSeen(true);
      },
      { rootMargin: "400px" },
    );
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  return [box, seen, near] as const;
}
