"""Bradley-Terry: hand-worked numbers, and what must not change the ratings."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.bradley_terry import GroupsFit, fit_groups, fit_prompts, lay_out
from backend.domain.elo import POINTS_PER_LOG_ODDS
from backend.domain.leaderboard import Vote, fit_models
from backend.domain.plackett_luce import Rankings, fit_rankings
from backend.errors import Invalid

ROWS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 3))
    .filter(lambda row: row[0] != row[1])
    .map(lambda row: (row[0], row[1], row[2], float(row[3]))),
    min_size=1,
    max_size=25,
)


@settings(max_examples=40)
@given(ROWS, st.randoms(use_true_random=False))
def test_order_sides_merging_and_labels_do_not_matter(rows: list[tuple[str, str, float, float]], rng: Any) -> None:
    def rate(rows: list[Any], names: str = "abcd") -> dict[str, tuple[float, float]]:
        found = fit_prompts([list(names)], rows, 1.0).estimates
        return {name: (found[name].log_odds, found[name].standard_deviation) for name in names}

    plain = rate(rows)
    shuffled = list(rows)
    rng.shuffle(shuffled)
    singles = [(a, b, score) for a, b, score, weight in rows for _ in range(int(weight))]
    swapped = [(b, a, 1 - score, weight) for a, b, score, weight in rows]
    merged: dict[tuple[str, str, float], float] = {}
    for a, b, score, weight in rows:
        merged[a, b, score] = merged.get((a, b, score), 0.0) + weight
    for same in (shuffled, singles, swapped, [(*key, weight) for key, weight in merged.items()]):
        for name, (log_odds, deviation) in rate(same).items():
            assert (log_odds, deviation) == pytest.approx(plain[name], abs=1e-9)
    rename = dict(zip("abcd", "wxyz", strict=True))
    renamed = rate([(rename[a], rename[b], score, weight) for a, b, score, weight in rows], "zyxw")
    for name, estimate in plain.items():
        assert renamed[rename[name]] == pytest.approx(estimate, abs=1e-9)
    # The leaderboard with the same prior is the same fit.
    board = fit_models([Vote(*row) for row in rows], 1.0, models="abcd").ratings
    for name in "abcd":
        assert (board[name].rating - 1000) / POINTS_PER_LOG_ODDS == pytest.approx(plain[name][0], abs=1e-8)


def test_prompts_by_hand() -> None:
    groups = [["a", "b"], ["c", "d", "e"], ["f"], ["g", "h"], [], ["i", "j", "k", "l"]]
    rows = [("a", "b", 1.0), ("c", "d", 1.0), ("d", "e", 1.0), ("i", "j", 1.0), ("k", "l", 1.0)]
    fit = fit_prompts(groups, rows)
    assert fit.prior_deviation == 1.0
    found = {name: round(each.log_odds, 9) for name, each in fit.estimates.items()}
    step, chain = 0.337415807, 0.401058138
    assert found == {
        "a": step,
        "b": -step,
        "c": chain,
        "d": 0.0,
        "e": -chain,
        "f": 0.0,
        "g": 0.0,
        "h": 0.0,
        "i": step,
        "j": -step,
        "k": step,
        "l": -step,
    }
    assert list(fit.connected) == [True, True, True, False, True, False]
    assert [fit.estimates[name].component for name in "ijkl"] == [0, 0, 2, 2]
    # One vote: p(1-p) = q at the mode, the contrast has variance 2/(1 + 2q) = 1.18^2.
    q = 1 / (2 + math.exp(2 * step) + math.exp(-2 * step))
    assert 2 * fit.estimates["a"].standard_deviation == pytest.approx(math.sqrt(2 / (1 + 2 * q)))
    assert 2 * fit.estimates["a"].standard_deviation == pytest.approx(1.18, abs=0.005)
    assert fit.estimates["a"].rating == pytest.approx(1000 + 58.615129, abs=1e-6)
    # No votes: as far from the mean of two as the prior says.
    assert fit.estimates["g"].standard_deviation == pytest.approx(math.sqrt(0.5))
    assert [fit.estimates[name].votes for name in "acdg"] == [1, 1, 2, 0]


def test_prompts_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(5)
    groups = [[(prompt, place) for place in range(2 + prompt % 3)] for prompt in range(40)]
    rows = []
    for _ in range(400):
        group = groups[rng.integers(40)]
        a, b = rng.permutation(len(group))[:2]
        rows.append((group[a], group[b], float(rng.choice([0.0, 0.5, 1.0]))))
    together = fit_prompts(groups, rows, 0.8).estimates
    for group in groups:
        alone = fit_prompts([group], [row for row in rows if row[0] in group], 0.8).estimates
        for item in group:
            assert together[item] == pytest.approx(alone[item], abs=1e-9)


@pytest.mark.parametrize("most", [2, 4])
def test_given_the_prior_a_prompt_has_the_same_digits_in_any_company(most: int) -> None:
    """What is fitted live, a few prompts at a time, must equal what is fitted for all at once."""
    rng = np.random.default_rng(3)
    group_of = np.repeat(np.arange(60), 5)
    shown = [rng.permutation(5)[: 2 + t % (most - 1)] + 5 * rng.integers(60) for t in range(600)]

    def fit(prompts: range) -> GroupsFit:
        inside = [some for some in shown if some[0] // 5 in prompts]
        rankings = []
        for size in range(2, most + 1):
            columns = np.array([some for some in inside if len(some) == size]).reshape(-1, size) - 5 * prompts.start
            rankings.append(
                Rankings(columns, np.tile(np.arange(1, size + 1), (len(columns), 1)), np.ones(len(columns)))
            )
        items = group_of[: 5 * len(prompts)]
        return fit_rankings(items, rankings, prior_deviation=1.0, groups=len(prompts), best=True)

    together = fit(range(60))
    for start, stop in ((0, 1), (1, 8), (8, 59), (59, 60)):
        part, here = fit(range(start, stop)), slice(5 * start, 5 * stop)
        for name in ("log_odds", "standard_deviation", "best", "component"):
            assert (getattr(part, name) == getattr(together, name)[here]).all(), name


def test_the_chance_of_being_best_is_that_of_the_posterior() -> None:
    fit = fit_groups(
        np.zeros(3, int), np.array([0, 0, 1]), np.array([1, 2, 2]), np.ones(3), prior_deviation=1.0, best=True
    )
    block = lay_out(np.zeros(3, int), 1)[0]
    block.wins[0] = [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    block.solve(1.0)
    drawn = np.random.default_rng(0).multivariate_normal(block.mode[0], block.covariance[0], 200_000).argmax(axis=1)
    assert fit.best is not None
    assert fit.best.tolist() == pytest.approx((np.bincount(drawn) / 200_000).tolist(), abs=0.015)
    assert fit.best.sum() == pytest.approx(1)


# Where completions lie far apart the posterior is skewed, and a normal error of its mode a little too small.
@pytest.mark.parametrize(("width", "covered"), [(0.5, 0.95), (1.0, 0.94), (2.0, 0.91)])
def test_the_width_of_the_prior_is_learnt_and_errors_are_honest(width: float, covered: float) -> None:
    rng = np.random.default_rng(11)
    truth = rng.normal(0, width, (800, 4))
    rows = []
    for prompt in range(800):
        for _ in range(16):
            a, b = (int(place) for place in rng.permutation(4)[:2])
            chance = 1 / (1 + math.exp(truth[prompt, b] - truth[prompt, a]))
            rows.append(((prompt, a), (prompt, b), float(rng.random() < chance)))
    fit = fit_prompts([[(prompt, place) for place in range(4)] for prompt in range(800)], rows)
    assert fit.prior_deviation == pytest.approx(width, rel=0.1)
    centred = truth - truth.mean(axis=1, keepdims=True)
    inside = [
        abs(estimate.log_odds - centred[prompt, place]) < 1.96 * estimate.standard_deviation
        for (prompt, place), estimate in fit.estimates.items()
    ]
    assert sum(inside) / len(inside) == pytest.approx(covered, abs=0.02)


@pytest.mark.parametrize(
    "row",
    [
        ("a", "a", 1.0),
        ("a", "b", 1.0, -1.0),
        ("a", "b", 1.0, math.nan),
        ("a", "b", 1.0, math.inf),
        ("a", "b", math.nan),
        ("a", "b", 2.0),
        ("a", "stranger", 1.0),
        ("a", "c", 1.0),
    ],
)
def test_what_is_no_vote_is_refused(row: tuple[Any, ...]) -> None:
    with pytest.raises(Invalid):
        fit_prompts([["a", "b"], ["c", "d"]], [row])
    if "stranger" not in row and "c" not in row:
        with pytest.raises(Invalid):
            fit_models([Vote(*row)], ridge=1.0)


def test_what_is_no_question_is_refused() -> None:
    with pytest.raises(Invalid, match="listed twice"):
        fit_prompts([["a", "b"], ["b", "c"]], [])
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(Invalid):
            fit_prompts([["a", "b"]], [], wrong)
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(Invalid):
            fit_models([Vote("a", "b", 0.5)], wrong)


def test_lopsided_votes_still_converge() -> None:
    fit = fit_prompts([["a", "b", "c"]], [("a", "b", 1.0, 1e6), ("b", "c", 1.0, 1e6)], 10.0)
    assert fit.estimates["a"].log_odds > fit.estimates["b"].log_odds > fit.estimates["c"].log_odds
