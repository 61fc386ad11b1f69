import { expect, test } from "vitest";
import type { MetricPoint } from "../api/types";
import { metricRows } from "./metricRows";

const at = "2026-01-01T00:00:00Z";
const points: MetricPoint[] = [
  { step: 1, at, values: { "judge/score": 0.5, "judge/reward": 0.1, "judge/kl_base_per_seq_nats": 4, loss: 2 } },
  { step: 2, at, values: { loss: null } },
  { step: 3, at, values: { "judge/score": 0.4, "judge/reward": 0.9, "judge/kl_base_per_seq_nats": 1 } },
];

test("a row a step, a column a metric, nothing where there is nothing", () => {
  expect(metricRows(points)).toEqual({
    columns: ["step", "at", "judge/kl_base_per_seq_nats", "judge/reward", "judge/score", "loss"],
    rows: [[1, at, 4, 0.1, 0.5, 2], [2, at, null, null, null, null], [3, at, 1, 0.9, 0.4, null]],
  });
});
