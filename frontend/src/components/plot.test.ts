import { describe, expect, it } from "vitest";
import { linear, overSeries, range, seriesColour, seriesDash, shortNames, spread, stepNames, ticks, timeTicks } from "./plot";

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

describe("times on an axis", () => {
  const midnight = new Date(2026, 2, 10).getTime();
  const day = 86_400_000;
  it("are midnights of the reader's clock where days are told", () => {
    const { at, whole } = timeTicks([midnight - 1000, midnight + 5 * day], 6);
    expect(whole).toBe(true);
    expect(at).toEqual([0, 1, 2, 3, 4, 5].map((n) => midnight + n * day));
  });
  it("are hours within a day, and never more than asked for", () => {
    const { at, whole } = timeTicks([midnight, midnight + 6 * 3_600_000], 3);
    expect(whole).toBe(false);
    expect(at).toEqual([0, 3, 6].map((n) => midnight + n * 3_600_000));
    expect(timeTicks([0, 200 * 365 * day], 4).at.length).toBeGreaterThan(0);
  });
});

describe("labels", () => {
  it("stay where they belong while there is room", () => expect(spread([10, 40, 80], 12, [0, 100])).toEqual([10, 40, 80]));
  it("make room for each other, in their order and within the plot", () => {
    expect(spread([50, 51, 20], 12, [0, 100])).toEqual([50, 62, 20]);
    expect(spread([99, 98], 12, [0, 100])).toEqual([100, 88]);
  });
});

describe("names in a plot", () => {
  it("leave out the namespace that all have", () => expect(["imported/a", "imported/b/c"].map(shortNames(["imported/a", "imported/b/c"]))).toEqual(["a", "b/c"]));
  it("stay whole where namespaces differ, or nothing would be told apart", () => {
    expect(["x/a", "y/a"].map(shortNames(["x/a", "y/a"]))).toEqual(["x/a", "y/a"]);
    expect(shortNames(["x/a"])("x/a")).toBe("x/a");
    expect(["a", "b"].map(shortNames(["a", "b"]))).toEqual(["a", "b"]);
  });
});

it("tells runs that lie over each other apart by hue as well as by dashes", () => {
  const over = [0, 1, 2].map(overSeries);
  expect(new Set([0, ...over].map(seriesColour)).size).toBe(4);
  expect(new Set([0, ...over].map(seriesDash)).size).toBe(4);
});

it("names whole steps only, and says once what they are", () => {
  expect(stepNames([0, 0.5, 1])).toEqual(["step 0", "", "1"]);
  expect(stepNames([0.5, 1000])).toEqual(["", "step 1,000"]);
  expect(stepNames([0.5])).toEqual([""]);
});
