"""Rows of token ids as micro-batches within a token budget, padded or (on a CPU) packed; knows no models and no method.

Micro-batches bound memory and nothing else: what is computed for a token does not depend on which rows share a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from workers.training.backbone import Backbone
from workers.training.packing import Document, Packed, pack, partition

PACKED = {"cpu"}
"""Devices on which rows are packed; a GPU computes one large padded attention faster than many small ones."""
_COST_OF_A_FORWARD = 192
"""The fixed cost of one more forward pass, in tokens: rows are split where that saves more padding."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A micro-batch of rows: ids and mask (b, S), padded on the right; `scored` (b, S) is true on answer tokens."""

    rows: list[int]
    ids: Tensor
    mask: Tensor
    scored: Tensor
    tokens: Tensor
    """(N,) ids of the answer tokens, row by row; selected on the CPU, because counting them on a GPU waits for it"""
    before: Tensor
    """(N,) the index of the token before each of them, in the packed row or in the padded rows laid flat"""
    packed: Packed | None = None
    """the rows packed, on a CPU"""
    answers: Tensor | None = None
    """(N,) the indices of the answer tokens in a round's (B, T) tensors laid flat"""

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
    """`rows` in groups within a token budget: of similar size where they are packed, of similar length where padded."""
    if backbone.device.type not in PACKED:
        return of_like_length(lengths, rows, budget)
    parts = partition([lengths[row] for row in rows], budget, backbone.cores.count)
    return [[rows[place] for place in part] for part in parts]


def of_like_length(lengths: Sequence[int], rows: Sequence[int], budget: int) -> list[list[int]]:
    """`rows` in groups of similar length, each no larger than `budget` once padded (or of one row), at the least cost.

    The cost of a group is its padded size plus the fixed cost of a forward pass. Rows are sorted by length, and the
    best splits are found exactly by dynamic programming: best[j] = min over i of best[i] + cost(i..j).
    """
    order = sorted(rows, key=lambda row: (-lengths[row], row))
    widths = np.array([lengths[row] for row in order], dtype=np.float64)
    best = np.zeros(len(order) + 1)
    split = np.zeros(len(order) + 1, dtype=np.int64)
    for end in range(1, len(order) + 1):
        sizes = widths[:end] * np.arange(end, 0, -1)  # padded size of the group that begins at each earlier row
        costs = best[:end] + sizes + _COST_OF_A_FORWARD
        costs[:-1][sizes[:-1] > budget] = np.inf
        split[end] = int(costs.argmin())
        best[end] = costs[split[end]]
    groups: list[list[int]] = []
    end = len(order)
    while end:
        start = int(split[end])
        groups.append(order[start:end])
        end = start
    return groups[::-1]
