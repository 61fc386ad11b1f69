import { expect, test } from "vitest";
import { byModel, rowsOf } from "./byModel";

test("what is told of models becomes a table, and the rest stays", () => {
  const [table, others] = byModel({ "evaluate/score_mean:a/x": 1, "evaluate/length_mean:a/x": 5, "evaluate/score_mean:a/y": 2, "evaluate/accuracy": 0.7, win_rates: [] });
  expect(table).toEqual({ models: ["a/x", "a/y"], metrics: [{ name: "length_mean", values: [5, null] }, { name: "score_mean", values: [1, 2] }] });
  expect(others).toEqual({ "evaluate/accuracy": 0.7, win_rates: [] });
  expect(rowsOf(table)).toEqual({ columns: ["metric", "a/x", "a/y"], rows: [["length_mean", 5, null], ["score_mean", 1, 2]] });
});
