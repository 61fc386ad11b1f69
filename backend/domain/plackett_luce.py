"""Plackett-Luce: rankings of several completions of a prompt, fitted whole instead of as their pairs.

A ranking is a row of choices: the best out of all, the next best out of the rest, and so on [Plackett 1975, Luce 1959].
Of two completions that is Bradley-Terry. The pairs of one ranking are not independent, and their errors come out too
small; these do not. A tie is what it is among pairs, half a win for both: the log-likelihood is averaged over all
orders of the tied block. Where only the best few were asked for, the order of the rest is unknown and says nothing.

The log-likelihood of a ranking is the sum of the utilities of those chosen, minus log sum exp over each set that was
chosen from; so all that a fit needs is how often each was chosen and the sets with their weights.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np

from backend.domain.bradley_terry import (
    LONGEST_STEP,
    NEWTON_STEPS,
    TOLERANCE,
    Block,
    Floats,
    GroupsFit,
    Ints,
    Places,
    fit_groups,
    lay_out,
    sums,
)
from backend.domain.judgments import MAX_SIZE, outcomes
from backend.errors import Invalid


class Rankings(NamedTuple):
    """Rankings of one size in columns: `shown` (n, k) items by number, `ranks` (n, k) as in `judgments`, `weight` (n,).

    `partial`: those that share the last rank were not ordered, rather than tied.
    """

    shown: Ints
    ranks: Ints
    weight: Floats
    partial: bool = False


def fit_rankings(
    group_of: Ints,
    rankings: Sequence[Rankings],
    *,
    prior_deviation: float | None = None,
    groups: int | None = None,
    best: bool = False,
) -> GroupsFit:
    """Rate items within their groups by rankings of any sizes, as `bradley_terry.fit_groups` does by pairs.

    Without `prior_deviation` the width of the prior is learnt from the pairs of all rankings, which know it as well.
    Raises Invalid for what is no ranking of one group.
    """
    for part in rankings:
        _check(part, group_of)
    fit = fit_groups(group_of, *_pairs(rankings), prior_deviation=prior_deviation, groups=groups, best=best)
    if all(part.shown.shape[1] == 2 for part in rankings):
        return fit
    chosen, sets = _choices(rankings, len(group_of))
    blocks = lay_out(group_of, len(fit.connected))
    log_odds, deviation = np.zeros(len(group_of)), np.zeros(len(group_of))
    for block, here in zip(blocks, _by_block(blocks, sets, len(group_of)), strict=True):
        _solve(block, chosen[block.items], here, fit.prior_deviation**-2)
        log_odds[block.items] = block.mode - block.mode.mean(axis=1, keepdims=True)
        deviation[block.items] = np.sqrt(np.maximum(block.contrast_variance(), 0.0))
        if fit.best is not None:
            fit.best[block.items] = block.best()
    return replace(fit, log_odds=log_odds, standard_deviation=deviation)


class _Sets(NamedTuple):
    """Sets of one size that were chosen from: `members` (n, s), as items or as places in their group `row`."""

    members: Ints
    weight: Floats
    row: Ints


def _check(part: Rankings, group_of: Ints) -> None:
    shown, ranks, weight = part.shown, part.ranks, part.weight
    if (
        shown.shape != ranks.shape
        or shown.ndim != 2
        or not 2 <= shown.shape[1] <= MAX_SIZE
        or len(weight) != len(shown)
    ):
        raise Invalid(f"a ranking has a rank for each of its 2 to {MAX_SIZE} items, and a weight")
    if not shown.size:
        return
    faults = {
        "names an item that is not there": (shown.min(axis=1) < 0) | (shown.max(axis=1) >= len(group_of)),
        "shows an item twice": (np.diff(np.sort(shown, axis=1), axis=1) == 0).any(axis=1),
        "has a weight that is no number, 0 or more": ~((weight >= 0.0) & (weight < np.inf)),
    }
    if not faults["names an item that is not there"].any():
        groups = group_of[shown]
        faults["compares items of different prompts"] = (groups != groups[:, :1]).any(axis=1)
    for fault, where in faults.items():
        if where.any():
            raise Invalid(f"ranking {int(np.flatnonzero(where)[0])} {fault}")


def _patterns(part: Rankings) -> Iterator[tuple[list[int], Ints]]:
    """Each pattern of ranks that occurs, and the numbers of the rankings that have it: there are few."""
    found, which = np.unique(part.ranks, axis=0, return_inverse=True)
    for number, pattern in enumerate(found):
        yield pattern.tolist(), np.flatnonzero(which.ravel() == number)


def _unordered(pattern: Sequence[int], partial: bool) -> int:
    """The rank whose holders were not ordered among themselves; 0 for none."""
    last = max(pattern)
    return last if partial and pattern.count(last) > 1 else 0


def _pairs(rankings: Sequence[Rankings]) -> tuple[Ints, Ints, Floats, Floats]:
    """All pairs of all rankings in columns, without those whose order is unknown."""
    columns: list[tuple[Ints, Ints, Floats, Floats]] = []
    for part in rankings:
        for pattern, rows in _patterns(part):
            unknown = _unordered(pattern, part.partial)
            for a, b, score in outcomes(pattern):
                if not pattern[a] == pattern[b] == unknown:
                    left, right = part.shown[rows, a], part.shown[rows, b]
                    columns.append((left, right, np.full(len(rows), score), part.weight[rows]))
    if not columns:
        return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0), np.zeros(0)
    return (
        np.concatenate([left for left, _, _, _ in columns]),
        np.concatenate([right for _, right, _, _ in columns]),
        np.concatenate([score for _, _, score, _ in columns]),
        np.concatenate([weight for _, _, _, weight in columns]),
    )


def _choices(rankings: Sequence[Rankings], items: int) -> tuple[Floats, list[_Sets]]:
    """How often each item was chosen, and all sets that were chosen from, one entry for each size of set."""
    chosen = np.zeros(items)
    by_size: dict[int, list[tuple[Ints, Floats]]] = {}
    for part in rankings:
        for pattern, rows in _patterns(part):
            unknown = _unordered(pattern, part.partial)
            ordered = [place for place, rank in enumerate(pattern) if rank != unknown]
            for place in ordered:
                chosen += sums(part.shown[rows, place], part.weight[rows], items)
            for members, share in _sets_of(pattern, unknown):
                by_size.setdefault(len(members), []).append((part.shown[rows][:, members], part.weight[rows] * share))
    sets = []
    for _, found in sorted(by_size.items()):
        items_of = np.concatenate([some for some, _ in found])
        sets.append(_Sets(items_of, np.concatenate([weight for _, weight in found]), np.zeros(0, np.intp)))
    return chosen, sets


def _sets_of(pattern: Sequence[int], unknown: int) -> Iterator[tuple[list[int], float]]:
    """The sets that a ranking with these ranks chooses from, by place, and their weights.

    Within a tied block of m every order is as good as another: when s of it are gone, each of its subsets of m - s is
    what is left with the same chance.
    """
    for rank in sorted(set(pattern)):
        if rank == unknown:
            return
        block = [place for place, other in enumerate(pattern) if other == rank]
        below = [place for place, other in enumerate(pattern) if other > rank]
        for left in range(len(block), 0, -1):
            for some in combinations(block, left):
                yield [*some, *below], 1.0 / comb(len(block), left)


def _by_block(blocks: Sequence[Block], sets: Sequence[_Sets], items: int) -> list[list[_Sets]]:
    """The sets of each block, told by row and place within it."""
    at = Places.of(blocks, items)
    parted: list[list[_Sets]] = [[] for _ in blocks]
    for one in sets:
        first = one.members[:, 0]
        for number in np.unique(at.block[first]).tolist():
            mine = at.block[first] == number
            parted[number].append(_Sets(at.place[one.members[mine]], one.weight[mine], at.row[first[mine]]))
    return parted


def _solve(block: Block, chosen: Floats, sets: Sequence[_Sets], precision: float) -> None:
    """Newton to the mode of a block's utilities, and the covariance there."""
    rows, size = block.items.shape
    mode, curvature = np.zeros((rows, size)), np.zeros((rows, size, size))
    moving = np.ones(rows, bool)
    own = np.arange(size)
    for _ in range(NEWTON_STEPS):
        gradient = chosen - precision * mode
        hessian = np.zeros((rows, size, size))
        for members, weight, row in sets:
            utility = mode[row[:, None], members]
            odds = np.exp(utility - utility.max(axis=1, keepdims=True))
            p = odds / odds.sum(axis=1, keepdims=True)
            taken = weight[:, None] * p
            cell = row[:, None] * size + members
            expected = sums(cell.ravel(), taken.ravel(), rows * size).reshape(rows, size)
            gradient -= expected
            hessian[:, own, own] += expected
            crossed = taken[:, :, None] * p[:, None, :]
            hessian -= sums(
                (cell[:, :, None] * size + members[:, None, :]).ravel(), crossed.ravel(), hessian.size
            ).reshape(hessian.shape)
        hessian[:, own, own] += precision
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        step -= step.mean(axis=1, keepdims=True)  # zero but for rounding, which a wide prior would make large
        length = np.abs(step).max(axis=1, keepdims=True)
        taken = np.minimum(1.0, LONGEST_STEP / np.maximum(length, LONGEST_STEP))
        # Those that have arrived stay where they are: so nobody's digits depend on how long others take.
        mode[moving] += (step * taken)[moving]
        curvature[moving] = hessian[moving]
        moving &= length[:, 0] >= TOLERANCE
        if not moving.any():
            block.mode, block.covariance = mode, np.linalg.inv(curvature)
            return
    raise ArithmeticError(f"Plackett-Luce did not converge in {NEWTON_STEPS} steps")
