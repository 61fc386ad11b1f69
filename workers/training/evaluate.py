"""Several models answer the same held-out prompts, and the answers are compared.

Judges are a reward model and further scorers. Each gives win rates between any two models (`contest`; in the result
`win_rates`), and those of each model against the first as metrics. A reward model is no judge of a policy that was
trained on it: read its win rate together with the KL and the texts.

Metrics, one step a model; in the result each is followed by the model's name
    evaluate/score_mean                     reward model's score
    evaluate/win_rate, _low, _high          against the first model, by the reward model (95 % interval)
    evaluate/<judge>_mean, <judge>_win_rate, _low, _high    the same of each further scorer
    evaluate/perplexity, bits_per_byte      of held-out demonstrations; only the second compares vocabularies
    evaluate/kl_reference_per_seq_nats      log pi - log pi_reference summed over an answer (k1), mean over answers
    evaluate/length_mean, truncated_share   tokens of an answer; share cut at max_new_tokens
    evaluate/distinct4                      share of different 4-grams among all
    evaluate/reward_model_accuracy, _low, _high, _pairs     on the held-out groups of a reward set, ties left out;
                                            as a table `accuracy_by` annotator and by pair of models
"""

import functools
import hashlib
import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from backend.domain.training import EvaluateConfig
from backend.domain.training_rows import ChatMessage, DemonstrationRow, PromptRow, RewardGroup, SampledCompletion
from backend.errors import Invalid
from workers import scorers
from workers.training import reward_metrics
from workers.training.backbone import Backbone
from workers.training.budget import FILE, TokenBudget
from workers.training.contest import Wins, by_comparing, by_scores, table
from workers.training.engine import drawn
from workers.training.events import Event, Progress, Result, Sample, StateSaved, StepMetrics
from workers.training.generation import Answer, Sampling, generate
from workers.training.job import Job, keep_rows, kept_rows
from workers.training.logprobs import token_logprobs
from workers.training.reports import distinct
from workers.training.reward_metrics import Judged
from workers.training.scorers import reward_reader
from workers.training.tokens import Codec

PROMPTS_AT_ONCE = 256
REWARD_MODEL = "reward_model"


@dataclass
class Answered:
    """What one model said, prompt by prompt (`samples_per_prompt` in a row), and what was measured of it."""

    name: str
    folder: Path
    prompts: list[list[int]]
    vocabulary: str
    answers: list[Answer] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)
    """of its answers, by judge"""
    kls: list[float] = field(default_factory=list)

    @property
    def sequences(self) -> list[list[int]]:
        return [[*prompt, *answer.ids] for prompt, answer in zip(self.prompts, self.answers, strict=True)]


def train(job: Job) -> Iterator[Event]:
    """Compare the models; nothing is trained and no checkpoint is made."""
    config = job.config
    assert isinstance(config, EvaluateConfig)
    rows = job.rows("prompts", PromptRow)
    models: list[dict[str, Any]] = job.inputs.get("models") or []
    if not rows or not models:
        raise Invalid("There is nothing to evaluate: this run has no prompts or no models.")
    asked = [row for row in rows for _ in range(config.samples_per_prompt)]
    passes = 1 + _measures_kl(config) + bool(job.inputs.get("reward_model"))
    total, of_all = passes * len(models) * len(asked), len(models) * len(asked)
    answered: list[Answered] = []
    budget = TokenBudget(config.tokens_per_microbatch)
    budget.recall(job.state / FILE)
    for number, model in enumerate(models):
        one = yield from _answer(job, config, number, model, asked, budget, total)
        if one is None:
            return
        answered.append(one)
    if _measures_kl(config):
        for number in _measure_kl(job, config, answered):
            yield Progress(of_all + number * len(asked), total, "measuring KL")
    scorer = _Scorer(job, budget) if job.inputs.get("reward_model") else None
    results: dict[str, float] = {}
    sources: dict[str, Any] = {}
    if scorer is not None:
        for number, one in enumerate(answered):
            yield Progress(total - of_all + number * len(asked), total, "scoring")
            one.scores[REWARD_MODEL] = scorer.score(asked, one)
        if job.inputs.get("groups"):
            pairs = _judged(scorer, job.rows("groups", RewardGroup))
            results |= _accuracy(pairs, config)
            sources = reward_metrics.by_source(pairs, rounds=config.bootstrap_rounds, seed=config.seed)
        yield from budget.warnings(0)
    wins = _judges(job, config, asked, answered)
    rates = [table(judge, [one.name for one in answered], wins[judge], rounds=config.bootstrap_rounds, seed=config.seed)
             for judge in wins]  # fmt: skip
    if job.inputs.get("demonstrations"):
        yield Progress(total, total, "measuring perplexity")
        demonstrations = job.rows("demonstrations", DemonstrationRow)
    for number, one in enumerate(answered):
        values = _numbers(one)
        for rate in rates if number else ():
            name = _metric(rate["judge"], "win_rate")
            values |= {
                f"{name}{end}": rate[key][number][0] for end, key in (("", "rate"), ("_low", "low"), ("_high", "high"))
            }
        if job.inputs.get("demonstrations"):
            values |= _perplexity(job, one, demonstrations)
        results |= {f"{name}:{one.name}": value for name, value in values.items()}
        yield StepMetrics(number, values)
    yield from _side_by_side(rows, answered, config)
    yield Progress(total, total, "done")
    yield Result(results, ({"win_rates": rates} if rates else {}) | ({"accuracy_by": sources} if sources else {}))


def _judges(
    job: Job, config: EvaluateConfig, asked: Sequence[PromptRow], answered: Sequence[Answered]
) -> dict[str, Wins]:
    """How each judge tells who wins; further scorers are asked for their scores here."""
    each = config.samples_per_prompt
    prompts = [[message.model_dump() for message in row.prompt] for row in asked]
    wins: dict[str, Wins] = {}
    if answered[0].scores:
        wins[REWARD_MODEL] = _by_scores(REWARD_MODEL, config, answered)
    for judge in config.scorers:
        score = scorers.load(judge, job.look_up)
        if judge.compares:

            def better(one: int, other: int, score: scorers.Score = score) -> Sequence[float]:
                return score(prompts, answered[one].texts, answered[other].texts)

            wins[judge.name] = by_comparing(better, samples_per_prompt=each)
        else:
            for one in answered:
                one.scores[judge.name] = list(score(prompts, one.texts))
            wins[judge.name] = _by_scores(judge.name, config, answered)
    return wins


def _by_scores(judge: str, config: EvaluateConfig, answered: Sequence[Answered]) -> Wins:
    scores = [one.scores[judge] for one in answered]
    return by_scores(scores, tie_margin=config.tie_margin, samples_per_prompt=config.samples_per_prompt)


def _metric(judge: str, what: str) -> str:
    """The reward model's numbers have the plain names."""
    return f"evaluate/{what}" if judge == REWARD_MODEL else f"evaluate/{judge}_{what}"


def _perplexity(job: Job, one: Answered, rows: Sequence[DemonstrationRow]) -> dict[str, float]:
    """How well a model foresees completions that people wrote, with their ends."""
    backbone = Backbone.load(one.folder, device=job.device, dtype=job.dtype)
    codec = Codec(backbone.tokenizer)
    nats, tokens, size = 0.0, 0, 0
    for row in rows:
        job.look_up()
        encoded = codec.encode_demonstration(row.prompt, row.completion, max_tokens=backbone.max_positions)
        if encoded is None:
            continue
        nats -= _logprob_sum(backbone, encoded.ids, encoded.prompt_length)
        tokens += encoded.completion_length
        size += len(row.completion.encode())
    if not tokens or not size:
        return {}
    return {
        "evaluate/perplexity": math.exp(min(nats / tokens, 700.0)),
        "evaluate/bits_per_byte": nats / size / math.log(2),
    }


def _answer(
    job: Job,
    config: EvaluateConfig,
    number: int,
    model: dict[str, Any],
    asked: Sequence[PromptRow],
    budget: TokenBudget,
    total: int,
) -> Generator[Event, None, Answered | None]:
    """What a model says, some prompts at a time, each time kept in the state; None when asked to stop. `total`: of the
    progress.
    """
    backbone = Backbone.load(Path(model["folder"]), device=job.device, dtype=job.dtype)
    codec = Codec(backbone.tokenizer)
    prompts = codec.encode_prompts(row.prompt for row in asked)
    if backbone.max_positions is not None:  # as PPO and reward models cut them
        prompts = [codec.fit_prompt(prompt, backbone.max_positions - config.max_new_tokens) for prompt in prompts]
    one = Answered(model["name"], Path(model["folder"]), prompts, _vocabulary(backbone))
    sampling = Sampling(max_new_tokens=config.max_new_tokens, temperature=config.temperature)

    stop_ids = codec.stop_ids(backbone.stop_ids)
    served = next((one for one in config.engines if one.serves == config.models[number]), None)

    def answer(part: range) -> list[Answer]:
        asked = [prompts[i] for i in part]
        # The same random numbers for every model: two equal models give equal answers, and tie.
        keys = [(job.seed, i) for i in part]
        if served is None:
            return generate(
                backbone, asked, sampling, keys=keys, stop_ids=stop_ids, tokens_per_microbatch=budget.tokens,
                before_each_token=job.look_up,
            )  # fmt: skip
        folder = job.folder / "engine"
        said = drawn(served, backbone, folder, asked, sampling, keys=keys, stop_ids=stop_ids, seed=job.seed)
        return [_scored_here(backbone, prompt, one, sampling) for prompt, one in zip(asked, said, strict=True)]

    for start in range(0, len(asked), PROMPTS_AT_ONCE):
        file = job.state / f"{number:03d}-{start:08d}.jsonl"
        rows = kept_rows(file, SampledCompletion)
        if rows is None:
            part = range(start, min(start + PROMPTS_AT_ONCE, len(asked)))
            before = number * len(asked)
            yield Progress(before + start, total, f"sampling {one.name}")
            answers = budget.attempt(functools.partial(answer, part))
            yield from budget.warnings(number)
            budget.remember(job.state / FILE)
            rows = [
                SampledCompletion(
                    prompt=asked[i].id, model=one.name, text="", token_ids=said.ids, logprobs=said.logprobs,
                    finish_reason=said.finish_reason, sampling={},
                )
                for i, said in zip(part, answers, strict=True)
            ]  # fmt: skip
            keep_rows(file, rows)
            yield StateSaved(before + part.stop)
        one.answers += [_answer_of(row) for row in rows]
        if job.should_stop():
            return None
    one.texts = [codec.decode(answer.ids).strip() for answer in one.answers]
    return one


def _scored_here(backbone: Backbone, prompt: Sequence[int], answer: Answer, sampling: Sampling) -> Answer:
    """A server's answer with our own log-probabilities, which KL is measured with."""
    if sampling.temperature == 0:
        return answer
    logprobs = _logprobs(backbone, [*prompt, *answer.ids], len(prompt), sampling.temperature)
    return replace(answer, logprobs=tuple(logprobs.tolist()))


def _answer_of(row: SampledCompletion) -> Answer:
    return Answer(row.token_ids or (), row.logprobs or (), "length" if row.finish_reason == "length" else "stop")


def _vocabulary(backbone: Backbone) -> str:
    """What tells two vocabularies apart: token ids mean the same only where it is equal."""
    return hashlib.sha256(repr(sorted(backbone.tokenizer.get_vocab().items())).encode()).hexdigest()


def _measures_kl(config: EvaluateConfig) -> bool:
    """A greedy answer is not a draw from the policy."""
    return config.temperature > 0


def _measure_kl(job: Job, config: EvaluateConfig, answered: Sequence[Answered]) -> Iterator[int]:
    """KL to the reference on the model's own answers; models with another vocabulary get none. Tells the number of each
    that it begins with.
    """
    folder = job.optional_path("reference") or answered[0].folder
    reference = Backbone.load(folder, device=job.device, dtype=job.dtype)
    vocabulary = _vocabulary(reference)
    for number, one in enumerate(answered):
        if one.vocabulary != vocabulary:
            continue
        yield number
        one.kls = []
        for prompt, answer in zip(one.prompts, one.answers, strict=True):
            job.look_up()
            told = _logprob_sum(reference, [*prompt, *answer.ids], len(prompt), temperature=config.temperature)
            one.kls.append(sum(answer.logprobs) - told)


def _logprob_sum(backbone: Backbone, sequence: Sequence[int], prompt_length: int, *, temperature: float = 1.0) -> float:
    """log pi(y | x) of what stands behind the prompt, at the temperature it was drawn with."""
    return float(_logprobs(backbone, sequence, prompt_length, temperature).sum())


@torch.inference_mode()
def _logprobs(backbone: Backbone, sequence: Sequence[int], prompt_length: int, temperature: float) -> torch.Tensor:
    """The same, token by token."""
    ids = torch.tensor([list(sequence)], device=backbone.device)
    scored = torch.zeros_like(ids, dtype=torch.bool)
    scored[:, prompt_length:] = True
    return token_logprobs(backbone, ids, torch.ones_like(ids), scored, temperature=temperature)[0]


class _Scorer:
    """The reward model on its own backbone, within the run's budget of tokens."""

    def __init__(self, job: Job, budget: TokenBudget) -> None:
        self._reader, self._budget = reward_reader(job, tokens_per_microbatch=budget.tokens), budget

    def score(self, asked: Sequence[PromptRow], one: Answered) -> list[float]:
        """A score for each answer."""
        ended = [answer.finish_reason == "stop" for answer in one.answers]
        return self._scores([row.prompt for row in asked], one.texts, ended)

    def score_group(self, group: RewardGroup) -> list[float]:
        """A score for each completion of a group."""
        texts = [completion.text for completion in group.completions]
        ended = [completion.finish_reason != "length" for completion in group.completions]
        return self._scores([group.prompt] * len(texts), texts, ended)

    def _scores(
        self, prompts: Sequence[tuple[ChatMessage, ...]], texts: Sequence[str], ended: Sequence[bool]
    ) -> list[float]:
        def score() -> list[float]:
            self._reader.model.tokens_per_microbatch = self._budget.tokens
            return self._reader(prompts, texts, ended)

        return self._budget.attempt(score)


def _judged(scorer: _Scorer, groups: Sequence[RewardGroup]) -> list[Judged]:
    """What people said of each pair, beside what the reward model says."""
    found = []
    for number, group in enumerate(groups):
        scores, wrote = scorer.score_group(group), group.completions
        found += [
            Judged(
                (number, one.a, one.b),
                scores[one.a] - scores[one.b],
                one.score,
                len(wrote[one.a].text) - len(wrote[one.b].text),
                one.annotator,
                reward_metrics.in_order(wrote[one.a].model, wrote[one.b].model),
            )
            for one in group.outcomes
        ]
    return found


def _accuracy(pairs: Sequence[Judged], config: EvaluateConfig) -> dict[str, float]:
    """How often the preferred completion scores higher, on held-out prompts; equal scores are half right."""
    seen = reward_metrics.report(pairs, rounds=config.bootstrap_rounds, seed=config.seed)
    wanted = ("accuracy", "accuracy_low", "accuracy_high", "accuracy_pairs")
    return {f"evaluate/reward_model_{name}": seen[name] for name in wanted if name in seen}


def _numbers(one: Answered) -> dict[str, float]:
    """What is told of one model's answers by themselves."""
    values = {
        "evaluate/length_mean": fmean(len(answer.ids) for answer in one.answers),
        "evaluate/truncated_share": fmean(answer.finish_reason == "length" for answer in one.answers),
        "evaluate/distinct4": distinct([answer.ids for answer in one.answers], 4),
    }
    if one.kls:
        values["evaluate/kl_reference_per_seq_nats"] = fmean(one.kls)
    for judge, scores in one.scores.items():
        values[_metric(judge, "score_mean" if judge == REWARD_MODEL else "mean")] = fmean(scores)
    return values


def _side_by_side(rows: Sequence[PromptRow], answered: Sequence[Answered], config: EvaluateConfig) -> Iterator[Event]:
    for number, row in enumerate(rows[: config.shown_prompts]):
        place = number * config.samples_per_prompt
        for one in answered:
            values: dict[str, float] = {}
            for judge, scores in one.scores.items():
                values["score" if judge == REWARD_MODEL else judge] = scores[place]
            if one.kls:
                values["kl"] = one.kls[place]
            messages = [message.model_dump() for message in row.prompt]
            yield Sample(number, messages, f"{one.name}: {one.texts[place]}", values)
