import { expect, it } from "vitest";
import { curvesByGroup, gather, valueAt } from "./metrics";
import { smooth } from "./smooth";

const point = (step: number, values: Record<string, number | null>) => ({ step, values, at: "" });

it("replaces the steps that were done again after a resume", () => {
  const before = [point(1, { a: 1 }), point(2, { a: 2 }), point(3, { a: 3 })];
  expect(gather(before, [point(2, { a: 20 }), point(4, { a: 4 })]).map((one) => [one.step, one.values["a"]])).toEqual([[1, 1], [2, 20], [3, 3], [4, 4]]);
  expect(gather([], before)).toEqual(before);
});

it("groups curves by the tree of names, each with the steps that have it", () => {
  const groups = curvesByGroup([point(1, { "loss/train": 2, "loss/held_out": 3, plain: 1 }), point(2, { "loss/train": 1.5 }), point(3, { "loss/train": null })]);
  expect([...groups.keys()]).toEqual(["", "loss"]);
  expect(groups.get("loss")![0]).toMatchObject({ title: "held_out", steps: [1], last: 3 });
  expect(groups.get("loss")![1]).toMatchObject({ title: "train", steps: [1, 2, 3], values: [2, 1.5, null], last: 1.5 });
});

it("puts what a run is judged by first, whatever order the points come in", () => {
  const groups = curvesByGroup([point(1, { "value/loss": 1, "time/update_s": 1, "policy/entropy": 1, "objective/score": 1, "objective/kl": 1 })]);
  expect([...groups.keys()]).toEqual(["objective", "policy", "value", "time"]);
  expect(groups.get("objective")!.map((curve) => curve.title)).toEqual(["score", "kl"]);
});

it("smooths without a lean to zero at the start, and over gaps", () => {
  expect(smooth([5, 5, 5], 0.9)).toEqual([expect.closeTo(5), expect.closeTo(5), expect.closeTo(5)]);
  expect(smooth([1, null, 3], 0)).toEqual([1, null, 3]);
  expect(smooth([0, 1], 0.5)[1]).toBeCloseTo(2 / 3); // weights 1/4 and 1/2 of the two, made to sum to 1
});

it("tells what a curve said last at a step", () => {
  const curve = { steps: [0, 50, 100], values: [3, 2, null] };
  expect([-1, 0, 49, 50, 100, 999].map((step) => valueAt(curve, step))).toEqual([null, 3, 3, 2, 2, 2]);
});
