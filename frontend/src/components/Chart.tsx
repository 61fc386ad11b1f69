/** One curve over steps, drawn by uPlot: the numbers as they are, faint, and smoothed on top. */
import { memo, useEffect, useEffectEvent, useRef, useSyncExternalStore } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { figure } from "../format";
import { usePreferences } from "../preferences";
import type { Curve } from "./metrics";
import { colourOf } from "./picture";
import { overSeries, seriesDash, seriesName, stepNames } from "./plot";
import { FEW, smooth } from "./smooth";
import { standsStill } from "./still";

interface ChartProps {
  name: string;
  /** Whether anybody may be looking. A page has fifty of these: one that is out of sight stands still until it is not. */
  near?: boolean;
  steps: number[];
  values: (number | null)[];
  /** 0: as it is; towards 1: the past weighs more. */
  smoothing: number;
  height?: number;
  /** The same of other runs, dashed over it. */
  beside?: readonly { curve: Pick<Curve, "steps" | "values"> | undefined }[];
  /** Steps at which something happened that must be seen. */
  marks?: readonly number[];
  /** The step that is read. */
  at?: number | null;
  onPoint?: (step: number | null) => void;
}

function useDark(): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = window.matchMedia("(prefers-color-scheme: dark)");
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => window.matchMedia("(prefers-color-scheme: dark)").matches,
  );
}

const NONE: readonly never[] = [];

function smoothed(values: (number | null)[], weight: number): (number | null)[] {
  return values.length < FEW ? values : smooth(values, weight);
}

/** A curve that never moves lies in the middle, not at the foot of a scale to 100. */
function rangeOf(_: uPlot, low: number | null, high: number | null): uPlot.Range.MinMax {
  if (low === null || high === null) return [null, null];
  if (low !== high) return uPlot.rangeNum(low, high, 0.1, true);
  return low === 0 ? [0, 1] : [low - Math.abs(low) / 2, low + Math.abs(low) / 2];
}

export default memo(Chart, standsStill);

function Chart({ name, steps, values, smoothing, height = 130, beside = NONE, marks = NONE, at = null, onPoint }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const pointed = useRef(false);
  const dark = useDark();
  const { theme } = usePreferences();
  const over = beside.length;

  const tell = useEffectEvent((step: number | null) => {
    if (pointed.current) onPoint?.(step);
  });
  const marked = useEffectEvent((self: uPlot, colour: string) => {
    const { ctx, bbox } = self;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const step of marks) {
      const x = Math.round(self.valToPos(step, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  });

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const line = colourOf("accent");
    const grid = colourOf("line");
    const warn = colourOf("warn");
    const axis: uPlot.Axis = { stroke: colourOf("faint"), font: "11px system-ui, sans-serif", grid: { stroke: grid, width: 1 }, ticks: { show: false }, gap: 4 };
    const made = new uPlot(
      {
        width: element.clientWidth || 300,
        height,
        padding: [8, 18, 0, 0], // room for half of the last step’s name
        legend: { show: false },
        cursor: { sync: { key: "steps", setSeries: false }, points: { size: 6 }, drag: { x: true, y: false } },
        scales: { x: { time: false }, y: { range: rangeOf } },
        axes: [
          { ...axis, size: 22, space: 60, values: (_, ticks) => stepNames(ticks) },
          { ...axis, size: (_, labels) => 12 + 6.5 * Math.max(5, ...(labels ?? []).map((label) => label.length)), space: 28, values: (_, ticks) => ticks.map(figure) },
        ],
        series: [
          {},
          { stroke: line, width: 1, alpha: 0.3, points: { show: false }, spanGaps: true },
          // A first value alone makes no line.
          { stroke: line, width: 1.75, points: { show: (self) => Array.from(self.data[1] ?? []).filter(Number.isFinite).length < 2, size: 6, fill: line }, spanGaps: true },
          ...Array.from({ length: over }, (_, place): uPlot.Series => ({ stroke: colourOf(seriesName(overSeries(place))), width: 1.5, dash: seriesDash(overSeries(place))!.split(" ").map(Number), points: { show: false }, spanGaps: true })),
        ],
        hooks: {
          draw: [(self) => marked(self, warn)],
          setCursor: [(self) => tell(self.cursor.idx === null || self.cursor.idx === undefined ? null : (self.data[0][self.cursor.idx] ?? null))],
        },
      },
      [[], [], [], ...Array.from({ length: over }, () => [])],
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [height, dark, theme, over]);

  useEffect(() => {
    const own: uPlot.AlignedData = [steps, values, smoothed(values, smoothing)];
    const others = beside.map(({ curve }): uPlot.AlignedData => (curve ? [curve.steps, smoothed(curve.values, smoothing)] : [[], []]));
    plot.current?.setData(uPlot.join([own, ...others]));
  }, [steps, values, smoothing, dark, theme, height, beside]);

  // Without new paths: with them it would hold on to the scale of before.
  useEffect(() => plot.current?.redraw(false), [marks]);

  // What points at one curve points at all; so does the slider, which knows of no pointer.
  useEffect(() => {
    const made = plot.current;
    if (!made || pointed.current) return;
    made.setCursor(at === null ? { left: -10, top: -10 } : { left: made.valToPos(at, "x"), top: 0 }, false);
  }, [at]);

  const last = values.findLast((value) => value !== null);
  return (
    <div
      ref={box}
      role="img"
      aria-label={`Curve of ${name}: ${steps.length} points, last ${last === undefined || last === null ? "unknown" : figure(last)}`}
      onPointerEnter={() => (pointed.current = true)}
      onPointerLeave={() => {
        pointed.current = false;
        onPoint?.(null);
      }}
    />
  );
}
