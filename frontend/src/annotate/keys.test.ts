import { describe, expect, it } from "vitest";
import { actionOf, DEFAULT_KEYS, grades, keyName, plainKey, whyNot } from "./keys";

const press = (key: string, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, repeat: false, ...more });

describe("keys", () => {
  it("gives every action a key of its own", () => {
    const keys = Object.values(DEFAULT_KEYS);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("reads a letter with and without Shift as the same", () => {
    expect(actionOf(plainKey(press("A"))!, DEFAULT_KEYS)).toBe("left");
    expect(actionOf(plainKey(press("a"))!, DEFAULT_KEYS)).toBe("left");
    expect(keyName("ArrowLeft")).toBe("ArrowLeft");
  });

  it("never takes chords or a held key for a judgment", () => {
    expect(plainKey(press("a", { ctrlKey: true }))).toBeNull();
    expect(plainKey(press("a", { metaKey: true }))).toBeNull();
    expect(plainKey(press("a", { altKey: true }))).toBeNull();
    expect(plainKey(press("a", { repeat: true }))).toBeNull();
  });

  it("refuses a key that is taken or has a fixed meaning, and says which", () => {
    expect(whyNot("b", "left", DEFAULT_KEYS)).toBe("right");
    expect(whyNot("a", "left", DEFAULT_KEYS)).toBeNull();
    expect(whyNot("1", "left", DEFAULT_KEYS)).toBe("fixed");
    expect(whyNot("Enter", "left", DEFAULT_KEYS)).toBe("fixed");
    expect(whyNot("q", "left", DEFAULT_KEYS)).toBeNull();
    expect(whyNot("a", "tie", { ...DEFAULT_KEYS, left: "q" })).toBeNull();
  });

  it("spans a graded pair from one side to the other with the tie in the middle", () => {
    const seven = grades(3, true);
    expect(seven.map((grade) => [grade.ranks, grade.strength])).toEqual([
      [[1, 2], 3], [[1, 2], 2], [[1, 2], 1], [[1, 1], null], [[2, 1], 1], [[2, 1], 2], [[2, 1], 3],
    ]);
    expect(seven[0]!.label).toBe("A much better");
    expect(grades(2, false).map((grade) => grade.label)).toEqual(["A much better", "A slightly better", "B slightly better", "B much better"]);
    expect(grades(4, true)).toHaveLength(9); // the digits 1 to 9 are just enough
  });
});
