"""Bradley-Terry by penalised maximum likelihood: ratings that do not depend on the order of judgments, with errors.

Completions are rated within their prompts, thousands of small groups at once, each with a normal prior whose width is
learnt over all of them; so one vote gives a small finite gap and thirty a gap to be trusted. Everything is computed in
log-odds and reported on the Elo scale. A tie is half a win for both. A judgment of three or more enters as all its
pairs: a consistent estimate, whose errors are a little too small.

Knows nothing of people or storage. Who is rated is told apart by any hashable id.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any, Generic, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from backend.domain.elo import POINTS_PER_LOG_ODDS, START, Row, checked
from backend.errors import Invalid

T = TypeVar("T", bound=Hashable)
Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

# Below so many prompts the width of the prior is not learnt but kept at 1: a judgment, not a measurement.
PROMPTS_TO_LEARN_PRIOR = 50
CELLS_FOR_PRIOR = 16_000
PRIOR_ROUNDS = 15
PRIOR_DRAWS = 64
DRAWS_FOR_BEST = 1024
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


@dataclass(frozen=True, slots=True)
class GroupsFit:
    """All items of all groups, in columns by item; see `Estimate`. `connected` is one per group, `best` the chance of
    being the best of the group."""

    log_odds: Floats
    standard_deviation: Floats
    votes: Floats
    component: NDArray[np.intp]
    connected: NDArray[np.bool_]
    prior_deviation: float
    best: Floats | None = None

    @classmethod
    def empty(cls, items: int, groups: int, prior_deviation: float, best: bool = False) -> Self:
        """Columns to be filled by `report`, block by block; `best` only where it is asked for."""
        values = (np.zeros(items), np.zeros(items), np.zeros(items), np.zeros(items, np.intp))
        return cls(*values, np.ones(groups, bool), prior_deviation, np.zeros(items) if best else None)


def fit_prompts(
    groups: Sequence[Sequence[T]], rows: Iterable[Row[T]], prior_deviation: float | None = None
) -> PromptsFit[T]:
    """Rate the completions of each group (prompt) by the outcomes among them; `fit_groups` for ids of any kind."""
    items = [item for group in groups for item in group]
    number = {item: i for i, item in enumerate(items)}
    if len(number) < len(items):
        twice = next(item for i, item in enumerate(items) if number[item] != i)
        raise Invalid(f"{twice!r} is listed twice")
    left, right, score, weight = [], [], [], []
    for row in rows:
        a, b, said, times = checked(row)
        if a not in number or b not in number:
            raise Invalid(f"{a if a not in number else b!r} is in none of the prompts")
        left.append(number[a])
        right.append(number[b])
        score.append(said)
        weight.append(times)
    group_of = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    columns = (np.array(left, np.intp), np.array(right, np.intp), np.array(score, float), np.array(weight, float))
    fit = fit_groups(group_of, *columns, prior_deviation=prior_deviation, groups=len(groups))
    values = zip(
        fit.log_odds.tolist(), fit.standard_deviation.tolist(), fit.votes.tolist(), fit.component.tolist(), strict=True
    )
    estimates = {item: Estimate(*value) for item, value in zip(items, values, strict=True)}
    return PromptsFit(estimates, fit.connected.tolist(), fit.prior_deviation)


def fit_groups(
    group_of: Ints,
    left: Ints,
    right: Ints,
    score: Floats,
    weight: Floats | None = None,
    *,
    prior_deviation: float | None = None,
    groups: int | None = None,
    best: bool = False,
) -> GroupsFit:
    """Rate items within their groups, all groups at once. Given the prior, no group touches another, to the digit.

    `group_of` (items,) names the group of each item; outcomes are columns of one length: the items `left` and `right`
    of one group, the `score` of `left` (1, 0.5, 0), its `weight`. Without `prior_deviation` the prior is learnt from
    all groups that have votes, and is 1 where there are too few. Raises Invalid for what is no outcome.
    """
    if prior_deviation is not None and not 0.0 < prior_deviation < math.inf:
        raise Invalid("a prior deviation is a number above 0", "prior_deviation")
    check_columns(left, right, score, weight, len(group_of))
    group = group_of[left]
    if not np.array_equal(group, group_of[right]):
        at = int(np.flatnonzero(group != group_of[right])[0])
        raise Invalid(f"outcome {at} compares items of different prompts, which cannot be compared")
    count = groups if groups is not None else (int(group_of.max()) + 1 if len(group_of) else 0)
    blocks = lay_out(group_of, count)
    _count_wins(blocks, group_of, left, right, score, weight)
    precision = _learnt_precision(blocks) if prior_deviation is None else prior_deviation**-2
    fit = GroupsFit.empty(len(group_of), count, precision**-0.5, best)
    for block in blocks:
        block.solve(precision)
        report(block, fit)
    return fit


def check_columns(
    left: Ints,
    right: Ints,
    score: Floats,
    weight: Floats | None,
    items: int,
) -> None:
    """The checks of `elo.checked` for columns. Raises Invalid, naming the first outcome at fault."""
    columns = (left, right, score) if weight is None else (left, right, score, weight)
    if len({len(column) for column in columns}) > 1:
        raise Invalid("the columns of the outcomes differ in length")
    faults = {
        "compares an item with itself": left == right,
        "names an item that is not there": (np.minimum(left, right) < 0) | (np.maximum(left, right) >= items),
        "has a score that does not lie between 0 and 1": ~((score >= 0.0) & (score <= 1.0)),
    }
    if weight is not None:
        faults["has a weight that is no number, 0 or more"] = ~((weight >= 0.0) & (weight < math.inf))
    for fault, where in faults.items():
        if where.any():
            raise Invalid(f"outcome {int(np.flatnonzero(where)[0])} {fault}")


class Block:
    """Groups of one size: their items, win sums, and the mode and covariance of the utilities given a prior."""

    def __init__(self, members: NDArray[np.intp], items: NDArray[np.intp], wins: Floats) -> None:
        self.members = members
        self.items = items
        self.wins = wins
        self.mode: Floats = np.zeros(wins.shape[:2])
        self.covariance: Floats = wins  # until it is solved

    def solve(self, precision: float) -> None:
        self.mode, hessian, _ = newton(self.wins, precision, self.mode)
        self.covariance = np.linalg.inv(hessian)

    def contrast_variance(self) -> Floats:
        """The variance of each utility's distance from the mean of its group."""
        diagonal = np.diagonal(self.covariance, axis1=1, axis2=2)
        rows = self.covariance.mean(axis=2)
        variance: Floats = diagonal - 2.0 * rows + rows.mean(axis=1, keepdims=True)
        return variance

    def best(self) -> Floats:
        """The chance that each is the best of its group, from the same evenly spread draws for every group."""
        draws = _normal_draws(self.mode.shape[1])
        chances: Floats = np.zeros(self.mode.shape)
        at_once = max(1, CELLS_AT_ONCE // draws.size)
        for start in range(0, len(chances), at_once):
            part = slice(start, start + at_once)
            utility = self.mode[part, :, None] + np.matmul(np.linalg.cholesky(self.covariance[part]), draws)
            winner = utility.argmax(axis=1)
            for place in range(chances.shape[1]):
                chances[part, place] = (winner == place).mean(axis=1)
        return chances


@cache
def _normal_draws(size: int) -> Floats:
    """(size, DRAWS_FOR_BEST) normals of even spread: the additive recurrence of the root of x^(size + 1) = x + 1
    [Roberts 2018], through the inverse normal, each with its mirror image. A chance from these is off by 0.01 at most
    for two completions and by 0.01 in the mean for more: less than from as many at random."""
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (size + 1))
    step = root ** -np.arange(1.0, size + 1)
    uniform = (0.5 + np.outer(step, np.arange(1, DRAWS_FOR_BEST // 2 + 1))) % 1.0
    inverse = NormalDist().inv_cdf
    draws = np.array([[inverse(min(max(u, 1e-12), 1.0 - 1e-12)) for u in row] for row in uniform.tolist()])
    return np.hstack([draws, -draws])


def lay_out(group_of: Ints, count: int) -> list[Block]:
    """Blocks of groups of equal size, without votes as yet."""
    sizes = np.bincount(group_of, minlength=count)
    by_group = np.argsort(group_of, kind="stable")
    first = np.cumsum(sizes) - sizes
    blocks = []
    for size in np.unique(sizes[sizes > 0]).tolist():
        members = np.flatnonzero(sizes == size)
        for start in range(0, len(members), max(1, CELLS_AT_ONCE // size**2)):
            part = members[start : start + max(1, CELLS_AT_ONCE // size**2)]
            items = by_group[first[part][:, None] + np.arange(size)]
            blocks.append(Block(part, items, np.zeros((len(part), size, size))))
    return blocks


class Places(NamedTuple):
    """Where each item stands: the number of its block, its row there, its place in the row."""

    block: Ints
    row: Ints
    place: Ints

    @classmethod
    def of(cls, blocks: Sequence[Block], items: int) -> Self:
        places = cls(*(np.zeros(items, np.intp) for _ in range(3)))
        for number, block in enumerate(blocks):
            rows, size = block.items.shape
            places.block[block.items] = number
            places.row[block.items] = np.arange(rows)[:, None]
            places.place[block.items] = np.arange(size)
        return places


def _count_wins(
    blocks: Sequence[Block],
    group_of: Ints,
    left: Ints,
    right: Ints,
    score: Floats,
    weight: Floats | None,
) -> None:
    """Sum the scores of each ordered pair."""
    # Where the cell of (item, other) lies in all blocks laid end to end: start of the item's row + place of the other.
    row_start = np.zeros(len(group_of), np.intp)
    place = np.zeros(len(group_of), np.intp)
    total = 0
    for block in blocks:
        rows, size = block.items.shape
        row_start[block.items] = total + np.arange(rows * size).reshape(rows, size) * size
        place[block.items] = np.arange(size)
        total += block.wins.size
    won, lost = (score, 1.0 - score) if weight is None else (weight * score, weight * (1.0 - score))
    cells = sums(row_start[left] + place[right], won, total) + sums(row_start[right] + place[left], lost, total)
    start = 0
    for block in blocks:
        block.wins[...] = cells[start : start + block.wins.size].reshape(block.wins.shape)
        start += block.wins.size


def _learnt_precision(blocks: Sequence[Block]) -> float:
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
    nothing = np.zeros(0, np.intp)
    sample = [Block(nothing, nothing, np.stack(wins)) for wins in chosen.values()]
    free = sum(len(block.wins) * (block.wins.shape[1] - 1) for block in sample)
    precision = 1.0
    for _ in range(PRIOR_ROUNDS):
        # The same draws in every round: what changes between rounds is the width alone.
        rng = np.random.default_rng(0)
        precision = free / sum(_posterior_spread(block, precision, rng) for block in sample)
    return precision


def _posterior_spread(block: Block, precision: float, rng: np.random.Generator) -> float:
    """The same over all groups of a block."""
    block.solve(precision)

    def log_likelihood(utility: Floats) -> Floats:
        lost = np.logaddexp(0.0, utility[:, None, :] - utility[:, :, None])
        found: Floats = -(block.wins * lost).sum(axis=(1, 2))
        return found

    return expected_spread(block.mode, block.covariance, precision, log_likelihood, rng)


def expected_spread(
    mode: Floats,
    covariance: Floats,
    precision: float,
    log_likelihood: Callable[[Floats], Floats],
    rng: np.random.Generator,
) -> float:
    """The posterior's expected sum of squared distances from the group's mean, over all groups.

    mode (groups, k), covariance (groups, k, k): the normal approximation, from which draws are made and weighted by how
    likely they are; `log_likelihood` maps utilities (groups, k) to (groups,).
    """
    factor = np.linalg.cholesky(covariance)
    log_weight, spread = [], []
    for _ in range(PRIOR_DRAWS // 2):
        normal = rng.standard_normal(mode.shape)
        aside = np.matmul(factor, normal[..., None])[..., 0]
        for utility in (mode + aside, mode - aside):
            target = log_likelihood(utility) - 0.5 * precision * (utility**2).sum(axis=1)
            log_weight.append(target + 0.5 * (normal**2).sum(axis=1))
            spread.append(((utility - utility.mean(axis=1, keepdims=True)) ** 2).sum(axis=1))
    weight = np.exp(np.array(log_weight) - np.max(log_weight, axis=0))
    return float((weight * np.array(spread)).sum(axis=0) @ (1.0 / weight.sum(axis=0)))


def report(block: Block, fit: GroupsFit) -> None:
    items = block.items
    fit.log_odds[items] = block.mode - block.mode.mean(axis=1, keepdims=True)
    fit.standard_deviation[items] = np.sqrt(np.maximum(block.contrast_variance(), 0.0))
    if fit.best is not None:
        fit.best[items] = block.best()
    games = block.wins + block.wins.transpose(0, 2, 1)
    fit.votes[items] = games.sum(axis=2)
    # The number of a component is the place of its first completion.
    component = reachable(games > 0).argmax(axis=2)
    fit.component[items] = component
    fit.connected[block.members] = (component == 0).all(axis=1)


def newton(wins: Floats, precision: float, start: Floats) -> tuple[Floats, Floats, int]:
    """The mode of every group in (groups, k, k) win sums under a normal prior, the Hessian there, and the steps taken.

    Without a prior (precision 0) only differences are determined: a constant added to the Hessian holds the mean, and
    leaves differences alone.
    """
    games = wins + wins.transpose(0, 2, 1)
    won = wins.sum(axis=2)
    size = wins.shape[1]
    gauge = games.sum(axis=(1, 2))[:, None, None] / size**2 if precision == 0.0 else np.zeros((len(wins), 1, 1))
    mode, curvature = start.copy(), np.zeros(wins.shape)
    diagonal = np.arange(size)
    # Those that have arrived leave: so nobody's digits depend on how long others take.
    moving = np.arange(len(wins))
    for step_number in range(1, NEWTON_STEPS + 1):
        here = mode[moving]
        p = chance(here[:, :, None] - here[:, None, :])
        gradient = won - (games * p).sum(axis=2) - precision * here
        known = games * p * (1.0 - p)
        hessian = -known
        hessian[:, diagonal, diagonal] += known.sum(axis=2) + precision
        hessian += gauge
        curvature[moving] = hessian
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        step -= step.mean(axis=1, keepdims=True)  # zero but for rounding, which a wide prior would make large
        length = np.abs(step).max(axis=1, keepdims=True)
        mode[moving] = here + step * np.minimum(1.0, LONGEST_STEP / np.maximum(length, LONGEST_STEP))
        on = length[:, 0] >= TOLERANCE
        if not on.any():
            return mode, curvature, step_number
        if not on.all():
            moving, games, won, gauge = moving[on], games[on], won[on], gauge[on]
    raise ArithmeticError(f"Bradley-Terry did not converge in {NEWTON_STEPS} steps")


def sums(place: Ints, value: Floats, places: int) -> Floats:
    """The sum of the values at each of 0 to places - 1."""
    total: Floats = np.bincount(place, weights=value, minlength=places).astype(float, copy=False)
    return total


def chance(gap: Floats) -> Floats:
    """1 / (1 + exp(-gap)) without overflow at any gap."""
    p: Floats = 0.5 + 0.5 * np.tanh(0.5 * gap)
    return p


def reachable(linked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Who can be reached from whom along links, in every group of a (groups, k, k) table; all reach themselves."""
    size = linked.shape[1]
    reach = linked | np.eye(size, dtype=bool)
    length = 1
    while length < size:
        reach = np.matmul(reach.astype(np.float32), reach.astype(np.float32)) > 0
        length *= 2
    return reach
