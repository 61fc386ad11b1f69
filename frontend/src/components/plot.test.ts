import { describe, expect, it } from "vitest";
import { linear, range, ticks } from "./plot";

describe("ticks", () => {
  it("are round", () => {
    expect(ticks([0, 1], 6)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks([873, 1142], 6)).toEqual([900, 950, 1000, 1050, 1100]);
    expect(ticks([-0.31, 0.12], 5)).toEqual([-0.3, -0.2, -0.1, 0, 0.1]);
  });
  it("are never more than asked for, and lie within", () => {
    for (let low = -7.3; low < 900; low = low * 1.7 + 11) {
      for (const most of [2, 3, 5, 8]) {
        const found = ticks([low, low + 37.7], most);
        expect(found.length).toBeLessThanOrEqual(most);
        expect(found.length).toBeGreaterThanOrEqual(1);
        expect(Math.min(...found)).toBeGreaterThanOrEqual(low);
        expect(Math.max(...found)).toBeLessThanOrEqual(low + 37.7);
      }
    }
  });
  it("of a single value are that value", () => expect(ticks([3, 3], 5)).toEqual([3]));
});

describe("range", () => {
  it("knows only what is known", () => expect(range([3, null, undefined, -1, Number.NaN])).toEqual([-1, 3]));
  it("has a margin, even around a single value", () => {
    expect(range([0, 10], 0.1)).toEqual([-1, 11]);
    expect(range([5], 0.1)).toEqual([4.5, 5.5]);
  });
  it("is something where nothing is known", () => expect(range([])).toEqual([0, 1]));
});

it("sets values on pixels, and a single one in the middle", () => {
  expect(linear([0, 10], [100, 0])(2.5)).toBe(75);
  expect(linear([4, 4], [0, 100])(4)).toBe(50);
});
