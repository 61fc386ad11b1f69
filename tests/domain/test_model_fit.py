"""The fit of models by columns of votes: what it refuses, known slopes and leans, and the utilities alone."""

import math
from typing import Any

import numpy as np
import pytest

from backend.domain.model_fit import fit_columns, fit_utilities
from backend.errors import Invalid


def test_columns_refuse_what_is_no_vote() -> None:
    one = np.array([1.0])
    for left, right, score, weight in [
        ([0], [0], one, None),
        ([0], [2], one, None),
        ([-1], [1], one, None),
        ([0], [1], one * math.nan, None),
        ([0], [1], one * 2, None),
        ([0], [1], one, -one),
        ([0], [1], one, one * math.inf),
        ([0, 1], [1, 0], one, None),
    ]:
        with pytest.raises(Invalid):
            fit_columns(np.array(left), np.array(right), score, weight, models=2, ridge=1.0)


def a_mixed_crowd(seed: int) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """20 models, 30 people of whom a third guess, some of them always for the first shown: votes and the truth."""
    rng = np.random.default_rng(seed)
    utility = rng.normal(0, 0.8, 20)
    slope = np.where(np.arange(30) < 10, 0.0, rng.uniform(0.8, 1.6, 30))
    lean = np.where(np.arange(30) < 5, 2.0, rng.normal(0, 0.3, 30))
    left = rng.integers(0, 20, 4000)
    right = (left + rng.integers(1, 20, 4000)) % 20
    person = rng.integers(0, 30, 4000)
    p = 1 / (1 + np.exp(-(slope[person] * (utility[left] - utility[right]) + lean[person])))
    score = (rng.random(4000) < p).astype(float)
    return (
        {"left": left, "right": right, "score": score, "slope": slope[person], "lean": lean[person]},
        utility - utility.mean(),
        person,
    )


def test_slopes_of_one_and_leans_of_zero_are_the_plain_leaderboard() -> None:
    votes, _, person = a_mixed_crowd(1)
    plain = {name: votes[name] for name in ("left", "right", "score")}
    several: list[dict[str, Any]] = [{}, {"clusters": [person]}, {"controls": np.ones((4000, 1)), "penalties": [0.0]}]
    for more in several:
        raw = fit_columns(**plain, models=20, **more)
        same = fit_columns(**plain, models=20, slope=np.ones(4000), lean=np.zeros(4000), **more)
        assert np.abs(same.utility - raw.utility).max() < 1e-9
        assert np.abs(same.covariance - raw.covariance).max() < 1e-9


def test_known_slopes_and_leans_bring_the_leaderboard_closer_to_the_truth() -> None:
    votes, truth, person = a_mixed_crowd(2)
    plain = fit_columns(votes["left"], votes["right"], votes["score"], models=20)
    weighed = fit_columns(**votes, models=20, clusters=[person])
    off = [float(np.sqrt(((fit.utility - truth) ** 2).mean())) for fit in (plain, weighed)]
    assert off[1] < 0.6 * off[0]
    inside = np.abs(weighed.utility - truth) < 2 * np.sqrt(np.diag(weighed.covariance))
    assert inside.mean() >= 0.8


def test_who_counts_nothing_changes_and_connects_nothing() -> None:
    """Of two votes one decides for each model; told by somebody of slope 0, the second is none."""
    left, right, score = np.array([0, 0]), np.array([1, 1]), np.array([1.0, 0.0])
    one = fit_columns(left[:1], right[:1], score[:1], models=2, ridge=1.0)
    both = fit_columns(left, right, score, models=2, ridge=1.0, slope=np.array([1.0, 0.0]), lean=np.array([0.0, 3.0]))
    assert both.utility == pytest.approx([0.337415807, -0.337415807], abs=1e-9)
    assert np.allclose(both.covariance, one.covariance) and not both.connected
    with pytest.raises(Invalid, match="do not connect"):
        fit_columns(left, right, score, models=2, slope=np.array([1.0, 0.0]))
    with pytest.raises(Invalid, match="slope"):
        fit_columns(left, right, score, models=2, slope=np.array([1.0, -1.0]))


def test_the_utilities_alone_are_those_of_the_whole_fit() -> None:
    rng = np.random.default_rng(2)
    left = rng.integers(0, 12, 4_000)
    right = (left + rng.integers(1, 12, 4_000)) % 12
    score = rng.choice([0.0, 0.5, 1.0], 4_000)
    alone = fit_utilities(left, right, score, models=12)
    np.testing.assert_array_equal(alone, fit_columns(left, right, score, models=12).utility)
    with pytest.raises(Invalid, match="do not connect"):
        fit_utilities(left[:3], right[:3], score[:3], models=12)
