/** What rules said of a run while it worked. Pure. */
import type { Run, RunWarning } from "../api/types";
import { runSentence } from "../format";

/** By rule, in the order in which they first spoke: a rule that speaks again is no further warning. */
export function byRule(warnings: readonly RunWarning[]): RunWarning[][] {
  const found = new Map<string, RunWarning[]>();
  for (const one of warnings) found.set(one.rule, [...(found.get(one.rule) ?? []), one]);
  return [...found.values()];
}

type Told = Pick<Run, "state" | "warnings">;

/** What is to be said aloud of a run that was known as `before`: a rule that speaks for the first time, another state.
 * Neither its steps nor a rule that repeats itself, or who listens would hear nothing else. */
export function newsOf(before: Told, run: Run): string[] {
  const rules = byRule(run.warnings).slice(byRule(before.warnings).length).map((all) => `Warning: ${all[0]!.message}`);
  return run.state === before.state ? rules : [...rules, `${run.name}: ${run.state}. ${runSentence(run)}`];
}
