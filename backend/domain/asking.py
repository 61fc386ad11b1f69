"""Whether choosing what to ask pays: what a judgment teaches, by how its comparison was chosen; and how many are left.

Each choice falls on chance or on the informative policy by a coin of known odds, so the n-th judgments of prompts that
chance chose and those that were chosen are alike but for the choice. What a judgment teaches is by how much it lowers
the variance of the prompt's completions: the mean over them of the posterior variance of the distance to the prompt's
mean, in squared log-odds, Bradley-Terry with a prior deviation of 1. A ranking of several enters as its pairs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.domain.bradley_terry import Block, Floats, Ints, Places, lay_out, newton, sums

# The n-th judgments count in the comparison where so many were chosen in either way; fewer have no error to speak of.
LEAST_OF_EACH = 5
# Below so many by chance in all, the ratio would be a guess.
LEAST_RANDOM = 30


class Taught(NamedTuple):
    """Columns by judgment: the how manieth of its prompt it was, from 1, and by how much it lowered the variance."""

    nth: Ints
    fall: Floats


class Step(NamedTuple):
    """The n-th judgments of prompts: what one taught in the mean, the error of that (null for a single one), how many
    they are, and what the first n have taught together."""

    nth: int
    gain: float
    error: float | None
    n: int
    total: float


@dataclass(frozen=True)
class Advantage:
    """How many times as much a chosen judgment taught as one by chance, with its 95 % interval; null while too few of
    them, `random` in number, were chosen by chance."""

    random: int
    ratio: float | None = None
    low: float | None = None
    high: float | None = None


def taught(group_of: Ints, left: Ints, right: Ints, score: Floats, judgment: Ints, wanted: NDArray[np.bool_]) -> Taught:
    """Play the judgments of each prompt in order; columns by pair as in `bradley_terry.fit_groups`, with the number of
    the judgment each belongs to: 0, 1 ... in the order in which they were made. The fall is told of those `wanted`,
    and 0 for others."""
    prompt = np.zeros(len(wanted), np.intp)
    prompt[judgment] = group_of[left]
    nth, fall = _nth(prompt), np.zeros(len(wanted))
    blocks = lay_out(group_of, int(group_of.max()) + 1 if len(group_of) else 0)
    at = Places.of(blocks, len(group_of))
    for number, block in enumerate(blocks):
        here = np.flatnonzero(at.block[left] == number)
        here = here[np.argsort(nth[judgment[here]], kind="stable")]
        ends = np.cumsum(np.bincount(nth[judgment[here]])).tolist()
        variance = np.full(len(block.items), np.nan)
        for start, end in zip([0, *ends], ends, strict=False):
            votes = here[start:end]
            rows, first = np.unique(at.row[left[votes]].astype(np.intp, copy=False), return_index=True)
            said = judgment[votes[first]]
            told = wanted[said]
            before = rows[told & np.isnan(variance[rows])]
            variance[before] = _mean_variance(block, before)
            i, j, row = at.place[left[votes]], at.place[right[votes]], at.row[left[votes]]
            np.add.at(block.wins, (row, i, j), score[votes])
            np.add.at(block.wins, (row, j, i), 1.0 - score[votes])
            after = _mean_variance(block, rows[told])
            fall[said[told]] = variance[rows[told]] - after
            variance[rows] = np.nan  # not known, until it is wanted
            variance[rows[told]] = after
    return Taught(nth + 1, fall)


def _mean_variance(block: Block, rows: NDArray[np.intp]) -> Floats:
    """Of the distances to the mean, in these rows of a block, by the judgments so far."""
    block.mode[rows], hessian, _ = newton(block.wins[rows], 1.0, block.mode[rows])
    now = Block(rows, block.items[rows], block.wins[rows])
    now.covariance = np.linalg.inv(hessian)
    mean: Floats = now.contrast_variance().mean(axis=1)
    return mean


def _nth(prompt: Ints) -> Ints:
    """How many of the same prompt came before each."""
    order = np.argsort(prompt, kind="stable")
    sizes = np.bincount(prompt)
    nth = np.zeros(len(prompt), np.intp)
    nth[order] = np.arange(len(prompt)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return nth


def curve(taught: Taught, chosen: NDArray[np.bool_]) -> list[Step]:
    """The steps of those judgments that were `chosen` in one way."""
    nth, fall = taught.nth[chosen], taught.fall[chosen]
    if not len(nth):
        return []
    number = np.bincount(nth)
    mean = sums(nth, fall, len(number)) / np.maximum(number, 1)
    squares = sums(nth, (fall - mean[nth]) ** 2, len(number))
    steps, total = [], 0.0
    for place in np.flatnonzero(number).tolist():
        n, gain = int(number[place]), float(mean[place])
        total += gain
        error = math.sqrt(squares[place] / (n - 1) / n) if n > 1 else None
        steps.append(Step(place, gain, error, n, total))
    return steps


def advantage(informative: Sequence[Step], random: Sequence[Step]) -> Advantage:
    """The ratio of what the two curves gain over the steps that both have, each step counting once; its interval by
    the errors of both, on the scale of logarithms."""
    chance = {step.nth: step for step in random if step.n >= LEAST_OF_EACH}
    pairs = [(step, chance[step.nth]) for step in informative if step.n >= LEAST_OF_EACH and step.nth in chance]
    number = sum(step.n for step in random)
    clever, blind = (sum(pair[side].gain for pair in pairs) for side in (0, 1))
    if sum(by_chance.n for _, by_chance in pairs) < LEAST_RANDOM or min(clever, blind) <= 0:
        return Advantage(number)
    error = math.sqrt(
        sum((pair[side].error or 0.0) ** 2 / whole**2 for side, whole in ((0, clever), (1, blind)) for pair in pairs)
    )
    ratio = clever / blind
    return Advantage(number, ratio, ratio * math.exp(-1.96 * error), ratio * math.exp(1.96 * error))


class Alike(NamedTuple):
    """So many `prompts` that are alike: how many completions and judgments each has, the largest variance of its
    completions (squared log-odds), and how many judgments may still be asked."""

    size: int
    judgments: int
    variance: float
    free: int
    prompts: int = 1


def judgments_left(told: Sequence[Alike], unsettled: Sequence[Alike], target: float) -> int | None:
    """How many judgments until no prompt of `unsettled` has a variance above `target` (squared log-odds); None while
    nothing tells.

    A judgment adds precision, 1 / variance above that of the prior. Each of those to come is taken to add as much as
    the mean of those so far on prompts `told` of that many completions (or on all, where none of those was judged).
    """
    gained: dict[int, float] = {}
    judged: dict[int, int] = {}
    for one in told:
        more = 1.0 / one.variance - 1.0 / _prior_variance(one.size)
        gained[one.size] = gained.get(one.size, 0.0) + one.prompts * more
        judged[one.size] = judged.get(one.size, 0) + one.prompts * one.judgments
    whole, number = sum(gained.values()), sum(judged.values())
    if number == 0 or whole <= 0:
        return None
    left = 0
    for one in unsettled:
        here, times = gained.get(one.size, 0.0), judged.get(one.size, 0)
        pace = here / times if times and here > 0 else whole / number
        # One that is precise enough and yet not settled has islands: at least one judgment is missing.
        needed = max(1, math.ceil((1.0 / target - 1.0 / one.variance) / pace))
        left += one.prompts * min(needed, one.free)
    return left


def _prior_variance(size: int) -> float:
    """Of the distance to the mean of so many completions, before any judgment."""
    return 1.0 - 1.0 / size
