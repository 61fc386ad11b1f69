import { describe, expect, it } from "vitest";
import { Alignment, codePoints, offsetOf, trimmed } from "./align";

/** The written text behind a drawn quote. */
function written(source: string, drawn: string, quote: string): string | null {
  const at = drawn.indexOf(quote);
  const part = new Alignment(source, drawn).toSource(at, at + quote.length);
  return part && source.slice(...part);
}

describe("a drawn part in the written text", () => {
  it("is found behind Markdown's signs", () => {
    const source = "# Eggs\n\n- **Six minutes** for a *soft* egg\n- `ten` for a hard one, see [the book](https://eggs.example/ten)";
    const drawn = "Eggs\nSix minutes for a soft egg\nten for a hard one, see the book";
    expect(written(source, drawn, "minutes for a soft")).toBe("minutes** for a *soft");
    expect(written(source, drawn, "ten for a hard")).toBe("ten` for a hard");
    expect(written(source, drawn, "the book")).toBe("the book");
    expect(written(source, drawn, "Eggs")).toBe("Eggs");
  });

  it("is the right one of two equal ones", () => {
    const source = "**no** and no and **no**";
    const drawn = "no and no and no";
    const part = new Alignment(source, drawn).toSource(14, 16);
    expect(part).toEqual([20, 22]);
  });

  it("is the very same in plain text, also inside a word", () => {
    const text = "a b a b a";
    expect(new Alignment(text, text).toSource(4, 7)).toEqual([4, 7]);
    expect(written("**unhappy**", "unhappy", "happy")).toBe("happy");
  });

  it("is found back where it was", () => {
    const source = "| a | b |\n|---|---|\n| **one** | two \\* three |\n\nThe end & more.";
    const drawn = "a\nb\none\ntwo * three\nThe end & more.";
    const alignment = new Alignment(source, drawn);
    for (const quote of ["one", "two * three", "end & more", "b\none"]) {
      const at = drawn.indexOf(quote);
      const part = alignment.toSource(at, at + quote.length)!;
      expect(alignment.toDrawn(...part)).toEqual([at, at + quote.length]);
    }
  });

  it("is null where nothing tells it", () => {
    expect(new Alignment("abc", "xyz").toSource(0, 2)).toBeNull();
  });

  it("is found in a text of 60,000 characters in good time", () => {
    const lines = Array.from({ length: 900 }, (_, at) => [`- Point ${at}: **strong ${at}** and then some more words to read, number ${at}.`, `Point ${at}: strong ${at} and then some more words to read, number ${at}.`] as const);
    const [source, drawn] = [lines.map((line) => line[0]).join("\n"), lines.map((line) => line[1]).join("\n")];
    expect(source.length).toBeGreaterThan(60_000);
    const start = performance.now();
    expect(written(source, drawn, "strong 700 and")).toBe("strong 700** and");
    expect(performance.now() - start).toBeLessThan(1500);
  });
});

describe("offsets", () => {
  it("count characters as Unicode does", () => {
    const text = "a😀b👩‍🚀c";
    expect(codePoints(text, text.indexOf("b"))).toBe(2);
    expect(offsetOf(text, 2)).toBe(text.indexOf("b"));
    for (let points = 0; points <= [...text].length; points++) expect(codePoints(text, offsetOf(text, points))).toBe(points);
  });

  it("leave white space and half characters out", () => {
    expect(trimmed("  ab  ", [0, 6])).toEqual([2, 4]);
    expect(trimmed("x😀y", [2, 4])).toEqual([1, 4]);
    expect(trimmed("   ", [0, 3])).toBeNull();
  });
});
