import { expect, test } from "vitest";
import { along, BY, comparedBy, sameReward, thinned, together } from "./frontier";

const curves = (entries: Record<string, [number[], (number | null)[]]>) => new Map(Object.entries(entries).map(([name, [steps, values]]) => [name, { steps, values }]));
const judged = curves({ [BY.judge.kl]: [[1, 3, 5], [4, 1, null]], [BY.judge.score]: [[1, 3, 5], [0.5, 0.4, 0.9]] });

test("values by distance, nearest first; rounds of which something is not known are left out", () => {
  expect(along(judged, BY.judge.kl, [BY.judge.score])).toEqual([
    { step: 3, distance: 1, values: [0.4] },
    { step: 1, distance: 2, values: [0.5] },
  ]);
  expect(along(judged, BY.score.kl, [BY.score.score])).toEqual([]);
});

test("at the same distance each line is read where it runs straight, and nowhere beyond its ends", () => {
  const place = (distance: number, value: number) => ({ step: 0, distance, values: [value] });
  expect(together([[place(0, 0), place(2, 1), place(4, 0)], [place(1, 5), place(1, 7), place(2, 8)]])).toEqual({
    x: [0, 1, 2, 4],
    values: [[0, 0.5, 1, 0], [null, 6, 8, null]],
  });
});

test("of many places neighbours are averaged, none is lost and few stay as they are", () => {
  const places = [0, 1, 2, 3, 4].map((distance) => ({ step: distance, distance, values: [10 * distance] }));
  expect(thinned(places, 2)).toEqual([{ step: 0, distance: 1, values: [10] }, { step: 3, distance: 3.5, values: [35] }]);
  expect(thinned(places, 5)).toEqual(places);
});

test("runs are compared by their judge where all have the same one, and by a score that they must share", () => {
  const run = (config: Record<string, unknown>, seen = judged) => ({ config, curves: seen });
  expect(comparedBy([run({ judge: "a/j" }), run({ judge: "a/j", scorers: [{ role: "reward" }] })])).toBe("judge");
  expect(comparedBy([run({ judge: "a/j" }), run({ judge: "b/j" })])).toBe("score");
  expect(comparedBy([run({ judge: "a/j" }), run({ judge: "a/j" }, curves({}))])).toBe("score");
  expect(sameReward([run({ reward_model: "r", scorers: [] }), run({ reward_model: "r", scorers: [{ role: "judge" }] })])).toBe(true);
  expect(sameReward([run({ reward_model: "r" }), run({ reward_model: "r", scorers: [{ role: "reward" }] })])).toBe(false);
});
