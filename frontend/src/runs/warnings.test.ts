import { expect, test } from "vitest";
import { byRule } from "./warnings";

test("a rule that speaks again is no further warning", () => {
  const said = (step: number, rule: string) => ({ step, rule, message: `${rule} at ${step}` });
  expect(byRule([])).toEqual([]);
  expect(byRule([said(3, "length"), said(4, "entropy"), said(9, "length")]).map((all) => all.map((one) => one.step))).toEqual([[3, 9], [4]]);
});
