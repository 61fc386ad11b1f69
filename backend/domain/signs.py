"""Signs that somebody's judgments want a look: told from figures, for a person to decide on. Nobody is dropped by them.

Each is beyond what chance would do to one person now and then, and says its figures in a sentence. Knows nothing of
names or storage.
"""

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from backend.domain.annotators import NO_BETTER_THAN_CHANCE, STRONG_LEAN
from backend.domain.shares import share_of

Name = Literal["chance", "contrary", "lean", "fast", "one_answer"]
T = TypeVar("T", bound=Hashable)

# A median time below this part of what the crowd takes for as much text.
FAST = 1 / 3
TIMED_JUDGMENTS, TIMED_PEOPLE = 20, 3
SAME_ANSWER, ANSWERS = 0.95, 30


class Sign(NamedTuple):
    """What was seen, and a sentence with its figures."""

    name: Name
    sentence: str


def of_slope(slope: float, slope_error: float, lean: float, lean_error: float) -> list[Sign]:
    """What a fit of annotators tells of one of them, with two standard errors to spare."""
    found = []
    sharp = (
        f"slope {slope:.2f} ± {2 * slope_error:.2f}".replace("-", "−")
        + ", where 1 is the average vote and 0 is guessing"
    )
    if slope + 2 * slope_error < 0:
        found.append(Sign("contrary", f"Answers the contrary of what the crowd sees: {sharp}."))
    elif slope + 2 * slope_error < NO_BETTER_THAN_CHANCE:
        found.append(Sign("chance", f"Answers nearly as if by chance: {sharp}."))
    if abs(lean) - 2 * lean_error > STRONG_LEAN:
        chosen = 1 / (1 + np.exp(-abs(lean)))
        side = "first" if lean > 0 else "last"
        found.append(
            Sign(
                "lean",
                f"Leans to what is shown {side}: {abs(lean):.2f} ± {2 * lean_error:.2f} in log-odds, which is to prefer"
                f" it {chosen:.0%} of the time between equals.",
            )
        )
    return found


def too_fast(
    people: NDArray[np.integer[Any]], milliseconds: NDArray[np.integer[Any]], length: NDArray[np.integer[Any]]
) -> dict[int, Sign]:
    """Who takes far less time than the crowd for as much text: columns by judgment, with people by any number.

    The logarithm of the time is a line in that of the length, with one slope for all (from differences within people,
    so that who got longer texts is not taken for slow) and a level for each: the median of what is left. The crowd's
    level is the median of people's, which a few who click through cannot move. It is a sign where somebody's level,
    with two standard errors of a median added, lies below a third of it. Needs 20 timed judgments of a person, and
    three such people.
    """
    timed = (milliseconds > 0) & (length > 0)
    people, seconds, size = people[timed], milliseconds[timed] / 1000.0, length[timed]
    names, who, times = np.unique(people, return_inverse=True, return_counts=True)
    kept = times[who] >= TIMED_JUDGMENTS
    if not kept.any() or (times >= TIMED_JUDGMENTS).sum() < TIMED_PEOPLE:
        return {}
    who, seconds, log_size = who[kept], seconds[kept], np.log(size[kept])
    log_time = np.log(seconds)
    apart, taken = _within(who, log_size), _within(who, log_time)
    growth = float(np.clip(apart @ taken / max(apart @ apart, 1e-9), 0.0, 1.0))
    level = log_time - growth * log_size
    order = np.argsort(who, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(who[order])) + 1)
    middles = {int(who[part[0]]): float(np.median(level[part])) for part in parts}
    crowd = float(np.median(list(middles.values())))
    found = {}
    for part in parts:
        one = int(who[part[0]])
        error = 1.2533 * float(level[part].std()) / np.sqrt(len(part))
        if middles[one] + 2 * error < crowd + np.log(FAST):
            others = float(np.exp(crowd + growth * np.median(log_size[part])))
            found[int(names[one])] = Sign(
                "fast",
                f"Half of {len(part)} judgments took less than {np.median(seconds[part]):.1f} s of active time; "
                f"people usually take {others:.1f} s for texts as long.",
            )
    return found


def _within(who: NDArray[np.integer[Any]], values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Each value's distance from the mean of its person."""
    number = np.maximum(np.bincount(who), 1)
    apart: NDArray[np.floating[Any]] = values - (np.bincount(who, weights=values) / number)[who]
    return apart


def one_answer(answers: Mapping[T, Mapping[str, int]]) -> dict[T, Sign]:
    """Who gives one and the same answer nearly always (95 % of 30 judgments or more) where others do not: the lower end
    of the 95 % interval of their share lies above the upper end of the others'.

    `answers`: for each person how often each answer was given, the answer as the ranks of what was shown, in its order.
    """
    total: Counter[str] = Counter()
    for said in answers.values():
        total.update(said)
    everything = total.total()
    found = {}
    for who, said in answers.items():
        answer = mostly(said)
        if answer is None:
            continue
        n = sum(said.values())
        mine, others = share_of(said[answer], n), share_of(total[answer] - said[answer], everything - n)
        if mine is not None and others is not None and mine.low > others.high:
            found[who] = Sign(
                "one_answer",
                f"Gave one and the same answer, {_told(answer)}, in {mine.share:.0%} of {n} judgments; others do in "
                f"{others.share:.0%}.",
            )
    return found


def mostly(said: Mapping[str, int]) -> str | None:
    """The answer that somebody gives so often that it could be a sign; None where there is no such answer."""
    n = sum(said.values())
    answer = max(said, key=lambda one: (said[one], one), default="")
    return None if n < ANSWERS or said[answer] < SAME_ANSWER * n else answer


def _told(answer: str) -> str:
    ranks = answer.split(",")
    if ranks == ["none"]:
        return "“none is acceptable”"
    if len(set(ranks)) == 1:
        return "a tie"
    if len(ranks) == 2:
        return "the one shown first" if ranks[0] < ranks[1] else "the one shown last"
    return f"the ranks {', '.join(ranks)} in the order shown"
