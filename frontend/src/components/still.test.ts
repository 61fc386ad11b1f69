import { expect, test } from "vitest";
import { standsStill } from "./still";

test("a picture out of sight stands still, and shows what changed meanwhile when it is seen again", () => {
  const [old, fresh] = [[1], [1, 2]];
  expect(standsStill({ near: true, values: old }, { near: true, values: old })).toBe(true);
  expect(standsStill({ near: true, values: old }, { near: true, values: fresh })).toBe(false);
  expect(standsStill({ near: true, values: old }, { near: false, values: fresh })).toBe(true);
  expect(standsStill({ near: false, values: old }, { near: true, values: old })).toBe(false);
  expect(standsStill({ values: old }, { values: fresh })).toBe(false);
});
