/** What saving a change to a project brings about, said beforehand in sentences. Pure. */
import type { Progress, Project } from "../api/types";
import { count, plural } from "../format";
import { roughly } from "../overview/forecast";
import { changesOf, type Draft } from "./draft";

export function consequences(draft: Draft, project: Project, progress: Progress | undefined): string[] {
  const change = changesOf(draft, project);
  const said: string[] = [];
  const judged = project.counts.judgments;
  if (change.guidelines !== undefined) {
    said.push(`The guidelines become version ${count(project.guidelines_version + 1)}: every annotator reads them before going on.${judged > 0 ? ` ${plural(judged, "judgment")} so far keep the version they were made under.` : ""}`);
  }
  if (change.name !== undefined) said.push(`Its address stays /projects/${project.slug}.`);
  if (change.overlap !== undefined && change.overlap !== null) {
    const wanted = progress ? Math.round((progress.wanted / project.overlap) * change.overlap) : 0;
    if (change.overlap > project.overlap) said.push(`Sets that were done are handed out again, to others${wanted > 0 ? `: about ${count(roughly(wanted))} judgments are wanted in all` : ""}.`);
    else if (judged > 0) said.push("Judgments beyond the smaller number stay, and count.");
  }
  const { protocol } = change;
  if (protocol) {
    const before = project.protocol;
    if (judged > 0) said.push("Judgments made so far stay as they are; the new questions are asked from the next comparison on.");
    const removed = [
      before.allow_tie && !protocol.allow_tie && "a tie",
      before.allow_none_acceptable && !protocol.allow_none_acceptable && "“none acceptable”",
      before.strength_levels > protocol.strength_levels && "a degree",
      before.comment !== "off" && protocol.comment === "off" && "a comment",
      before.aspects.some((aspect) => !protocol.aspects.some((one) => one.name === aspect.name)) && "an aspect",
    ].filter(Boolean);
    if (removed.length > 0 && (progress?.open_leases ?? 0) > 0) {
      said.push(`${plural(progress!.open_leases, "comparison")} ${progress!.open_leases === 1 ? "is" : "are"} on somebody’s screen now and may still be answered with ${removed.join(" or ")}, which is then refused. Pause the project for a minute to avoid that.`);
    }
  }
  if (change.qualification_share !== undefined) said.push("Whoever has passed or failed the qualification keeps that; the new share holds for those who are still at it.");
  if (change.masks !== undefined && judged > 0) said.push("Judgments made before saw the texts as they were masked then.");
  if (change.people_ranking) said.push("Every annotator sees the names, judgments and hours of the others.");
  return said;
}
