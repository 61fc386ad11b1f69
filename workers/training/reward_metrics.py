"""How well scores agree with people: accuracy with its interval, calibration, and whether length explains it.

Pure numbers in, pure numbers out. A `Judged` pair is one outcome: the lead r_a - r_b of two scores, the label (1 where
people preferred a, 0 where b, 0.5 for a tie), and how much longer a is. Ties are left out of accuracies and kept in
likelihoods.
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
"""Random numbers of a bootstrap held in memory at once."""
MOST_TOLD = 50

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Judged:
    """One outcome. pair: numbers of prompt, a and b. lead: in log-odds. longer: length of a less that of b."""

    pair: tuple[int, int, int]
    lead: float
    label: float
    longer: float
    annotator: str | None = None
    """who said it, by id"""
    models: tuple[str, str] | None = None
    """who wrote the two, in the order of their names"""


def report(pairs: Sequence[Judged], *, rounds: int, seed: int) -> dict[str, float]:
    """All metrics below by name; empty without pairs."""
    if not pairs:
        return {}
    lead = np.array([pair.lead for pair in pairs])
    label = np.array([pair.label for pair in pairs])
    longer = np.array([pair.longer for pair in pairs])
    values = {
        "pairs": float(len(pairs)),
        "log_loss": log_loss(lead, label),
        "brier": brier(lead, label),
        "calibration_error": calibration_error(lead, label),
        "temperature": temperature(lead, label),
    }
    decided = [pair for pair in pairs if pair.label != 0.5]
    if not decided:
        return values
    groups: dict[int, list[float]] = {}
    by_length: dict[int, list[float]] = {}
    for pair in decided:
        groups.setdefault(pair.pair[0], []).append(agrees(pair.lead, pair.label))
        by_length.setdefault(pair.pair[0], []).append(agrees(pair.longer, pair.label))
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
            values[name] = sum(agrees(p.lead, p.label) for p in part) / len(part)
    agreement, judgments = agreement_on_pairs(decided)
    if judgments:
        values |= {"agreement": agreement, "agreement_judgments": float(judgments)}
    for name, side in (("accuracy_longer_preferred", 1.0), ("accuracy_shorter_preferred", -1.0)):
        right_ones = [agrees(p.lead, p.label) for p in decided if p.longer * (p.label - 0.5) * side > 0]
        if right_ones:
            values[name] = sum(right_ones) / len(right_ones)
    return values


def accuracy_by(
    pairs: Sequence[Judged], who: Callable[[Judged], T | None], *, rounds: int, seed: int
) -> dict[str, Any]:
    """`{"rows", "left_out"}`: accuracy on the decided pairs of each `who`, those with the most pairs first, and how
    many more of them were left out of the table. A row is `{"of", "accuracy", "low", "high", "pairs", "prompts"}`.
    """
    found: dict[T, dict[int, list[float]]] = {}
    for pair in pairs:
        if pair.label != 0.5 and (of := who(pair)) is not None:
            found.setdefault(of, {}).setdefault(pair.pair[0], []).append(agrees(pair.lead, pair.label))
    counted = sorted(((sum(map(len, prompts.values())), of) for of, prompts in found.items()), key=lambda one: -one[0])
    rows = []
    for count, of in counted[:MOST_TOLD]:
        prompts = list(found[of].values())
        low, high = bootstrap(prompts, rounds, seed)
        told = {"accuracy": _mean(found[of]), "low": low, "high": high, "pairs": count, "prompts": len(prompts)}
        rows.append({"of": of, **told})
    return {"rows": rows, "left_out": len(counted) - len(rows)}


def by_source(pairs: Sequence[Judged], *, rounds: int, seed: int) -> dict[str, Any]:
    """Accuracy by annotator, and by the pair of models that wrote the completions: the mean over all hides a reward
    model that is right on one person's taste only, or only between models of very different quality.
    """
    by = {"annotator": lambda pair: pair.annotator, "models": lambda pair: pair.models}
    told = {name: accuracy_by(pairs, who, rounds=rounds, seed=seed) for name, who in by.items()}
    return {name: table for name, table in told.items() if table["rows"]}


def in_order(one: str | None, other: str | None) -> tuple[str, str] | None:
    """The writers of two completions in the order that `Judged.models` has."""
    return None if one is None or other is None else (min(one, other), max(one, other))


def agrees(lead: float, label: float) -> float:
    """1 if the preferred one leads, 0 if the other does, a half if neither."""
    return 0.5 if lead == 0 else float((lead > 0) == (label > 0.5))


def agreement_on_pairs(decided: Sequence[Judged]) -> tuple[float, int]:
    """The probability that another judgment of the same pair agrees, averaged over the judgments of pairs that have
    several; and how many those are. A model that predicts people can hardly do better than one more of them.
    """
    said: dict[tuple[int, int, int], list[bool]] = {}
    for one in decided:
        prompt, a, b = one.pair
        said.setdefault((prompt, min(a, b), max(a, b)), []).append((one.label > 0.5) == (a < b))
    agree, judgments = 0.0, 0
    for firsts in said.values():
        if len(firsts) > 1:
            for_one, judged = sum(firsts), len(firsts)
            for_other = judged - for_one
            agree += (for_one * (for_one - 1) + for_other * (for_other - 1)) / (judged - 1)
            judgments += judged
    return (agree / judgments if judgments else 0.0), judgments


def bootstrap(groups: Sequence[Sequence[float]], rounds: int, seed: int) -> tuple[float, float]:
    """The 95 % interval of the mean over all values, which lie in [0, 1]; groups (prompts) are resampled whole.

    The Bayesian bootstrap (Rubin 1981) with Jeffreys' prior: besides the prompts that were seen, half a prompt that is
    lost and half a one that is won. So a few prompts that were all won do not prove that every one will be; for plain
    wins and losses this is the interval that Brown, Cai, DasGupta 2001 recommend. The mean always lies inside.
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


def log_loss(lead: Floats, label: Floats) -> float:
    """Nats per outcome of predicting a with probability sigmoid(lead); ln 2 is knowing nothing."""
    return float(np.mean(np.logaddexp(0.0, lead) - label * lead))


def brier(lead: Floats, label: Floats) -> float:
    """Mean squared distance of that probability from the label; 1/4 is knowing nothing."""
    return float(np.mean((sigmoid(lead) - label) ** 2))


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of like confidence: the mean probability that the scores give to the favourite, how often it was preferred
    (a tie counts half), and how many pairs.
    """

    expected: float
    won: float
    pairs: int


def reliability(lead: Floats, label: Floats, bins: int = BINS) -> list[Bin]:
    """Bins of equal size, the least sure first.

    Each pair is turned so that a is the favourite: which side a pair was written down on must not matter.
    """
    favourite = np.where(lead >= 0, label, 1 - label)
    expected = sigmoid(np.abs(lead))
    parts = np.array_split(np.argsort(expected, kind="stable"), min(bins, len(expected)))
    return [Bin(float(expected[part].mean()), float(favourite[part].mean()), len(part)) for part in parts]


def reliability_of(pairs: Sequence[Judged]) -> list[Bin]:
    """The same of judged pairs; empty without any."""
    if not pairs:
        return []
    return reliability(np.array([pair.lead for pair in pairs]), np.array([pair.label for pair in pairs]))


def calibration_error(lead: Floats, label: Floats, bins: int = BINS) -> float:
    """Expected calibration error: how far, over bins of equal size, the favourite wins from how often it should."""
    return sum(abs(one.won - one.expected) * one.pairs for one in reliability(lead, label, bins)) / len(lead)


def temperature(lead: Floats, label: Floats) -> float:
    """The divisor of leads that minimises the log loss: above 1 if the scores are overconfident; 1 if all leads are 0.

    The log loss is convex in 1 / temperature: bisection of its slope within [0.01, 100].
    """
    if not lead.any():
        return 1.0
    coldest, hottest = 0.01, 100.0
    for _ in range(60):
        middle = math.sqrt(coldest * hottest)
        if np.mean((sigmoid(lead / middle) - label) * lead) > 0:  # too sure
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
