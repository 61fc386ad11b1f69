/** What each number of a run is: its name in words, its unit, and one sentence for whoever meets it first. Pure. */
import { fieldName, figure } from "../format";

export interface Meaning {
  label: string;
  unit: string | null;
  text: string | null;
}

/** `label|unit`, and what it says. Names end in `*` where the rest is somebody's own. */
const KNOWN: Readonly<Record<string, readonly [label: string, text: string]>> = {
  "objective/score": ["Score", "What the policy is trained for: the mean score of the round's answers, as the reward model gives it. About 1 apart is one standard deviation of the reference's answers."],
  "objective/score_used": ["Score as used", "The score after it was cut to its limits and answers without an end were fined: what learning sees."],
  "objective/score_clipped_share": ["Scores clipped|share of answers", "Those beyond score_clip, where all count alike."],
  "objective/score_phrase_correlation": ["Score and phrase", "Rank correlation of the scores with holding the phrase that is in most answers. Near 1 or −1 the reward knows little more than whether it is said."],
  "objective/score_length_correlation": ["Score and length", "Rank correlation of the scores with the lengths of the answers, in tokens or characters, whichever is stronger; among answers to one prompt where it has several. Near 1 or −1 the reward knows little more than how long an answer is."],
  "objective/score_std": ["Spread of the score", "Standard deviation of the scores within a round. Near 0 there is nothing left to learn from."],
  "objective/kl_base_error_per_seq_nats": ["KL to the reference, error|nats an answer", "Standard error of the mean."],
  "objective/score_of_*": ["Score of", "The mean score by this scorer alone, before its weight."],
  "objective/reward_per_seq": ["Reward of an answer", "The score less the price of leaving the reference: what is really maximised."],
  "objective/kl_base_per_seq_nats": ["KL to the reference|nats an answer", "How far the policy has gone from where it started. A score that rises while this hardly does is cheap; beyond its limit the run stops."],
  "objective/kl_base_per_token_nats": ["KL to the reference|nats a token", "The same divergence, a token."],
  "objective/kl_base_k3_per_token_nats": ["KL to the reference, k3|nats a token", "The same divergence by an estimator that varies less and is never negative; for reading only."],
  "objective/lambda_kl": ["Price of the KL (lambda)", "How many points of score a nat of divergence costs. A leash moves it so that the KL stays at its target."],
  "policy/loss": ["Loss of the policy", "What the optimiser lowers. Its size says little: look at score and KL."],
  "policy/entropy": ["Entropy|nats a token", "How open the choice of the next token still is. A steep fall means that all answers become alike."],
  "policy/clip_fraction": ["Clipped|share of tokens", "Tokens whose probability moved further than the clip range allows. A few in a hundred are usual; above 0.4 steps are too long."],
  "policy/kl_step_per_token_nats": ["KL of one round|nats a token", "How far one round moved the policy. It is not the KL to the reference."],
  "policy/beta": ["Price of the step (beta)", "Weight of the KL of one round where the objective is kl_penalty; doubled when steps are too long, halved when too short."],
  "policy/beta_clamped": ["Price at its bound", "1 when beta stood at the end of its range and could not move on."],
  "policy/ratio_mean": ["Probability ratio, mean", "New over old probability of the tokens that were drawn; 1 before the first step."],
  "policy/ratio_max": ["Probability ratio, largest", "The token that became likelier by most."],
  "policy/ratio_min": ["Probability ratio, smallest", "The token that became less likely by most."],
  "policy/gradient_norm": ["Gradient norm of the policy", "Length of the gradient before it is cut. Jumps announce trouble."],
  "policy/learning_rate": ["Learning rate", "Of the policy, at the end of the round."],
  "policy/epochs": ["Passes done", "Passes over the round's answers; fewer than asked for when the step grew too long."],
  "policy/optimiser_steps": ["Optimiser steps a round", "Epochs times minibatches."],
  "policy/bad_steps": ["Skipped steps", "Steps left out because a loss or gradient was no finite number."],
  "value/loss": ["Loss of the critic", "Squared error of its expectations."],
  "value/explained_variance": ["Explained variance", "How much of the returns the critic foresees: 1 is all, 0 no more than their mean. Below 0 for long, it misleads the policy."],
  "value/clip_fraction": ["Clipped by the critic|share of tokens", "Values that moved further in a round than the clip range allows."],
  "value/gradient_norm": ["Gradient norm of the critic", "Length of the gradient before it is cut."],
  "value/mean": ["Expected score, mean", "What the critic expects; it should follow the returns."],
  "advantage/std": ["Spread of the advantages", "Before they are scaled. Near 0 all answers are as good as expected."],
  "returns/mean": ["Returns, mean", "What the critic learns to foresee."],
  "returns/std": ["Spread of the returns", "Over all tokens of the round."],
  "rollout/length_mean": ["Length of an answer|tokens", "Answers that grow long (or short) without anybody having asked for it are the commonest sign of a cheated reward."],
  "rollout/length_p10": ["Length, shortest tenth|tokens", "One answer in ten is at most so long."],
  "rollout/length_p50": ["Length, median|tokens", "Half of the answers are at most so long."],
  "rollout/length_p90": ["Length, longest tenth|tokens", "One answer in ten is longer."],
  "rollout/length_error": ["Length of an answer, error|tokens", "Standard error of the mean."],
  "rollout/characters_mean": ["Length of an answer|characters", "Where all answers are cut, their words may still grow longer."],
  "rollout/characters_error": ["Length of an answer, error|characters", "Standard error of the mean."],
  "rollout/commonest_phrase_share": ["Commonest phrase|share of answers", "Of answers that hold the run of four tokens that is in most of them."],
  "rollout/truncated_share": ["Cut off|share of answers", "Answers that reached the longest length before they ended."],
  "rollout/distinct_answers_share": ["Distinct answers", "The share of answers that are left when those that are word for word alike count once. It falls where the policy says the same to many prompts."],
  "rollout/commonest_token_share": ["Commonest token", "The share of all tokens that are the one which is there most often. It rises where the policy repeats itself."],
  "rollout/distinct4": ["Different four-grams|share", "Of all runs of four tokens, those that are unique. It falls when the policy repeats itself."],
  "rollout/graphs": ["Drawn by CUDA graphs", "1 where a GPU is told of a token's operations once and repeats them; 0 where it is told each time, which takes longer."],
  "rollout/tokens_per_s": ["Speed of answering|tokens a second", "Tokens drawn, over the seconds of drawing."],
  "rollout/sampler_gap_mean_nats": ["Gap to the sampler, mean|nats", "How far the log-probabilities at drawing are from those of training; 0 but for rounding."],
  "rollout/sampler_gap_max_nats": ["Gap to the sampler, largest|nats", "Of a single token."],
  "rollout/sampler_kl_per_token_nats": ["KL to the sampler|nats a token", "As a divergence. A server with stale weights shows here."],
  "judge/score": ["Score by the judge", "Held-out prompts, scored by somebody whom the policy was not trained to please. Where this falls and the score rises, the policy cheats."],
  "judge/score_error": ["Its standard error", "Over prompts."],
  "judge/reward": ["Reward on the judge's prompts", "What the trained-on reward says of the same answers."],
  "judge/kl_base_per_seq_nats": ["KL on the judge's prompts|nats an answer", "How far the policy was when the judge looked."],
  "judge/length_mean": ["Length on the judge's prompts|tokens", "Of the answers that the judge saw."],
  "train/loss": ["Loss in training|nats", "Of the step's own texts or pairs; it says what was learnt by heart, too."],
  "train/accuracy": ["Accuracy in training", "Pairs of training prompts ordered as people did. Far above the held-out one: it learns by heart."],
  "train/log_loss": ["Log loss in training|nats", "On as many training prompts as are held out."],
  "train/learning_rate": ["Learning rate", "Rises during the warm-up, then falls as scheduled."],
  "train/gradient_norm": ["Gradient norm", "Length of the gradient before it is cut. Jumps announce trouble."],
  "train/skipped_steps": ["Skipped steps", "Steps left out because a loss or gradient was no finite number."],
  "train/epoch": ["Epochs", "Passes over the data so far."],
  "train/tokens_per_s": ["Speed|tokens a second", "Tokens read, over the seconds of a step."],
  "train/steps": ["Steps", "Steps of the optimiser in all."],
  "train/kept_step": ["Kept from step", "The step whose weights were saved: the best of the evaluations, if so chosen."],
  "train/demonstrations": ["Demonstrations", "Answers learnt from."],
  "train/documents": ["Documents", "Texts learnt from."],
  "train/tokens": ["Tokens", "Of all texts learnt from."],
  "train/too_long": ["Left out, too long", "Demonstrations that do not fit into the model's context."],
  "train/prompts": ["Prompts learnt from", "With two judged completions or more."],
  "train/completions_too_long": ["Left out, too long", "Completions that do not fit into the model's context."],
  "train/prompts_without_signal": ["Prompts without signal", "All of their outcomes cancel out, or none is known."],
  "held_out/loss": ["Loss on held-out texts|nats a token", "Texts it never learns from. When this rises while the training loss falls, it learns by heart."],
  "held_out/perplexity": ["Perplexity on held-out texts", "Among how many equally likely tokens it still chooses: e to the loss."],
  "held_out/tokens": ["Held-out tokens", "How many the loss is measured on."],
  "held_out/accuracy": ["Accuracy on held-out pairs", "Pairs of prompts it never learnt from, ordered as people did; ties left out. One half is chance."],
  "held_out/accuracy_low": ["Accuracy, lower end", "Of the 95% interval, over prompts."],
  "held_out/accuracy_high": ["Accuracy, upper end", "Of the 95% interval, over prompts."],
  "held_out/accuracy_pairs": ["Pairs without a tie", "Those that accuracy is measured on."],
  "held_out/accuracy_surer": ["Accuracy, the surer half", "The half of the pairs where its scores differ most."],
  "held_out/accuracy_less_sure": ["Accuracy, the less sure half", "The half of the pairs where its scores differ least."],
  "held_out/accuracy_longer_preferred": ["Accuracy where the longer won", "Pairs in which people preferred the longer answer."],
  "held_out/accuracy_shorter_preferred": ["Accuracy where the shorter won", "Pairs in which people preferred the shorter answer."],
  "held_out/agreement": ["Agreement of people", "How often another person who judged the same pair says the same: accuracy can hardly exceed it."],
  "held_out/agreement_judgments": ["Judgments behind it", "Judgments of pairs that several people judged."],
  "held_out/log_loss": ["Log loss on held-out pairs|nats", "Of the probability that its scores give to what people said; 0.693 is knowing nothing."],
  "held_out/brier": ["Brier score", "Mean squared distance of that probability from what was said; 0.25 is knowing nothing."],
  "held_out/calibration_error": ["Calibration error", "How far its confidence is from how often it is right, on average."],
  "held_out/temperature": ["Temperature that would fit", "Above 1 it is surer than it should be, below 1 less sure."],
  "held_out/longer_wins": ["“The longer wins” is right", "The accuracy of a rule that looks at length alone."],
  "held_out/no_better_than_length": ["No better than length", "1 when length alone orders the pairs as well as the scores do."],
  "held_out/score_length_correlation": ["Score and length", "Correlation over pairs of being scored higher and being longer; 0 is best."],
  "held_out/regression_slope": ["Slope of the rewards", "Of the rewards in log-odds on the scores, within prompts; 1 is right."],
  "held_out/pairs": ["Held-out pairs", "With ties."],
  "held_out/prompts": ["Held-out prompts", "Prompts it never learns from."],
  "normalise/mean": ["Mean before normalising", "Of scores of fresh answers; it is taken off, so that they have mean 0."],
  "normalise/std": ["Deviation before normalising", "It is divided by, so that a point of score means the same in each reward model."],
  "samples/ended_share": ["Ended by itself|share of answers", "Answers to held-out prompts that end before they are cut."],
  "samples/tokens": ["Length of an answer|tokens", "Of answers to held-out prompts."],
  "samples/score": ["Score of answers", "The weighted sum of the scorers, on answers to held-out prompts."],
  "samples/score_of_*": ["Score of answers by", "By this scorer alone."],
  "sample/completions": ["Completions", "Written so far."],
  "sample/tokens_per_s": ["Speed|tokens a second", "Of the model just finished."],
  "sample/length_mean": ["Length of a completion|tokens", "Mean of the model just finished."],
  "sample/truncated_share": ["Cut off|share", "Completions that reached the longest length before they ended."],
  "sample/prompts_too_long": ["Prompts too long", "Left out, because no room for an answer was left in the model's context."],
  "iterations": ["Rounds", "Of answering, scoring and learning."],
  "saved_iteration": ["Rounds of the saved policy", "How many rounds it has learnt from; fewer than all where something speaks against later ones, or the judge liked it best."],
  "stopped_early": ["Ended early", "1 when the guard or a limit ended it before its last round."],
  "judge/best_iteration": ["Round that was kept", "The one whose policy the judge liked best."],
  "completions_added": ["Completions added", "New ones; the others were there already."],
  "model/parameters": ["Parameters", "Weights of the model."],
  "tokenizer/size": ["Tokens known", "Size of the vocabulary."],
  "score_mean": ["Score, mean", "By the reward model."],
  "score": ["Score, mean", "By the reward model, and further scorers."],
  "length_mean": ["Length of an answer|tokens, mean", "Longer is not better: see whether the score rises with it."],
  "truncated_share": ["Cut off|share of answers", "Answers that reached the longest length before they ended."],
  "distinct4": ["Different four-grams|share", "Of all runs of four tokens, those that are unique; low where it repeats itself."],
  "entropy": ["Entropy|nats a token", "How open the choice of the next token is."],
  "kl_base_per_seq_nats": ["KL to the reference|nats an answer", "How far the policy went from where it started."],
  "kl_reference_per_seq_nats": ["KL to the reference|nats an answer", "How far its answers are from what the reference would say."],
  "perplexity": ["Perplexity", "On held-out demonstrations; only models with the same tokens compare."],
  "bits_per_byte": ["Bits a byte", "On held-out demonstrations; compares models with different tokens, too."],
  "time/judge_s": ["Judging|s", "Seconds of a round in which the judge's prompts were answered and scored."],
  "time/rollout_s": ["Answering|s", "Seconds of a round in which answers were drawn."],
  "time/scoring_s": ["Scoring|s", "Seconds of a round for scores, values and log-probabilities."],
  "time/update_s": ["Learning|s", "Seconds of a round in its optimiser steps."],
  "time/step_s": ["A step|s", "Seconds of one optimiser step."],
  "time/episodes_per_s": ["Answers a second", "Through the whole round."],
  "time/rollout_floor_share": ["Answering, share of the floor", "The seconds that the arithmetic alone would take here, over those it took; 1 is as fast as the machine is."],
  "time/scoring_floor_share": ["Scoring, share of the floor", "The seconds that the arithmetic alone would take here, over those it took."],
  "time/update_floor_share": ["Learning, share of the floor", "The seconds that the arithmetic alone would take here, over those it took."],
  "memory/peak_mib": ["Memory, highest|MiB", "Of the run's process; on a GPU, of the GPU."],
};

/** Of a metric by its full name. What is not known keeps its own words. */
export function meaningOf(name: string): Meaning {
  const open = Object.keys(KNOWN).find((one) => one.endsWith("*") && name.startsWith(one.slice(0, -1)));
  const found = KNOWN[name] ?? (open === undefined ? undefined : KNOWN[open]);
  if (!found) {
    const [label, unit] = fieldName(name.slice(name.lastIndexOf("/") + 1));
    // The mean of a scorer of one's own, in an evaluation.
    return { label: label.replace(/ mean$/, ", mean"), unit, text: null };
  }
  const [label, unit = null] = found[0].split("|") as [string, string?];
  return { label: open === undefined ? label : `${label} ${name.slice(open.length - 1).replaceAll("_", " ")}`, unit, text: found[1] };
}

/** A value in figures. What is left of a divergence from oneself by rounding is none. */
export function valueOf(name: string, value: number): string {
  return figure(/^kl(_|$)/.test(name.slice(name.lastIndexOf("/") + 1)) && Math.abs(value) < 5e-5 ? 0 : value);
}

export function inWords(name: string): string {
  const { label, unit } = meaningOf(name);
  return unit === null ? label : `${label} (${unit})`;
}

/** What a run of a kind is judged by: these curves come first, and larger. */
const FIRST: Readonly<Record<string, readonly string[]>> = {
  pretrain: ["held_out/loss", "train/loss", "train/tokens_per_s"],
  sft: ["held_out/loss", "train/loss", "samples/score", "samples/tokens"],
  reward_model: ["held_out/accuracy", "held_out/log_loss", "held_out/calibration_error", "train/loss"],
  ppo: ["objective/score", "objective/kl_base_per_seq_nats", "judge/score", "rollout/length_mean", "policy/entropy", "policy/clip_fraction", "value/explained_variance"],
};
const MOST_FIRST = 6;

export function firstOf(kind: string, names: ReadonlySet<string>): string[] {
  return (FIRST[kind] ?? []).filter((name) => names.has(name)).slice(0, MOST_FIRST);
}

/** Those of a training run's result that say whether it was good, that first which it is judged by; others say how it went. */
export function headline(kind: string, names: readonly string[]): string[] {
  if (!(kind in FIRST)) return [...names];
  const first = FIRST[kind]!;
  const good = names.filter((name) => first.includes(name) || /^(held_out\/perplexity$|samples\/)/.test(name));
  return good.toSorted((one, other) => place(first, one) - place(first, other));
}

function place(among: readonly string[], name: string): number {
  const found = among.indexOf(name);
  return found === -1 ? among.length : found;
}

/** What the groups of names are called, in this order; several groups may stand under one title. */
const TITLES: Readonly<Record<string, string>> = {
  held_out: "On what is held out",
  train: "Training",
  samples: "Answers on the way",
  objective: "Score and KL",
  judge: "The independent judge",
  evaluate: "Evaluation",
  sample: "Sampling",
  policy: "Steps of the policy",
  value: "Critic, returns and advantages",
  returns: "Critic, returns and advantages",
  advantage: "Critic, returns and advantages",
  rollout: "Answers",
  time: "Time and memory",
  memory: "Time and memory",
};

export function groupTitle(group: string): string {
  return TITLES[group] ?? (group === "" ? "Other numbers" : group.replaceAll("_", " "));
}
