"""Krippendorff's alpha: the textbook's example and hand-worked numbers at every level, and what errors must be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.alpha import Level, alphas, distinct, ratio_error, resampled
from tests.domain.alpha import krippendorff_alpha

# Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), part C: four observers, twelve units, five values.
TEXTBOOK = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
LEVELS: list[Level] = ["nominal", "ordinal", "interval"]


def textbook() -> list[tuple[int, float]]:
    return [
        (unit, float(said))
        for line in TEXTBOOK.strip().splitlines()
        for unit, said in enumerate(line.split())
        if said != "."
    ]


@pytest.mark.parametrize(("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_example_of_the_textbook(level: Level, value: float) -> None:
    assert krippendorff_alpha(textbook(), level) == pytest.approx(value, abs=5e-4)


def test_by_hand() -> None:
    """Units 1 1, 1 2, 3 3. Values 1, 2, 3 are given 3, 1 and 2 times; the middles of their ranks are 1.5, 3.5 and 5."""
    rows = [("u", 1), ("u", 1), ("v", 1), ("v", 2), ("w", 3), ("w", 3)]
    # One pair of values apart, either way round: 2 of 6, where chance has 2 (3 * 1 + 3 * 2 + 1 * 2) of 30.
    assert krippendorff_alpha(rows, "nominal") == pytest.approx(1 - 2 / (22 / 5))
    assert krippendorff_alpha(rows, "interval") == pytest.approx(1 - 2 * 1 / (2 * (3 * 1 + 6 * 4 + 2 * 1) / 5))
    by_chance = 2 * (3 * 2.0**2 + 6 * 3.5**2 + 2 * 1.5**2) / 5
    assert krippendorff_alpha(rows, "ordinal") == pytest.approx(1 - 2 * 2.0**2 / by_chance)


TABLES = st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=12).map(np.array)


@given(TABLES, st.randoms(use_true_random=False))
def test_neither_the_order_of_units_nor_the_side_they_are_told_from_matters(table, rng) -> None:
    order = list(range(len(table)))
    rng.shuffle(order)
    turned = np.array([table[i][::-1] if rng.random() < 0.5 else table[i] for i in order])
    values = np.array([0.0, 0.5, 1.0])
    one = alphas(table, values, LEVELS, mirrored=True, draws=0)
    other = alphas(turned, values, LEVELS, mirrored=True, draws=0)
    assert one.keys() == other.keys()
    for level, found in one.items():
        assert found.value == pytest.approx(other[level].value)
        assert found.value <= 1.0
    # Of three answers told from both sides those that tie lie in the middle, so ordinal is interval.
    assert not one or one["ordinal"].value == pytest.approx(one["interval"].value)


def test_the_error_is_that_of_drawing_other_units() -> None:
    """Over many crowds, alpha spreads as far as its error says; the same seed gives the same error."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        share = rng.beta(1.0, 1.0, 300)
        counts = rng.binomial(4, share)
        found.append(alphas(np.column_stack([4 - counts, counts]), np.array([0.0, 1.0]), ["nominal"])["nominal"])
    values, errors = np.array([one.value for one in found]), np.array([one.error for one in found])
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.25)
    table = np.array([[2, 0], [1, 1], [0, 2], [2, 0], [2, 0]])
    again = [alphas(table, np.array([0.0, 1.0]), ["nominal"])["nominal"] for _ in range(2)]
    assert again[0] == again[1] and again[0].error is not None


def test_one_unit_has_no_error_and_none_has_nothing() -> None:
    assert alphas(np.array([[1, 1]]), np.array([0.0, 1.0]), ["nominal"])["nominal"].error is None
    assert alphas(np.array([[1, 0], [0, 1]]), np.array([0.0, 1.0]), LEVELS) == {}
    assert alphas(np.zeros((0, 3), int), np.array([0.0, 0.5, 1.0]), LEVELS) == {}


def test_draws_are_of_as_many_units_as_there_are() -> None:
    weights = np.concatenate(list(resampled(np.array([5, 1, 4]), 50, 0)))
    assert weights.shape == (50, 3) and (weights.sum(axis=1) == 10).all()
    for rows in (np.array([[3, 1], [3, 1], [0, 2]]), np.array([[9**20, 0, 1], [9**20, 0, 1]] * 2)):
        kinds, times = distinct(rows)
        assert times.sum() == len(rows) and len(kinds) == len({tuple(row) for row in rows.tolist()})


def test_the_error_of_a_share_over_units() -> None:
    """Units of one answer each: the usual error of a share. Of a unit counted four times over: twice as wide."""
    hits = np.arange(400) % 4 == 0
    usual = np.sqrt(0.25 * 0.75 / 400)
    assert ratio_error(hits.astype(int), np.ones(400, int)) == pytest.approx(usual, rel=0.1)
    together = ratio_error(4 * hits[:100].astype(int), np.full(100, 4))
    assert together == pytest.approx(2 * usual, rel=0.1)
    assert ratio_error(np.array([1]), np.array([1])) is None
    assert ratio_error(np.array([1, 0]), np.array([1, 0])) is None


def test_a_large_project_comes_down_to_a_few_kinds_of_units() -> None:
    """100,000 answers on 25,000 units: what is drawn anew a thousand times has 15 rows, and so is quick."""
    counts = np.random.default_rng(0).multinomial(4, [0.4, 0.2, 0.4], 25_000)
    kinds, times = distinct(counts)
    assert len(kinds) == 15 and times.sum() == 25_000
