import { expect, test } from "vitest";
import { outcomeOf } from "./outcome";

test("a line for each kind, nothing for what is not known", () => {
  expect(outcomeOf({ kind: "ppo", result: { "start/score": 0.25, "end/score": 1.5, "end/kl_base_per_seq_nats": 4 } })).toBe("score 0.25 → 1.50, KL 4.0 nats an answer");
  expect(outcomeOf({ kind: "reward_model", result: { "held_out/accuracy": 0.69, "held_out/no_better_than_length": 1 } })).toBe("right on 69% of held-out pairs, no better than length");
  expect(outcomeOf({ kind: "reward_model", result: { "held_out/accuracy": 0.69, "held_out/no_better_than_length": 0 } })).toBe("right on 69% of held-out pairs");
  expect([outcomeOf({ kind: "ppo", result: null }), outcomeOf({ kind: "evaluate", result: {} })]).toEqual([null, null]);
});
