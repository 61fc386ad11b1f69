"""Micro-batches: every row once, within the budget, at the least cost."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.training.tiny import CPU, FAMILIES, backbone_of
from workers.training import batches
from workers.training.batches import Layout, of_like_length
from workers.training.logprobs import before


def cost(groups: list[list[int]], lengths: list[int]) -> int:
    fixed = batches._COST_OF_A_FORWARD
    return sum(len(group) * max(lengths[row] for row in group) + fixed for group in groups)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=7), st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_the_best_way_to_part_rows_of_like_length(lengths: list[int], budget: int) -> None:
    groups = of_like_length(lengths, range(len(lengths)), budget)
    assert sorted(itertools.chain(*groups)) == list(range(len(lengths)))
    assert all(len(group) == 1 or len(group) * max(lengths[r] for r in group) <= budget for group in groups)
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    possible = []
    for cuts in itertools.product([False, True], repeat=len(lengths) - 1):
        tried: list[list[int]] = [[order[0]]]
        for row, cut in zip(order[1:], cuts, strict=True):
            tried.append([row]) if cut else tried[-1].append(row)
        if all(len(group) == 1 or len(group) * lengths[group[0]] <= budget for group in tried):
            possible.append(cost(tried, lengths))
    assert cost(groups, lengths) == min(possible)


def test_layout() -> None:
    sequences, prompts = [[5, 6, 7], [8], [3, 4, 5, 6]], [1, 1, 2]
    layout = Layout.of([2, 0], sequences, prompts, pad_id=6, device=torch.device("cpu"))  # a token like others
    assert layout.ids.tolist() == [[3, 4, 5, 6], [5, 6, 7, 6]]
    assert layout.mask.tolist() == [[True] * 4, [True, True, True, False]]
    assert layout.scored.tolist() == [[False, False, True, True], [False, True, True, False]]
    assert layout.tokens.tolist() == [5, 6, 6, 7]


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_rows_give_the_states_of_padded_ones(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = backbone_of(family)
    sequences, prompts = [[5, 6, 7, 8, 9], [10, 11, 12], [13, 14, 15, 16]], [2, 1, 3]
    layout = Layout.of([2, 0, 1], sequences, prompts, pad_id=0, device=CPU)
    assert layout.packed is not None
    assert layout.packed.ids[0, layout.before + 1].tolist() == [16, 7, 8, 9, 11, 12]
    with torch.no_grad():
        padded = before(backbone.hidden_states(layout.ids, layout.mask), layout.scored)
        packed = backbone.packed_hidden_states(layout.packed, layout.before)
        monkeypatch.setattr(batches, "PACKED", set())
        apart = Layout.of([2, 0, 1], sequences, prompts, pad_id=0, device=CPU)
        flat = backbone.hidden_states(apart.ids).flatten(0, 1).index_select(0, apart.before)
    assert apart.packed is None and torch.equal(apart.tokens, layout.tokens)
    torch.testing.assert_close(packed, padded)
    torch.testing.assert_close(flat, padded)
