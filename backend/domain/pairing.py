"""Which comparison of a prompt to ask next, and in which order to show it; knows nothing of leases, people or storage.

Informative: the set whose answer is worth most, p(1 - p) Var(u_i - u_j) summed over its pairs. p is the chance that i
is preferred, from the ratings; the variance is that of the difference after all that was asked so far, comparisons on
lease included, each as much as its annotator tells (penalised Bradley-Terry, prior standard deviation 1 in log-odds):
what a guesser has answered is worth asking again. Asking only for the closest pair would get stuck on equals; asking
only where least is known would waste judgments on foregone conclusions.

Where a reward model scored both, it has an opinion of its own: q = sigmoid(s_i - s_j). With no reason to prefer either,
the answer is expected from their even mixture m = (p + q) / 2, whose variance takes the place of p(1 - p):

    m(1 - m) = (p(1 - p) + q(1 - q)) / 2 + ((p - q) / 2)^2        (law of total variance)

So what both are sure of is not asked, what they contradict each other on is worth up to 1/4, and where they agree
nothing changes.

Random: now and then, uniformly over all that may be asked: an audit that no clever choice can bias. Every choice
carries the probability with which its set was drawn, so estimates can be weighted back.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import Generic, Literal, TypeVar
from uuid import NAMESPACE_OID, UUID, uuid5

import numpy as np
from numpy.typing import NDArray

from backend.domain.bradley_terry import chance
from backend.domain.elo import POINTS_PER_LOG_ODDS
from backend.errors import Invalid

T = TypeVar("T")

# Above this many sets (k-wise with many completions) the informative choice looks at a pool of them.
MOST_SETS = 4_000


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """A completion that may be shown: its rating in Elo points, how many judgments it has taken part in, and what a
    reward model gives it, in log-odds, where there is one."""

    id: T
    rating: float
    judgments: int
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """The completions in the order to show them, how the set was chosen, and with what probability."""

    completions: tuple[T, ...]
    policy: Literal["random", "informative"]
    probability: float


def set_key(completions: Iterable[UUID]) -> UUID:
    """The same key for the same completions in any order."""
    return uuid5(NAMESPACE_OID, ",".join(sorted(str(id) for id in completions)))


def choose(
    candidates: Sequence[Candidate[T]],
    asked: Mapping[frozenset[T], int],
    seen_by_annotator: AbstractSet[frozenset[T]],
    overlap: int,
    size: int,
    random_share: float,
    rng: Random,
    left_lead: Callable[[T, T], int] | None = None,
    told: Mapping[frozenset[T], float] | None = None,
) -> Choice[T] | None:
    """The next comparison of one prompt for one annotator, or None when there is none left to ask.

    `asked` counts how often each set was handed out (judged or still on lease); a set at `overlap`, or one that this
    annotator has seen, is never chosen. `told`: how many judgments of the average annotator these are worth (as many as
    were asked, if left out; see `annotators.told`). `left_lead(a, b)` tells how much more often `a` was on the left
    than `b`.
    """
    if size < 2:
        raise Invalid("a comparison shows two completions or more", "size")
    ids = [candidate.id for candidate in candidates]
    if len(set(ids)) != len(ids):
        raise Invalid("a completion is listed twice")
    place = {item: i for i, item in enumerate(ids)}
    closed = {
        frozenset(place[item] for item in group)
        for group in (*(group for group, times in asked.items() if times >= overlap), *seen_by_annotator)
        if len(group) == size and all(item in place for item in group)
    }
    open_sets = math.comb(len(ids), size) - len(closed)
    if open_sets <= 0:
        return None
    best = _most_informative(_worth(candidates, asked if told is None else told, place), candidates, size, closed)
    # The pool may hold nothing that is still open; then every open set is as good as another.
    informative = bool(best) and rng.random() >= random_share
    chosen = rng.choice(best) if informative else _draw(len(ids), size, closed, open_sets, rng)
    probability = (random_share if best else 1.0) / open_sets
    if chosen in best:
        probability += (1.0 - random_share) / len(best)
    shown = _in_order([ids[i] for i in sorted(chosen)], left_lead, rng)
    return Choice(shown, "informative" if informative else "random", probability)


def _worth(
    candidates: Sequence[Candidate[T]], told: Mapping[frozenset[T], float], place: Mapping[T, int]
) -> NDArray[np.float64]:
    """What the answer about each pair is worth, as told at the top of this file."""
    count = len(candidates)
    rating = np.array([candidate.rating for candidate in candidates], dtype=float) / POINTS_PER_LOG_ODDS
    p = chance(rating[:, None] - rating[None, :])
    spread = p * (1.0 - p)
    times = np.zeros((count, count))
    for group, number in told.items():
        for a, b in combinations([place[item] for item in group if item in place], 2):
            times[a, b] += number
            times[b, a] += number
    known = times * spread
    covariance = np.linalg.inv(np.diag(1.0 + known.sum(axis=1)) - known)
    variance = np.diag(covariance)
    score = np.array([np.nan if candidate.score is None else candidate.score for candidate in candidates])
    mixed = (p + chance(score[:, None] - score[None, :])) / 2.0
    answer = np.where(np.isnan(mixed), spread, mixed * (1.0 - mixed))
    worth: NDArray[np.float64] = answer * (variance[:, None] + variance[None, :] - 2.0 * covariance)
    return worth


def _most_informative(
    worth: NDArray[np.float64], candidates: Sequence[Candidate[T]], size: int, closed: Collection[frozenset[int]]
) -> list[frozenset[int]]:
    """All open sets that share the highest worth; of two with the same worth, the one with fewer judgments."""
    if size == 2:
        rows, columns = np.triu_indices(len(candidates), 1)
        sets = np.stack([rows, columns], axis=1)
    else:
        # Those that were judged least come first into the pool.
        order = sorted(range(len(candidates)), key=lambda i: candidates[i].judgments)
        pool = next(n for n in range(len(order), size - 1, -1) if n == size or math.comb(n, size) <= MOST_SETS)
        sets = np.array(list(combinations(sorted(order[:pool]), size)))
    total = np.zeros(len(sets))
    for a, b in combinations(range(size), 2):
        total += worth[sets[:, a], sets[:, b]]
    judged = np.array([candidate.judgments for candidate in candidates])[sets].sum(axis=1)
    # Highest worth first, then fewest judgments. Rounding makes equal worths comparable: 1e-9 decides nothing.
    total = np.round(total, 9)
    best: list[frozenset[int]] = []
    key: tuple[float, int] | None = None
    for i in np.lexsort((judged, -total)):
        if best and key != (total[i], judged[i]):
            break
        group = frozenset(int(place) for place in sets[i])
        if group not in closed:
            best.append(group)
            key = (total[i], judged[i])
    return best


def _draw(count: int, size: int, closed: Collection[frozenset[int]], open_sets: int, rng: Random) -> frozenset[int]:
    """Uniformly one of the open sets."""
    if math.comb(count, size) <= MOST_SETS:
        return rng.choice([group for group in map(frozenset, combinations(range(count), size)) if group not in closed])
    while True:
        group = frozenset(rng.sample(range(count), size))
        if group not in closed:
            return group


# The chance of the left side for whoever was there less often: enough to balance within a few comparisons, and never
# certain, so a side cannot be foretold.
CATCHING_UP = 2 / 3


def _in_order(items: list[T], left_lead: Callable[[T, T], int] | None, rng: Random) -> tuple[T, ...]:
    """A random order. Of two, whoever was on the left less often is more likely to be there now."""
    if len(items) != 2:
        rng.shuffle(items)
        return tuple(items)
    first, second = items
    lead = 0 if left_lead is None else left_lead(first, second)
    chance = 0.5 if lead == 0 else CATCHING_UP if lead < 0 else 1 - CATCHING_UP
    return (first, second) if rng.random() < chance else (second, first)
