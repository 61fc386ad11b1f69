import { expect, test } from "vitest";
import { MOST_TOGETHER, overOf, overText, whyNot } from "./over";
import { differing } from "./settings";

test("the address names the runs that lie over one: each once, never itself, and no more than can be told apart", () => {
  expect(overOf("a", undefined)).toEqual([]);
  expect(overOf("a", "b")).toEqual(["b"]);
  expect(overOf("a", "b,a,b,c,,d,e")).toEqual(["b", "c", "d"]);
  expect(overText(overOf("a", "b,c"))).toBe("b,c");
  expect(overText([])).toBeUndefined();
});

test("runs of one kind that have curves can be chosen together, and what is chosen can always be taken back", () => {
  const ppo = (id: string) => ({ id, kind: "ppo" });
  expect(whyNot(ppo("a"), [])).toBeNull();
  expect(whyNot(ppo("b"), [ppo("a")])).toBeNull();
  expect(whyNot({ id: "b", kind: "sft" }, [ppo("a")])).toContain("one kind");
  expect(whyNot({ id: "b", kind: "evaluate" }, [])).toContain("Only runs that train");
  const full = ["a", "b", "c", "d"].map(ppo);
  expect(full).toHaveLength(MOST_TOGETHER);
  expect(whyNot(ppo("e"), full)).toContain("At most 4");
  expect(whyNot(ppo("a"), full)).toBeNull();
});

test("what differs between runs is told of each, also where only one of them has it", () => {
  const rows = differing([{ epochs: 1, seed: 1, output_name: "x" }, { epochs: 1, seed: 2, output_name: "y" }, { epochs: 1, seed: 1, leash: true }], []);
  expect(rows.map(({ path, values }) => [path, values])).toEqual([["seed", [1, 2, 1]], ["leash", [undefined, undefined, true]]]);
});
