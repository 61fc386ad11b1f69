import { expect, test } from "vitest";
import { headline } from "./meanings";

test("of a result, what says whether it was good comes first, and how it went is left to the rest", () => {
  const names = ["train/steps", "samples/ended_share", "held_out/tokens", "held_out/perplexity", "held_out/loss"];
  expect(headline("sft", names)).toEqual(["held_out/loss", "samples/ended_share", "held_out/perplexity"]);
  expect(headline("sample", ["completions_added", "sample/completions"])).toEqual(["completions_added", "sample/completions"]);
});
