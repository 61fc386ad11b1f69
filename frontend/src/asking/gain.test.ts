import { describe, expect, it } from "vitest";
import type { Asking } from "../api/types";
import { gainLines, gainRows, pays } from "./gain";

const step = (nth: number, gain: number, error: number | null, n: number, total: number) => ({ nth, gain, error, n, total });
const gain: Asking["gain"] = {
  informative: [step(1, 0.3, 0.03, 50, 0.3), step(2, 0.2, 0.04, 40, 0.5)],
  random: [step(1, 0.3, null, 1, 0.3), step(3, 0.1, 0.02, 4, 0.4)],
  random_judgments: 5,
  ratio: null,
  low: null,
  high: null,
};

describe("what choosing has taught", () => {
  it("is a line for each way over all places, with errors added by their squares", () => {
    const { x, lines } = gainLines(gain);
    expect(x).toEqual([1, 2, 3]);
    expect(lines.map((line) => line.values)).toEqual([[0.3, 0.5, null], [0.3, null, 0.4]]);
    expect(lines[0]!.high![1]).toBeCloseTo(0.5 + 1.96 * 0.05);
    expect(lines[1]!.low![0]).toBe(0.3);
    expect(gainRows(gain).rows).toHaveLength(4);
  });
  it("is one sentence", () => {
    expect(pays(gain, 0.1)).toBe("Too few were drawn at random to tell yet (5).");
    expect(pays({ ...gain, random_judgments: 0 }, 0)).toBe("Nothing is drawn at random in this project, so there is nothing to compare with.");
    expect(pays({ ...gain, ratio: 1.234, low: 1.1, high: 1.4 }, 0.1)).toBe("Active choice taught 1.23 times as much per judgment (1.10 to 1.40). It pays.");
    expect(pays({ ...gain, ratio: 1.234, low: 0.9, high: 1.6 }, 0.1)).toMatch(/That may be no difference\.$/);
    expect(pays({ ...gain, ratio: 0.5, low: 0.4, high: 0.7 }, 0.1)).toMatch(/Chance did better\.$/);
  });
});
