import { expect, it } from "vitest";
import { ActiveTime } from "./activeTime";

it("counts attention, not absence", () => {
  const time = new ActiveTime(0);
  time.sign(10_000);
  time.sign(200_000); // went for a coffee: only the first half minute of it counts
  expect(time.take(201_000)).toBe(10_000 + 30_000 + 1_000);
  expect(time.take(203_000)).toBe(2_000);
});

it("stops while the page is hidden", () => {
  const time = new ActiveTime(0);
  time.visibility(false, 4_000);
  time.sign(9_000);
  time.visibility(true, 60_000);
  time.visibility(true, 60_500);
  expect(time.take(61_000)).toBe(5_000);
});

it("never runs backwards when the clock is set back", () => {
  const time = new ActiveTime(100_000);
  time.sign(40_000);
  expect(time.take(41_000)).toBe(1_000);
});
