import { afterAll, describe, expect, it } from "vitest";
import type { Run } from "./api/types";
import { ago, bytes, count, duration, fieldName, figure, percent, plural, runSentence, timeLeft, verdict } from "./format";
import { speak } from "./i18n";

describe("numbers and times in words", () => {
  it("durations", () => {
    expect([0, 59.4, 60, 200, 3600, 7500, 7199, 90_000].map(duration)).toEqual(["0 s", "59 s", "1 min", "3 min 20 s", "1 h", "2 h 5 min", "2 h", "1 d 1 h"]);
  });

  it("time left, no more exact than it can be", () => {
    expect([3, 44, 600, 7200, 400_000].map(timeLeft)).toEqual(["a few seconds left", "about 40 s left", "about 10 min left", "about 2 h left", "about 5 days left"]);
  });

  it("sizes", () => {
    expect([0, 999, 1000, 4_100_000, 124_000_000, 2_500_000_000].map(bytes)).toEqual(["0 B", "999 B", "1.0 kB", "4.1 MB", "124 MB", "2.5 GB"]);
  });

  it("figures", () => {
    expect([0, 0.5, 0.0123456, 1.2e-7, 12.3456, Number.NaN].map(figure)).toEqual(["0", "0.5", "0.01235", "1.20e-7", "12.35", "–"]);
  });

  it("plurals and ages", () => {
    expect(plural(1, "judgment")).toBe("1 judgment");
    expect(plural(2, "person", "people")).toBe("2 people");
    const now = new Date("2026-06-01T12:00:00Z");
    expect(ago(new Date("2026-06-01T11:59:30Z"), now)).toBe("just now");
    expect(ago(new Date("2026-06-01T11:00:00Z"), now)).toMatch(/1/);
  });
});

it("names of fields carry their units at the end", () => {
  expect(fieldName("kl_target_per_seq_nats")).toEqual(["KL target per seq", "nats"]);
  expect(fieldName("save_every_s")).toEqual(["Save every", "s"]);
  expect(fieldName("lora_rank")).toEqual(["LoRA rank", null]);
  expect(fieldName("tokens_per_s")).toEqual(["Tokens per s", null]);
  expect(fieldName("max_new_tokens")).toEqual(["Max new tokens", null]);
  expect(fieldName("evaluate_every_steps")).toEqual(["Evaluate every", "steps"]);
  expect(fieldName("tokens")).toEqual(["Tokens", null]);
});

it("says what a judgment said", () => {
  expect(verdict([1, 2], false)).toBe("A better");
  expect(verdict([2, 1], false)).toBe("B better");
  expect(verdict([1, 1], false)).toBe("Tie");
  expect(verdict(null, true)).toBe("None acceptable");
  expect(verdict([2, 1, 2, 3], false)).toBe("2 > 1 = 3 > 4");
});

it("says how a run is doing", () => {
  const run = (part: Partial<Run>) => ({ attempt: 1, cancel_requested: false, progress: { step: 12, total: 200, phase: "rollout" }, ...part }) as Run;
  expect(runSentence(run({ state: "queued", attempt: 0 }))).toBe("Waiting for a free worker.");
  expect(runSentence(run({ state: "running" }))).toBe("Running, step 12 of 200 (rollout).");
  expect(runSentence(run({ state: "running", progress: { step: 12, total: null, phase: null } }))).toBe("Running, step 12.");
  expect(runSentence(run({ state: "running", progress: { step: 0, total: null, phase: "encode, 34%" } }))).toBe("Starting: encode, 34%.");
  expect(runSentence(run({ state: "running", cancel_requested: true }))).toMatch(/saves its state/);
  expect(runSentence(run({ state: "succeeded", started_at: "2026-01-01T00:00:00Z", finished_at: "2026-01-01T00:01:40Z" }))).toBe("Done in 1 min 40 s.");
  expect(runSentence(run({ state: "failed", progress: null }))).toBe("Failed before the first step.");
});

describe("in another language", () => {
  afterAll(() => speak("en"));

  it("numbers, times and verdicts follow it", async () => {
    await speak("zh");
    const now = new Date("2026-06-01T12:00:00Z");
    expect([ago(new Date("2026-06-01T09:00:00Z"), now), ago(now, now)]).toEqual(["3小时前", "刚刚"]);
    expect([duration(200), count(12_345), percent(0.654)]).toEqual(["3 分钟 20 秒", "12,345", "65%"]);
    expect([verdict([2, 1], false), verdict(null, true), verdict([1, 2, 2], false)]).toEqual(["B 更好", "均不可接受", "1 > 2 = 3"]);
    await speak("en");
    expect(verdict([2, 1], false)).toBe("B better");
  });
});
