import { describe, expect, it } from "vitest";
import { type Order, put, rankOf, ranks, takeBack } from "./ranking";

/** Places typed one after the other; "=" before a place ties it with the last. */
function typed(keys: string): Order {
  let order: Order = [];
  let tied = false;
  for (const key of keys) {
    if (key === "=") tied = true;
    else {
      order = put(order, Number(key) - 1, tied);
      tied = false;
    }
  }
  return order;
}

describe("ranking by digits", () => {
  it("gives ranks in shown order", () => {
    expect(ranks(typed("3142"), 4, { allowTie: true })).toEqual([2, 4, 1, 3]);
  });

  it("knows ties without leaving a rank out", () => {
    expect(ranks(typed("3=142"), 4, { allowTie: true })).toEqual([1, 3, 1, 2]);
    expect(ranks(typed("1=2=3=4"), 4, { allowTie: true })).toEqual([1, 1, 1, 1]);
  });

  it("is not finished before every place is named, unless ties are not allowed", () => {
    expect(ranks(typed("314"), 4, { allowTie: true })).toBeNull();
    expect(ranks(typed("314"), 4, { allowTie: false })).toEqual([2, 4, 1, 3]);
    expect(ranks(typed("31"), 4, { allowTie: false })).toBeNull();
  });

  it("lets the rest share the last rank", () => {
    expect(ranks(typed("2"), 4, { allowTie: true }, true)).toEqual([2, 1, 2, 2]);
    expect(ranks(typed(""), 4, { allowTie: true }, true)).toBeNull();
    expect(ranks(typed("2"), 4, { allowTie: false }, true)).toBeNull();
  });

  it("is finished after the best n where only those are asked for", () => {
    expect(ranks(typed("5"), 5, { allowTie: false, top: 2 })).toBeNull();
    expect(ranks(typed("52"), 5, { allowTie: false, top: 2 })).toEqual([3, 2, 3, 3, 1]);
    expect(ranks(typed("5=2"), 5, { allowTie: true, top: 2 })).toEqual([2, 1, 2, 2, 1]);
    expect(ranks(typed("9"), 9, { allowTie: false, top: 1 })).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 1]);
  });

  it("ignores a place that is in already, and a tie with nothing", () => {
    expect(typed("11")).toEqual([[0]]);
    expect(typed("=2")).toEqual([[1]]);
  });

  it("takes the last one back, out of a tie too", () => {
    expect(takeBack(typed("12=3"))).toEqual([[0], [1]]);
    expect(takeBack(takeBack(typed("1")))).toEqual([]);
    expect(rankOf(typed("12=3"), 2)).toBe(2);
    expect(rankOf(typed("12"), 2)).toBeNull();
  });
});
