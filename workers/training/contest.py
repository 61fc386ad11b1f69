"""Win rates between any two models by one judge, with intervals; knows no model.

A win rate is over pairs of answers to one prompt; ties count half. Its interval is a bootstrap over prompts, because
answers to one prompt are not independent.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from workers.training.reward_metrics import bootstrap

Wins = Callable[[int, int], list[list[float]]]
"""Takes the numbers of two models; returns what the first wins against the second, 1, 0.5 or 0 (or between), for each
pair of answers, a list for each prompt.
"""


def by_scores(scores: Sequence[Sequence[float]], *, tie_margin: float, samples_per_prompt: int) -> Wins:
    """By a judge that scores every answer; a difference within the margin is a tie."""

    def wins(one: int, other: int) -> list[list[float]]:
        pairs = zip(scores[one], scores[other], strict=True)
        told = [0.5 if abs(a - b) <= tie_margin else float(a > b) for a, b in pairs]
        return [told[start : start + samples_per_prompt] for start in range(0, len(told), samples_per_prompt)]

    return wins


def by_comparing(better: Callable[[int, int], Sequence[float]], *, samples_per_prompt: int) -> Wins:
    """By a judge that is shown two answers and gives the probability that the first is better. It is asked in both
    orders, so that a bias for the first place cancels.
    """

    def wins(one: int, other: int) -> list[list[float]]:
        there_and_back = zip(better(one, other), better(other, one), strict=True)
        told = [(first + 1.0 - second) / 2.0 for first, second in there_and_back]
        return [told[start : start + samples_per_prompt] for start in range(0, len(told), samples_per_prompt)]

    return wins


def table(judge: str, models: Sequence[str], wins: Wins, *, rounds: int, seed: int) -> dict[str, Any]:
    """`{"judge", "models", "rate", "low", "high"}`: three tables of the row's win rate against the column, null on the
    diagonal.
    """
    size = range(len(models))
    cells: dict[str, list[list[float | None]]] = {
        name: [[None for _ in size] for _ in size] for name in ("rate", "low", "high")
    }
    for one, other in combinations(size, 2):
        told = wins(one, other)
        mean = fmean(win for prompt in told for win in prompt)
        least, most = bootstrap(told, rounds, seed)
        for name, value in (("rate", mean), ("low", least), ("high", most)):
            cells[name][one][other] = value
        for name, value in (("rate", mean), ("low", most), ("high", least)):
            cells[name][other][one] = 1.0 - value
    return {"judge": judge, "models": list(models), **cells}
