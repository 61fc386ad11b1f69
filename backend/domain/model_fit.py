"""Bradley-Terry over one dense group of models, by columns of votes: utilities, what controls are worth, and the
covariance of all of them, by a sandwich estimate over clusters of votes. Knows nothing of names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.bradley_terry import (
    LONGEST_STEP,
    NEWTON_STEPS,
    TOLERANCE,
    Floats,
    Ints,
    chance,
    check_columns,
    newton,
    reachable,
    sums,
)
from backend.domain.sandwich import meat_of
from backend.errors import Invalid


@dataclass(frozen=True, slots=True)
class Fit:
    """Utilities (models,) in log-odds with mean zero, coefficients of the controls, and the covariance of all of them
    in that order, the models' part centred."""

    utility: Floats
    coefficients: Floats
    covariance: Floats
    votes: Floats
    connected: bool
    steps: int


def fit_columns(
    left: Ints,
    right: Ints,
    score: Floats,
    weight: Floats | None = None,
    *,
    models: int,
    ridge: float = 0.0,
    clusters: Sequence[Ints] = (),
    controls: Floats | None = None,
    penalties: Sequence[float] = (),
    slope: Floats | None = None,
    lean: Floats | None = None,
) -> Fit:
    """The same for votes in columns: models by number, `clusters` of votes by number (two of them: both at once),
    `controls` (votes, columns) with the precision of a prior on each coefficient.

    `slope` (0 or more) and `lean` of each vote's annotator, known from elsewhere: the vote then has log-odds
    `slope * (u_left - u_right + controls) + lean`, and one of slope 0 says nothing.
    """
    if not 0.0 <= ridge < math.inf:
        raise Invalid("a ridge is a number, 0 or more", "ridge")
    check_columns(left, right, score, weight, models)
    if weight is None:
        weight = np.ones(len(score))
    extra: Floats = np.zeros((len(score), 0)) if controls is None else controls
    plain = slope is None and lean is None
    slope = np.ones(len(score)) if slope is None else slope
    lean = np.zeros(len(score)) if lean is None else lean
    if not ((slope >= 0.0) & np.isfinite(slope + lean)).all():
        raise Invalid("a slope is a number, 0 or more, and a lean is a number", "slope")
    # What says nothing links nobody.
    weight = np.where(slope > 0.0, weight, 0.0)
    wins = _wins(left, right, score, weight, models)
    connected = _checked_connected(wins, ridge)
    mode, hessian, steps = newton(wins[None], ridge, np.zeros((1, models)))
    utility, full = mode[0], hessian[0]
    gamma: Floats = np.zeros(extra.shape[1])
    if extra.shape[1] or not plain:
        utility, gamma, full, steps = _vote_by_vote(
            left, right, score, weight, extra, ridge, np.asarray(penalties, float), utility, slope, lean
        )
    gap = slope * (utility[left] - utility[right] + extra @ gamma) + lean
    surprise = weight * slope * (score - chance(gap))
    meat = meat_of(left, right, surprise, weight, extra, clusters, models)
    # The prior counts as one more observation of every utility, so a model without votes is as uncertain as it.
    meat[np.diag_indices(len(meat))] += np.r_[np.full(models, ridge), np.asarray(penalties, float)[: len(gamma)]]
    inverse = np.linalg.inv(full)
    covariance = inverse @ meat @ inverse
    covariance[:models] -= covariance[:models].mean(axis=0)
    covariance[:, :models] -= covariance[:, :models].mean(axis=1, keepdims=True)
    return Fit(utility - utility.mean(), gamma, covariance, (wins + wins.T).sum(axis=1), connected, steps)


def fit_utilities(left: Ints, right: Ints, score: Floats, *, models: int, ridge: float = 0.0) -> Floats:
    """The utilities alone, without errors: those of `fit_columns`."""
    check_columns(left, right, score, None, models)
    wins = _wins(left, right, score, None, models)
    _checked_connected(wins, ridge)
    mode, _, _ = newton(wins[None], ridge, np.zeros((1, models)))
    utility: Floats = mode[0] - mode[0].mean()
    return utility


def _wins(left: Ints, right: Ints, score: Floats, weight: Floats | None, models: int) -> Floats:
    """The scores of each model (row) against each other, (models, models)."""
    cell = left * models + right
    won = sums(cell, score if weight is None else weight * score, models * models)
    # Without weights the rest of the games is lost, to the digit.
    lost = (
        np.bincount(cell, minlength=models * models) - won
        if weight is None
        else sums(cell, weight * (1.0 - score), models * models)
    )
    wins: Floats = won.reshape(models, models) + lost.reshape(models, models).T
    return wins


def _checked_connected(wins: Floats, ridge: float) -> bool:
    connected = bool(reachable(wins[None] > 0).all())
    if not connected and ridge == 0.0:
        raise Invalid(
            "these votes do not connect all models both ways (somebody only won or only lost, or groups never met): "
            "use a ridge above 0, or collect more votes",
            "ridge",
        )
    return connected


def _vote_by_vote(
    left: Ints,
    right: Ints,
    score: Floats,
    weight: Floats,
    controls: Floats,
    ridge: float,
    penalties: Floats,
    utility: Floats,
    slope: Floats,
    lean: Floats,
) -> tuple[Floats, Floats, Floats, int]:
    """Newton over utilities and coefficients together, from the utilities that sums of wins alone give."""
    models, extra = len(utility), controls.shape[1]
    gamma = np.zeros(extra)
    gauge = weight.sum() * 2.0 / models**2 if ridge == 0.0 else 0.0
    own = np.arange(models)
    for step_number in range(1, NEWTON_STEPS + 1):
        p = chance(slope * (utility[left] - utility[right] + controls @ gamma) + lean)
        surprise = weight * slope * (score - p)
        known = weight * slope**2 * p * (1.0 - p)
        pull = sums(left, surprise, models) - sums(right, surprise, models)
        gradient = np.r_[pull - ridge * utility, controls.T @ surprise - penalties * gamma]
        cross = sums(left * models + right, known, models * models).reshape(models, models)
        cross = cross + cross.T
        hessian = np.zeros((models + extra, models + extra))
        hessian[:models, :models] = gauge - cross
        hessian[own, own] += cross.sum(axis=1) + ridge
        for column in range(extra):
            moved = known * controls[:, column]
            both = sums(left, moved, models) - sums(right, moved, models)
            hessian[:models, models + column] = hessian[models + column, :models] = both
        hessian[models:, models:] = (controls * known[:, None]).T @ controls + np.diag(penalties)
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            raise Invalid("two controls say the same, so neither can be told", "controls") from None
        length = float(np.abs(step).max())
        step *= min(1.0, LONGEST_STEP / max(length, LONGEST_STEP))
        utility, gamma = utility + step[:models], gamma + step[models:]
        if length < TOLERANCE:
            return utility, gamma, hessian, step_number
    raise ArithmeticError(f"the corrected leaderboard did not converge in {NEWTON_STEPS} steps")
