"""A leaderboard of models: Bradley-Terry over one dense group, with errors that know which votes hang together.

Votes on one prompt, or by one annotator, are not independent; the errors are those of a sandwich estimate over such
clusters. What a text's length and style win by themselves can be taken out (controls: further columns of the same
logistic regression, as in the style control of Chatbot Arena), the side it was shown on as well. `fit_davidson` models
ties by a parameter of their own instead of counting them half. Knows nothing of people, texts or storage.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.domain.bradley_terry import (
    CELLS_AT_ONCE,
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
from backend.domain.elo import POINTS_PER_LOG_ODDS, START, checked
from backend.errors import Invalid

Cluster = Literal["votes", "prompt", "annotator", "both"]

SIDE = "shown on the left"
# Precision of the prior on what length and style are worth, per deviation of the column.
CONTROL_RIDGE = 0.5
BEST_DRAWS = 4_000
SIGNIFICANT = 0.05


class Vote(NamedTuple):
    """One outcome between two models, `a` shown first; prompt and annotator say which votes hang together.

    `controls`: how `a` differs from `b` in length and style, the same columns in every vote.
    """

    a: Hashable
    b: Hashable
    score: float
    weight: float = 1.0
    prompt: Hashable = None
    annotator: Hashable = None
    controls: tuple[float, ...] = ()


class ModelRating(NamedTuple):
    """A model on the Elo scale (mean 1000) with the standard error of its distance from the mean.

    `rank` is one more than the models that are better beyond doubt (differences by Holm's test at 5 %), so models that
    cannot be told apart share one; `chance_of_best` is that of standing first of all, given the errors.
    """

    rating: float
    standard_error: float
    votes: float
    rank: int
    chance_of_best: float


class Coefficient(NamedTuple):
    """What one deviation of a control column (for the side: being shown first) adds to the log-odds of winning."""

    value: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Ratings of all models, best first.

    `connected`: every model has won and lost (or tied) along some chain against every other, so the ratings are held by
    the votes alone. `clusters` of kind `cluster` carry the errors; below 30 of them the errors are rough.
    """

    ratings: Mapping[Hashable, ModelRating]
    connected: bool
    cluster: Cluster
    clusters: int
    steps: int
    controls: Mapping[str, Coefficient] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class Davidson:
    """Utilities with mean zero, and v: a tie between equals is v / (1 + v) as likely as a decision."""

    utility: Floats
    v: float
    steps: int


def fit_models(
    votes: Sequence[Vote],
    ridge: float = 0.0,
    cluster: Cluster = "prompt",
    models: Iterable[Hashable] = (),
    *,
    controls: Sequence[str] = (),
    side: bool = False,
) -> Leaderboard:
    """Rate all models in `votes` (and in `models`, voted on or not).

    `ridge` is the precision of a normal prior on every utility (1 / s.d.^2, in log-odds). Without one the votes must
    connect all models both ways, or no finite ratings exist and the fit is refused. Errors are those of a sandwich
    estimate over clusters: prompts, annotators, both at once, or every vote by itself. With fewer than two clusters
    there is nothing to compare, and votes stand by themselves. `controls` name the columns of `Vote.controls`; `side`
    adds one for being shown first.
    """
    place: dict[Hashable, int] = {model: i for i, model in enumerate(dict.fromkeys(models))}
    for vote in votes:
        checked((vote.a, vote.b, vote.score, vote.weight))
        if len(vote.controls) != len(controls):
            raise Invalid(f"a vote has {len(vote.controls)} controls where {len(controls)} are named", "controls")
        place.setdefault(vote.a, len(place))
        place.setdefault(vote.b, len(place))
    if not place:
        return Leaderboard({}, True, cluster, 0, 0)
    # A vote of weight 0 is no vote: it makes neither a cluster nor a link.
    votes = [vote for vote in votes if vote.weight > 0]
    labels = _labels(votes, cluster)
    if any(len(set(column.tolist())) < 2 for column in labels):
        cluster, labels = "votes", []
    score = np.array([vote.score for vote in votes], dtype=float)
    columns = np.array([vote.controls for vote in votes], dtype=float).reshape(len(votes), len(controls))
    columns = standardised(columns, score)
    fit = fit_columns(
        np.array([place[vote.a] for vote in votes], dtype=np.intp),
        np.array([place[vote.b] for vote in votes], dtype=np.intp),
        score,
        np.array([vote.weight for vote in votes], dtype=float),
        models=len(place),
        ridge=ridge,
        clusters=labels,
        controls=np.column_stack([columns, np.ones(len(votes))]) if side else columns,
        penalties=[CONTROL_RIDGE] * len(controls) + [0.0] * side,
    )
    ratings = _rated(fit, list(place))
    names = [*controls, SIDE] if side else list(controls)
    errors = np.sqrt(np.maximum(np.diag(fit.covariance)[len(place) :], 0.0))
    found = {
        name: Coefficient(float(value), float(error))
        for name, value, error in zip(names, fit.coefficients, errors, strict=True)
    }
    number = min((len(set(column.tolist())) for column in labels), default=len(votes))
    return Leaderboard(ratings, fit.connected, cluster, number, fit.steps, found)


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
    meat = _bread_and_meat(left, right, surprise, weight, extra, clusters, models)
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


def fit_davidson(wins: Floats, ties: Floats) -> Davidson:
    """Davidson's model of ties: win : tie : loss = e^(d/2) : 2v : e^(-d/2), d the gap in log-odds [Davidson 1970].

    `wins[i, j]` counts decisions for i against j, `ties` (symmetric) the ties. Its utilities lie on a wider scale than
    those of half-counted ties and must not be mixed with them. Raises Invalid when the votes do not hold all models.
    """
    count = len(wins)
    if not reachable(((wins + ties) > 0)[None]).all() or not ties.any():
        raise Invalid("these votes do not connect all models both ways, or hold no tie: use Bradley-Terry with a ridge")
    games = wins + wins.T + ties
    pulled = (wins - wins.T).sum(axis=1) / 2.0
    tied = ties.sum() / 2.0
    utility, log_v = np.zeros(count), 0.0
    gauge = games.sum() / count**2
    diagonal = np.arange(count)
    for step_number in range(1, NEWTON_STEPS + 1):
        up = np.exp((utility[:, None] - utility[None, :]) / 2.0)
        whole = up + up.T + 2.0 * math.exp(log_v)
        tie = 2.0 * math.exp(log_v) / whole
        lead = (up - up.T) / whole
        gradient = np.r_[pulled - (games * lead).sum(axis=1) / 2.0, tied - (games * tie).sum() / 2.0]
        known = games * (1.0 - tie - lead**2) / 4.0
        hessian = np.zeros((count + 1, count + 1))
        hessian[:count, :count] = -known + gauge
        hessian[diagonal, diagonal] += known.sum(axis=1)
        hessian[:count, count] = hessian[count, :count] = -(games * lead * tie).sum(axis=1) / 2.0
        hessian[count, count] = (games * tie * (1.0 - tie)).sum() / 2.0
        step = np.linalg.solve(hessian, gradient)
        length = float(np.abs(step).max())
        step *= min(1.0, LONGEST_STEP / max(length, LONGEST_STEP))
        utility, log_v = utility + step[:count], log_v + float(step[count])
        if length < TOLERANCE:
            return Davidson(utility - utility.mean(), math.exp(log_v), step_number)
    raise ArithmeticError(f"Davidson's model did not converge in {NEWTON_STEPS} steps")


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


def _bread_and_meat(
    left: Ints,
    right: Ints,
    surprise: Floats,
    weight: Floats,
    controls: Floats,
    clusters: Sequence[Ints],
    models: int,
) -> Floats:
    """The covariance of the gradient (models + controls, squared), by clusters of votes."""
    if not clusters:
        # Of equal votes counted as one, each is still a vote of its own: weight times the square, not its square.
        square = np.divide(surprise**2, weight, out=np.zeros(len(weight)), where=weight > 0)
        return _alone(left, right, square, controls, models)
    numbered = [_numbered(column) for column in clusters]
    meat = sum((_meat(column, left, right, surprise, controls, models) for column in numbered), start=np.zeros(()))
    if len(numbered) == 2:
        together = _together(*numbered)
        meat = meat - _meat(together, left, right, surprise, controls, models)
        # What two overlapping clusterings take away twice may leave a negative direction: there is none.
        values, vectors = np.linalg.eigh(meat)
        meat = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return meat


def _alone(left: Ints, right: Ints, square: Floats, controls: Floats, models: int) -> Floats:
    """The sum over votes of the square of what each pulls, when each is a cluster of its own."""
    cross = sums(left * models + right, square, models * models).reshape(models, models)
    cross = cross + cross.T
    size = models + controls.shape[1]
    meat = np.zeros((size, size))
    meat[:models, :models] = np.diag(cross.sum(axis=1)) - cross
    for column in range(controls.shape[1]):
        moved = square * controls[:, column]
        both = sums(left, moved, models) - sums(right, moved, models)
        meat[:models, models + column] = meat[models + column, :models] = both
    meat[models:, models:] = (controls * square[:, None]).T @ controls
    return meat


def _meat(label: Ints, left: Ints, right: Ints, surprise: Floats, controls: Floats, models: int) -> Floats:
    """The sum over clusters of the square of what its votes pull at each model, with the small-sample factor."""
    number, extra = int(label.max()) + 1, controls.shape[1]
    factor = number / (number - 1.0)
    size = models + extra
    # Clusters of one vote, of which there can be as many as votes, need no row of their own.
    alone = np.bincount(label)[label] == 1
    singles = _alone(left[alone], right[alone], surprise[alone] ** 2, controls[alone], models)
    label, left, right, surprise, controls = (column[~alone] for column in (label, left, right, surprise, controls))
    if not len(label):
        return singles * factor
    label = _numbered(label)
    number = int(label.max()) + 1
    # Only as many clusters at a time as fit into some 8 MB.
    at_once = max(1, CELLS_AT_ONCE // size)
    order = _order(label) if number > at_once else np.arange(len(label))
    starts = np.searchsorted(label[order], np.arange(0, number + at_once, at_once)) if number > at_once else None
    total = singles
    for block, (first, last) in enumerate(pairwise([0, len(label)] if starts is None else starts.tolist())):
        rows = order[first:last]
        here = min(at_once, number - block * at_once)
        base = (label[rows] - block * at_once) * size
        cells = here * size
        pull = sums(base + left[rows], surprise[rows], cells)
        pull -= sums(base + right[rows], surprise[rows], cells)
        for column in range(extra):
            pull += sums(base + models + column, surprise[rows] * controls[rows, column], cells)
        pull = pull.reshape(here, size)
        total += pull.T @ pull
    return total * factor


def _numbered(label: Ints) -> Ints:
    """The same labels as numbers without gaps, in their order."""
    if label.min() < 0 or label.max() > 4 * len(label):
        return np.unique(label, return_inverse=True)[1]
    return (np.cumsum(np.bincount(label) > 0) - 1)[label]


def _together(first: Ints, second: Ints) -> Ints:
    """The number of each pair of labels, in their order."""
    order = _order(first, second)
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(first[order]) != 0) | (np.diff(second[order]) != 0)
    number = np.empty(len(order), np.intp)
    number[order] = np.cumsum(new) - 1
    return number


def _order(*labels: Ints) -> NDArray[np.intp]:
    """The stable order by the first label, then the next; none below 0. By digits of 16 bits, which is quicker than
    comparing: numpy sorts those by counting."""
    order = np.arange(len(labels[0]))
    for label in reversed(labels):
        for shift in range(0, max(1, int(label.max(initial=0)).bit_length()), 16):
            digit = (label[order] >> shift).astype(np.uint16)
            order = order[np.argsort(digit, kind="stable")]
    return order


def _labels(votes: Sequence[Vote], cluster: Cluster) -> list[NDArray[np.intp]]:
    def numbered(column: list[Hashable]) -> NDArray[np.intp]:
        number = {label: i for i, label in enumerate(dict.fromkeys(column))}
        return np.array([number[label] for label in column], dtype=np.intp)

    columns = []
    if cluster in ("prompt", "both"):
        columns.append(numbered([vote.prompt for vote in votes]))
    if cluster in ("annotator", "both"):
        columns.append(numbered([vote.annotator for vote in votes]))
    return columns


def standardised(columns: Floats, score: Floats) -> Floats:
    """Each column over its deviation among decided votes; never shifted, so that equal texts stay equal."""
    decided = columns[score != 0.5]
    deviation = decided.std(axis=0) if len(decided) else np.ones(columns.shape[1])
    return columns / np.where(deviation > 0, deviation, 1.0)


def _rated(fit: Fit, models: Sequence[Hashable]) -> dict[Hashable, ModelRating]:
    count = len(models)
    covariance = fit.covariance[:count, :count]
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0)) * POINTS_PER_LOG_ODDS
    rank, best = ranks(fit.utility, covariance), chance_of_best(fit.utility, covariance)
    found = {
        model: ModelRating(
            START + POINTS_PER_LOG_ODDS * float(fit.utility[i]),
            float(error[i]),
            float(fit.votes[i]),
            int(rank[i]),
            float(best[i]),
        )
        for i, model in enumerate(models)
    }
    return dict(sorted(found.items(), key=lambda entry: -entry[1].rating))


def ranks(utility: Floats, covariance: Floats) -> NDArray[np.intp]:
    """One more than the number of others that are better beyond doubt: two-sided tests of the differences at 5 %, for
    each one against all others, corrected by Holm's method."""
    count = len(utility)
    variance = np.diag(covariance)
    error = np.sqrt(np.maximum(variance[:, None] + variance[None, :] - 2.0 * covariance, 1e-300))
    ahead = utility[None, :] - utility[:, None]
    p = np.vectorize(math.erfc)(np.abs(ahead) / error / math.sqrt(2.0))
    np.fill_diagonal(p, np.inf)
    order = np.argsort(p, axis=1)
    sorted_p = np.take_along_axis(p, order, axis=1)
    # Holm: the i-th smallest of m is held against 0.05 / (m - i), and the first that fails ends it.
    passed = sorted_p[:, : count - 1] * np.arange(count - 1, 0, -1) < SIGNIFICANT
    passed = np.logical_and.accumulate(passed, axis=1)
    better = np.take_along_axis(ahead, order, axis=1)[:, : count - 1] > 0
    result: NDArray[np.intp] = 1 + (passed & better).sum(axis=1)
    return result


def chance_of_best(utility: Floats, covariance: Floats, draws: int = BEST_DRAWS) -> Floats:
    """How often each is the highest of all when all are drawn from their joint normal distribution."""
    values, vectors = np.linalg.eigh(covariance)
    spread = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = utility + np.random.default_rng(0).standard_normal((draws, len(utility))) @ spread.T
    return np.bincount(drawn.argmax(axis=1), minlength=len(utility)) / draws
