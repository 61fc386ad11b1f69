"""How well scores agree with what people said: accuracy with its interval, calibration, and whether length explains it.

Pure numbers in, pure numbers out. A `Judged` pair is one outcome: by how much the score of `a` leads that of `b`, what
people said (1: a, 0: b, 0.5: a tie), and how much longer a is. Ties are left out of accuracies and kept in likelihoods.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BINS = 10
_AT_ONCE = 2**22
"""Random numbers of a bootstrap that are there together."""
MOST_TOLD = 50

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Judged:
    """One outcome. `pair` numbers prompt, a and b; `lead` is in log-odds; `longer` is length of a less length of b."""

    pair: tuple[int, int, int]
    lead: float
    score: float
    longer: float
    annotator: str | None = None
    """who said it, by id"""
    models: tuple[str, str] | None = None
    """who wrote the two, in the order of their names"""


def report(pairs: Sequence[Judged], *, rounds: int, seed: int) -> dict[str, float]:
    """All numbers below by name; empty without pairs."""
    if not pairs:
        return {}
    lead = np.array([pair.lead for pair in pairs])
    score = np.array([pair.score for pair in pairs])
    longer = np.array([pair.longer for pair in pairs])
    values = {
        "pairs": float(len(pairs)),
        "log_loss": log_loss(lead, score),
        "brier": brier(lead, score),
        "calibration_error": calibration_error(lead, score),
        "temperature": temperature(lead, score),
    }
    decided = [pair for pair in pairs if pair.score != 0.5]
    if not decided:
        return values
    groups: dict[int, list[float]] = {}
    by_length: dict[int, list[float]] = {}
    for pair in decided:
        groups.setdefault(pair.pair[0], []).append(agrees(pair.lead, pair.score))
        by_length.setdefault(pair.pair[0], []).append(agrees(pair.longer, pair.score))
    right, long_right = _mean(groups), _mean(by_length)
    low, high = bootstrap(list(groups.values()), rounds, seed)
    length_alone = max(long_right, 1 - long_right)
    values |= {
        "accuracy": right,
        "accuracy_low": low,
        "accuracy_high": high,
        "accuracy_pairs": float(len(decided)),
        "longer_wins": long_right,
        "score_length_correlation": correlation(lead, longer),
        "no_better_than_length": float(right <= length_alone),
    }
    surest = sorted(decided, key=lambda pair: -abs(pair.lead))
    half = (len(surest) + 1) // 2
    for name, part in (("accuracy_surer", surest[:half]), ("accuracy_less_sure", surest[half:])):
        if part:
            values[name] = sum(agrees(p.lead, p.score) for p in part) / len(part)
    agreement, judgments = agreement_on_pairs(decided)
    if judgments:
        values |= {"agreement": agreement, "agreement_judgments": float(judgments)}
    for name, side in (("accuracy_longer_preferred", 1.0), ("accuracy_shorter_preferred", -1.0)):
        right_ones = [agrees(p.lead, p.score) for p in decided if p.longer * (p.score - 0.5) * side > 0]
        if right_ones:
            values[name] = sum(right_ones) / len(right_ones)
    return values


def accuracy_by(
    pairs: Sequence[Judged], who: Callable[[Judged], T | None], *, rounds: int, seed: int
) -> dict[str, Any]:
    """`{"rows", "left_out"}`: accuracy on the decided pairs of each `who`, those with the most pairs first; and of how
    many more there was no room to tell. A row is `{"of", "accuracy", "low", "high", "pairs", "prompts"}`; the interval
    is null where the prompts are too few for one.
    """
    found: dict[T, dict[int, list[float]]] = {}
    for pair in pairs:
        if pair.score != 0.5 and (of := who(pair)) is not None:
            found.setdefault(of, {}).setdefault(pair.pair[0], []).append(agrees(pair.lead, pair.score))
    counted = sorted(((sum(map(len, prompts.values())), of) for of, prompts in found.items()), key=lambda one: -one[0])
    rows = []
    for count, of in counted[:MOST_TOLD]:
        prompts = list(found[of].values())
        low, high = bootstrap(prompts, rounds, seed)
        told = {"accuracy": _mean(found[of]), "low": low, "high": high, "pairs": count, "prompts": len(prompts)}
        rows.append({"of": of, **told})
    return {"rows": rows, "left_out": len(counted) - len(rows)}


def by_source(pairs: Sequence[Judged], *, rounds: int, seed: int) -> dict[str, Any]:
    """Accuracy by who judged, and by which two models wrote: where a reward model is right only on one person's taste,
    or only between models far apart, the mean over all does not show it.
    """
    by = {"annotator": lambda pair: pair.annotator, "models": lambda pair: pair.models}
    told = {name: accuracy_by(pairs, who, rounds=rounds, seed=seed) for name, who in by.items()}
    return {name: table for name, table in told.items() if table["rows"]}


def in_order(one: str | None, other: str | None) -> tuple[str, str] | None:
    """Who wrote two completions, as `Judged` has it."""
    return None if one is None or other is None else (min(one, other), max(one, other))


def agrees(lead: float, score: float) -> float:
    """1 when the lead points to what was preferred, 0 when away from it, a half when there is none."""
    return 0.5 if lead == 0 else float((lead > 0) == (score > 0.5))


def agreement_on_pairs(decided: Sequence[Judged]) -> tuple[float, int]:
    """How likely another judgment of the same pair says the same, mean over judgments of pairs that have several; and
    how many judgments those are. Whoever predicts people is one more of them at best.
    """
    said: dict[tuple[int, int, int], list[bool]] = {}
    for one in decided:
        prompt, a, b = one.pair
        said.setdefault((prompt, min(a, b), max(a, b)), []).append((one.score > 0.5) == (a < b))
    agree, judgments = 0.0, 0
    for firsts in said.values():
        if len(firsts) > 1:
            for_one, judged = sum(firsts), len(firsts)
            for_other = judged - for_one
            agree += (for_one * (for_one - 1) + for_other * (for_other - 1)) / (judged - 1)
            judgments += judged
    return (agree / judgments if judgments else 0.0), judgments


def bootstrap(groups: Sequence[Sequence[float]], rounds: int, seed: int) -> tuple[float, float]:
    """The 95 % interval of the mean over all values, each from 0 to 1 and of a group (prompt) that is drawn whole.

    The Bayesian bootstrap (Rubin 1981) with Jeffreys' prior: beside the prompts that were seen, half a one that is lost
    and half a one that is won. Few prompts that were all won are so no proof that all are; of plain wins and losses it
    is the interval that Brown, Cai, DasGupta 2001 recommend. The mean itself always lies inside.
    """
    sums = np.array([sum(group) for group in groups])
    counts = np.array([float(len(group)) for group in groups])
    size = counts.mean()
    shapes = np.array([*np.ones(len(groups)), 0.5, 0.5])
    random = np.random.default_rng(seed)
    means: list[float] = []
    while len(means) < rounds:
        weights = random.standard_gamma(
            shapes, (min(rounds - len(means), max(1, _AT_ONCE // len(shapes))), len(shapes))
        )
        means += ((weights @ [*sums, 0.0, size]) / (weights @ [*counts, size, size])).tolist()
    low, high = np.quantile(means, (0.025, 0.975))
    mean = float(sums.sum() / counts.sum())
    return min(float(low), mean), max(float(high), mean)


def log_loss(lead: Floats, score: Floats) -> float:
    """Nats per outcome of saying "a" with probability sigmoid(lead); ln 2 is knowing nothing."""
    return float(np.mean(np.logaddexp(0.0, lead) - score * lead))


def brier(lead: Floats, score: Floats) -> float:
    """Mean squared distance of that probability from what was said; 1/4 is knowing nothing."""
    return float(np.mean((sigmoid(lead) - score) ** 2))


@dataclass(frozen=True, slots=True)
class Bin:
    """Some pairs of like confidence: the mean probability that the scores give to the favourite, how often it was
    preferred (a tie is half), and how many pairs.
    """

    expected: float
    won: float
    pairs: int


def reliability(lead: Floats, score: Floats, bins: int = BINS) -> list[Bin]:
    """Bins of equal size, the least sure first.

    Each pair is turned so that a is the favourite: which side a pair was written down on must not matter.
    """
    favourite = np.where(lead >= 0, score, 1 - score)
    expected = sigmoid(np.abs(lead))
    parts = np.array_split(np.argsort(expected, kind="stable"), min(bins, len(expected)))
    return [Bin(float(expected[part].mean()), float(favourite[part].mean()), len(part)) for part in parts]


def reliability_of(pairs: Sequence[Judged]) -> list[Bin]:
    """The same of judged pairs; empty without any."""
    if not pairs:
        return []
    return reliability(np.array([pair.lead for pair in pairs]), np.array([pair.score for pair in pairs]))


def calibration_error(lead: Floats, score: Floats, bins: int = BINS) -> float:
    """Expected calibration error: how far, over bins of equal size, the favourite wins from how often it should."""
    return sum(abs(one.won - one.expected) * one.pairs for one in reliability(lead, score, bins)) / len(lead)


def temperature(lead: Floats, score: Floats) -> float:
    """What leads must be divided by to fit best: over 1 when the scores are too sure of themselves; 1 where none leads.

    The log loss is convex in 1 / temperature: its slope is halved towards its zero within [0.01, 100].
    """
    if not lead.any():
        return 1.0
    coldest, hottest = 0.01, 100.0
    for _ in range(60):
        middle = math.sqrt(coldest * hottest)
        if np.mean((sigmoid(lead / middle) - score) * lead) > 0:  # too sure
            coldest = middle
        else:
            hottest = middle
    return math.sqrt(coldest * hottest)


def correlation(a: Floats, b: Floats) -> float:
    """Pearson's, about zero on both sides: a pair may be written down either way round."""
    size = math.sqrt(float((a**2).sum()) * float((b**2).sum()))
    return float((a * b).sum()) / size if size > 0 else 0.0


def sigmoid(x: Floats) -> Floats:
    """Without overflow at either end."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def _mean(groups: dict[int, list[float]]) -> float:
    values = [value for group in groups.values() for value in group]
    return sum(values) / len(values)
