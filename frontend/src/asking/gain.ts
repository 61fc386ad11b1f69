/** Whether choosing what to ask pays, as lines over the number of the judgment and as one sentence. Pure. */
import type { Asking } from "../api/types";
import type { Line } from "../components/Lines";
import type { Rows } from "../components/rows";
import { count } from "../format";

type Gain = Asking["gain"];
type Step = Gain["random"][number];

const WAYS = [["informative", "chosen"], ["random", "by chance"]] as const;

/** The steps of both, and what the first n have taught together; the band is that of a 95% interval. */
export function gainLines(gain: Gain): { x: number[]; lines: Line[] } {
  const x = [...new Set([...gain.informative, ...gain.random].map((step) => step.nth))].toSorted((a, b) => a - b);
  const lines = WAYS.map(([key, name]) => {
    const steps = new Map(summed(gain[key]).map((step) => [step.nth, step]));
    const along = (value: (step: Summed) => number): (number | null)[] => x.map((nth) => (steps.has(nth) ? value(steps.get(nth)!) : null));
    return { key, name, values: along((step) => step.total), low: along((step) => step.total - 1.96 * step.off), high: along((step) => step.total + 1.96 * step.off) };
  });
  return { x, lines: lines.filter((line) => line.values.some((value) => value !== null)) };
}

type Summed = Step & { off: number };

/** The errors of independent steps add up by their squares. */
function summed(steps: readonly Step[]): Summed[] {
  let squares = 0;
  return steps.map((step) => {
    squares += (step.error ?? 0) ** 2;
    return { ...step, off: Math.sqrt(squares) };
  });
}

export function gainRows(gain: Gain): Rows {
  return {
    columns: ["chosen", "judgment of the prompt", "judgments", "taught by one", "standard error", "taught together"],
    rows: WAYS.flatMap(([key, name]) => gain[key].map((step) => [name, step.nth, step.n, step.gain, step.error, step.total])),
  };
}

export function pays({ ratio, low, high, random_judgments: random }: Gain, randomShare: number): string {
  if (ratio === null || low === null || high === null) {
    if (random === 0 && randomShare === 0) return "Nothing is drawn at random in this project, so there is nothing to compare with.";
    return `Too few were drawn at random to tell yet (${count(random)}).`;
  }
  const told = `Active choice taught ${ratio.toFixed(2)} times as much per judgment (${low.toFixed(2)} to ${high.toFixed(2)}).`;
  if (low > 1) return `${told} It pays.`;
  return high < 1 ? `${told} Chance did better.` : `${told} That may be no difference.`;
}
