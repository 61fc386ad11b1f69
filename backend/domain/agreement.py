"""How far annotators agree, with each other and with themselves, and which side they lean to.

Knows nothing of who they are or where judgments are stored. A unit is a pair of completions of one prompt, whichever
way round it was shown; a ranking of three or more speaks on all its pairs. Units that one person alone has judged say
nothing about agreement and never count.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, NamedTuple, TypeVar

from backend.domain.judgments import outcomes, reorder

T = TypeVar("T", bound=Hashable)


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
    """One annotator. `left_share`: of the decided pairs, how often the one shown first won; half is no lean."""

    judgments: int
    majority_agreement: float | None
    left_share: float | None
    median_active_ms: int | None


def agreement(judged: Iterable[Judged]) -> Agreement:
    """Agreement between annotators. Neither the order of judgments nor the sides shown change it."""
    answers = _by_unit(judged)
    shared = {unit: said for unit, said in answers.items() if len({who for who, _ in said}) > 1}
    agreed, counted = map(sum, zip(*_against_the_others(shared).values(), strict=True)) if shared else (0, 0)
    # Which of two completions comes first in a unit is arbitrary. Telling every unit both ways round frees the result
    # from that choice: what wins one way loses the other.
    both_ways = [
        ((unit, turned), 1.0 - score if turned else score)
        for unit, said in shared.items()
        for _, score in said
        for turned in (False, True)
    ]
    return Agreement(
        majority_agreement=agreed / counted if counted else None,
        alpha_nominal=krippendorff_alpha(both_ways, "nominal"),
        alpha_interval=krippendorff_alpha(both_ways, "interval"),
        units=len(shared),
    )


def annotators(judged: Iterable[Judged]) -> dict[Hashable, AnnotatorStats]:
    """The numbers of every annotator."""
    judged = list(judged)
    against = _against_the_others(_by_unit(judged))
    own: dict[Hashable, list[Judged]] = defaultdict(list)
    for judgment in judged:
        own[judgment.annotator].append(judgment)
    stats = {}
    for who, judgments in own.items():
        agreed, counted = against.get(who, (0, 0))
        times = [judgment.active_ms for judgment in judgments if judgment.active_ms is not None]
        stats[who] = AnnotatorStats(
            judgments=len(judgments),
            majority_agreement=agreed / counted if counted else None,
            left_share=left_share(judgments),
            median_active_ms=round(median(times)) if times else None,
        )
    return stats


def left_share(judged: Iterable[Judged]) -> float | None:
    """Of the decided pairs, how often the one shown first (on the left) won; None where nothing was decided."""
    decided = [score for judgment in judged for _, _, score in outcomes(judgment.ranks) if score != 0.5]
    return sum(decided) / len(decided) if decided else None


def repeat_consistency(twice: Iterable[tuple[Judged, Judged]]) -> float | None:
    """Of the pairs in comparisons that one person judged twice, how many were answered the same both times."""
    same = [
        first == second
        for once, again in twice
        for first, second in zip(
            outcomes(once.ranks), outcomes(reorder(again.ranks, again.shown, once.shown)), strict=True
        )
    ]
    return sum(same) / len(same) if same else None


def krippendorff_alpha(values: Iterable[tuple[Hashable, float]], level: Literal["nominal", "interval"]) -> float | None:
    """Krippendorff's alpha of (unit, value) rows; None when fewer than two values can be paired within units.

    Where all values are the same there is nothing to disagree on by chance: full agreement.
    """
    units: dict[Hashable, Counter[float]] = defaultdict(Counter)
    for unit, value in values:
        units[unit][value] += 1
    paired = [counts for counts in units.values() if counts.total() > 1]
    total: Counter[float] = Counter()
    for counts in paired:
        total.update(counts)
    if not total:
        return None
    observed = sum(_disagreement(counts, level) / (counts.total() - 1) for counts in paired)
    by_chance = _disagreement(total, level) / (total.total() - 1)
    return 1.0 - observed / by_chance if by_chance > 0 else 1.0


def _disagreement(counts: Mapping[float, int], level: Literal["nominal", "interval"]) -> float:
    """The distances between all ordered pairs of values, summed."""
    return sum(
        n * m * (float(a != b) if level == "nominal" else (a - b) ** 2)
        for a, n in counts.items()
        for b, m in counts.items()
    )


def _by_unit(judged: Iterable[Judged]) -> dict[Hashable, list[tuple[Hashable, float]]]:
    """(annotator, score) of every answer on every unit, all told from the same side."""
    units: dict[Hashable, list[tuple[Hashable, float]]] = defaultdict(list)
    first_of: dict[Hashable, Hashable] = {}
    for judgment in judged:
        for a, b, score in outcomes(judgment.ranks):
            unit = (judgment.prompt, frozenset((judgment.shown[a], judgment.shown[b])))
            told_from_a = first_of.setdefault(unit, judgment.shown[a]) == judgment.shown[a]
            units[unit].append((judgment.annotator, score if told_from_a else 1.0 - score))
    return units


def _against_the_others(units: Mapping[Hashable, list[tuple[Hashable, float]]]) -> dict[Hashable, tuple[int, int]]:
    """For every annotator: answers that are the commonest among the other people's, out of all that can be held so."""
    found: dict[Hashable, tuple[int, int]] = {}
    for said in units.values():
        everybody = Counter(score for _, score in said)
        own: dict[Hashable, Counter[float]] = defaultdict(Counter)
        for who, score in said:
            own[who][score] += 1
        for who, scores in own.items():
            agreed, counted = found.get(who, (0, 0))
            others = (everybody - scores).most_common(2)
            if others and (len(others) == 1 or others[0][1] > others[1][1]):
                agreed += scores[others[0][0]]
                counted += scores.total()
            found[who] = agreed, counted
    return found
