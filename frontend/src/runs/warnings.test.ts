import { expect, test } from "vitest";
import type { Run } from "../api/types";
import { byRule, newsOf } from "./warnings";

test("a rule that speaks again is no further warning", () => {
  const said = (step: number, rule: string) => ({ step, rule, message: `${rule} at ${step}` });
  expect(byRule([])).toEqual([]);
  expect(byRule([said(3, "length"), said(4, "entropy"), said(9, "length")]).map((all) => all.map((one) => one.step))).toEqual([[3, 9], [4]]);
});

test("of a running run are told aloud a rule's first warning and another state, and no step", () => {
  const said = (step: number, rule: string) => ({ step, rule, message: `${rule} at ${step}` });
  const run = (warnings: Run["warnings"], step: number, state: Run["state"] = "running") => ({ state, warnings, progress: { step, total: 9 } }) as Run;
  expect(newsOf(run([said(3, "length")], 3), run([said(3, "length"), said(4, "length")], 4))).toEqual([]);
  expect(newsOf(run([said(3, "length")], 3), run([said(3, "length"), said(4, "entropy")], 4))).toEqual(["1 new warning, at the top of the page."]);
  expect(newsOf(run([], 9), run([], 9, "cancelled"))).toEqual(["It has stopped."]);
});
