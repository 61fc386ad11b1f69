import { describe, expect, it } from "vitest";
import { changes, diffWords, words } from "./diff";

const marked = (pieces: { text: string; own: boolean }[]) => pieces.map((piece) => (piece.own ? `[${piece.text}]` : piece.text)).join("");

/** The length of a longest common subsequence, by the table that everybody trusts. */
function lcs(a: string[], b: string[]): number {
  const row = Array.from({ length: b.length + 1 }, () => 0);
  for (const x of a) {
    let diagonal = 0;
    for (let j = 1; j <= b.length; j++) {
      const up = row[j]!;
      row[j] = x === b[j - 1] ? diagonal + 1 : Math.max(up, row[j - 1]!);
      diagonal = up;
    }
  }
  return row[b.length]!;
}

describe("word diff", () => {
  it("marks what the other side does not have", () => {
    const [left, right] = diffWords("the old cat sat", "the new cat sat down");
    expect(marked(left)).toBe("the [old] cat sat");
    expect(marked(right)).toBe("the [new] cat sat[ down]");
  });

  it("marks nothing in equal texts and everything in foreign ones", () => {
    expect(diffWords("a b c", "a b c")[0]).toEqual([{ text: "a b c", own: false }]);
    expect(diffWords("", "new")).toEqual([[], [{ text: "new", own: true }]]);
    expect(marked(diffWords("one two", "three")[0])).toBe("[one two]");
  });

  it("keeps words of any script whole", () => {
    expect(words("Käse, naïve 日本 x_1!")).toEqual(["Käse", ",", " ", "naïve", " ", "日本", " ", "x_1", "!"]);
  });

  it("gives both texts back, and shares as much as can be shared", () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
    for (let round = 0; round < 300; round++) {
      const text = () => Array.from({ length: random(14) }, () => "abcd"[random(4)]).join(".");
      const [a, b] = [text(), text()];
      const [left, right] = diffWords(a, b);
      expect(left.map((piece) => piece.text).join("")).toBe(a);
      expect(right.map((piece) => piece.text).join("")).toBe(b);
      const shared = (pieces: typeof left) => pieces.filter((piece) => !piece.own).flatMap((piece) => words(piece.text));
      expect(shared(left)).toEqual(shared(right));
      expect(shared(left)).toHaveLength(lcs(words(a), words(b)));
    }
  });

  it("tells two versions as one text", () => {
    const told = changes("Choose the short one. Be kind.", "Choose the true one. Be kind, always.");
    expect(told.map(({ text, what }) => (what === "gone" ? `-${text}-` : what === "new" ? `+${text}+` : text)).join("")).toBe("Choose the -short-+true+ one. Be kind+, always+.");
    for (const [a, b] of [["", "x y"], ["x y", ""], ["a b c d", "c d a b"], ["same", "same"]] as const) {
      const both = changes(a, b);
      expect(both.filter((one) => one.what !== "new").map((one) => one.text).join("")).toBe(a);
      expect(both.filter((one) => one.what !== "gone").map((one) => one.text).join("")).toBe(b);
    }
  });

  it("gives up marking exactly, not answering, when two long texts share nothing", () => {
    const long = (letter: string) => Array.from({ length: 4000 }, (_, i) => letter + i).join(" ");
    const start = performance.now();
    const [left] = diffWords(long("a"), long("b"));
    expect(left.map((piece) => piece.text).join("")).toBe(long("a"));
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
