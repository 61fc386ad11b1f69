"""Shares: intervals worked by hand and known from tables, and what an interval must always do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.shares import share_of


def test_nothing_has_no_share() -> None:
    assert share_of(0, 0) is None


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        # p = 0.5, n = 4: (0.5 + 3.8415/8 -+ 1.96 sqrt(0.0625 + 3.8415/64)) / (1 + 3.8415/4) = (0.980 -+ 0.686) / 1.960
        (2, 4, 0.1500, 0.8500),
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (500, 1000, 0.4691, 0.5309),
    ],
)
def test_wilson_by_hand(hits: int, n: int, low: float, high: float) -> None:
    found = share_of(hits, n)
    assert found is not None
    assert (found.share, found.n) == (hits / n, n)
    assert [found.low, found.high] == pytest.approx([low, high], abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_share_lies_in_its_interval(case: tuple[int, int]) -> None:
    hits, n = case
    found, turned, more = share_of(hits, n), share_of(n - hits, n), share_of(hits * 4, n * 4)
    assert found and turned and more
    assert 0 <= found.low <= found.share <= found.high <= 1
    assert [turned.low, turned.high] == pytest.approx([1 - found.high, 1 - found.low])
    assert more.high - more.low < found.high - found.low
