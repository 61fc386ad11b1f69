/** How much work is left, in one sentence that looks no more exact than it is. Pure. */
import type { Progress } from "../api/types";
import { count } from "../format";

/** Two figures are enough for a guess. */
export function roughly(value: number): number {
  const size = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 1);
  return Math.round(value / size) * size;
}

function amount(value: number, one: string): string {
  const rough = roughly(value);
  return `${count(rough)} ${rough === 1 ? one : `${one}s`}`;
}

function hours(ms: number): string {
  const minutes = ms / 60_000;
  return minutes < 90 ? amount(Math.max(1, minutes), "minute") : amount(minutes / 60, "hour");
}

export function days(value: number): string {
  return value < 1 ? "less than a day" : value > 730 ? amount(value / 365, "year") : amount(value, "day");
}

export function forecast(progress: Progress): string | null {
  const { wanted, settled, expected_left: expected, days_left: daysLeft, work_ms_left: workLeft } = progress;
  const left = expected ?? progress.left;
  if (wanted === 0) return null;
  if (left === 0 && settled > 0) return "All that was asked for is there: nothing is left that can be settled.";
  if (left === 0) return `All ${count(wanted)} judgments that were asked for are there.`;
  const parts = [`About ${amount(left, "judgment")} left`];
  if (workLeft !== null) parts.push(`${hours(workLeft)} of work`);
  if (daysLeft !== null) parts.push(`${days(daysLeft)} at this pace`);
  else parts.push("and no pace yet to tell when");
  return `${parts.join(", ")}.`;
}
