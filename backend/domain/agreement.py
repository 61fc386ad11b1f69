"""How far annotators agree, with each other and with themselves, and which way they lean.

Knows nothing of who they are or where judgments are stored. A unit is a pair of completions of one prompt, whichever
way round it was shown; a ranking of three or more speaks on all its pairs. Units that one person alone has judged say
nothing about agreement and never count.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from backend.domain.judgments import outcomes, reorder
from backend.domain.shares import Share, share_of

T = TypeVar("T", bound=Hashable)

# Completions whose lengths differ by no more than so many characters say nothing about a lean to length.
SAME_LENGTH = 30


class Judged(NamedTuple):
    """One judgment: what was shown, in its order, and the ranks given to it."""

    annotator: Hashable
    prompt: Hashable
    shown: Sequence[Hashable]
    ranks: Sequence[int]
    active_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Over all units that two or more people judged; None where there are none.

    `majority_agreement`: how often an answer is the commonest among the others on its unit (where those are split, the
    answer is not counted). The alphas are Krippendorff's: 1 is full agreement, 0 what chance gives; `interval` takes a
    tie to lie halfway between the two wins, `nominal` to be as far off as anything else.
    """

    majority_agreement: float | None
    alpha_nominal: float | None
    alpha_interval: float | None
    units: int


@dataclass(frozen=True, slots=True)
class AnnotatorStats:
    """One annotator. `left_lean`: of the decided pairs, how often the one shown first won; half is no lean."""

    judgments: int
    majority_agreement: Share | None
    left_lean: Share | None
    median_active_ms: int | None


def agreement(judged: Iterable[Judged]) -> Agreement:
    """Agreement between annotators. Neither the order of judgments nor the sides shown change it."""
    answers = _Answers(judged)
    agreed, counted = answers.with_the_others()
    shared = answers.shared
    # Which of two completions comes first in a unit is arbitrary. Telling every unit both ways round frees the result
    # from that choice: what wins one way loses the other.
    both_ways = np.concatenate([shared, shared[:, ::-1]])
    return Agreement(
        majority_agreement=float(agreed.sum() / counted.sum()) if counted.sum() else None,
        alpha_nominal=_alpha(both_ways, np.array(SCORES), "nominal"),
        alpha_interval=_alpha(both_ways, np.array(SCORES), "interval"),
        units=len(shared),
    )


def annotators(judged: Iterable[Judged]) -> dict[Hashable, AnnotatorStats]:
    """The numbers of every annotator."""
    judged = list(judged)
    answers = _Answers(judged)
    agreed, counted = answers.with_the_others()
    own: dict[Hashable, list[Judged]] = defaultdict(list)
    for judgment in judged:
        own[judgment.annotator].append(judgment)
    stats = {}
    for who, judgments in own.items():
        times = [judgment.active_ms for judgment in judgments if judgment.active_ms is not None]
        stats[who] = AnnotatorStats(
            judgments=len(judgments),
            majority_agreement=share_of(int(agreed[answers.people[who]]), int(counted[answers.people[who]])),
            left_lean=left_lean(judgments),
            median_active_ms=round(median(times)) if times else None,
        )
    return stats


def with_the_majority(judged: Iterable[Judged], annotator: Hashable) -> Share | None:
    """How often this annotator's answers are the commonest among the others' on the same units."""
    answers = _Answers(judged)
    if annotator not in answers.people:
        return None
    agreed, counted = answers.with_the_others()
    place = answers.people[annotator]
    return share_of(int(agreed[place]), int(counted[place]))


def left_lean(judged: Iterable[Judged]) -> Share | None:
    """Of the decided pairs, how often the one shown first (on the left) won; None where nothing was decided."""
    won = lost = 0
    for judgment in judged:
        for _, _, score in outcomes(judgment.ranks):
            won += score == 1.0
            lost += score == 0.0
    return share_of(won, won + lost)


def length_lean(judged: Iterable[Judged], lengths: Mapping[Any, int]) -> Share | None:
    """Of the decided pairs whose lengths (in characters) truly differ, how often the longer one won."""
    won = counted = 0
    for judgment in judged:
        for a, b, score in outcomes(judgment.ranks):
            longer = lengths[judgment.shown[a]] - lengths[judgment.shown[b]]
            if score != 0.5 and abs(longer) > SAME_LENGTH:
                counted += 1
                won += (score == 1.0) == (longer > 0)
    return share_of(won, counted)


def repeat_consistency(twice: Iterable[tuple[Judged, Judged]]) -> Share | None:
    """Of the pairs in comparisons that one person judged twice, how many were answered the same both times."""
    same = [
        first == second
        for once, again in twice
        for first, second in zip(
            outcomes(once.ranks), outcomes(reorder(again.ranks, again.shown, once.shown)), strict=True
        )
    ]
    return share_of(sum(same), len(same))


def krippendorff_alpha(values: Iterable[tuple[Hashable, float]], level: Literal["nominal", "interval"]) -> float | None:
    """Krippendorff's alpha of (unit, value) rows; None when fewer than two values can be paired within units.

    Where all values are the same there is nothing to disagree on by chance: full agreement.
    """
    units: dict[Hashable, Counter[float]] = defaultdict(Counter)
    for unit, value in values:
        units[unit][value] += 1
    known = sorted({value for counts in units.values() for value in counts})
    table = np.array([[counts[value] for value in known] for counts in units.values()]).reshape(len(units), len(known))
    return _alpha(table, np.array(known), level)


def _alpha(
    counts: NDArray[np.int64], values: NDArray[np.float64], level: Literal["nominal", "interval"]
) -> float | None:
    """The same of a table that says how often each unit (row) was given each of the values (column)."""
    counts = counts[counts.sum(axis=1) > 1]
    if not len(counts):
        return None
    apart = values[:, None] - values[None, :]
    distance = (apart != 0).astype(float) if level == "nominal" else apart**2
    total = counts.sum(axis=0)
    within = np.einsum("ui,uj,ij->u", counts, counts, distance)
    observed = (within / (counts.sum(axis=1) - 1)).sum()
    by_chance = total @ distance @ total / (total.sum() - 1)
    return float(1.0 - observed / by_chance) if by_chance > 0 else 1.0


# What an answer on a unit can be, told from one side: lost, tied, won.
SCORES = (0.0, 0.5, 1.0)


class _Answers:
    """All answers on all units, each unit told from one and the same side, as arrays to count in."""

    def __init__(self, judged: Iterable[Judged]) -> None:
        self.people: dict[Hashable, int] = {}
        units: dict[tuple[Hashable, Hashable, Hashable], int] = {}
        who: list[int] = []
        unit: list[int] = []
        score: list[int] = []
        for judgment in judged:
            person = self.people.setdefault(judgment.annotator, len(self.people))
            shown, ranks, prompt = judgment.shown, judgment.ranks, judgment.prompt
            for a in range(len(ranks)):
                for b in range(a + 1, len(ranks)):
                    won = 1 + (ranks[a] < ranks[b]) - (ranks[a] > ranks[b])
                    place = units.get((prompt, shown[b], shown[a]))
                    if place is None:
                        place = units.setdefault((prompt, shown[a], shown[b]), len(units))
                    else:
                        won = 2 - won
                    who.append(person)
                    unit.append(place)
                    score.append(won)
        self._unit = np.array(unit, dtype=np.int64)
        self._score = np.array(score, dtype=np.int64)
        # One row for each person on each unit they judged: mostly one answer, more where they were asked again.
        part = np.array(who, dtype=np.int64) * len(units) + self._unit
        parts, place_of = np.unique(part, return_inverse=True)
        self._person_of_part, self._unit_of_part = parts // max(1, len(units)), parts % max(1, len(units))
        self._own = np.bincount(place_of * 3 + self._score, minlength=3 * len(parts)).reshape(-1, 3)
        self._all = np.bincount(self._unit * 3 + self._score, minlength=3 * len(units)).reshape(-1, 3)
        self._people_on = np.bincount(self._unit_of_part, minlength=len(units))

    @property
    def shared(self) -> NDArray[np.int64]:
        """How often each answer was given, for each unit that two or more people judged."""
        return self._all[self._people_on > 1]

    def with_the_others(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For every person: answers that are the commonest among the other people's, and all that can be held so."""
        others = self._all[self._unit_of_part] - self._own
        commonest = others.argmax(axis=1)
        ordered = np.sort(others, axis=1)
        counts = ordered[:, 2] > ordered[:, 1]
        agreed = np.take_along_axis(self._own, commonest[:, None], axis=1)[:, 0]
        people = self._person_of_part

        def by_person(number: NDArray[np.int64]) -> NDArray[np.int64]:
            summed = np.bincount(people, weights=np.where(counts, number, 0), minlength=len(self.people))
            return summed.astype(np.int64)

        return by_person(agreed), by_person(self._own.sum(axis=1))
