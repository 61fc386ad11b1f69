"""Rows of token ids as micro-batches under a token budget, padded and (on a CPU) packed; knows no models and no method.

A micro-batch bounds memory and nothing else: what is computed per token does not depend on how rows were put together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from workers.training.backbone import Backbone
from workers.training.packing import Document, Packed, pack, parted

PACKED = {"cpu"}
"""Devices on which rows stand one behind the other: one with many cores wants one large attention more than it minds
padding.
"""
_COST_OF_A_FORWARD = 192
"""What one more forward costs beside its tokens, in tokens: rows are parted where that saves more padding."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Rows side by side: ids and mask (b, S), padded on the right; `scored` (b, S) is true on tokens of the answers."""

    rows: list[int]
    ids: Tensor
    mask: Tensor
    scored: Tensor
    tokens: Tensor
    """(N,) the scored ones, row by row; found on the CPU, since to count them on a GPU is to wait for it"""
    before: Tensor
    """(N,) where the token before each of them stands: in the packed row, or in the padded ones laid flat"""
    packed: Packed | None = None
    """the rows one behind the other, where that is faster: on a CPU"""
    answers: Tensor | None = None
    """(N,) where they stand in a round's table of answers laid flat"""

    @classmethod
    def of(
        cls, rows: list[int], sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int], *, pad_id: int,
        device: torch.device,
    ) -> "Layout":  # fmt: skip
        width = max(len(sequences[row]) for row in rows)
        ids = torch.full((len(rows), width), pad_id)
        for place, row in enumerate(rows):
            ids[place, : len(sequences[row])] = torch.tensor(sequences[row])
        columns = torch.arange(width)
        mask = columns < torch.tensor([[len(sequences[row])] for row in rows])
        scored = mask & (columns >= torch.tensor([[prompt_lengths[row]] for row in rows]))
        packed = pack([[Document(sequences[row])] for row in rows]) if device.type in PACKED else None
        before = (scored.flatten() if packed is None else scored[mask]).nonzero().squeeze(1) - 1
        return cls(
            rows, ids.to(device), mask.to(device), scored.to(device), ids[scored].to(device), before.to(device), packed
        )


def microbatches(lengths: Sequence[int], rows: Sequence[int], budget: int, backbone: Backbone) -> list[list[int]]:
    """`rows` in groups within a budget of tokens: of like size where they are packed, of like length where padded."""
    if backbone.device.type not in PACKED:
        return of_like_length(lengths, rows, budget)
    parts = parted([lengths[row] for row in rows], budget, backbone.cores.count)
    return [[rows[place] for place in part] for part in parts]


def of_like_length(lengths: Sequence[int], rows: Sequence[int], budget: int) -> list[list[int]]:
    """`rows` in groups of like length, each no larger than `budget` once padded (but never empty), at the least cost.

    The cost of a group is its padded size and the fixed cost of a forward. Rows are sorted by length; the best places
    to part them are found exactly, from the front: best[j] = min over i of best[i] + cost(i..j).
    """
    order = sorted(rows, key=lambda row: (-lengths[row], row))
    widths = np.array([lengths[row] for row in order], dtype=np.float64)
    best = np.zeros(len(order) + 1)
    parted = np.zeros(len(order) + 1, dtype=np.int64)
    for end in range(1, len(order) + 1):
        sizes = widths[:end] * np.arange(end, 0, -1)  # padded size of the group that begins at each earlier row
        costs = best[:end] + sizes + _COST_OF_A_FORWARD
        costs[:-1][sizes[:-1] > budget] = np.inf
        parted[end] = int(costs.argmin())
        best[end] = costs[parted[end]]
    groups: list[list[int]] = []
    end = len(order)
    while end:
        start = int(parted[end])
        groups.append(order[start:end])
        end = start
    return groups[::-1]
