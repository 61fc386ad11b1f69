import { describe, expect, it } from "vitest";
import type { Progress, Project } from "../api/types";
import { consequences } from "./consequences";
import { bodyOf, changesOf, draftOf, mistakes, withSize } from "./draft";
import { mask } from "./masks";
import { begin, TEMPLATES } from "./templates";

const [pair, , rank, review] = TEMPLATES as [typeof TEMPLATES[0], typeof TEMPLATES[0], typeof TEMPLATES[0], typeof TEMPLATES[0]];
const draft = { ...pair.draft, name: "Study" };
const project = {
  ...bodyOf(draft),
  id: "1",
  slug: "study",
  guidelines_version: 2,
  state: "active",
  created_at: "2026-01-01T00:00:00Z",
  counts: { prompts: 1, completions: 2, models: 2, judgments: 40, annotators: 3 },
} as Project;
const progress = { judgments: 40, wanted: 100, open_leases: 2 } as Progress;

describe("the draft of a project", () => {
  it("comes back as it was, in per cent and back", () => {
    expect(changesOf(draftOf(project), project)).toEqual({});
    expect(bodyOf({ ...draft, repeat_share: "12.5" }).repeat_share).toBe(0.125);
  });
  it("sends only what differs", () => {
    expect(changesOf({ ...draft, overlap: "3", skips_to_retire: "" }, project)).toEqual({ overlap: 3, skips_to_retire: null });
    expect(changesOf({ ...draft, target_error: "60" }, project)).toEqual({ target_error: 60 });
  });
  it("names mistakes by their fields", () => {
    const wrong = { ...draft, name: " ", overlap: "1.5", gold_share: "60", repeat_share: "50", protocol: { ...draft.protocol, aspects: [{ name: "Clear", definition: "" }, { name: "Clear ", definition: "" }, { name: "", definition: "" }] } };
    expect(Object.keys(mistakes(wrong)).sort()).toEqual(["name", "overlap", "protocol.aspects.1.name", "protocol.aspects.2.name", "repeat_share"]);
    for (const template of TEMPLATES) expect(mistakes({ ...template.draft, name: "Study" })).toEqual({});
  });
  it("leaves out what makes no sense for so many answers", () => {
    expect(withSize(review.draft.protocol, 3).strength_levels).toBe(0);
    expect(withSize({ ...rank.draft.protocol, size: 9, top: 3 }, 5).top).toBe(3);
    expect(withSize({ ...rank.draft.protocol, size: 9, top: 3 }, 4).top).toBe(null);
  });
  it("keeps guidelines that somebody wrote when it begins from a template", () => {
    expect(begin(draft, rank).guidelines).toBe(rank.draft.guidelines);
    expect(begin({ ...draft, guidelines: "Mine." }, rank)).toMatchObject({ guidelines: "Mine.", name: "Study", protocol: { size: 4 } });
  });
});

describe("consequences", () => {
  it("are none where nothing changes", () => expect(consequences(draft, project, progress)).toEqual([]));
  it("tell the next version of the guidelines", () => {
    expect(consequences({ ...draft, guidelines: "New." }, project, progress)[0]).toContain("version 3");
  });
  it("tell what a higher overlap asks for", () => {
    expect(consequences({ ...draft, overlap: "3" }, project, progress)[0]).toContain("about 300 judgments");
  });
  it("warn of comparisons on a screen only where an answer is taken away", () => {
    const without = { ...draft, protocol: { ...draft.protocol, allow_tie: false } };
    expect(consequences(without, project, progress).join()).toContain("2 comparisons are on somebody’s screen");
    expect(consequences(without, project, { ...progress, open_leases: 0 }).join()).not.toContain("screen");
    expect(consequences({ ...draft, protocol: { ...draft.protocol, comment: "optional" } }, project, progress).join()).not.toContain("screen");
  });
});

describe("masks", () => {
  it("ignore case, and a star is up to 40 characters", () => {
    expect(mask("As a model by Acme, I", ["as a model by *,"])).toBe("▇▇▇ I");
    expect(mask("I am a model by Acme of Ohio.\nNext", ["model by *"])).toBe("I am a ▇▇▇\nNext");
    expect(mask("I, Claude 2,  say", ["* claude 2, say"])).toBe("▇▇▇");
    expect(mask(`By ${"x".repeat(41)}!`, ["by *!"])).toBe(`By ${"x".repeat(41)}!`);
    expect(mask("1+1 (see)", ["(SEE)", "*"])).toBe("1+1 ▇▇▇");
  });
});
