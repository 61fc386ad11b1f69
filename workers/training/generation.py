"""Samples answers from a backbone, token by token with a key-value cache; knows no rewards and no method.

Tokens are drawn from softmax(logits / temperature) and nothing else, unless the caller truncates it with top_k or
top_p: the model's own generation config is not read, so what is sampled is what `logprobs` scores. Each answer has
random numbers of its own, from its own key: which other answers share the batch, and in which order, does not matter.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import Cache

from backend.domain.training.estimate import Shape
from backend.errors import Invalid
from workers.training.backbone import Backbone
from workers.training.cache import Layer
from workers.training.graphs import GaveUp, Replays
from workers.training.masks import positions_of
from workers.training.memory import is_out_of_memory
from workers.training.room import free_on_device

TOKENS_AT_ONCE = 16_384
"""Tokens of a micro-batch, prompts and answers, by default."""
MOST_ROWS = {"cuda": 512}
"""Largest number of answers in a micro-batch: each has a row of logits for the whole vocabulary."""
_SHARE_OF_GPU = 8
_LEAVE_WHEN = 0.75
"""Finished rows are removed from the batch once no more than this share of its rows still runs: it copies the cache."""
LOOK_EVERY = {"cpu": 1, "cuda": 16}
"""After how many tokens to check which rows still run: to answer, a GPU must finish all its work, and then idles."""
LEAST_REPLAYED = 32
"""Fewest tokens for which a step is captured: capturing takes as long as a few tokens that are not replayed."""
LEAVE_REPLAYED = 0.5
"""The same as `_LEAVE_WHEN` where steps are replayed: the step must then be captured anew."""
READ_AT_ONCE = 512
"""A captured step reads up to so many columns of the cache that are not written yet; after them it is captured anew."""
COMPARED = 2
"""How many replays are compared with the step computed normally; two, because a number that was wrongly captured as a
constant is still right in the first replay.
"""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How answers are sampled. Temperature 0 always takes the likeliest token."""

    max_new_tokens: int
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or self.temperature < 0 or self.top_k < 0 or not 0 < self.top_p <= 1:
            raise Invalid(f"These sampling settings make no sense: {self}.")


@dataclass(frozen=True, slots=True)
class Answer:
    """Token ids, with the terminator if there was one, and the log-probability of each under the distribution it was
    drawn from (for greedy answers: at temperature 1).
    """

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

    keys: the seed of each answer's random numbers, such as (run seed, iteration, episode). merge: fold the adapter into
    copies of the weights while sampling, which is one matrix product a layer instead of three (default: where there is
    memory for the copies). before_each_token: may raise to end it.
    """
    answers: list[Answer | None] = [None] * len(prompts)

    def work(rows: list[int]) -> None:
        def write() -> list[Answer]:
            part = _Running(backbone, [prompts[row] for row in rows], sampling, [keys[row] for row in rows], stop_ids)
            return part.finish(before_each_token)

        found: list[Answer] = []
        with backbone.role(adapter):
            with suppress(GaveUp):
                found = write()
            found = found or write()  # replays gave up: start over without them, for the same answers
        for row, answer in zip(rows, found, strict=True):
            answers[row] = answer

    cores, new = backbone.cores, sampling.max_new_tokens
    rows_at_most = MOST_ROWS.get(backbone.device.type)
    parts = list(_microbatches([len(p) for p in prompts], new, tokens_per_microbatch, cores.count, rows_at_most))
    with torch.inference_mode(), _merged(backbone, adapter, merge):
        cores.map(work, parts)
    return [answer for answer in answers if answer is not None]


def tokens_at_once(backbone: Backbone) -> int:
    """The default token budget of `generate`. On a GPU the next token of hundreds of answers takes as long as that of a
    few, so there it is what an eighth of the memory holds: keys and values of each token, and one layer's activations
    of all prompts.
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
    """Indices of prompts of similar length, as many as fit a core's share of the budget with their answers, but at
    least one. Prompts are dealt out evenly among the cores.
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


class _Running:
    """One micro-batch in progress. Prompts are padded on the left, so that all rows write to the same column."""

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
        self.cache = Cache(layers=[Layer(width + new) for _ in range(backbone.layers)])
        self.tokens = torch.full((len(prompts), new), pad, device=device)
        self.logprobs = torch.zeros(len(prompts), new, device=device)
        # Of each row still in the batch: the answer it writes, its last token, and whether it goes on.
        self.rows = torch.arange(len(prompts), device=device)
        self.token = torch.zeros_like(self.rows)
        self.running = torch.ones_like(self.rows, dtype=torch.bool)
        self.replays = _replays(backbone, new)
        self.columns = torch.arange(width + new, device=device)
        self.column = self.columns[:1].clone()  # of the last tokens, while steps are replayed
        self.shape = (0, 0)
        self.compared = 0

    def finish(self, before_each_token: Callable[[], object] = lambda: None) -> list[Answer]:
        """Sample until every row has ended or reached the limit."""
        look_every = LOOK_EVERY.get(self.ids.device.type, 1)
        for place in range(self.sampling.max_new_tokens):
            before_each_token()
            if place and place % look_every == 0 and not self._look(place):
                break
            if place == 0:
                self._write(self._forward(self.ids, 0), 0)
            elif self.replays:
                self._replay(place, self.replays)
            else:
                self._write(self._forward(self.token.unsqueeze(1), self.width + place - 1), place)
        return [self._answer(*row) for row in zip(self.tokens.tolist(), self.logprobs.tolist(), strict=True)]

    def _forward(self, ids: Tensor, start: int) -> Tensor:
        """The last hidden state (B, d) of each row after these ids, which belong in the columns from `start` on."""
        end = start + ids.shape[1]
        return self.backbone.cached_hidden_states(
            ids, self.mask[:, :end] if self.padded else None, self.positions[:, start:end], self.cache
        )

    def _write(self, state: Tensor, place: int | Tensor) -> None:
        """Draw each row's next token from its last hidden state. What ended rows still write, `_answer` drops."""
        token, logprob = draw(self.backbone.logits(state).float(), self.uniform[self.rows, place], self.sampling)
        self.tokens[self.rows, place] = token
        self.logprobs[self.rows, place] = logprob
        self.running &= (token.unsqueeze(1) != self.stops).all(1)
        self.token.copy_(token)

    def _look(self, place: int) -> bool:
        """Whether any row still runs. If enough have ended, these are removed from the batch."""
        left, rows = int(self.running.sum()), len(self.rows)
        pays = left <= _LEAVE_WHEN * rows
        if self.replays:
            pays = left <= LEAVE_REPLAYED * rows and self.sampling.max_new_tokens - place >= LEAST_REPLAYED
        if left and pays:
            kept = self.running.nonzero().squeeze(1)
            for layer in self.cache.layers:
                layer.keep(kept)
            self.rows, self.mask, self.positions = self.rows[kept], self.mask[kept], self.positions[kept]
            self.token, self.running = self.token[kept], self.running[kept]
        return left > 0

    def _answer(self, ids: list[int], logprobs: list[float]) -> Answer:
        """A row up to the first token that ends an answer."""
        length = next((place + 1 for place, token in enumerate(ids) if token in self.stop_ids), None)
        return Answer(tuple(ids[:length]), tuple(logprobs[:length]), "length" if length is None else "stop")

    # -- replayed -------------------------------------------------------------------------------------------------

    def _replay(self, place: int, replays: Replays) -> None:
        """Draw this token by replaying the captured step. Raises GaveUp if that fails or gives another result."""
        start, capacity = self.width + place - 1, len(self.columns)
        shape = len(self.rows), capacity - (capacity - start - 1) // READ_AT_ONCE * READ_AT_ONCE
        anew, self.shape = shape != self.shape, shape
        token = self.token.clone() if self.compared < COMPARED else None
        try:
            if anew:
                self.column.fill_(start)
                self._fix(start)
            if replays.take(self._step, anew=anew) and token is not None:
                self._compare(token, start)
        except (AttributeError, IndexError, TypeError, ValueError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            first = error.__context__ or error  # leaving a capture that failed raises an error of its own
            replays.graphs.give_up(str(first).strip().partition("\n")[0])
            raise GaveUp from error

    def _step(self) -> None:
        """`_forward` and `_write` for one token, with everything that changes between tokens held in tensors: the
        column is one, and the part of the cache that is not written yet is masked.
        """
        seen = self.mask[:, : self.shape[1]] * (self.columns[: self.shape[1]] <= self.column)
        positions = self.positions.index_select(1, self.column)
        self.state = self.backbone.cached_hidden_states(self.token.unsqueeze(1), seen, positions, self.cache)
        self._write(self.state, self.column - (self.width - 1))
        self.column += 1

    def _compare(self, token: Tensor, start: int) -> None:
        """Raises if the replay after these tokens in this column differs from the step computed normally."""
        self.compared += 1
        for layer in self.cache.layers:
            layer.free(start)
        same = self.backbone.same_states(self.state, self._forward(token.unsqueeze(1), start))
        self._fix(start + 1)
        if not same or bool((self.tokens[self.rows, start - self.width + 1] != self.token).any()):
            raise RuntimeError("replayed, a step gave something else")

    def _fix(self, start: int) -> None:
        for layer in self.cache.layers:
            layer.fix(self.column, start, self.shape[1])


def _replays(backbone: Backbone, new: int) -> Replays | None:
    """If steps of this model can be captured on its device, and `new` tokens make that worth while."""
    graphs = backbone.graphs
    if graphs is None or graphs.why_not or new < LEAST_REPLAYED:
        return None
    if backbone.is_quantised:
        graphs.give_up("the model's weights are quantised")
    elif not backbone.takes_made_masks:
        graphs.give_up("the model makes its own attention masks")
    else:
        return Replays(graphs)
    return None


def _random_row(key: Sequence[int], count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """`count` uniform numbers in [0, 1) that depend on the key alone."""
    name = hashlib.blake2b(repr(tuple(key)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(name, "little"))).random(count)


def draw(logits: Tensor, uniform: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """A token for each row of logits (B, V), by inverting the cumulative distribution at uniform (B,), and its
    log-probability (B,).
    """
    if sampling.temperature == 0.0:
        token = logits.argmax(-1)
        return token, logits.log_softmax(-1).gather(1, token.unsqueeze(1)).squeeze(1)
    logprobs = (logits / sampling.temperature).log_softmax(-1)
    if sampling.top_k or sampling.top_p < 1.0:
        logprobs = cut(logprobs, sampling.top_k, sampling.top_p)
    # In double precision: rounding in a long cumulative sum would distort the end of a large vocabulary.
    cumulative = logprobs.exp().cumsum(-1, dtype=torch.float64)
    total = cumulative[:, -1:]
    # Strictly below the total, so that a larger sum exists, and the first one is of a token of positive probability.
    wanted = torch.minimum(uniform.unsqueeze(1) * total, torch.nextafter(total, torch.zeros_like(total)))
    token = torch.searchsorted(cumulative, wanted, right=True)
    return token.squeeze(1), logprobs.gather(1, token).squeeze(1)


def cut(logprobs: Tensor, top_k: int, top_p: float) -> Tensor:
    """The distribution restricted to the top_k likeliest tokens, and to the smallest set of likeliest tokens with
    probability top_p; normalised again.
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
