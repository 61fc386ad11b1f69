"""The reward model: a scalar score of a completion, learnt from what people preferred.

A linear head takes the place of a language model's own, normally that of the SFT checkpoint from which PPO starts; the
model is frozen under a LoRA adapter, or all its weights are trained. The score r is read at the last token of prompt +
completion + terminator. All completions of a prompt form one item: they are in one step, each is read once however many
pairs it is in, and no ranking is split.

bradley_terry   -log sigmoid(r_a - r_b) for each outcome; a tie is half a win of each; the pairs of a judgment share its
                weight. If only the best of several were named: softmax cross-entropy of the choice (Ziegler et al.
                2019, arXiv:1909.08593, equation 1), then of the second best among the rest, and so on
elo_regression  squared error between r and the reward set's rewards, weighted by precision and centred within the
                prompt, because comparisons only determine differences within a prompt. Rewards are first multiplied by
                the set's scale, which gives log-odds: Elo's expected score is the sigmoid of their difference
mixed           a weighted sum of both, which have the same unit

A small penalty on the squared mean score of each prompt keeps scores near 0. After training, gain and offset of the
head are set so that scores have mean 0 and deviation 1 on fresh samples of the untrained model (`normalise_samples`; 0:
on the training completions). PPO's coefficients then mean the same with every reward model. Calibration is measured
before that, in log-odds: `(score - offset) / gain`.

Metrics: those of `supervised` (`train/loss`), `train/accuracy`, and, four times an epoch on up to 64 held-out prompts
and at the end on all of them,
held_out/accuracy, accuracy_low, accuracy_high     share of pairs, ties left out, that the scores order as people did;
                                                   95 % interval by a bootstrap over prompts
held_out/log_loss, brier, calibration_error, temperature     of sigmoid(score difference); ties count half
held_out/pairs, accuracy_pairs                     number of outcomes, and of those that are not ties
held_out/accuracy_surer, accuracy_less_sure        accuracy on the half with the larger and the smaller difference
held_out/agreement, agreement_judgments            how often another person who judged the same pair says the same (a
                                                   ceiling of accuracy), and over how many judgments
held_out/longer_wins                               accuracy of "the longer one wins"
held_out/no_better_than_length                     1 if length alone is as accurate; a warning if there are enough pairs
held_out/score_length_correlation                  over pairs; a warning if it is 0.8 or more in size
held_out/accuracy_longer_preferred, accuracy_shorter_preferred    accuracy where people preferred that one
held_out/regression_slope                          of rewards (log-odds) on scores within prompts; 1 is right
Writes `output/scores.jsonl`: the score of every completion it read, in log-odds.
Result: the last of these, `train/accuracy` on as many training prompts, `normalise/mean`, `normalise/std`,
`train/prompts`, `train/completions_too_long`, `train/prompts_without_signal`, `train/steps`, `train/skipped_steps`; and
as tables, on all held-out prompts, `accuracy_by` annotator and by pair of models (`reward_metrics.accuracy_by`), and
`reliability` by its own confidence (`reward_metrics.Bin`).
"""

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from backend.domain.training import RewardModelConfig
from backend.domain.training_rows import RewardGroup, ScoredCompletion
from backend.errors import Invalid
from workers.training import reward_metrics, reward_output
from workers.training.backbone import Backbone
from workers.training.budget import OUT_OF_MEMORY, TokenBudget
from workers.training.cores import Cores
from workers.training.events import Event, Progress, Result, StepMetrics, Warned
from workers.training.generation import Sampling, generate, tokens_at_once
from workers.training.heads import ScalarHead
from workers.training.job import Job, spread, write_rows
from workers.training.packing import partition
from workers.training.reward_groups import Group, GroupBatch, batch_of, has_signal, read_group
from workers.training.reward_metrics import Judged
from workers.training.scoring import RewardModel
from workers.training.sharded import Sharded, shard
from workers.training.supervised import Loop, Plan
from workers.training.tokens import Codec

ADAPTER = "reward"
WATCHED_PROMPTS = 64
EVALUATIONS_PER_EPOCH = 4
ENOUGH_PAIRS = 30
"""With fewer held-out pairs length may do as well by chance."""
LENGTH_CORRELATION = 0.8
"""Between score differences and length differences: from here on length explains most of the variance of scores."""

T = TypeVar("T")


def train(job: Job) -> Generator[Event, None, None]:
    """The whole run; ends without a `Result` when it was asked to stop."""
    config = job.config
    assert isinstance(config, RewardModelConfig)
    rows = job.rows("groups", RewardGroup)
    yield Progress(0, None, "load")
    lora, sharded = config.method == "lora", None
    backbone = Backbone.load(
        job.path("model"), device=job.device, dtype=job.dtype if lora else torch.float32, language_head=lora
    )
    head = ScalarHead(backbone.hidden_size, seed=job.seed).to(job.device)
    if lora:
        backbone.add_adapter(ADAPTER, rank=config.lora_rank, alpha=config.lora_alpha, seed=job.seed)
        named = list(zip(backbone.adapters[ADAPTER].tensors(), backbone.parameters_of(ADAPTER), strict=True))
    else:
        backbone.model.requires_grad_(True)
        sharded = shard(backbone, job.ranks, head)
        named = list(backbone.model.named_parameters())
    named += [(f"head.{name}", parameter) for name, parameter in head.named_parameters()]
    codec = Codec(backbone.tokenizer)
    limit = min(config.max_tokens or 2**31, backbone.max_positions or 2**31)
    read = yield from _groups(config, job, codec, rows, limit)
    learnt, held_out, without_signal, too_long = read

    task = RewardTask(job, config, backbone, head, learnt, held_out, sharded=sharded)
    plan = Plan(len(learnt), config.prompts_per_step, config.epochs, config.max_steps, job.seed)
    quarter = math.ceil(len(learnt) / config.prompts_per_step / EVALUATIONS_PER_EPOCH)
    loop = Loop(job, config, task, plan, named, evaluate_every_steps=min(config.evaluate_every_steps, max(1, quarter)))
    if not (yield from loop.run()):
        return

    groups, attempt = [*learnt, *held_out, *without_signal], task.budget.attempt
    scores = yield from job.each(
        groups, lambda some: attempt(lambda: task.score_groups(some)), "score", step=plan.steps
    )
    measured, pairs = task.report(held_out, scores[len(learnt) : len(learnt) + len(held_out)])
    values = {f"held_out/{name}": value for name, value in measured.items()}
    sources = reward_metrics.by_source(pairs, rounds=config.bootstrap_rounds, seed=job.seed)
    bins = [asdict(one) for one in reward_metrics.reliability_of(pairs)]
    numbers = dict(values)
    as_many = max(WATCHED_PROMPTS, len(held_out))
    seen, _ = task.report(spread(learnt, as_many), spread(scores[: len(learnt)], as_many))
    # In the result alone: the last step's own `train/accuracy` is of the curve.
    values |= {f"train/{name}": seen[name] for name in ("accuracy", "log_loss") if name in seen}
    doubt = length_meter(measured)
    written = [
        ScoredCompletion(completion=id, score=score)
        for group, found in zip(groups, scores, strict=True)
        for id, score in zip(group.ids, found, strict=True)
    ]
    yield Progress(plan.steps, plan.steps, "normalise")
    if config.normalise_samples:
        raw = attempt(lambda: scores_of_samples(job, config, codec, task))
    else:
        raw = np.array([score for found in scores[: len(learnt)] for score in found])
    mean, deviation = normalise(head, raw)
    if held_out:  # told when no more stop can make it be told again
        yield StepMetrics(plan.steps, numbers)
    if doubt:
        yield Warned(plan.steps, "length_meter", doubt)
    yield from task.budget.warnings(plan.steps)
    yield Progress(plan.steps, plan.steps, "save")
    reward_output.save(job, task.model(), codec, doubt=doubt)
    if job.ranks.first:
        write_rows(job.output / "scores.jsonl", written)
    yield Result(
        values
        | {
            "normalise/mean": mean,
            "normalise/std": deviation,
            "train/prompts": float(len(learnt)),
            "held_out/prompts": float(len(held_out)),
            "train/completions_too_long": float(too_long),
            "train/prompts_without_signal": float(len(without_signal)),
            "train/steps": float(plan.steps),
            "train/skipped_steps": float(loop.skipped),
        },
        ({"accuracy_by": sources} if sources else {}) | ({"reliability": bins} if bins else {}),
    )


def _groups(
    config: RewardModelConfig, job: Job, codec: Codec, rows: Sequence[RewardGroup], limit: int
) -> Generator[Event, None, tuple[list[Group], list[Group], list[Group], int]]:
    """Groups to learn from, those held out, those that teach nothing under this loss, and how many completions were too
    long.
    """
    encoded = yield from job.each(rows, lambda some: [read_group(codec, row, limit) for row in some], "encode")
    learnt: list[Group] = []
    held_out: list[Group] = []
    without_signal: list[Group] = []
    too_long = 0
    for row, (group, dropped) in zip(rows, encoded, strict=True):
        too_long += dropped
        if not has_signal(group, config.loss):
            without_signal.append(group)
        else:
            (learnt if row.split == "train" else held_out).append(group)
    if not learnt:
        raise Invalid(
            f"The reward set has nothing to learn from: of {len(rows)} prompts {len(held_out)} are held out, and the "
            f"others have no two judged completions of at most {limit} tokens. Collect more judgments first."
        )
    return learnt, held_out, without_signal, too_long


# -- losses -----------------------------------------------------------------------------------------------------------


def bradley_terry(difference: Tensor, label: Tensor, margin: float | Tensor = 0.0) -> Tensor:
    """-y log sigmoid(d - m) - (1 - y) log sigmoid(-d - m) for d = r_a - r_b and y = 1 where a won, 0 where b won: (P,).

    A label between them is soft: the margin is multiplied by how decided it is, so a tie (1/2) has none.
    """
    return F.binary_cross_entropy_with_logits(difference - margin * (2 * label - 1), label, reduction="none")


def best_of(scores: Tensor, choices: Tensor, margin: float = 0.0) -> tuple[Tensor, Tensor]:
    """-log softmax(r)_first (C,) for each row of choices (C, N), indices into scores with the chosen one first; and by
    how much it leads each of the others (C, N - 1). -1 pads a row; the lead over padding is infinite.
    """
    behind = scores[choices.clamp(min=0)] - scores[choices[:, :1]]
    behind = torch.where(choices >= 0, behind, -torch.inf)[:, 1:]
    return F.softplus((behind + margin).logsumexp(1)), -behind


def centred_squared_error(scores: Tensor, rewards: Tensor, weights: Tensor, group_of: Tensor, groups: int) -> Tensor:
    """sum of w (r - reward - offset of its group)^2 over completions: only differences within a group are fitted.

    The offset that minimises it is the weighted mean of the gaps. With the plain mean, a rating that rests on one game
    would shift the targets of all others.
    """
    gaps = scores - rewards
    return (weights * (gaps - _group_means(gaps, weights, group_of, groups)[group_of]) ** 2).sum()


def _group_means(values: Tensor, weights: Tensor, group_of: Tensor, groups: int) -> Tensor:
    zeros = values.new_zeros(groups)
    sums = zeros.index_add(0, group_of, weights)
    return zeros.index_add(0, group_of, weights * values) / torch.where(sums > 0, sums, 1)


class RewardTask:
    """Learns groups by the chosen loss; the loop's items are prompts.

    Both parts of the loss are divided by constants of the whole set, the mean weight of judgments and of rewards per
    prompt: how much a judgment counts does not depend on which prompts share its step.
    """

    def __init__(
        self,
        job: Job,
        config: RewardModelConfig,
        backbone: Backbone,
        head: ScalarHead,
        learnt: Sequence[Group],
        held_out: Sequence[Group],
        *,
        sharded: Sharded | None = None,
    ) -> None:
        """sharded: model and head, where several ranks train all weights."""
        self.config, self.backbone, self.head, self.learnt = config, backbone, head, learnt
        self.adapter, self.sharded = ADAPTER if config.method == "lora" else None, sharded
        self.items, self.seed, self.job, self.ranks = len(learnt), job.seed, job, job.ranks
        self.budget = TokenBudget(config.tokens_per_microbatch)
        self.cores = Cores() if sharded else backbone.cores
        self._watched = spread(held_out, WATCHED_PROMPTS)
        judgments = sum(group.weight for group in learnt)
        rewarded = sum(weight for group in learnt for *_, weight in group.rewards)
        share = {"bradley_terry": 0.0, "elo_regression": 1.0, "mixed": config.regression_share}[config.loss]
        self._pair_factor = (1 - share) * len(learnt) / judgments if judgments and share < 1 else 0.0
        self._reward_factor = share * len(learnt) / rewarded if rewarded and share > 0 else 0.0

    def plan(self, items: Sequence[int], tokens_per_microbatch: int) -> list[GroupBatch]:
        groups = [self.learnt[item] for item in items]
        parts = partition([group.tokens for group in groups], tokens_per_microbatch, self.cores.count)
        return [batch_of([groups[place] for place in part]) for part in parts]

    def weight(self, batch: GroupBatch) -> float:
        return float(batch.groups)

    def tokens(self, batch: GroupBatch) -> int:
        return batch.packed.tokens

    def scores(self, batch: GroupBatch) -> Tensor:
        """One score for each completion of the batch, float32, before gain and offset."""
        with self.backbone.precision(self.adapter), self.backbone.role(self.adapter):
            states = self.backbone.packed_hidden_states(batch.packed, batch.packed.ends)
        found: Tensor = self.head(states)
        return found

    def loss(self, batch: GroupBatch) -> tuple[Tensor, dict[str, tuple[float, float]]]:
        scores = self.sharded(lambda: self.scores(batch)) if self.sharded else self.scores(batch)
        # On the CPU: they are few, and on a GPU each of the conditions below would wait for it.
        scores, group_of = scores.cpu(), batch.group_of
        means = _group_means(scores, torch.ones_like(scores), group_of, batch.groups)
        total = self.config.centre_coefficient * (means**2).sum()
        leads = [scores.detach()[:0]]  # of the preferred completion over the other
        if self._pair_factor and len(batch.pair_a):
            difference, label = scores[batch.pair_a] - scores[batch.pair_b], batch.pair_label
            losses = bradley_terry(difference, label, self.config.margin * batch.pair_strength)
            total = total + self._pair_factor * (batch.pair_weight * losses).sum()
            leads.append((difference.detach() * (2 * label - 1))[label != 0.5])
        if self._pair_factor and len(batch.choices):
            choices = batch.choices
            losses, lead = best_of(scores, choices, self.config.margin)
            total = total + self._pair_factor * (batch.choice_weight * losses).sum()
            leads.append(lead.detach()[choices[:, 1:] >= 0])
        if self._reward_factor and len(batch.rewarded):
            rewarded, weights = batch.rewarded, batch.reward_weight
            error = centred_squared_error(scores[rewarded], batch.reward, weights, group_of[rewarded], batch.groups)
            total = total + self._reward_factor * error
        right = torch.cat(leads).sign().add(1).div(2)
        return total, {"train/accuracy": (float(right.sum()), float(len(right)))}

    def evaluate(self, step: int) -> Iterator[Event]:
        values = self.measure(self._watched)
        if values:
            yield StepMetrics(step, {f"held_out/{name}": value for name, value in values.items()})

    def score_groups(self, groups: Sequence[Group]) -> list[list[float]]:
        """The scores of each group's completions; each rank computes its share of them."""
        return self.ranks.joined(self.together(lambda: self._score_groups(groups)))

    def together(self, work: Callable[[], T]) -> T:
        """The result of work without gradient; where the model is sharded, its weights are gathered meanwhile."""
        return self.sharded.unsharded(work) if self.sharded else work()

    def model(self) -> RewardModel:
        """The trained reward model as others use it."""
        model = RewardModel(self.backbone, self.head, adapter=self.adapter, tokens_per_microbatch=self.budget.tokens)
        model.look_up = self.job.look_up
        return model

    @torch.no_grad()
    def _score_groups(self, groups: Sequence[Group]) -> list[list[float]]:
        mine = self.ranks.share(groups)
        found: list[list[float]] = [[] for _ in mine]

        def work(places: Sequence[int]) -> None:
            self.job.look_up()
            batch = batch_of([mine[place] for place in places])
            for number, score in zip(batch.group_of.tolist(), self.scores(batch).tolist(), strict=True):
                found[places[number]].append(score)

        parts = partition([group.tokens for group in mine], 4 * self.budget.tokens, self.cores.count)
        with self.ranks.alike(*OUT_OF_MEMORY):
            self.cores.map(work, parts)
        return found

    def measure(self, groups: Sequence[Group]) -> dict[str, float]:
        """How well the scores agree with the judgments of these groups (`reward_metrics.report`)."""
        return self.report(groups, self.score_groups(groups))[0]

    def report(
        self, groups: Sequence[Group], scores: Sequence[Sequence[float]]
    ) -> tuple[dict[str, float], list[Judged]]:
        """The same for given scores, and the outcomes behind it."""
        pairs = [
            Judged(
                (number, one.a, one.b),
                lead(group, scores[number], one.a, one.b),
                one.label,
                group.lengths[one.a] - group.lengths[one.b],
                one.annotator,
                reward_metrics.in_order(group.models[one.a], group.models[one.b]),
            )
            for number, group in enumerate(groups)
            for one in group.outcomes
        ]
        values = reward_metrics.report(pairs, rounds=self.config.bootstrap_rounds, seed=self.seed)
        if (slope := regression_slope(groups, scores)) is not None:
            values["regression_slope"] = slope
        return values, pairs


def length_meter(values: Mapping[str, float]) -> str | None:
    """A warning if the scores of enough held-out pairs follow length."""
    if values.get("accuracy_pairs", 0) < ENOUGH_PAIRS:
        return None
    longer, correlation = values["longer_wins"], values["score_length_correlation"]
    which, alone = ("longer", longer) if longer >= 0.5 else ("shorter", 1 - longer)
    if values["no_better_than_length"]:
        right = values["accuracy"]
        seen = f"The scores foresee {right:.0%} of held-out pairs, and that the {which} one wins {alone:.0%}"
    elif abs(correlation) >= LENGTH_CORRELATION:
        seen = f"By how much one score leads another goes by length (a correlation of {correlation:.2f})"
    else:
        return None
    return (
        f"{seen}: a policy may learn from them no more than how long to answer. Collect judgments of answers of like "
        "length."
    )


def lead(group: Group, scores: Sequence[float], a: int, b: int) -> float:
    """r_a - r_b; 0 for equal texts, whose scores may be rounded differently."""
    return 0.0 if group.documents[a].ids == group.documents[b].ids else scores[a] - scores[b]


def regression_slope(groups: Sequence[Group], scores: Sequence[Sequence[float]]) -> float | None:
    """Weighted least squares of rewards on scores, both centred within the prompt; None without rewards."""
    xy = xx = 0.0
    for group, found in zip(groups, scores, strict=True):
        if not group.rewards:
            continue
        x = np.array([found[index] for index, _, _ in group.rewards])
        y = np.array([reward for _, reward, _ in group.rewards])
        w = np.array([weight for _, _, weight in group.rewards])
        x, y = x - np.average(x, weights=w), y - np.average(y, weights=w)
        xy, xx = xy + float((w * x * y).sum()), xx + float((w * x * x).sum())
    return xy / xx if xx > 0 else None


# -- after training ---------------------------------------------------------------------------------------------------


def normalise(head: ScalarHead, raw: reward_metrics.Floats) -> tuple[float, float]:
    """Set gain and offset so that these raw scores get mean 0 and deviation 1; returns their mean and deviation."""
    mean, deviation = float(raw.mean()), float(raw.std())
    if deviation > 1e-6:
        head.gain.fill_(1.0 / deviation)
        head.offset.fill_(-mean / deviation)
    else:  # a constant score has no scale
        head.offset.fill_(-mean)
    return mean, deviation


def scores_of_samples(job: Job, config: RewardModelConfig, codec: Codec, task: RewardTask) -> reward_metrics.Floats:
    """Raw scores of answers that the model before training gives to training prompts."""
    lora = task.adapter is not None
    writer = task.backbone if lora else Backbone.load(job.path("model"), device=job.device, dtype=job.dtype)
    count = config.normalise_samples
    new = config.normalise_max_new_tokens
    if writer.max_positions is not None:
        new = min(new, writer.max_positions // 2)
    room = (writer.max_positions or 2**31) - new
    asked = spread(task.learnt, count)
    chosen = [asked[i % len(asked)].prompt for i in range(count)]
    prompts = [codec.fit_prompt(codec.encode_prompt(prompt), room) for prompt in chosen]
    with job.ranks.alike(*OUT_OF_MEMORY):
        answers = generate(
            writer,
            prompts,
            Sampling(new),
            keys=[(job.seed, 2, i) for i in range(count)],
            stop_ids=codec.stop_ids(writer.stop_ids),
            tokens_per_microbatch=task.budget.share_of(tokens_at_once(writer)),
            before_each_token=job.look_up,
        )
    sequences = [[*prompt, *answer.ids] for prompt, answer in zip(prompts, answers, strict=True)]

    def score() -> Tensor:
        with job.ranks.alike(*OUT_OF_MEMORY):
            return task.model()(sequences, [len(prompt) for prompt in prompts])

    scores = task.together(score)
    return scores.double().cpu().numpy()
