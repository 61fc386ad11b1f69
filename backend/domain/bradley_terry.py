"""Bradley-Terry by penalised maximum likelihood: ratings that do not depend on the order of judgments, with errors.

`fit_prompts` rates completions within their prompts, thousands of small groups at once, each with a normal prior whose
width is learnt over all of them; so one vote gives a small finite gap and thirty a gap to be trusted. `fit_models`
rates a leaderboard, one dense group, with intervals that know that votes on one prompt, or by one annotator, are not
independent. Everything is computed in log-odds and reported on the Elo scale. A tie is half a win for both. A judgment
of three or more enters as all its pairs: a consistent estimate, whose errors are a little too small.

Knows nothing of people or storage. Who is rated is told apart by any hashable id.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from backend.domain.elo import POINTS_PER_LOG_ODDS, START, Row, checked
from backend.errors import Invalid

T = TypeVar("T", bound=Hashable)
Floats = NDArray[np.floating[Any]]
Cluster = Literal["votes", "prompt", "annotator", "both"]

# Below so many prompts the width of the prior is not learnt but kept at 1: a judgment, not a measurement.
PROMPTS_TO_LEARN_PRIOR = 50
CELLS_FOR_PRIOR = 16_000
PRIOR_ROUNDS = 15
PRIOR_DRAWS = 64
NEWTON_STEPS = 500
LONGEST_STEP = 2.0
TOLERANCE = 1e-10
# Prompts of one size are fitted together in blocks of at most so many cells (prompts x completions squared).
CELLS_AT_ONCE = 1_000_000


class Estimate(NamedTuple):
    """A completion among those of its prompt: log-odds around the prompt's mean, and their posterior deviation.

    `votes` is the weight of all pairs it took part in. Completions of different `component`s of one prompt were never
    compared, not even through others: nothing but the prior places them on one scale.
    """

    log_odds: float
    standard_deviation: float
    votes: float
    component: int

    @property
    def rating(self) -> float:
        return START + POINTS_PER_LOG_ODDS * self.log_odds

    @property
    def standard_error(self) -> float:
        return POINTS_PER_LOG_ODDS * self.standard_deviation


@dataclass(frozen=True, slots=True)
class PromptsFit(Generic[T]):
    """All completions of all prompts. `connected[i]`: all of group i were compared, directly or through others."""

    estimates: Mapping[T, Estimate]
    connected: Sequence[bool]
    prior_deviation: float


class Vote(NamedTuple):
    """One outcome between two models; prompt and annotator say which votes hang together."""

    a: Hashable
    b: Hashable
    score: float
    weight: float = 1.0
    prompt: Hashable = None
    annotator: Hashable = None


class ModelRating(NamedTuple):
    """A model on the Elo scale (mean 1000) with the standard error of its distance from the mean."""

    rating: float
    standard_error: float
    votes: float


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


def fit_prompts(
    groups: Sequence[Sequence[T]], rows: Iterable[Row[T]], prior_deviation: float | None = None
) -> PromptsFit[T]:
    """Rate the completions of each group (prompt) by the outcomes among them.

    Without `prior_deviation` the prior is learnt from all groups that have votes, and is 1 where there are too few.
    """
    if prior_deviation is not None and not 0.0 < prior_deviation < math.inf:
        raise Invalid("a prior deviation is a number above 0", "prior_deviation")
    blocks, where = _lay_out(groups)
    for row in rows:
        a, b, score, weight = checked(row)
        if a not in where or b not in where:
            raise Invalid(f"{a if a not in where else b!r} is in none of the prompts")
        number, group, i = where[a]
        other_number, other_group, j = where[b]
        if (number, group) != (other_number, other_group):
            raise Invalid(f"{a!r} and {b!r} answer different prompts and cannot be compared")
        blocks[number].wins[group, i, j] += weight * score
        blocks[number].wins[group, j, i] += weight * (1.0 - score)
    precision = _learnt_precision(blocks) if prior_deviation is None else prior_deviation**-2
    estimates: dict[T, Estimate] = {}
    connected = [True] * len(groups)
    for block in blocks:
        block.solve(precision)
        _report(block, groups, estimates, connected)
    return PromptsFit(estimates, connected, precision**-0.5)


class _Block:
    """Groups of one size: their win sums, and the mode and covariance of the utilities given a prior."""

    def __init__(self, members: list[int], wins: Floats) -> None:
        self.members = members
        self.wins = wins
        self.mode: Floats = np.zeros(wins.shape[:2])
        self.covariance: Floats = np.zeros_like(wins)

    def solve(self, precision: float) -> None:
        self.mode, hessian, _ = _newton(self.wins, precision, self.mode)
        self.covariance = np.linalg.inv(hessian)

    def contrast_variance(self) -> Floats:
        """The variance of each utility's distance from the mean of its group."""
        diagonal = np.diagonal(self.covariance, axis1=1, axis2=2)
        rows = self.covariance.mean(axis=2)
        variance: Floats = diagonal - 2.0 * rows + rows.mean(axis=1, keepdims=True)
        return variance


def _lay_out(groups: Sequence[Sequence[T]]) -> tuple[list[_Block], dict[T, tuple[int, int, int]]]:
    """Blocks of equal size, and where each completion sits: (block, group within it, place within the group)."""
    by_size: dict[int, list[int]] = {}
    for number, group in enumerate(groups):
        if group:
            by_size.setdefault(len(group), []).append(number)
    blocks: list[_Block] = []
    where: dict[T, tuple[int, int, int]] = {}
    for size, members in by_size.items():
        at_once = max(1, CELLS_AT_ONCE // size**2)
        for first in range(0, len(members), at_once):
            part = members[first : first + at_once]
            for row, number in enumerate(part):
                for place, item in enumerate(groups[number]):
                    if item in where:
                        raise Invalid(f"{item!r} is listed twice")
                    where[item] = (len(blocks), row, place)
            blocks.append(_Block(part, np.zeros((len(part), size, size))))
    return blocks, where


def _learnt_precision(blocks: Sequence[_Block]) -> float:
    """1 / s.d.^2 of utilities inside their prompts, by expectation-maximisation from 1.

    What the normal approximation at the mode leaves out would bias the width far down (by a third at two votes a
    completion), so each round averages over draws from that approximation, weighted to be draws from the posterior.
    The number of rounds is fixed: where the votes say little about the width, it stays near 1.
    """
    judged = [(block, row) for block in blocks for row in np.flatnonzero(block.wins.sum(axis=(1, 2)) > 0).tolist()]
    if len(judged) < PROMPTS_TO_LEARN_PRIOR:
        return 1.0
    # Evenly spread over all of them, and fewer where prompts are large: a thousand of four completions tell the width
    # to a few per cent.
    cells = sum(block.wins.shape[1] ** 2 for block, _ in judged) // len(judged)
    number = min(len(judged), max(PROMPTS_TO_LEARN_PRIOR, CELLS_FOR_PRIOR // cells))
    chosen: dict[int, list[Floats]] = {}
    for place in np.linspace(0, len(judged) - 1, number).astype(int).tolist():
        block, row = judged[place]
        chosen.setdefault(block.wins.shape[1], []).append(block.wins[row])
    sample = [_Block([], np.stack(wins)) for wins in chosen.values()]
    free = sum(len(block.wins) * (block.wins.shape[1] - 1) for block in sample)
    precision = 1.0
    for _ in range(PRIOR_ROUNDS):
        # The same draws in every round: what changes between rounds is the width alone.
        rng = np.random.default_rng(0)
        precision = free / sum(_posterior_spread(block, precision, rng) for block in sample)
    return precision


def _posterior_spread(block: _Block, precision: float, rng: np.random.Generator) -> float:
    """The expected sum of squared distances from the group's mean, over all groups of a block."""
    block.solve(precision)
    factor = np.linalg.cholesky(block.covariance)
    log_weight, spread = [], []
    for _ in range(PRIOR_DRAWS // 2):
        normal = rng.standard_normal(block.mode.shape)
        aside = np.matmul(factor, normal[..., None])[..., 0]
        for utility in (block.mode + aside, block.mode - aside):
            lost = np.logaddexp(0.0, utility[:, None, :] - utility[:, :, None])
            target = -(block.wins * lost).sum(axis=(1, 2)) - 0.5 * precision * (utility**2).sum(axis=1)
            log_weight.append(target + 0.5 * (normal**2).sum(axis=1))
            spread.append(((utility - utility.mean(axis=1, keepdims=True)) ** 2).sum(axis=1))
    weight = np.exp(np.array(log_weight) - np.max(log_weight, axis=0))
    return float((weight * np.array(spread)).sum(axis=0) @ (1.0 / weight.sum(axis=0)))


def _report(block: _Block, groups: Sequence[Sequence[T]], estimates: dict[T, Estimate], connected: list[bool]) -> None:
    centred = (block.mode - block.mode.mean(axis=1, keepdims=True)).tolist()
    deviation = np.sqrt(np.maximum(block.contrast_variance(), 0.0)).tolist()
    games = block.wins + block.wins.transpose(0, 2, 1)
    votes = games.sum(axis=2).tolist()
    # The number of a component is the place of its first completion.
    component = _reachable(games > 0).argmax(axis=2)
    whole = (component == 0).all(axis=1)
    for row, number in enumerate(block.members):
        connected[number] = bool(whole[row])
        for place, item in enumerate(groups[number]):
            estimates[item] = Estimate(
                centred[row][place], deviation[row][place], votes[row][place], int(component[row, place])
            )


def fit_models(
    votes: Sequence[Vote], ridge: float = 0.0, cluster: Cluster = "prompt", models: Iterable[Hashable] = ()
) -> Leaderboard:
    """Rate all models in `votes` (and in `models`, voted on or not).

    `ridge` is the precision of a normal prior on every utility (1 / s.d.^2, in log-odds). Without one the votes must
    connect all models both ways, or no finite ratings exist and the fit is refused. Errors are those of a sandwich
    estimate over clusters: prompts, annotators, both at once, or every vote by itself. With fewer than two clusters
    there is nothing to compare, and votes stand by themselves.
    """
    if not 0.0 <= ridge < math.inf:
        raise Invalid("a ridge is a number, 0 or more", "ridge")
    place: dict[Hashable, int] = {model: i for i, model in enumerate(dict.fromkeys(models))}
    for vote in votes:
        checked((vote.a, vote.b, vote.score, vote.weight))
        place.setdefault(vote.a, len(place))
        place.setdefault(vote.b, len(place))
    if not place:
        return Leaderboard({}, True, cluster, 0, 0)
    # A vote of weight 0 is no vote: it makes neither a cluster nor a link.
    votes = [vote for vote in votes if vote.weight > 0]
    count = len(place)
    a = np.array([place[vote.a] for vote in votes], dtype=np.intp)
    b = np.array([place[vote.b] for vote in votes], dtype=np.intp)
    score = np.array([vote.score for vote in votes], dtype=float)
    weight = np.array([vote.weight for vote in votes], dtype=float)
    wins: Floats = np.zeros((count, count))
    np.add.at(wins, (a, b), weight * score)
    np.add.at(wins, (b, a), weight * (1.0 - score))
    connected = bool(_reachable(wins[None] > 0).all())
    if not connected and ridge == 0.0:
        raise Invalid(
            "these votes do not connect all models both ways (somebody only won or only lost, or groups never met): "
            "use a ridge above 0, or collect more votes",
            "ridge",
        )
    mode, hessian, steps = _newton(wins[None], ridge, np.zeros((1, count)))
    utility, inverse = mode[0] - mode[0].mean(), np.linalg.inv(hessian[0])
    surprise = weight * (score - _chance(utility[a] - utility[b]))
    labels = _clusters(votes, cluster)
    if any(len(set(column)) < 2 for column in labels):
        cluster, labels = "votes", []
    meat: Floats = np.zeros((count, count))
    if not labels:
        # Of equal votes counted as one, each is still a vote of its own: weight times the square, not its square.
        square = np.bincount(a * count + b, surprise**2 / weight, count * count).reshape(count, count)
        square = square + square.T
        meat = np.diag(square.sum(axis=1)) - square
    else:
        for column in labels:
            meat += _meat(column, a, b, surprise, count)
        if len(labels) == 2:
            meat -= _meat(list(zip(*labels, strict=True)), a, b, surprise, count)
            # What two overlapping clusterings take away twice may leave a negative direction: there is none.
            values, vectors = np.linalg.eigh(meat)
            meat = (vectors * np.maximum(values, 0.0)) @ vectors.T
    # The prior counts as one more observation of every utility, so a model without votes is as uncertain as it.
    covariance = inverse @ (meat + ridge * np.eye(count)) @ inverse
    centre = np.eye(count) - 1.0 / count
    error = np.sqrt(np.maximum(np.diag(centre @ covariance @ centre), 0.0)) * POINTS_PER_LOG_ODDS
    games = (wins + wins.T).sum(axis=1)
    found = {
        model: ModelRating(START + POINTS_PER_LOG_ODDS * float(utility[i]), float(error[i]), float(games[i]))
        for model, i in place.items()
    }
    best_first = dict(sorted(found.items(), key=lambda entry: -entry[1].rating))
    number = min((len(set(column)) for column in labels), default=len(votes))
    return Leaderboard(best_first, connected, cluster, number, steps)


def _clusters(votes: Sequence[Vote], cluster: Cluster) -> list[list[Hashable]]:
    columns: list[list[Hashable]] = []
    if cluster in ("prompt", "both"):
        columns.append([vote.prompt for vote in votes])
    if cluster in ("annotator", "both"):
        columns.append([vote.annotator for vote in votes])
    return columns


def _meat(column: Sequence[Hashable], a: NDArray[np.intp], b: NDArray[np.intp], surprise: Floats, count: int) -> Floats:
    """The sum over clusters of the square of what its votes pull at each model, with the small-sample factor."""
    number = {label: i for i, label in enumerate(dict.fromkeys(column))}
    label = np.array([number[each] for each in column], dtype=np.intp)
    # Only as many clusters at a time as fit into some 8 MB.
    at_once = max(1, CELLS_AT_ONCE // count)
    order = np.argsort(label, kind="stable")
    starts = np.searchsorted(label[order], np.arange(0, len(number) + at_once, at_once))
    total = np.zeros((count, count))
    for block, (first, last) in enumerate(pairwise(starts.tolist())):
        rows = order[first:last]
        base = (label[rows] - block * at_once) * count
        cells = at_once * count
        pull = np.bincount(base + a[rows], surprise[rows], cells) - np.bincount(base + b[rows], surprise[rows], cells)
        pull = pull.reshape(at_once, count)
        total += pull.T @ pull
    return total * (len(number) / (len(number) - 1.0))


def _newton(wins: Floats, precision: float, start: Floats) -> tuple[Floats, Floats, int]:
    """The mode of every group in (groups, k, k) win sums under a normal prior, the Hessian there, and the steps taken.

    Without a prior (precision 0) only differences are determined: a constant added to the Hessian holds the mean, and
    leaves differences alone.
    """
    games = wins + wins.transpose(0, 2, 1)
    won = wins.sum(axis=2)
    size = wins.shape[1]
    gauge = games.sum(axis=(1, 2))[:, None, None] / size**2 if precision == 0.0 else 0.0
    mode = start.copy()
    diagonal = np.arange(size)
    for step_number in range(1, NEWTON_STEPS + 1):
        chance = _chance(mode[:, :, None] - mode[:, None, :])
        gradient = won - (games * chance).sum(axis=2) - precision * mode
        known = games * chance * (1.0 - chance)
        hessian = -known
        hessian[:, diagonal, diagonal] += known.sum(axis=2) + precision
        hessian += gauge
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        length = np.abs(step).max(axis=1, keepdims=True)
        mode = mode + step * np.minimum(1.0, LONGEST_STEP / np.maximum(length, LONGEST_STEP))
        if not length.size or length.max() < TOLERANCE:
            return mode, hessian, step_number
    raise ArithmeticError(f"Bradley-Terry did not converge in {NEWTON_STEPS} steps")


def _chance(gap: Floats) -> Floats:
    """1 / (1 + exp(-gap)) without overflow at any gap."""
    chance: Floats = 0.5 + 0.5 * np.tanh(0.5 * gap)
    return chance


def _reachable(linked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Who can be reached from whom along links, in every group of a (groups, k, k) table; all reach themselves."""
    size = linked.shape[1]
    reach = linked | np.eye(size, dtype=bool)
    length = 1
    while length < size:
        reach = np.matmul(reach.astype(np.float32), reach.astype(np.float32)) > 0
        length *= 2
    return reach
