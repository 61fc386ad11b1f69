/** What to do next in a project, from what is there. */
import type { ReactNode } from "react";
import type { Progress, Project, RewardSet } from "../api/types";
import { ButtonLink } from "../components/Button";

export interface Step {
  text: string;
  action?: ReactNode;
}

export function nextStep(project: Project, progress: Progress | undefined, sets: RewardSet[], kinds: Set<string>): Step | null {
  const { counts, slug } = project;
  const run = (kind: string, label: string) => <ButtonLink to="/projects/$project/new-run" params={{ project: slug }} search={{ kind }} look="primary">{label}</ButtonLink>;
  if (project.state === "archived") return null;
  if (counts.prompts === 0) return { text: "Import prompts below, or a whole preference data set." };
  if (counts.completions < 2 * counts.prompts) return { text: "Every prompt needs at least two completions to compare. Let models answer, or import answers.", action: run("sample", "Sample completions") };
  if (counts.judgments === 0) return { text: "Invite annotators with a link, or judge the first comparisons yourself.", action: <ButtonLink to="/projects/$project/annotators" params={{ project: slug }} look="primary">Invite annotators</ButtonLink> };
  const share = progress && progress.wanted > 0 ? progress.judgments / progress.wanted : 1;
  if (sets.length === 0) {
    if (share < 0.5 && counts.judgments < 200) return { text: "Keep judging. Some hundred judgments give the first useful rewards.", action: <ButtonLink to="/projects/$project/annotate" params={{ project: slug }} look="primary">Annotate</ButtonLink> };
    return { text: "There are enough judgments to freeze a reward set from the ratings.", action: <ButtonLink to="/projects/$project/rewards" params={{ project: slug }} look="primary">Make a reward set</ButtonLink> };
  }
  if (!kinds.has("reward_model")) return { text: "Train a reward model on the reward set.", action: run("reward_model", "Train a reward model") };
  if (!kinds.has("ppo")) return { text: "Improve a policy against the reward model.", action: run("ppo", "Start PPO") };
  return { text: "Let the new policy answer the prompts, so that people can compare it with the others.", action: run("sample", "Sample completions") };
}
