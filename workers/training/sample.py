"""Several models answer the same prompts: the completions that people compare.

Each answer is drawn with random numbers of its own (run seed, prompt, number), so a run that was interrupted goes on
where it stopped and ends with the same texts, and no answer depends on which prompts shared its batch.

Metrics
    sample/completions          completions written so far
    sample/tokens_per_s         tokens drawn per second, by the model just finished (endpoints: none)
    sample/length_mean          tokens of a completion
    sample/truncated_share      share cut at max_new_tokens
"""

import functools
import hashlib
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

from backend.domain.training import SampleConfig
from backend.domain.training_rows import PromptRow, SampledCompletion
from backend.errors import Invalid
from workers.endpoint import Endpoint
from workers.training.backbone import Backbone
from workers.training.budget import FILE, TokenBudget
from workers.training.engine import drawn
from workers.training.events import Event, Progress, Result, Sample, StateSaved, StepMetrics
from workers.training.generation import Answer, Sampling, generate
from workers.training.job import Job, keep_rows, kept_rows, write_rows
from workers.training.tokens import Codec

PROMPTS_AT_ONCE = 256
REQUESTS_AT_ONCE = 8
SHOWN = 4

Ask = tuple[PromptRow, int]
"""A prompt, and which of its completions."""


def train(job: Job) -> Iterator[Event]:
    """Let every model answer every prompt; writes `output/completions.jsonl`."""
    config = job.config
    assert isinstance(config, SampleConfig)
    prompts = job.rows("prompts", PromptRow)
    models: list[dict[str, Any]] = job.inputs.get("models") or []
    if not prompts or not models:
        raise Invalid("There is nothing to sample: this run has no prompts or no models.")
    asks: list[Ask] = list(itertools.product(prompts, range(config.completions_per_prompt)))
    total = len(asks) * len(models)
    everything: list[SampledCompletion] = []
    budget = TokenBudget(config.tokens_per_microbatch)
    budget.recall(job.state / FILE)
    done = left_out = 0
    for number, model in enumerate(models):
        answerer: _Local | _Remote | None = None
        began, tokens, truncated, lengths = time.monotonic(), 0, 0, []
        for start in range(0, len(asks), PROMPTS_AT_ONCE):
            part = job.state / f"{number:03d}-{start:08d}.jsonl"
            chunk = asks[start : start + PROMPTS_AT_ONCE]
            rows = kept_rows(part, SampledCompletion)
            if rows is None:
                yield Progress(done, total, f"sampling {model['name']}")
                answerer = answerer or _open(job, config, model)
                rows = budget.attempt(functools.partial(answerer.answer, chunk, budget))
                yield from budget.warnings(done)
                budget.remember(job.state / FILE)
                keep_rows(part, rows)
                tokens += sum(len(row.token_ids or ()) for row in rows)
                yield StateSaved(done + len(rows))
            everything += rows
            done += len(chunk)
            left_out += len(chunk) - len(rows)
            truncated += sum(row.finish_reason == "length" for row in rows)
            lengths += [len(row.token_ids) for row in rows if row.token_ids is not None]
            if start == 0:
                yield from _shown(done, prompts, rows, model["name"])
            if job.should_stop():
                return
        values = {"sample/completions": float(done), "sample/truncated_share": truncated / len(asks)}
        if lengths:
            values["sample/length_mean"] = fmean(lengths)
        if tokens:
            values["sample/tokens_per_s"] = tokens / (time.monotonic() - began)
        yield StepMetrics(done, values)
        if answerer is not None:
            answerer.close()
    if not everything:
        raise Invalid(
            f"No completion was drawn: each of the {len(prompts)} prompts is too long for a model that is to write "
            f"{config.max_new_tokens} tokens behind it. Lower max_new_tokens, or take a model of more positions."
        )
    write_rows(job.output / "completions.jsonl", everything)
    yield Progress(total, total, "done")
    yield Result({"sample/completions": float(len(everything)), "sample/prompts_too_long": float(left_out)})


def _shown(step: int, prompts: Sequence[PromptRow], rows: Sequence[SampledCompletion], name: str) -> Iterator[Event]:
    by_id = {prompt.id: prompt for prompt in prompts}
    for row in rows[:SHOWN]:
        messages = [message.model_dump() for message in by_id[row.prompt].prompt]
        yield Sample(step, messages, f"{name}: {row.text}")


def _open(job: Job, config: SampleConfig, model: Mapping[str, Any]) -> "_Local | _Remote":
    return _Remote(job, config, model) if "endpoint" in model else _Local(job, config, model)


def _key(seed: int, ask: Ask) -> tuple[int, int, int]:
    prompt, number = ask
    return seed, int.from_bytes(hashlib.sha256(prompt.id.encode()).digest()[:8], "big"), number


class _Local:
    """A model in a folder, answered by our own sampler."""

    def __init__(self, job: Job, config: SampleConfig, model: Mapping[str, Any]) -> None:
        self._id, self._seed, self._config = model["model"], job.seed, config
        self._backbone = Backbone.load(Path(model["folder"]), device=job.device, dtype=job.dtype)
        self._codec = Codec(self._backbone.tokenizer)
        self._sampling = Sampling(max_new_tokens=config.max_new_tokens, temperature=config.temperature)
        self._served, self._folder, self._look_up = config.engine, job.folder / "engine", job.look_up

    def answer(self, asks: Sequence[Ask], budget: TokenBudget) -> list[SampledCompletion]:
        """Completions in the order asked; a prompt that leaves no room for an answer gets none."""
        limit = self._backbone.max_positions
        encoded = zip(asks, self._codec.encode_prompts(row.prompt for row, _ in asks), strict=True)
        fitting = [
            (ask, ids) for ask, ids in encoded if limit is None or len(ids) + self._config.max_new_tokens <= limit
        ]
        answers = self._answers([ids for _, ids in fitting], [_key(self._seed, ask) for ask, _ in fitting], budget)
        return [
            SampledCompletion(
                prompt=ask[0].id,
                model=self._id,
                text=self._codec.decode(answer.ids).strip(),
                token_ids=answer.ids,
                logprobs=answer.logprobs,
                finish_reason=answer.finish_reason,
                sampling={"temperature": self._config.temperature, "max_new_tokens": self._config.max_new_tokens},
            )
            for (ask, _), answer in zip(fitting, answers, strict=True)
        ]

    def _answers(
        self, prompts: Sequence[Sequence[int]], keys: Sequence[Sequence[int]], budget: TokenBudget
    ) -> list[Answer]:
        stop_ids = self._codec.stop_ids(self._backbone.stop_ids)
        if self._served is not None:
            return drawn(
                self._served,
                self._backbone,
                self._folder,
                prompts,
                self._sampling,
                keys=keys,
                stop_ids=stop_ids,
                seed=self._seed,
            )
        return generate(
            self._backbone,
            prompts,
            self._sampling,
            keys=keys,
            stop_ids=stop_ids,
            tokens_per_microbatch=budget.tokens,
            before_each_token=self._look_up,
        )

    def close(self) -> None:
        """The memory goes with the object."""


class _Remote:
    """A model behind an endpoint, asked several prompts at once."""

    def __init__(self, job: Job, config: SampleConfig, model: Mapping[str, Any]) -> None:
        self._id, self._seed, self._config = model["model"], job.seed, config
        self._endpoint, self._look_up = Endpoint(model["name"], model["endpoint"]), job.look_up

    def answer(self, asks: Sequence[Ask], _: TokenBudget) -> list[SampledCompletion]:
        """Completions in the order asked."""
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            return list(pool.map(self._one, asks))

    def _one(self, ask: Ask) -> SampledCompletion:
        self._look_up()
        seed = int.from_bytes(hashlib.sha256(repr(_key(self._seed, ask)).encode()).digest()[:4], "big") >> 1
        reply = self._endpoint.answer(
            [message.model_dump() for message in ask[0].prompt],
            temperature=self._config.temperature,
            max_new_tokens=self._config.max_new_tokens,
            seed=seed,
        )
        return SampledCompletion(
            prompt=ask[0].id,
            model=self._id,
            text=reply.text,
            finish_reason=reply.finish_reason,
            sampling={"temperature": self._config.temperature, "max_new_tokens": self._config.max_new_tokens},
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._endpoint.close()
