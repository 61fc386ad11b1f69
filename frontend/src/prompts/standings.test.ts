import { expect, it } from "vitest";
import { groups, standings } from "./standings";

type Completion = Parameters<typeof standings>[0][number];

const completion = (id: string, model: string, more: Partial<Completion> = {}): Completion => ({
  id, prompt: "p", text: id, model: { id: model, name: `lab/${model}` }, rating: null, bradley_terry: null, standard_error: null, best: null, component: null, judgments: 0, finish_reason: null, sampling: null, created_at: "2026-01-01T00:00:00Z", ...more,
});

it("puts the best first, by the fit before Elo, and the unjudged last", () => {
  const found = standings([
    completion("unjudged", "a"),
    completion("low", "b", { judgments: 3, rating: 1200, bradley_terry: -20 }),
    completion("high", "c", { judgments: 1, rating: 900, bradley_terry: 35 }),
    completion("not fitted", "d", { judgments: 2, rating: 2000 }),
  ]);
  expect(found.map((one) => one.id)).toEqual(["high", "low", "not fitted", "unjudged"]);
});

it("numbers the answers of a model that gave several", () => {
  const found = standings([completion("1", "a"), completion("2", "b"), completion("3", "a")]);
  expect(found.map((one) => one.name)).toEqual(["a (1)", "b", "a (2)"]);
});

it("counts the groups that were never compared, without those that nobody judged", () => {
  const judged = (id: string, component: number | null) => completion(id, id, { judgments: 1, component });
  expect(groups(standings([judged("a", 0), judged("b", 0), completion("c", "c", { component: 2 })]))).toBe(1);
  expect(groups(standings([judged("a", 0), judged("b", 1), judged("c", 1)]))).toBe(2);
  expect(groups(standings([judged("a", null)]))).toBe(0);
});
