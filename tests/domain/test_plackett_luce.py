"""Plackett-Luce: pairs are Bradley-Terry, numbers by hand, ties and partial rankings, honest errors."""

import math
from itertools import permutations

import numpy as np
import pytest

from backend.domain.bradley_terry import fit_groups
from backend.domain.plackett_luce import Rankings, fit_rankings
from backend.errors import Invalid


def rankings(rows: list[tuple[list[int], list[int]]], partial: bool = False) -> Rankings:
    shown, ranks = (np.array(column) for column in zip(*rows, strict=True))
    return Rankings(shown, ranks, np.ones(len(rows)), partial)


def test_rankings_of_two_are_pairs() -> None:
    rng = np.random.default_rng(0)
    group_of = np.repeat(np.arange(30), 3)
    group = rng.integers(0, 30, 200)
    shown = np.stack([group * 3 + rng.permutation(3)[0] for _ in range(2)], axis=1)
    shown[:, 1] = group * 3 + (shown[:, 0] % 3 + rng.integers(1, 3, 200)) % 3
    ranks = np.array([[1, 2], [2, 1], [1, 1]])[rng.integers(0, 3, 200)]
    score = np.where(ranks[:, 0] == ranks[:, 1], 0.5, (ranks[:, 0] < ranks[:, 1]).astype(float))
    pairs = fit_groups(group_of, shown[:, 0], shown[:, 1], score)
    # One ranking of three of weight 0 sends everything through the general fit.
    nothing = Rankings(np.array([[0, 1, 2]]), np.array([[1, 2, 3]]), np.zeros(1))
    whole = fit_rankings(group_of, [Rankings(shown, ranks, np.ones(200)), nothing], prior_deviation=0.9)
    same = fit_groups(group_of, shown[:, 0], shown[:, 1], score, prior_deviation=0.9)
    assert np.allclose(whole.log_odds, same.log_odds, atol=1e-9)
    assert np.allclose(whole.standard_deviation, same.standard_deviation, atol=1e-9)
    assert np.array_equal(whole.component, same.component)
    assert np.allclose(fit_rankings(group_of, [Rankings(shown, ranks, np.ones(200))]).log_odds, pairs.log_odds)


def log_posterior(utility: np.ndarray, rows: list[tuple[list[int], list[int]]], precision: float) -> float:
    """By the definition: every ranking's log-likelihood, averaged over the orders that agree with its ties."""
    total = -precision / 2 * float(utility @ utility)
    for shown, ranks in rows:
        orders = [order for order in permutations(range(len(shown))) if [ranks[i] for i in order] == sorted(ranks)]
        for order in orders:
            for first in range(len(order)):
                rest = [utility[shown[i]] for i in order[first:]]
                total += (rest[0] - math.log(sum(math.exp(u) for u in rest))) / len(orders)
    return total


@pytest.mark.parametrize(
    "rows",
    [
        [([0, 1, 2], [1, 2, 3])],
        [([0, 1, 2, 3], [2, 1, 2, 3]), ([3, 2, 1, 0], [1, 1, 1, 2])],
        [([0, 1, 2, 3], [1, 1, 1, 1]), ([0, 3], [1, 2]), ([1, 2, 3], [3, 2, 1])],
    ],
)
def test_the_mode_is_that_of_the_definition(rows: list[tuple[list[int], list[int]]]) -> None:
    group_of = np.zeros(4, int)
    by_size = {size: [row for row in rows if len(row[0]) == size] for size in {len(shown) for shown, _ in rows}}
    fit = fit_rankings(group_of, [rankings(part) for part in by_size.values()], prior_deviation=1.5)
    best = log_posterior(fit.log_odds, rows, 1.5**-2)
    rng = np.random.default_rng(1)
    for _ in range(200):
        other = fit.log_odds + rng.normal(0, 0.01, 4)
        assert log_posterior(other, rows, 1.5**-2) < best + 1e-12


def test_numbers_by_hand() -> None:
    # All six orders of three once: nothing is better. Then the best of each of two equal halves.
    every = rankings([([0, 1, 2], list(order)) for order in permutations((1, 2, 3))])
    assert np.allclose(fit_rankings(np.zeros(3, int), [every]).log_odds, 0.0)
    # Without much of a prior: 0 is best in 6 of 8, 1 and 2 share the rest, later places even.
    orders = [[1, 2, 3], [1, 3, 2]] * 3 + [[2, 1, 3], [2, 3, 1]]
    fit = fit_rankings(np.zeros(3, int), [rankings([([0, 1, 2], order) for order in orders])], prior_deviation=1000)
    assert fit.log_odds[1] == pytest.approx(fit.log_odds[2], abs=1e-3)
    a = math.exp(fit.log_odds[0] - fit.log_odds[1])
    # d/du of 0: 8 choices out of three and 2 out of {0, one other}; it was chosen 6 + 2 times.
    assert 8 * a / (a + 2) + 2 * a / (a + 1) == pytest.approx(8.0, abs=1e-3)


def test_the_rest_below_the_best_few_is_not_a_tie() -> None:
    named = ([0, 1, 2, 3], [1, 2, 3, 3])
    unknown = fit_rankings(np.zeros(4, int), [rankings([named] * 5, partial=True)], prior_deviation=1.0)
    tied = fit_rankings(np.zeros(4, int), [rankings([named] * 5)], prior_deviation=1.0)
    assert unknown.log_odds[2] == pytest.approx(unknown.log_odds[3]) and tied.log_odds[2] == tied.log_odds[3]
    # Five ties between 2 and 3 make their gap surer; nothing said of it leaves what the prior and the others leave.
    assert unknown.standard_deviation[2] > tied.standard_deviation[2]
    assert unknown.votes[2] == 10 and tied.votes[2] == 15
    last_alone = ([0, 1, 2], [1, 2, 3])
    for partial in (False, True):
        again = fit_rankings(np.zeros(3, int), [rankings([last_alone], partial)], prior_deviation=1.0)
        assert again.log_odds[0] > again.log_odds[1] > again.log_odds[2]


def test_errors_are_honest_where_those_of_pairs_are_too_small() -> None:
    rng = np.random.default_rng(4)
    prompts, each = 500, 6
    truth = rng.normal(0, 1, (prompts, 4))
    prompt = np.repeat(np.arange(prompts), each)
    # An order drawn from Plackett-Luce: utilities plus Gumbel noise, sorted.
    noisy = truth[prompt] + rng.gumbel(size=(len(prompt), 4))
    ranks = np.argsort(np.argsort(-noisy, axis=1), axis=1) + 1
    shown = prompt[:, None] * 4 + np.arange(4)
    group_of = np.repeat(np.arange(prompts), 4)
    centred = (truth - truth.mean(axis=1, keepdims=True)).ravel()

    def covered(log_odds: np.ndarray, deviation: np.ndarray) -> float:
        return float((np.abs(log_odds - centred) < 1.96 * deviation).mean())

    whole = fit_rankings(group_of, [Rankings(shown, ranks, np.ones(len(prompt)))], prior_deviation=1.0)
    places = [(a, b) for a in range(4) for b in range(a)]
    pairs = fit_groups(
        group_of,
        np.concatenate([shown[:, a] for a, _ in places]),
        np.concatenate([shown[:, b] for _, b in places]),
        np.concatenate([(ranks[:, a] < ranks[:, b]).astype(float) for a, b in places]),
        prior_deviation=1.0,
    )
    assert covered(whole.log_odds, whole.standard_deviation) == pytest.approx(0.945, abs=0.02)
    assert covered(pairs.log_odds, pairs.standard_deviation) < 0.93
    assert np.std(whole.log_odds - centred) < np.std(pairs.log_odds - centred)


def test_what_is_no_ranking_is_refused() -> None:
    group_of = np.array([0, 0, 0, 1])
    good = (np.array([[0, 1, 2]]), np.array([[1, 2, 3]]), np.ones(1))
    for shown, ranks, weight in [
        (np.array([[0, 1, 1]]), good[1], good[2]),
        (np.array([[0, 1, 3]]), good[1], good[2]),
        (np.array([[0, 1, 4]]), good[1], good[2]),
        (np.array([[0, 1, -1]]), good[1], good[2]),
        (good[0], good[1][:, :2], good[2]),
        (good[0], good[1], -good[2]),
        (good[0], good[1], np.ones(2)),
        (good[0][:, :1], good[1][:, :1], good[2]),
    ]:
        with pytest.raises(Invalid):
            fit_rankings(group_of, [Rankings(shown, ranks, weight)])
    assert not fit_rankings(group_of, []).log_odds.any()
