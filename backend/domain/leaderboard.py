"""A leaderboard of models: Bradley-Terry with errors that know which votes hang together, ranks that are shared until a
difference is beyond doubt, and the chance of being the best.

Votes on one prompt, or by one annotator, are not independent; the errors are those of a sandwich estimate over such
clusters. What a text's length and style win by themselves can be taken out (controls: further columns of the same
logistic regression, as in the style control of Chatbot Arena), the side it was shown on as well. Knows nothing of
people, texts or storage.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.domain.bradley_terry import Floats
from backend.domain.elo import POINTS_PER_LOG_ODDS, START, checked
from backend.domain.model_fit import Fit, fit_columns
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
