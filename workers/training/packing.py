"""Documents packed one after the other in one row without padding, shared beginnings stored once; knows no method.

A document is computed as if it were alone: it attends to its own tokens only, and its positions start at 0. Documents
of one group that begin alike (completions of one prompt) share that prefix: the later ones attend to the first one's
tokens, which is exact because a causal model's states do not depend on what comes after.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "documents"


@dataclass(frozen=True, slots=True)
class Document:
    """Token ids, and the spans [start, end) of them that are learnt (the first token of all never is).

    Documents that are held for a whole run have `compact` ids.
    """

    ids: Sequence[int]
    learnt: Sequence[tuple[int, int]] = ()

    @property
    def learnt_tokens(self) -> int:
        return sum(end - max(start, 1) for start, end in self.learnt)


def compact(ids: Iterable[int]) -> "array[int]":
    """Ids of 4 bytes each; in a list each takes 8, and mostly an object of 32 besides."""
    return array("i", ids)


@dataclass(frozen=True, slots=True)
class Segment:
    """A document's own tokens at [start, end) of the row, preceded by the first `prefix` tokens of segment `owner`."""

    start: int
    end: int
    owner: int = 0
    prefix: int = 0


@dataclass(frozen=True, slots=True)
class Packed:
    """A row (1, T) of documents in order. `learnt` is true on tokens whose prediction is trained; `tokens` counts the
    documents' tokens as if nothing were shared.
    """

    ids: Tensor
    positions: Tensor
    learnt: Tensor
    segments: tuple[Segment, ...]
    tokens: int

    @property
    def learnt_tokens(self) -> int:
        return int(self.learnt.sum())

    @property
    def ends(self) -> Tensor:
        """The index of each document's last token in the row."""
        return torch.tensor([segment.end - 1 for segment in self.segments])


def pack(groups: Sequence[Sequence[Document]]) -> Packed:
    """Groups of documents in one row. Only documents of which nothing is learnt share a prefix."""
    ids: list[int] = []
    positions: list[int] = []
    segments: list[Segment] = []
    learnt: list[tuple[int, int]] = []
    tokens = 0
    for group in groups:
        owner = len(segments)
        for document in group:
            shared = _shared(group[0].ids, document.ids) if len(segments) > owner and not document.learnt else 0
            start = len(ids)
            ids += document.ids[shared:]
            positions += range(shared, len(document.ids))
            segments.append(Segment(start, len(ids), owner, shared))
            learnt += [(start + max(first, 1), start + last) for first, last in document.learnt]
            tokens += len(document.ids)
    marked = torch.zeros(1, len(ids), dtype=torch.bool)
    for first, last in learnt:
        marked[0, first:last] = True
    return Packed(torch.tensor([ids]), torch.tensor([positions]), marked, tuple(segments), tokens)


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """The length of the common prefix of two documents; the second keeps at least its last token."""
    for place, (a, b) in enumerate(zip(one, other[:-1], strict=False)):
        if a != b:
            return place
    return min(len(one), len(other) - 1)


def microbatches(documents: Sequence[Document], tokens: int, cores: int = 1) -> Iterator[Packed]:
    """Documents without shared prefixes, as packed rows of the sizes that `partition` chooses."""
    for places in partition([len(document.ids) for document in documents], tokens, cores):
        yield pack([[documents[place]] for place in places])


def partition(sizes: Sequence[int], most: int, cores: int = 1) -> list[list[int]]:
    """The indices of things in non-empty parts. The parts that are worked on at once, one a core, have at most `most`
    together (but no thing is split). There are at least as many parts as cores if there are enough things, of similar
    size: largest first, each thing goes to the part that is least full.
    """
    parts: list[list[int]] = [[] for _ in range(min(cores, len(sizes)))]
    filled = [0] * len(parts)
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
        least = filled.index(min(filled))
        if parts[least] and filled[least] + sizes[place] > most // cores:
            least = len(parts)
            parts.append([])
            filled.append(0)
        parts[least].append(place)
        filled[least] += sizes[place]
    return parts


def _attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    segments: Sequence[Segment] | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """Attention within each document of a packed row; without segments, torch's attention as transformers calls it."""
    if segments is None:
        out: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, sliding_window=sliding_window, **rest
        )
        return out
    return attend(query, key, value, segments, scaling, sliding_window), None


def attend(
    query: Tensor, key: Tensor, value: Tensor, segments: Sequence[Segment], scaling: float | None = None,
    sliding_window: int | None = None,
) -> Tensor:  # fmt: skip
    """Causal attention of queries (1, heads, T, size) to keys and values (1, key heads, T, size) within each document:
    (1, T, heads, size).
    """
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    lengths = [segment.end - segment.start for segment in segments]
    # One split instead of many slices: the gradient of a slice is a tensor of zeros as long as the whole row. Tokens
    # come first, as in memory.
    queries, keys, values = (
        [part.transpose(1, 2) for part in torch.split(states.transpose(1, 2), lengths, 1)]
        for states in (query, key, value)
    )
    outs = []
    for place, segment in enumerate(segments):
        k, v = keys[place], values[place]
        if segment.prefix:
            k = torch.cat((keys[segment.owner][:, :, : segment.prefix], k), 2)
            v = torch.cat((values[segment.owner][:, :, : segment.prefix], v), 2)
        if segment.prefix or (sliding_window is not None and lengths[place] > sliding_window):
            mask = _mask(lengths[place], segment.prefix, sliding_window, query.device)
            out = F.scaled_dot_product_attention(queries[place], k, v, attn_mask=mask, scale=scaling)
        else:
            out = F.scaled_dot_product_attention(queries[place], k, v, is_causal=True, scale=scaling)
        outs.append(out.transpose(1, 2))
    return torch.cat(outs, 1)


def _mask(length: int, prefix: int, sliding_window: int | None, device: torch.device) -> Tensor:
    seen = torch.ones(length, prefix + length, dtype=torch.bool, device=device).tril(prefix)
    return seen if sliding_window is None else seen.triu(prefix - sliding_window + 1)


AttentionInterface.register(ATTENTION, _attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
