/** What rules said of a run while it worked. Pure. */
import type { RunWarning } from "../api/types";

/** By rule, in the order in which they first spoke: a rule that speaks again is no further warning. */
export function byRule(warnings: readonly RunWarning[]): RunWarning[][] {
  const found = new Map<string, RunWarning[]>();
  for (const one of warnings) found.set(one.rule, [...(found.get(one.rule) ?? []), one]);
  return [...found.values()];
}
