import { expect, test } from "vitest";
import type { Sample } from "../api/types";
import { parted, saidOf, together } from "./texts";

const sample = (id: number, step: number, prompt: string): Sample => ({ id, step, prompt: [{ role: "user", content: prompt }], completion: "", values: {}, tokens: null });

test("texts stand side by side where they answer one prompt", () => {
  expect(together([sample(1, 0, "a"), sample(2, 0, "a")])).toBe(true);
  expect([together([sample(1, 0, "a"), sample(2, 0, "b")]), together([sample(1, 0, "a")]), together([])]).toEqual([false, false, false]);
});

test("a completion is told from the name of its model", () => {
  expect(parted("a/x-2: hello: you", ["a/x", "a/x-2"])).toEqual(["a/x-2", "hello: you"]);
  expect(parted("hello: you", ["a/x"])).toEqual([null, "hello: you"]);
});

test("what is said of a text: the score first, nothing twice, the end in words", () => {
  expect(saidOf({ kl: 1.5, ended: 0, score: 2, score_used: 2 })).toEqual([["score", "2"], ["KL, nats", "1.5"], ["end", "cut off"]]);
  expect(saidOf({ ended: 1, score: 2, score_used: 1 })).toEqual([["score", "2"], ["end", "of its own"], ["score as used", "1"]]);
});

test("what rounding leaves of a divergence from oneself is none", () => {
  expect(saidOf({ kl: -2.85e-6, length: 1e-5 })).toEqual([["KL, nats", "0"], ["tokens", "1.00e-5"]]);
});
