"""What annotators are like, told from their judgments: how well they see differences, and which side they lean to.

A vote of annotator a for the completion shown first has log-odds b_a (u_first - u_second) + g_a. The slope b_a is how
sharply a sees differences that the crowd sees (1 is the average vote, 0 is guessing, below 0 is contrary), the lean g_a
how much being shown first is worth to a. Utilities, slopes and leans are fitted together by expectation-maximisation
with a Laplace posterior of the utilities; so a careful annotator's vote moves a rating more than a careless one's, and
nobody is dropped. The idea is that of am-ELO [arXiv 2505.03475] with a side and priors added; Crowd-BT [Chen et al.
2013] is the case of a flipped coin.

Needs the side recorded with every vote, and sides assigned at random. Knows nothing of names or storage.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backend.domain.bradley_terry import (
    CELLS_FOR_PRIOR,
    LONGEST_STEP,
    NEWTON_STEPS,
    PROMPTS_TO_LEARN_PRIOR,
    Block,
    Floats,
    GroupsFit,
    Ints,
    Places,
    chance,
    check_columns,
    expected_spread,
    lay_out,
    report,
    sums,
)
from backend.errors import Invalid

# Deviations of the priors: of slopes around 1, of leans around the mean lean.
SLOPE_PRIOR, LEAN_PRIOR = 0.5, 0.5
ROUNDS = 15
# Groups of more items than these have votes enough for the normal approximation.
LARGE = 9
STEPS_A_ROUND = 3
TOLERANCE, TOLERANCE_ON_THE_WAY = 1e-7, 1e-3
# Votes at a time, so that what is computed of them stays in the processor's cache; and groups.
VOTES_AT_ONCE, GROUPS_AT_ONCE = 16_384, 8_192
# With less than this the slopes say little, and everybody counts the same; see `Evidence`.
VOTES_OF_ANNOTATOR, VOTES_OF_MEAN_PROMPT = 30, 4
NEEDED = (
    f"Needed: half of the judged pairs from people who judged {VOTES_OF_ANNOTATOR} or more, and "
    f"{VOTES_OF_MEAN_PROMPT} pairs a judged prompt on average."
)
NO_BETTER_THAN_CHANCE = 0.5
STRONG_LEAN = 1.0

# Nodes and weights of the mean of a function of a standard normal.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True, slots=True)
class AnnotatorsFit:
    """Columns by annotator, and the ratings that count each by their slope.

    The errors are those of the slope and lean given the utilities of all. Who has no votes has slope 1, the mean lean,
    and the errors of the priors.
    """

    slope: Floats
    slope_error: Floats
    lean: Floats
    lean_error: Floats
    votes: Floats
    mean_lean: float
    ratings: GroupsFit


class Evidence(NamedTuple):
    """How many votes the annotator behind the median vote has given, and the mean prompt of those judged has got.

    Told from votes and not from people, because a crowd has many who gave a few and left: the priors hold these near
    the average, and half of all votes may still come from people who are well known.
    """

    of_annotator: float
    of_mean_prompt: float

    @property
    def enough(self) -> bool:
        """Whether slopes can be told: half of the votes come from people with 30 or more, and prompts have 4 on
        average."""
        return self.of_annotator >= VOTES_OF_ANNOTATOR and self.of_mean_prompt >= VOTES_OF_MEAN_PROMPT


def told(slope: float) -> float:
    """How many judgments of the average annotator one of theirs is worth.

    What a vote tells of a gap is its Fisher information, slope^2 p(1 - p); so slope 0.5 is worth a quarter of slope 1.
    Guessing tells nothing, and who sees the contrary counts as nothing, as in ratings.
    """
    return max(slope, 0.0) ** 2


def evidence(group_of: Ints, left: Ints, annotator: Ints) -> Evidence:
    """How much there is to tell annotators apart by; columns as in `fit_annotators`."""
    if not len(left):
        return Evidence(0.0, 0.0)
    votes = np.bincount(annotator)
    return Evidence(float(np.median(votes[annotator])), len(left) / len(np.unique(group_of[left])))


def enough(group_of: Ints, left: Ints, annotator: Ints) -> bool:
    """Whether slopes can be told; see `Evidence`."""
    return evidence(group_of, left, annotator).enough


def fit_annotators(
    group_of: Ints,
    left: Ints,
    right: Ints,
    score: Floats,
    annotator: Ints,
    weight: Floats | None = None,
    *,
    annotators: int | None = None,
    groups: int | None = None,
) -> AnnotatorsFit:
    """Utilities of all items within their groups, and the slope and lean of every annotator.

    Columns as in `bradley_terry.fit_groups`, with `left` the item shown first and the number of the annotator of each
    vote. Raises Invalid for what is no outcome.
    """
    check_columns(left, right, score, weight, len(group_of))
    if not np.array_equal(group_of[left], group_of[right]):
        raise Invalid("an outcome compares items of different prompts, which cannot be compared")
    if len(annotator) != len(left) or (len(annotator) and annotator.min() < 0):
        raise Invalid("every outcome needs the number of its annotator", "annotator")
    people = annotators if annotators is not None else (int(annotator.max()) + 1 if len(annotator) else 0)
    weights = np.ones(len(score)) if weight is None else weight
    # Votes on one prompt beside each other, so that what they meet is near in memory too.
    order = np.argsort(left, kind="stable")
    left, right, annotator = left[order], right[order], annotator[order]
    score, weights = score[order], weights[order]
    count = groups if groups is not None else (int(group_of.max()) + 1 if len(group_of) else 0)
    parts = _parts(lay_out(group_of, count), left, right, len(group_of))
    crowd = _Crowd(score, annotator, weights, people)
    width = _Width(parts, score, weights)
    precision = 1.0
    for round_number in range(ROUNDS):
        last = round_number == ROUNDS - 1
        slope, lean = crowd.slope[annotator], crowd.lean[annotator]
        for part in parts:
            part.solve(score, weights, slope, lean, precision, TOLERANCE if last else TOLERANCE_ON_THE_WAY)
        if last:
            break
        precision = width.learn(precision, slope, lean)
        gap, variance = np.zeros(len(score)), np.zeros(len(score))
        for part in parts:
            gap[part.votes], variance[part.votes] = part.contrasts()
        crowd.learn(gap, np.sqrt(variance))
    return crowd.fit(_ratings(parts, len(group_of), weights, count, precision))


def fit_given(
    group_of: Ints,
    left: Ints,
    right: Ints,
    score: Floats,
    slope: Floats,
    lean: Floats,
    weight: Floats | None = None,
    *,
    prior_deviation: float,
    groups: int | None = None,
) -> GroupsFit:
    """Rate items within their groups where slope and lean of every vote are known, as from an earlier fit.

    With slopes of 1 and leans of 0 this is `bradley_terry.fit_groups`. Raises Invalid for what is no outcome.
    """
    check_columns(left, right, score, weight, len(group_of))
    weights = np.ones(len(score)) if weight is None else weight
    count = groups if groups is not None else (int(group_of.max()) + 1 if len(group_of) else 0)
    precision = prior_deviation**-2
    parts = _parts(lay_out(group_of, count), left, right, len(group_of))
    for part in parts:
        part.solve(score, weights, slope, lean, precision)
    return _ratings(parts, len(group_of), weights, count, precision)


class _Part:
    """The votes on groups of one size, and where each meets the groups' utilities."""

    def __init__(self, block: Block, votes: Ints, row: Ints, i: Ints, j: Ints) -> None:
        self.block, self.votes = block, votes
        self.rows, self.size = block.items.shape
        self.at_left, self.at_right = row * self.size + i, row * self.size + j
        self.cell = self.at_left * self.size + j
        self.mode: Floats = np.zeros(self.rows * self.size)
        self.covariance: Floats = np.zeros((self.rows, self.size, self.size))

    def solve(
        self,
        score: Floats,
        weight: Floats,
        slope: Floats,
        lean: Floats,
        precision: float,
        tolerance: float = TOLERANCE,
    ) -> None:
        """Newton to the mode of the utilities given slopes and leans, from the last one; and the covariance there."""
        score, weight = score[self.votes], weight[self.votes]
        slope, lean = slope[self.votes], lean[self.votes]
        own = np.arange(self.size)
        for _ in range(NEWTON_STEPS):
            p = chance(slope * (self.mode[self.at_left] - self.mode[self.at_right]) + lean)
            pull = weight * slope * (score - p)
            known = weight * slope**2 * p * (1.0 - p)
            gradient = sums(self.at_left, pull, len(self.mode)) - sums(self.at_right, pull, len(self.mode))
            gradient -= precision * self.mode
            cross = sums(self.cell, known, self.covariance.size).reshape(self.covariance.shape)
            cross = cross + cross.transpose(0, 2, 1)
            hessian = -cross
            hessian[:, own, own] += np.einsum("gij->gi", cross) + precision
            self.covariance = _inverse(hessian)
            step = np.einsum("gij,gj->gi", self.covariance, gradient.reshape(self.rows, self.size))
            longest = np.abs(step).max(initial=0.0)
            if longest > LONGEST_STEP:
                length = np.abs(step).max(axis=1, keepdims=True)
                step *= np.minimum(1.0, LONGEST_STEP / np.maximum(length, LONGEST_STEP))
            self.mode += step.ravel()
            if longest < tolerance:
                return
        raise ArithmeticError(f"the utilities did not converge in {NEWTON_STEPS} steps")

    def contrasts(self) -> tuple[Floats, Floats]:
        """Mean and variance of (first shown - second shown) for every vote."""
        flat = self.covariance.reshape(-1)
        own = flat[self.at_left * self.size + self.at_left % self.size]
        other = flat[self.at_right * self.size + self.at_right % self.size]
        variance = np.maximum(own + other - 2.0 * flat[self.cell], 0.0)
        return self.mode[self.at_left] - self.mode[self.at_right], variance


class _Crowd:
    """Slopes and leans, learnt from the expected log-likelihood under the posterior of the utilities."""

    def __init__(self, score: Floats, annotator: Ints, weight: Floats, people: int) -> None:
        self.score, self.annotator, self.weight, self.people = score, annotator, weight, people
        self.votes: Floats = sums(annotator, weight, people)
        self.slope: Floats = np.ones(people)
        self.lean: Floats = np.zeros(people)
        self.curvature: tuple[Floats, Floats, Floats] = self._priors()

    def _priors(self) -> tuple[Floats, Floats, Floats]:
        return np.full(self.people, SLOPE_PRIOR**-2), np.zeros(self.people), np.full(self.people, LEAN_PRIOR**-2)

    @property
    def mean_lean(self) -> float:
        """Of those who have voted."""
        return float(self.lean[self.votes > 0].mean()) if (self.votes > 0).any() else 0.0

    def learn(self, gap: Floats, deviation: Floats) -> None:
        """Some Newton steps on every annotator's slope and lean at once."""
        for _ in range(STEPS_A_ROUND):
            by_slope, by_lean = np.zeros(self.people), np.zeros(self.people)
            slope_slope, slope_lean, lean_lean = self._priors()
            for start in range(0, len(gap), VOTES_AT_ONCE):
                votes = slice(start, start + VOTES_AT_ONCE)
                who, weight, score = self.annotator[votes], self.weight[votes], self.score[votes]
                # Row by row the nodes; `_WEIGHTS @` is the mean over them.
                seen = gap[votes] + _NODES[:, None] * deviation[votes]
                p = chance(self.slope[who] * seen + self.lean[who])
                by_slope += self._sum(who, weight * (score * gap[votes] - _WEIGHTS @ (p * seen)))
                by_lean += self._sum(who, weight * (score - _WEIGHTS @ p))
                known = p * (1.0 - p)
                lean_lean += self._sum(who, weight * (_WEIGHTS @ known))
                known *= seen
                slope_lean += self._sum(who, weight * (_WEIGHTS @ known))
                known *= seen
                slope_slope += self._sum(who, weight * (_WEIGHTS @ known))
            by_slope -= (self.slope - 1.0) / SLOPE_PRIOR**2
            by_lean -= (self.lean - self.mean_lean) / LEAN_PRIOR**2
            determinant = slope_slope * lean_lean - slope_lean**2
            to_slope = (lean_lean * by_slope - slope_lean * by_lean) / determinant
            to_lean = (slope_slope * by_lean - slope_lean * by_slope) / determinant
            self.slope = self.slope + np.clip(to_slope, -1.0, 1.0)
            self.lean = self.lean + np.clip(to_lean, -1.0, 1.0)
            self.curvature = slope_slope, slope_lean, lean_lean
            if max(np.abs(to_slope).max(initial=0.0), np.abs(to_lean).max(initial=0.0)) < TOLERANCE_ON_THE_WAY:
                break
        # The scale belongs to the utilities: the average vote has slope 1.
        mean = float(np.average(self.slope, weights=self.votes)) if self.votes.sum() > 0 else 1.0
        self.slope = self.slope / mean if mean > 0 else self.slope

    def _sum(self, who: Ints, column: Floats) -> Floats:
        return sums(who, column, self.people)

    def fit(self, ratings: GroupsFit) -> AnnotatorsFit:
        slope_slope, slope_lean, lean_lean = self.curvature
        determinant = slope_slope * lean_lean - slope_lean**2
        silent = self.votes == 0
        return AnnotatorsFit(
            slope=np.where(silent, 1.0, self.slope),
            slope_error=np.sqrt(lean_lean / determinant),
            lean=np.where(silent, self.mean_lean, self.lean),
            lean_error=np.sqrt(slope_slope / determinant),
            votes=self.votes,
            mean_lean=self.mean_lean,
            ratings=ratings,
        )


def _parts(blocks: Sequence[Block], left: Ints, right: Ints, items: int) -> list[_Part]:
    at = Places.of(blocks, items)
    where = at.block[left]
    parts = []
    for number, block in enumerate(blocks):
        votes = np.flatnonzero(where == number)
        parts.append(_Part(block, votes, at.row[left[votes]], at.place[left[votes]], at.place[right[votes]]))
    return parts


def _inverse(tables: Floats) -> Floats:
    """The inverse of each of (groups, k, k) symmetric positive tables. Small ones by elimination in all groups at once,
    which is several times as quick as one after the other; it needs no pivots, since they are positive."""
    groups, size = tables.shape[:2]
    if size > 8:
        return np.linalg.inv(tables)
    result = np.empty_like(tables)
    for start in range(0, groups, GROUPS_AT_ONCE):
        rest = tables[start : start + GROUPS_AT_ONCE].transpose(1, 2, 0).copy("C")
        for pivot in range(size):
            scale = 1.0 / rest[pivot, pivot]
            rest[pivot, pivot] = 1.0
            rest[pivot] *= scale
            for row in range(size):
                if row != pivot:
                    factor = rest[row, pivot].copy()
                    rest[row, pivot] = 0.0
                    rest[row] -= factor * rest[pivot]
        result[start : start + GROUPS_AT_ONCE] = rest.transpose(2, 0, 1)
    return result


class _Width:
    """Learns 1 / s.d.^2 of utilities within their groups, from a part of the groups that have votes: a thousand of four
    items tell it to a few per cent.

    The normal approximation alone would bias the width far down where groups have few votes; see
    `bradley_terry.expected_spread`. Groups of many items have many votes, and there it would only add noise.
    """

    def __init__(self, parts: Sequence[_Part], score: Floats, weight: Floats) -> None:
        self.score, self.weight = score, weight
        judged = [np.unique(part.at_left // part.size) for part in parts]
        cells = sum(len(rows) * part.size**2 for rows, part in zip(judged, parts, strict=True))
        share = max(1.0, cells / CELLS_FOR_PRIOR)
        self.sample: list[tuple[_Part, Ints, Ints, Ints]] = []
        """a part, the rows chosen of it, its votes on them (by place in the part), and the row each is on"""
        for part, rows in zip(parts, judged, strict=True):
            number = min(len(rows), max(PROMPTS_TO_LEARN_PRIOR, round(len(rows) / share)))
            chosen = rows[np.linspace(0, len(rows) - 1, number).astype(int)] if number else rows
            row = np.full(part.rows, -1)
            row[chosen] = np.arange(len(chosen))
            on = row[part.at_left // part.size]
            here = np.flatnonzero(on >= 0)
            self.sample.append((part, chosen, here, on[here]))
        self.free = sum(len(chosen) * (part.size - 1) for part, chosen, _, _ in self.sample)

    def learn(self, precision: float, slope: Floats, lean: Floats) -> float:
        """The next precision; slope and lean of each vote."""
        rng = np.random.default_rng(0)  # the same draws in every round
        spread = sum(self._spread(sample, precision, slope, lean, rng) for sample in self.sample)
        return self.free / spread if spread > 0 and self.free else precision

    def _spread(
        self,
        sample: tuple[_Part, Ints, Ints, Ints],
        precision: float,
        slope: Floats,
        lean: Floats,
        rng: np.random.Generator,
    ) -> float:
        part, chosen, here, on = sample
        mode = part.mode.reshape(part.rows, part.size)[chosen]
        covariance = part.covariance[chosen]
        if part.size > LARGE:
            trace = np.trace(covariance, axis1=1, axis2=2) - covariance.sum(axis=(1, 2)) / part.size
            return float(((mode - mode.mean(axis=1, keepdims=True)) ** 2).sum() + trace.sum())
        votes = part.votes[here]
        left, right = part.at_left[here] % part.size, part.at_right[here] % part.size
        score, weight, slope, lean = self.score[votes], self.weight[votes], slope[votes], lean[votes]

        def log_likelihood(utility: Floats) -> Floats:
            edge = slope * (utility[on, left] - utility[on, right]) + lean
            return sums(on, weight * (score * edge - np.logaddexp(0.0, edge)), len(chosen))

        return expected_spread(mode, covariance, precision, log_likelihood, rng)


def _ratings(
    parts: Sequence[_Part],
    items: int,
    weight: Floats,
    groups: int,
    precision: float,
) -> GroupsFit:
    """The fit in columns; who was compared with whom does not depend on slopes."""
    fit = GroupsFit.empty(items, groups, precision**-0.5)
    for part in parts:
        block = part.block
        games = sums(part.cell, weight[part.votes], part.covariance.size).reshape(part.covariance.shape)
        block.wins = games  # as if the first shown had won them all: only who met whom is told from it
        block.mode = part.mode.reshape(part.rows, part.size)
        block.covariance = part.covariance
        report(block, fit)
    return fit
