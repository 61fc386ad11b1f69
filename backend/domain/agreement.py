"""How far annotators agree, with each other and with themselves, and which way they lean.

Knows nothing of who they are or where judgments are stored. A unit is a pair of completions of one prompt, whichever
way round it was shown; a ranking of three or more speaks on all its pairs. Units that one person alone has judged say
nothing about agreement and never count.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.domain.alpha import alphas, ratio_error
from backend.domain.judgments import MAX_STRENGTH, outcomes, reorder
from backend.domain.shares import Share, share_of

# Completions whose lengths differ by no more than so many characters say nothing about a lean to length.
SAME_LENGTH = 30


class Judged(NamedTuple):
    """One judgment: what was shown, in its order, and the ranks given to it."""

    annotator: Hashable
    prompt: Hashable
    shown: Sequence[Hashable]
    ranks: Sequence[int]


@dataclass(frozen=True)
class Agreement:
    """Over all units that two or more people judged; None where there are none.

    `majority_agreement`: how often an answer is the commonest among the others on its unit (where those are split, the
    answer is not counted). The alphas are Krippendorff's: 1 is full agreement, 0 what chance gives; `interval` takes a
    tie to lie halfway between the two wins, `nominal` to be as far off as anything else. `ordinal` reads answers in
    their order together with how strong the preference is, where that was asked; without it there are but three
    answers, told from both sides, and it is the same as `interval`. Errors by a bootstrap over units.
    """

    majority_agreement: float | None = None
    majority_agreement_error: float | None = None
    alpha_nominal: float | None = None
    alpha_nominal_error: float | None = None
    alpha_ordinal: float | None = None
    alpha_ordinal_error: float | None = None
    alpha_interval: float | None = None
    alpha_interval_error: float | None = None
    units: int = 0


@dataclass(frozen=True, slots=True)
class Leanings:
    """One annotator. `majority_agreement`: how often an answer is the commonest among the others'. `left_lean`: of the
    decided pairs, how often the one shown first won; half is no lean."""

    majority_agreement: Share | None
    left_lean: Share | None


def agreement(answers: "Answers") -> Agreement:
    """Agreement between annotators. Neither the order of judgments nor the sides shown change it."""
    agreed, counted = answers.with_the_others_by_unit()
    # Which of two completions comes first in a unit is arbitrary. Telling every unit both ways round frees the result
    # from that choice: what wins one way loses the other.
    found = alphas(answers.shared, np.array(SCORES), ["nominal", "interval"], mirrored=True)
    graded = alphas(answers.shared_grades, np.array(GRADES, dtype=float), ["ordinal"], mirrored=True)
    nominal, interval, ordinal = found.get("nominal"), found.get("interval"), graded.get("ordinal")
    return Agreement(
        majority_agreement=float(agreed.sum() / counted.sum()) if counted.sum() else None,
        majority_agreement_error=ratio_error(agreed, counted),
        alpha_nominal=nominal and nominal.value,
        alpha_nominal_error=nominal and nominal.error,
        alpha_ordinal=ordinal and ordinal.value,
        alpha_ordinal_error=ordinal and ordinal.error,
        alpha_interval=interval and interval.value,
        alpha_interval_error=interval and interval.error,
        units=len(answers.shared),
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
    same = [one for once, again in twice for one in answered_the_same(once, again)]
    return share_of(sum(same), len(same))


def answered_the_same(once: Judged, again: Judged) -> list[bool]:
    """Whether each pair of a comparison was answered the same both times."""
    turned = reorder(again.ranks, again.shown, once.shown)
    return [first == second for first, second in zip(outcomes(once.ranks), outcomes(turned), strict=True)]


# What an answer on a unit can be, told from one side: lost, tied, won; and how strongly.
SCORES = (0.0, 0.5, 1.0)
GRADES = tuple(range(-MAX_STRENGTH, MAX_STRENGTH + 1))


class Answers:
    """All answers on all units, each unit told from one and the same side, as arrays to count in."""

    def __init__(
        self,
        people: Mapping[Hashable, int],
        who: NDArray[np.int64],
        unit: NDArray[np.int64],
        score: NDArray[np.int64],
        turned: NDArray[np.int64],
        strength: NDArray[np.int64] | None = None,
    ) -> None:
        """People and units count from 0. Scores are 2, 1 or 0: what was shown first won, tied, lost; `turned`: that is
        not the side that the unit is told from; `strength` of the preference, 1 where it was not asked."""
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
        self._grade = (unit, (score - 1) * (1 if strength is None else strength))

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
        strength: NDArray[np.int64] | None = None,
    ) -> "Answers":
        """The same of any numbers for people and units, of which each must always be told from the same side."""
        names, who = np.unique(people, return_inverse=True)
        _, unit = np.unique(units, return_inverse=True)
        return cls({int(name): n for n, name in enumerate(names)}, who, unit, score, turned, strength)

    @property
    def shared(self) -> NDArray[np.int64]:
        """How often each answer was given, for each unit that two or more people judged."""
        return self._all[self._people_on > 1]

    @property
    def shared_grades(self) -> NDArray[np.int64]:
        """The same for answers with their strength (units, grades)."""
        unit, grade = self._grade
        cells = np.bincount(unit * len(GRADES) + grade + MAX_STRENGTH, minlength=len(self._people_on) * len(GRADES))
        return cells.reshape(-1, len(GRADES))[self._people_on > 1]

    def with_the_others(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For every person: answers that are the commonest among the other people's, and all that can be held so."""
        agreed, counted = self._agreed()
        return self._by_person(self._person_of_part, agreed), self._by_person(self._person_of_part, counted)

    def with_the_others_by_unit(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The same for every unit."""
        agreed, counted = self._agreed()
        return self._by_unit(agreed), self._by_unit(counted)

    def _agreed(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        others = self._all[self._unit_of_part] - self._own
        commonest = others.argmax(axis=1)
        ordered = np.sort(others, axis=1)
        counts = ordered[:, 2] > ordered[:, 1]
        agreed = np.take_along_axis(self._own, commonest[:, None], axis=1)[:, 0]
        return agreed * counts, self._own.sum(axis=1) * counts

    def first_won(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For every person: how often what was shown first won, and all that was decided."""
        decided = self._who[self._shown != 1]
        return self._by_person(self._who[self._shown == 2]), self._by_person(decided)

    def _by_person(self, people: NDArray[np.int64], number: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        return np.bincount(people, weights=number, minlength=len(self.people)).astype(np.int64)

    def _by_unit(self, number: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(self._unit_of_part, weights=number, minlength=len(self._people_on)).astype(np.int64)
