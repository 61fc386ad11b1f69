/** A project as it is typed into the form: shares in per cent, numbers as text; and what of it goes to the server. Pure. */
import type { NewProject, Project, ProjectChange, Protocol } from "../api/types";

export interface Draft {
  name: string;
  guidelines: string;
  protocol: Protocol;
  overlap: string;
  lease_minutes: string;
  gold_share: string;
  repeat_share: string;
  random_share: string;
  qualification_share: string;
  /** Elo points. Empty: asked as often as `overlap` says. */
  target_error: string;
  /** Empty: a skipped comparison goes on to others, however often. */
  skips_to_retire: string;
  /** One phrase a line. */
  masks: string;
  people_ranking: boolean;
}

export type Change = <K extends keyof Draft>(part: Pick<Draft, K>) => void;

const percent = (share: number): string => String(Math.round(share * 1000) / 10);
const share = (text: string): number => Math.round(Number(text) * 10) / 1000;

export function draftOf(project: Project): Draft {
  return {
    name: project.name,
    guidelines: project.guidelines,
    protocol: project.protocol,
    overlap: String(project.overlap),
    lease_minutes: String(project.lease_minutes),
    gold_share: percent(project.gold_share),
    repeat_share: percent(project.repeat_share),
    random_share: percent(project.random_share),
    qualification_share: percent(project.qualification_share),
    target_error: project.target_error === null ? "" : String(project.target_error),
    skips_to_retire: project.skips_to_retire === null ? "" : String(project.skips_to_retire),
    masks: project.masks.join("\n"),
    people_ranking: project.people_ranking,
  };
}

export function phrases(masks: string): string[] {
  return [...new Set(masks.split("\n").map((line) => line.trim()).filter((line) => line !== ""))];
}

export function bodyOf(draft: Draft): NewProject {
  return {
    name: draft.name.trim(),
    guidelines: draft.guidelines,
    protocol: { ...draft.protocol, aspects: draft.protocol.aspects.map((aspect) => ({ name: aspect.name.trim(), definition: aspect.definition.trim() })) },
    overlap: Number(draft.overlap),
    lease_minutes: Number(draft.lease_minutes),
    gold_share: share(draft.gold_share),
    repeat_share: share(draft.repeat_share),
    random_share: share(draft.random_share),
    qualification_share: share(draft.qualification_share),
    target_error: draft.target_error.trim() === "" ? null : Number(draft.target_error),
    skips_to_retire: draft.skips_to_retire.trim() === "" ? null : Number(draft.skips_to_retire),
    masks: phrases(draft.masks),
    people_ranking: draft.people_ranking,
  };
}

/** Only what differs from the project as it is, so that two admins do not undo each other's changes. */
export function changesOf(draft: Draft, project: Project): ProjectChange {
  const before = bodyOf(draftOf(project));
  const after = bodyOf(draft);
  const differs = (name: keyof NewProject): boolean => JSON.stringify(before[name]) !== JSON.stringify(after[name]);
  return Object.fromEntries((Object.keys(after) as (keyof NewProject)[]).filter(differs).map((name) => [name, after[name]]));
}

const SHARES = ["gold_share", "repeat_share", "random_share", "qualification_share"] as const;

/** What cannot be sent like this, by field: told at the field before the server has to. */
export function mistakes(draft: Draft): Record<string, string> {
  const found: Record<string, string> = {};
  const number = (name: string, text: string, low: number, high: number, whole: boolean) => {
    const value = Number(text);
    if (text.trim() === "" || Number.isNaN(value) || value < low || value > high || (whole && !Number.isInteger(value))) {
      found[name] = `This is a ${whole ? "whole " : ""}number from ${low} to ${high}.`;
    }
  };
  if (draft.name.trim() === "") found["name"] = "A project needs a name.";
  else if (draft.name.trim().length > 120) found["name"] = "A name has at most 120 characters.";
  if (draft.guidelines.length > 100_000) found["guidelines"] = "Guidelines have at most 100,000 characters.";
  number("overlap", draft.overlap, 1, 1000, true);
  number("lease_minutes", draft.lease_minutes, 0.1, 1440, false);
  for (const name of SHARES) number(name, draft[name], 0, 100, false);
  if (!found["gold_share"] && !found["repeat_share"] && Number(draft.gold_share) + Number(draft.repeat_share) > 100) {
    found["repeat_share"] = "Known answers and repeats are more than 100% together.";
  }
  if (draft.skips_to_retire.trim() !== "") number("skips_to_retire", draft.skips_to_retire, 1, 1000, true);
  if (draft.target_error.trim() !== "") number("target_error", draft.target_error, 1, 1000, false);
  const masks = phrases(draft.masks);
  if (masks.some((phrase) => phrase.length > 200)) found["masks"] = "A phrase has at most 200 characters.";
  else if (masks.some((phrase) => phrase.replaceAll("*", "").trim() === "")) found["masks"] = "A phrase needs more than *.";
  else if (masks.some((phrase) => phrase.split("*").length > 9)) found["masks"] = "A phrase has at most 8 times *.";
  else if (masks.length > 200) found["masks"] = "There can be at most 200 phrases.";
  const names = draft.protocol.aspects.map((aspect) => aspect.name.trim());
  names.forEach((name, at) => {
    if (name === "") found[`protocol.aspects.${at}.name`] = "An aspect needs a name.";
    else if (names.indexOf(name) !== at) found[`protocol.aspects.${at}.name`] = "Another aspect has this name.";
  });
  return found;
}

/** A protocol for so many answers: what makes no sense there is left out. */
export function withSize(protocol: Protocol, size: number): Protocol {
  const top = protocol.top ?? null;
  return { ...protocol, size, strength_levels: size > 2 ? 0 : protocol.strength_levels, top: top !== null && top < size - 1 ? top : null };
}
