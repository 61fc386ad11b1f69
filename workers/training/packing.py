"""Documents side by side in rows without padding between them; knows no model and no method.

The positions of each document start at 0, and a model that reads the rows with these positions lets each document
attend to itself alone (`Backbone.packed_hidden_states`), so it computes what it would compute by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ROW_TOKENS = 128
"""Rows are no narrower than this: wide enough to be filled well, narrow enough that attention stays cheap."""


@dataclass(frozen=True, slots=True)
class Document:
    """Token ids and the spans [start, end) of them that are learnt; the first token of all can never be."""

    ids: Sequence[int]
    learnt: Sequence[tuple[int, int]]

    @property
    def learnt_tokens(self) -> int:
        return sum(end - max(start, 1) for start, end in self.learnt)


@dataclass(frozen=True, slots=True)
class Packed:
    """Rows (R, W) of documents. `learnt` is true on tokens whose prediction is trained.

    `documents` are the places, in the list that was packed, of the documents in the order they stand here, and `ends`
    the places of their last tokens in the flattened rows.
    """

    ids: Tensor
    positions: Tensor
    learnt: Tensor
    documents: Tensor
    ends: Tensor
    tokens: int
    learnt_tokens: int


def pack(documents: Sequence[Document], *, tokens_per_microbatch: int, max_width: int | None = None) -> list[Packed]:
    """All documents in micro-batches of at most so many places (but never less than one document)."""
    if not documents:
        return []
    longest = max(len(document.ids) for document in documents)
    width = max(longest, min(ROW_TOKENS, max_width or ROW_TOKENS))
    rows = _fill([len(document.ids) for document in documents], width)
    count = max(1, tokens_per_microbatch // width)
    return [_layout(documents, rows[start : start + count]) for start in range(0, len(rows), count)]


def _fill(lengths: Sequence[int], width: int) -> list[list[int]]:
    """Longest first, each into the fullest row that still has room for it."""
    rows: list[list[int]] = []
    by_room: dict[int, list[int]] = {}  # room left -> rows with it
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        length = lengths[index]
        room = min((room for room in by_room if room >= length), default=None)
        if room is None:
            row = len(rows)
            rows.append([])
            room = width
        else:
            row = by_room[room].pop()
            if not by_room[room]:
                del by_room[room]
        rows[row].append(index)
        by_room.setdefault(room - length, []).append(row)
    return rows


def _layout(documents: Sequence[Document], rows: list[list[int]]) -> Packed:
    width = max(sum(len(documents[index].ids) for index in row) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    positions = torch.zeros(len(rows), width, dtype=torch.long)
    learnt = torch.zeros(len(rows), width, dtype=torch.bool)
    tokens = 0
    ends = []
    for place, row in enumerate(rows):
        start = 0
        for index in row:
            document = documents[index]
            end = start + len(document.ids)
            ids[place, start:end] = torch.tensor(document.ids)
            positions[place, start:end] = torch.arange(len(document.ids))
            for first, last in document.learnt:
                learnt[place, start + max(first, 1) : start + last] = True
            start = end
            ends.append(place * width + end - 1)
        tokens += start
        # What is left over counts on: it comes last, so nothing looks at it, and a row of one document needs no mask.
        positions[place, start:] = torch.arange(width - start) + (start if len(row) == 1 else 0)
    order = torch.tensor([index for row in rows for index in row])
    return Packed(ids, positions, learnt, order, torch.tensor(ends), tokens, int(learnt.sum()))
