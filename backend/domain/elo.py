"""Online Elo: ratings as a fold over outcomes in order, ties as half a win; knows nothing of where outcomes come from.

Start 1000, base 10, scale 400: 400 points are odds of ten to one. What is taken from one is given to the other, so the
sum of all ratings never changes. A weight multiplies the whole update: weight 0 is no judgment at all.

Elo depends on the order of its outcomes. `rate_orders` says how much: the mean and the spread over shuffled orders.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, MutableMapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from backend.domain.judgments import outcomes
from backend.errors import Invalid

SCALE = 400.0
START = 1000.0
POINTS_PER_LOG_ODDS = SCALE / math.log(10.0)
K_COMPLETION = 32.0
K_MODEL = 4.0

T = TypeVar("T", bound=Hashable)
# (a, b, score of a) or (a, b, score of a, weight)
Row = tuple[T, T, float] | tuple[T, T, float, float]


class Spread(NamedTuple):
    """A rating over several orders of the same outcomes."""

    mean: float
    standard_deviation: float


def expected(r_a: float, r_b: float) -> float:
    """The chance that `a` is preferred to `b`."""
    # Beyond 300 powers of ten the chance is zero in any case, and ten to the 309th would overflow.
    return 1.0 / (1.0 + math.pow(10.0, min((r_b - r_a) / SCALE, 300.0)))


def update(r_a: float, r_b: float, score: float, k: float, weight: float = 1.0) -> tuple[float, float]:
    """Both ratings after one outcome."""
    step = k * weight * (score - expected(r_a, r_b))
    return r_a + step, r_b - step


def checked(row: Row[T]) -> tuple[T, T, float, float]:
    """The row with its weight; refuses a comparison with itself, a score beyond 0 to 1, a weight that is no weight."""
    a, b, score = row[:3]
    weight = row[3] if len(row) == 4 else 1.0
    if a == b:
        raise Invalid(f"{a!r} is compared with itself")
    if not 0.0 <= score <= 1.0:
        raise Invalid(f"a score lies between 0 and 1, not {score!r}", "score")
    if not 0.0 <= weight < math.inf:
        raise Invalid(f"a weight is a number, 0 or more, not {weight!r}", "weight")
    return a, b, score, weight


def fold(ratings: MutableMapping[T, float], rows: Iterable[Row[T]], k: float) -> None:
    """Play `rows` in their order on `ratings`, in place; who is new starts at START."""
    _check_k(k)
    for row in rows:
        a, b, score, weight = checked(row)
        ratings[a], ratings[b] = update(ratings.get(a, START), ratings.get(b, START), score, k, weight)


def fold_judgment(
    ratings: MutableMapping[T, float], shown: Sequence[T], ranks: Sequence[int], k: float, weight: float = 1.0
) -> None:
    """Play one ranking of `shown` on `ratings`, in place; ranks as in `judgments`.

    A ranking of n is one judgment, not n(n-1)/2 in a row: all its pairs meet the ratings from before it, so nothing
    depends on the order in which pairs are listed, and each pair gets K/(n-1), so nobody can move by more than K.
    For n = 2 this is `update`, to the last bit. A pair that is the same item twice (two completions of one model, when
    models are rated) says nothing and is passed over.
    """
    _check_k(k)
    if len(shown) < 2 or len(ranks) != len(shown):
        raise Invalid("a judgment ranks two or more, with one rank for each", "ranks")
    before = [ratings.get(item, START) for item in shown]
    moved: dict[T, float] = dict.fromkeys(shown, 0.0)
    share = k / (len(shown) - 1)
    for a, b, score in outcomes(ranks):
        if shown[a] == shown[b]:
            continue
        checked((shown[a], shown[b], score, weight))
        step = share * weight * (score - expected(before[a], before[b]))
        moved[shown[a]] += step
        moved[shown[b]] -= step
    for item, rating in zip(shown, before, strict=True):
        ratings[item] = rating + moved[item]


def rate(rows: Iterable[Row[T]], k: float) -> dict[T, float]:
    """Ratings of everybody who appears in `rows`, from START."""
    ratings: dict[T, float] = {}
    fold(ratings, rows, k)
    return ratings


def rate_orders(rows: Iterable[Row[T]], k: float, orders: int = 100, seed: int = 0) -> Mapping[T, Spread]:
    """The mean and the standard deviation (n - 1; 0 for one order) of each rating over random orders of `rows`.

    All orders are played side by side: step t plays the t-th outcome of every order at once.
    """
    _check_k(k)
    if orders < 1:
        raise Invalid("at least one order is needed", "orders")
    played = [checked(row) for row in rows]
    place: dict[T, int] = {}
    for a, b, _, _ in played:
        place.setdefault(a, len(place))
        place.setdefault(b, len(place))
    left = np.array([place[row[0]] for row in played], dtype=np.intp)
    right = np.array([place[row[1]] for row in played], dtype=np.intp)
    score = np.array([row[2] for row in played])
    gain = k * np.array([row[3] for row in played])
    rng = np.random.default_rng(seed)
    ratings = np.full((orders, len(place)), START)
    # So many orders at a time that their permutations take some 64 MB at most.
    block = max(1, 8_000_000 // max(1, len(played)))
    for first in range(0, orders, block):
        part = ratings[first : first + block]
        order = np.stack([rng.permutation(len(played)) for _ in range(len(part))], axis=1)
        lane = np.arange(len(part))
        for row in order:
            a, b = left[row], right[row]
            r_a, r_b = part[lane, a], part[lane, b]
            step = gain[row] * (score[row] - 1.0 / (1.0 + 10.0 ** np.minimum((r_b - r_a) / SCALE, 300.0)))
            part[lane, a] = r_a + step
            part[lane, b] = r_b - step
    spread = ratings.std(axis=0, ddof=1) if orders > 1 else np.zeros(len(place))
    mean = ratings.mean(axis=0)
    return {item: Spread(float(mean[i]), float(spread[i])) for item, i in place.items()}


def _check_k(k: float) -> None:
    if not 0.0 < k < math.inf:
        raise Invalid(f"K is a number above 0, not {k!r}", "k")
