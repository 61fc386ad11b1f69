import { expect, test } from "vitest";
import { byModel, rowsOf } from "./byModel";

test("what is told of models becomes a table, and the rest stays", () => {
  const [table, others] = byModel({ "evaluate/score_mean:a/x": 1, "evaluate/length_mean:a/x": 5, "evaluate/score_mean:a/y": 2, "evaluate/accuracy": 0.7, win_rates: [] });
  expect(table).toEqual({ models: ["a/x", "a/y"], metrics: [{ name: "score_mean", values: [1, 2] }, { name: "length_mean", values: [5, null] }] });
  expect(others).toEqual({ "evaluate/accuracy": 0.7, win_rates: [] });
  expect(rowsOf(table)).toEqual({ columns: ["metric", "a/x", "a/y"], rows: [["score_mean", 1, 2], ["length_mean", 5, null]] });
});

test("what is told at the start and at the end stands side by side, and models in the order asked for", () => {
  expect(byModel({ "end/score": 2, "start/score": 1, iterations: 20 })).toEqual([{ models: ["start", "end"], metrics: [{ name: "score", values: [1, 2] }] }, { iterations: 20 }]);
  expect(byModel({ "score:a/y": 2, "score:a/x": 1 }, ["a/x", "a/y"])[0].models).toEqual(["a/x", "a/y"]);
});
