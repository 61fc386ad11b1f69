"""What judgments teach, by hand and as a whole; whether choosing pays; and how many are left."""

import math

import numpy as np
import pytest

from backend.domain.asking import LEAST_RANDOM, Advantage, Alike, Step, Taught, advantage, curve, judgments_left, taught
from backend.domain.bradley_terry import fit_groups


def test_what_votes_of_a_pair_teach_by_hand() -> None:
    ones = np.ones(3)
    found = taught(np.zeros(2, int), np.zeros(3, int), np.ones(3, int), ones, np.arange(3), np.ones(3, bool))
    assert found.nth.tolist() == [1, 2, 3]
    # 1/2 by the prior; at the mode n votes of one mind have n / (1 + exp(2 theta)) = theta, and the variance of the
    # distance to the mean is 1 / (2 (1 + 2 n p (1 - p))) with 1 - p = theta / n.
    variance = [0.5]
    for n, theta in ((1, 0.337415807), (2, 0.521298457), (3, 0.646269801)):
        assert n / (1 + math.exp(2 * theta)) == pytest.approx(theta, abs=1e-6)
        variance.append(1 / (2 * (1 + 2 * theta * (1 - theta / n))))
    assert found.fall.tolist() == pytest.approx((-np.diff(variance)).tolist(), abs=1e-6)


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_what_all_have_taught_is_what_is_known_in_the_end(share: float) -> None:
    rng = np.random.default_rng(2)
    size = np.array([2, 5, 3, 4, 4, 1, 2])
    group_of = np.repeat(np.arange(len(size)), size)
    first = np.cumsum(size) - size
    votes = [first[p] + rng.permutation(size[p])[:2] for p in rng.choice([0, 1, 2, 3, 4], 80)]
    left, right = np.array(votes).T
    score = rng.choice([0.0, 0.5, 1.0], 80)
    wanted = rng.random(80) < share
    found = taught(group_of, left, right, score, np.arange(80), wanted)

    def known(judgments: int) -> float:
        columns = (left[:judgments], right[:judgments], score[:judgments])
        fit = fit_groups(group_of, *columns, prior_deviation=1.0, groups=len(size))
        return float((np.bincount(group_of, fit.standard_deviation**2) / size).sum())

    for judgment in range(80):
        expected = known(judgment) - known(judgment + 1) if wanted[judgment] else 0.0
        assert found.fall[judgment] == pytest.approx(expected, abs=1e-8)
    for prompt in range(5):
        mine = group_of[left] == prompt
        assert sorted(found.nth[mine]) == list(range(1, mine.sum() + 1))


def test_nothing_asked_teaches_nothing() -> None:
    nobody = np.zeros(0, int)
    found = taught(nobody, nobody, nobody, np.zeros(0), nobody, np.zeros(0, bool))
    assert curve(found, np.zeros(0, bool)) == []
    assert advantage([], []) == Advantage(0)


def test_the_curve_by_hand() -> None:
    found = Taught(np.array([1, 1, 2, 1, 4]), np.array([0.2, 0.4, 0.1, 9.0, 0.3]))
    steps = curve(found, np.array([True, True, True, False, True]))
    assert [(step.nth, step.n) for step in steps] == [(1, 2), (2, 1), (4, 1)]
    assert [step.gain for step in steps] == pytest.approx([0.3, 0.1, 0.3])
    assert [step.total for step in steps] == pytest.approx([0.3, 0.4, 0.7])
    assert steps[0].error == pytest.approx(0.1) and steps[1].error is None


def test_the_advantage_by_hand() -> None:
    chosen = [Step(1, 0.2, 0.01, 100, 0.2), Step(2, 0.4, 0.02, 50, 0.6), Step(3, 9.0, 0.1, 50, 9.6)]
    chance = [Step(1, 0.2, 0.02, 20, 0.2), Step(2, 0.2, 0.04, 20, 0.4), Step(3, 1.0, None, 1, 1.4)]
    found = advantage(chosen, chance)  # the third is a single one by chance, and counts for nothing
    error = math.sqrt((0.01**2 + 0.02**2) / 0.6**2 + (0.02**2 + 0.04**2) / 0.4**2)
    assert found.ratio == pytest.approx(1.5)
    assert (found.low, found.high) == pytest.approx((1.5 * math.exp(-1.96 * error), 1.5 * math.exp(1.96 * error)))
    few = [step._replace(n=LEAST_RANDOM // 2 - 1) for step in chance[:2]]
    assert advantage(chosen, few) == Advantage(2 * (LEAST_RANDOM // 2 - 1))


def test_the_interval_holds_what_is_true() -> None:
    inside = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        nth, chosen = np.tile(np.arange(1, 5), 100), rng.random(400) < 0.8
        found = Taught(nth, np.where(chosen, 0.3, 0.2) * rng.exponential(1, 400))
        told = advantage(curve(found, chosen), curve(found, ~chosen))
        assert told.ratio and told.low and told.high
        inside += told.low < 1.5 < told.high
    assert 0.90 <= inside / 200 <= 0.99


def test_what_is_left_by_hand() -> None:
    # Of two completions the prior says 1/2. Two judgments brought one prompt to 1/4: each added one to the precision.
    done, fresh = Alike(2, 2, 0.25, 10), Alike(2, 0, 0.5, 10, 3)
    assert judgments_left([done, fresh], [fresh], 0.25) == 3 * 2
    assert judgments_left([done, fresh], [fresh], 0.125) == 3 * 6
    assert judgments_left([done], [Alike(2, 0, 0.5, 1, 3)], 0.25) == 3, "no more than may be asked"
    # Of another number of completions nothing is known: each adds what it added elsewhere.
    assert judgments_left([done], [Alike(4, 0, 0.75, 10)], 0.375) == 2
    # Precise, and yet not settled: somebody was not compared.
    assert judgments_left([done], [Alike(2, 2, 0.2, 10)], 0.25) == 1
    assert judgments_left([fresh], [fresh], 0.25) is None
    assert judgments_left([done], [], 0.25) == 0
