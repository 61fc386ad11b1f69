import { describe, expect, it } from "vitest";
import type { Progress } from "../api/types";
import { forecast, roughly } from "./forecast";

const progress = (part: Partial<Progress>) => ({ wanted: 3000, left: 1873, settled: 0, expected_left: null, days_left: 6.2, work_ms_left: 21.3 * 3_600_000, ...part }) as Progress;

describe("the forecast", () => {
  it("is one sentence in round figures", () => expect(forecast(progress({}))).toBe("About 1,900 judgments left, 21 hours of work, 6 days at this pace."));
  it("leaves out what cannot be told", () => expect(forecast(progress({ work_ms_left: null, days_left: null }))).toBe("About 1,900 judgments left, and no pace yet to tell when."));
  it("speaks of small numbers as they are", () => expect(forecast(progress({ left: 1, days_left: 0.2, work_ms_left: 20_000 }))).toBe("About 1 judgment left, 1 minute of work, less than a day at this pace."));
  it("goes by what settles the rest where a precision is asked for", () => {
    expect(forecast(progress({ expected_left: 420, settled: 10 }))).toBe("About 420 judgments left, 21 hours of work, 6 days at this pace.");
    expect(forecast(progress({ left: 7, expected_left: 0, settled: 10 }))).toBe("All that was asked for is there: nothing is left that can be settled.");
  });
  it("ends", () => expect(forecast(progress({ left: 0 }))).toBe("All 3,000 judgments that were asked for are there."));
  it("says nothing where nothing is asked for", () => expect(forecast(progress({ wanted: 0 }))).toBe(null));
});

it("rounds to two figures", () => expect([roughly(7), roughly(94), roughly(1949), roughly(123_456)]).toEqual([7, 94, 1900, 120_000]));
