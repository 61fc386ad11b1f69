"""How far annotators agree, with each other and with themselves, and which way they lean.

Knows nothing of who they are or where judgments are stored. A unit is a pair of completions of one prompt, whichever
way round it was shown; a ranking of three or more speaks on all its pairs. Units that one person alone has judged say
nothing about agreement and never count.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

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
class Leanings:
    """One annotator. `majority_agreement`: how often an answer is the commonest among the others'. `left_lean`: of the
    decided pairs, how often the one shown first won; half is no lean."""

    majority_agreement: Share | None
    left_lean: Share | None


def agreement(answers: "Answers") -> Agreement:
    """Agreement between annotators. Neither the order of judgments nor the sides shown change it."""
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


def annotators(answers: "Answers") -> dict[Hashable, Leanings]:
    """How every annotator agrees and leans."""
    agreed, counted = answers.with_the_others()
    won, decided = answers.first_won()
    return {
        who: Leanings(share_of(int(agreed[n]), int(counted[n])), share_of(int(won[n]), int(decided[n])))
        for who, n in answers.people.items()
    }


def left_lean(scores: NDArray[np.int64]) -> Share | None:
    """One person's lean to what was shown first; scores are 2, 1 or 0: that one won, tied, lost."""
    return share_of(int((scores == 2).sum()), int((scores != 1).sum()))


def length_lean(scores: NDArray[np.int64], longer: NDArray[np.int64]) -> Share | None:
    """Of the decided pairs whose lengths truly differ, how often the longer one won.

    Scores as above; `longer`: by how many characters what was shown first is longer.
    """
    counted = (scores != 1) & (np.abs(longer) > SAME_LENGTH)
    won = counted & ((scores == 2) == (longer > 0))
    return share_of(int(won.sum()), int(counted.sum()))


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


class Answers:
    """All answers on all units, each unit told from one and the same side, as arrays to count in."""

    def __init__(
        self,
        people: Mapping[Hashable, int],
        who: NDArray[np.int64],
        unit: NDArray[np.int64],
        score: NDArray[np.int64],
        turned: NDArray[np.int64],
    ) -> None:
        """People and units count from 0. Scores are 2, 1 or 0: what was shown first won, tied, lost; `turned`: that is
        not the side that the unit is told from."""
        self.people = people
        self._who, self._shown = who, score
        units = int(unit.max(initial=-1)) + 1
        score = np.where(turned, 2 - score, score)
        # One row for each person on each unit they judged: mostly one answer, more where they were asked again.
        parts, place_of = np.unique(who * units + unit, return_inverse=True)
        self._person_of_part, self._unit_of_part = parts // max(1, units), parts % max(1, units)
        self._own = np.bincount(place_of * 3 + score, minlength=3 * len(parts)).reshape(-1, 3)
        self._all = np.bincount(unit * 3 + score, minlength=3 * units).reshape(-1, 3)
        self._people_on = np.bincount(self._unit_of_part, minlength=units)

    @classmethod
    def of(cls, judged: Iterable[Judged]) -> "Answers":
        """Of judgments one by one."""
        people: dict[Hashable, int] = {}
        units: dict[tuple[Hashable, Hashable, Hashable], int] = {}
        rows: list[tuple[int, int, int, int]] = []
        for who, prompt, shown, ranks in judged:
            person = people.setdefault(who, len(people))
            for a, b, score in outcomes(ranks):
                place = units.get((prompt, shown[b], shown[a]))
                turned = place is not None
                if place is None:
                    place = units.setdefault((prompt, shown[a], shown[b]), len(units))
                rows.append((person, place, round(2 * score), turned))
        return cls(people, *np.array(rows, dtype=np.int64).reshape(-1, 4).T)

    @classmethod
    def of_arrays(
        cls,
        people: NDArray[np.int64],
        units: NDArray[np.int64],
        score: NDArray[np.int64],
        turned: NDArray[np.int64],
    ) -> "Answers":
        """The same of any numbers for people and units, of which each must always be told from the same side."""
        names, who = np.unique(people, return_inverse=True)
        _, unit = np.unique(units, return_inverse=True)
        return cls({int(name): n for n, name in enumerate(names)}, who, unit, score, turned)

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
        return (
            self._by_person(self._person_of_part[counts], agreed[counts]),
            self._by_person(self._person_of_part[counts], self._own.sum(axis=1)[counts]),
        )

    def first_won(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For every person: how often what was shown first won, and all that was decided."""
        decided = self._who[self._shown != 1]
        return self._by_person(self._who[self._shown == 2]), self._by_person(decided)

    def _by_person(self, people: NDArray[np.int64], number: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        return np.bincount(people, weights=number, minlength=len(self.people)).astype(np.int64)
