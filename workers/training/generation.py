"""Draws answers from a backbone, token by token with a key-value cache; knows no rewards and no method.

What is drawn from is softmax(logits / temperature) and nothing else, unless the caller cuts it with top_k or top_p: no
setting of the model's own generation config is read, so what was sampled is what `logprobs` scores. Each answer has
its own random numbers, from its own key: who else is in the batch, and in which order, changes nothing about it.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from backend.domain.training.estimate import Shape
from backend.errors import Invalid
from workers.training.backbone import Backbone, positions_of
from workers.training.room import free_on_device

TOKENS_AT_ONCE = 16_384
"""Tokens of a micro-batch, prompts and answers, unless somebody says otherwise."""
MOST_ROWS = {"cuda": 512}
"""Answers that are written side by side at most: each has a row of logits for the whole vocabulary."""
_SHARE_OF_GPU = 8
_LEAVE_WHEN = 0.75
"""Finished rows leave the batch when no more than this share of its rows still runs: leaving copies the cache."""
LOOK_EVERY = {"cpu": 1, "cuda": 16}
"""After how many tokens it is asked which rows still run: a GPU must have done all that it was told before it can say,
and would have nothing to do while it is told more.
"""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How answers are drawn. Temperature 0 takes the likeliest token each time."""

    max_new_tokens: int
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or self.temperature < 0 or self.top_k < 0 or not 0 < self.top_p <= 1:
            raise Invalid(f"These sampling settings make no sense: {self}.")


@dataclass(frozen=True, slots=True)
class Answer:
    """Token ids with their terminator, if it came, and the log-probability of each under what it was drawn from
    (of a greedy answer: under the model at temperature 1)."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: Literal["stop", "length"]


def generate(
    backbone: Backbone,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    *,
    adapter: str | None = None,
    keys: Sequence[Sequence[int]],
    stop_ids: Sequence[int] | None = None,
    tokens_per_microbatch: int = TOKENS_AT_ONCE,
    merge: bool | None = None,
    before_each_token: Callable[[], object] = lambda: None,
) -> list[Answer]:
    """One answer for each prompt, in the order of the prompts.

    keys: what seeds each answer's random numbers, such as (run seed, iteration, episode). `merge` folds the adapter
    into copies of the weights while sampling: one matrix product a layer instead of three, for the memory of the
    copies. An error of `before_each_token` ends it.
    """
    answers: list[Answer | None] = [None] * len(prompts)

    def work(rows: list[int]) -> None:
        part = _Running(backbone, [prompts[row] for row in rows], sampling, [keys[row] for row in rows], stop_ids)
        with backbone.role(adapter):
            found = part.finish(before_each_token)
        for row, answer in zip(rows, found, strict=True):
            answers[row] = answer

    cores, new = backbone.cores, sampling.max_new_tokens
    rows_at_most = MOST_ROWS.get(backbone.device.type)
    parts = list(_microbatches([len(p) for p in prompts], new, tokens_per_microbatch, cores.count, rows_at_most))
    with torch.inference_mode(), _merged(backbone, adapter, merge):
        cores.map(work, parts)
    return [answer for answer in answers if answer is not None]


def tokens_at_once(backbone: Backbone) -> int:
    """What `generate` may take where nobody has said how much. A GPU needs as long for the next token of hundreds of
    answers as of a few, so there they are as many as an eighth of its memory holds: keys and values of each token, and
    what one layer makes of all prompts.
    """
    if backbone.device.type != "cuda":
        return TOKENS_AT_ONCE
    shape = Shape.of(backbone.stored_config.to_dict())
    numbers = 2 * shape.layers * shape.keys + 4 * shape.feed_forward + 8 * shape.hidden
    memory = torch.cuda.mem_get_info(backbone.device)[1]  # all of it: what is free may differ when a run is resumed
    return max(TOKENS_AT_ONCE, memory // _SHARE_OF_GPU // (numbers * backbone.dtype.itemsize))


def _merged(backbone: Backbone, adapter: str | None, merge: bool | None) -> AbstractContextManager[None]:
    if adapter is None:
        return nullcontext()
    if merge is None:
        copies = backbone.adapters.merged_bytes(adapter)
        merge = backbone.device.type != "cuda" or 3 * copies < free_on_device(backbone.device)
    return backbone.adapters.merged(adapter) if merge else nullcontext()


def _microbatches(
    lengths: Sequence[int], new_tokens: int, budget: int, cores: int, rows_at_most: int | None = None
) -> Iterator[list[int]]:
    """Indices of prompts of like length, as many as fit a core's share of the budget with their answers; never fewer
    than one. Each core gets as many as the others.
    """
    order = sorted(range(len(lengths)), key=lambda r: -lengths[r])
    for core in range(cores):
        rows: list[int] = []
        for row in order[core::cores]:
            # Longest first: the first prompt of a batch sets its width.
            full = len(rows) == rows_at_most
            if full or (rows and (len(rows) + 1) * (lengths[rows[0]] + new_tokens) > budget // cores):
                yield rows
                rows = []
            rows.append(row)
        if rows:
            yield rows


class _Layer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer in memory taken once, where a growing cache would copy itself at each token."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity, self.length = capacity, 0
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if self.keys is None or self.values is None:
            batch, heads, _, size = key_states.shape
            self.dtype, self.device = key_states.dtype, key_states.device
            self.keys = key_states.new_empty(batch, heads, self.capacity, size)
            self.values = value_states.new_empty(batch, heads, self.capacity, value_states.shape[-1])
            self.is_initialized = True
        end = self.length + key_states.shape[-2]
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        return self.length

    def keep(self, rows: Tensor) -> None:
        """Only these rows go on."""
        for name in ("keys", "values"):
            held: Tensor = getattr(self, name)
            fresh = held.new_empty(rows.shape[0], *held.shape[1:])
            fresh[:, :, : self.length] = held[rows, :, : self.length]
            setattr(self, name, fresh)


class _Running:
    """One micro-batch while it is being written. Prompts are padded on the left, so that all rows write the same
    column.
    """

    def __init__(
        self,
        backbone: Backbone,
        prompts: list[Sequence[int]],
        sampling: Sampling,
        keys: list[Sequence[int]],
        stop_ids: Sequence[int] | None,
    ) -> None:
        if not all(prompts):
            raise Invalid("A prompt without any token cannot be answered; give it the beginning-of-text token.")
        self.backbone, self.sampling = backbone, sampling
        device = backbone.device
        width, new = max(map(len, prompts)), sampling.max_new_tokens
        limit = backbone.max_positions
        if limit is not None and width + new > limit:
            raise Invalid(
                f"A prompt of {width} tokens and {new} new ones do not fit the {limit} positions of this model."
            )
        pad = backbone.pad_id
        self.ids = torch.tensor([[pad] * (width - len(p)) + list(p) for p in prompts], device=device)
        given = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
        self.mask = torch.nn.functional.pad(given, (0, new), value=1)
        self.padded = bool((given == 0).any())
        self.positions = positions_of(self.mask)
        self.width = width
        self.stop_ids = frozenset(backbone.stop_ids if stop_ids is None else stop_ids)
        self.stops = torch.tensor(sorted(self.stop_ids), dtype=torch.long, device=device)
        self.uniform = torch.from_numpy(np.stack([_random_row(key, new) for key in keys])).to(device)
        self.cache = Cache(layers=[_Layer(width + new) for _ in range(backbone.layers)])
        self.rows = torch.arange(len(prompts), device=device)  # which answer each running row writes
        self.tokens = torch.full((len(prompts), new), pad, device=device)
        self.logprobs = torch.zeros(len(prompts), new, device=device)

    def finish(self, before_each_token: Callable[[], object] = lambda: None) -> list[Answer]:
        """Write until every row has ended or is full."""
        new, look_every = self.sampling.max_new_tokens, LOOK_EVERY.get(self.ids.device.type, 1)
        running = torch.ones_like(self.rows, dtype=torch.bool)
        state = self._forward(self.ids, 0)
        for step in range(new):
            before_each_token()
            token, logprob = draw(self.backbone.logits(state).float(), self.uniform[self.rows, step], self.sampling)
            self.tokens[self.rows, step] = token  # rows that have ended write rubbish behind their end
            self.logprobs[self.rows, step] = logprob
            if step + 1 == new:
                break
            running &= (token.unsqueeze(1) != self.stops).all(1)
            if (step + 1) % look_every == 0:
                left = int(running.sum())
                if left == 0:
                    break
                if left <= _LEAVE_WHEN * running.shape[0]:
                    token, running = self._leave(token, running)
            state = self._forward(token.unsqueeze(1), self.width + step)
        return [self._answer(*row) for row in zip(self.tokens.tolist(), self.logprobs.tolist(), strict=True)]

    def _leave(self, token: Tensor, running: Tensor) -> tuple[Tensor, Tensor]:
        """Of both what belongs to rows that still run; the others are no longer computed."""
        kept = running.nonzero().squeeze(1)
        for layer in self.cache.layers:
            layer.keep(kept)
        self.rows, self.mask, self.positions = self.rows[kept], self.mask[kept], self.positions[kept]
        return token[kept], running[kept]

    def _answer(self, ids: list[int], logprobs: list[float]) -> Answer:
        """Of all that was written in a row what ends with the first token that ends answers."""
        length = next((place + 1 for place, token in enumerate(ids) if token in self.stop_ids), None)
        return Answer(tuple(ids[:length]), tuple(logprobs[:length]), "length" if length is None else "stop")

    def _forward(self, ids: Tensor, start: int) -> Tensor:
        """The last hidden state (B, d) of each row after these ids."""
        end = start + ids.shape[1]
        return self.backbone.cached_hidden_states(
            ids, self.mask[:, :end] if self.padded else None, self.positions[:, start:end], self.cache
        )


def _random_row(key: Sequence[int], count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Uniform numbers in [0, 1) that depend on the key alone."""
    name = hashlib.blake2b(repr(tuple(key)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(name, "little"))).random(count)


def draw(logits: Tensor, uniform: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """One token for each row of logits (B, V), by inverting the cumulative distribution at uniform (B,); and its
    log-probability (B,).
    """
    if sampling.temperature == 0.0:
        token = logits.argmax(-1)
        return token, logits.log_softmax(-1).gather(1, token.unsqueeze(1)).squeeze(1)
    logprobs = (logits / sampling.temperature).log_softmax(-1)
    if sampling.top_k or sampling.top_p < 1.0:
        logprobs = cut(logprobs, sampling.top_k, sampling.top_p)
    # In double precision: the rounding of a long cumulative sum would starve the end of a large vocabulary.
    cumulative = logprobs.exp().cumsum(-1, dtype=torch.float64)
    total = cumulative[:, -1:]
    # Below the total, so that the first sum above it exists and belongs to a token of positive probability.
    wanted = torch.minimum(uniform.unsqueeze(1) * total, torch.nextafter(total, torch.zeros_like(total)))
    token = torch.searchsorted(cumulative, wanted, right=True)
    return token.squeeze(1), logprobs.gather(1, token).squeeze(1)


def cut(logprobs: Tensor, top_k: int, top_p: float) -> Tensor:
    """The distribution without what lies outside the top_k likeliest tokens, or outside the smallest set that holds
    top_p; summing to 1 again.
    """
    ranked, order = logprobs.sort(dim=-1, descending=True, stable=True)
    outside = torch.zeros_like(ranked, dtype=torch.bool)
    if top_k:
        outside[:, top_k:] = True
    if top_p < 1.0:
        probability = ranked.exp()
        outside |= (
            probability.cumsum(-1) - probability >= top_p
        )  # those before it suffice already; the first always stays
    ranked = ranked.masked_fill(outside, -torch.inf).log_softmax(-1)
    return torch.empty_like(logprobs).scatter_(1, order, ranked)
