/** What a reward set was made from, in sentences. */
import { useQuery } from "@tanstack/react-query";
import { annotatorsQuery } from "../api/queries";
import type { RewardSet } from "../api/types";
import { NORMALISATIONS } from "../components/NewRewardSet";
import { Time } from "../components/Time";
import { count, figure, percent, plural } from "../format";
import { METHOD_NAMES } from "../pages/RewardSetsPage";

export function SetFacts({ set, slug }: { set: RewardSet; slug: string }) {
  return (
    <>
    <p className="text-soft">
      No. {set.number}, from {METHOD_NAMES[set.method] ?? set.method}, made <Time at={set.created_at} />: {plural(set.completions, "completion")} of {plural(set.prompts, "prompt")} ({count(set.held_out_prompts)} held out to test reward models, {count(set.skipped_prompts)} without enough judgments left out), from {plural(set.judgments, "judgment")}. Scale {figure(set.scale)}{set.normalisation === "centred_global" ? "" : `, ${NORMALISATIONS[set.normalisation] ?? set.normalisation}`}.
    </p>
    <Asked set={set} slug={slug} />
    </>
  );
}

/** Which judgments were asked for, in words; nothing when all were. */
function Asked({ set, slug }: { set: RewardSet; slug: string }) {
  const question = (set.parameters["question"] ?? {}) as { without_annotators?: string[]; before?: string; guidelines_versions?: number[]; min_gold_share?: number };
  const people = useQuery({ ...annotatorsQuery(slug), enabled: (question.without_annotators?.length ?? 0) > 0 }).data?.items;
  const parts = [
    question.without_annotators && `without ${question.without_annotators.map((id) => people?.find((one) => one.id === id)?.name ?? "somebody").join(", ")}`,
    question.guidelines_versions && `under the guidelines ${question.guidelines_versions.map((version) => `version ${version}`).join(" or ")}`,
    question.min_gold_share !== undefined && `by annotators with at least ${percent(question.min_gold_share)} of gold comparisons right`,
  ].filter(Boolean);
  if (parts.length === 0 && !question.before) return null;
  return <p className="mt-1 text-soft">Only judgments {parts.join(", ")}{question.before && <>{parts.length > 0 ? ", " : ""}made before <Time at={question.before} /></>}.</p>;
}
