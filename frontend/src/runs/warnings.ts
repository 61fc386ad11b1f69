/** What rules said of a run while it worked. Pure. */
import type { Run, RunWarning } from "../api/types";
import { plural } from "../format";

/** By rule, in the order in which they first spoke: a rule that speaks again is no further warning. */
export function byRule(warnings: readonly RunWarning[]): RunWarning[][] {
  const found = new Map<string, RunWarning[]>();
  for (const one of warnings) found.set(one.rule, [...(found.get(one.rule) ?? []), one]);
  return [...found.values()];
}

/** Why a run failed is an alert of its own. */
const ALOUD: Readonly<Partial<Record<Run["state"], string>>> = {
  queued: "It waits for a worker.",
  running: "A worker has begun with it.",
  succeeded: "It is done; its result is on the page.",
  cancelled: "It has stopped.",
};

type Told = Pick<Run, "state" | "warnings">;

/** What is to be said aloud of a run that was known as `before`: a rule that speaks for the first time, another state.
 * Neither its steps nor a rule that repeats itself, or who listens would hear nothing else. */
export function newsOf(before: Told, run: Run): string[] {
  const rules = byRule(run.warnings).length - byRule(before.warnings).length;
  const warned = rules > 0 ? [`${plural(rules, "new warning")}, at the top of the page.`] : [];
  const state = run.state === before.state ? undefined : ALOUD[run.state];
  return state === undefined ? warned : [...warned, state];
}
