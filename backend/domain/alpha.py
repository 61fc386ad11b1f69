"""Krippendorff's alpha: agreement beyond chance, 1 when all agree, 0 when answers are as good as drawn by lot.

Krippendorff, Content Analysis (2004), chapter 11. How far two answers are apart depends on the level: `nominal` (the
same or not), `interval` (the square of the difference), `ordinal` (the square of how many answers lie between). Errors
by a bootstrap over units, since the answers on one unit hang together. Knows nothing of what is answered.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Level = Literal["nominal", "ordinal", "interval"]
Floats = NDArray[np.floating[Any]]

DRAWS = 1_000
# So many weights (draws x different units) are held at once.
WEIGHTS_AT_ONCE = 4_000_000


class Estimate(NamedTuple):
    """A value and its standard error, None where a single unit holds it."""

    value: float
    error: float | None


def alphas(
    counts: NDArray[np.int64],
    values: Floats,
    levels: Sequence[Level],
    *,
    mirrored: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[Level, Estimate]:
    """Alpha at each level, of a table (units, values) that says how often each unit was given each value, in the order
    of `values`; empty when nothing can be paired.

    `mirrored`: every unit is told from its other side too, so that `values` turned round are the other side's.
    """
    counts = counts[counts.sum(axis=1) > 1]
    if not len(counts):
        return {}
    rows, times = distinct(counts)
    met = rows[:, :, None] * rows[:, None, :] / (rows.sum(axis=1) - 1)[:, None, None]
    given = rows.astype(float)
    if mirrored:
        met, given = met + met[:, ::-1, ::-1], given + given[:, ::-1]
    size = len(values)

    def of(weights: Floats) -> dict[Level, Floats]:
        total = weights @ given
        pairs = (weights @ met.reshape(len(rows), -1)).reshape(-1, size, size)
        return {level: _alpha(pairs, total, values, level) for level in levels}

    whole = of(times[None].astype(float))
    drawn = [of(weights) for weights in resampled(times, draws, seed)] if len(counts) > 1 else []
    return {
        level: Estimate(
            float(whole[level][0]),
            float(np.concatenate([some[level] for some in drawn]).std(ddof=1)) if drawn else None,
        )
        for level in levels
    }


def _alpha(pairs: Floats, total: Floats, values: Floats, level: Level) -> Floats:
    """Of several tables: how often two values met within units (n, k, k), and how often each was given (n, k)."""
    # As many answers lie between two values as between the middles of their ranks.
    at = np.cumsum(total, axis=1) - total / 2 if level == "ordinal" else np.broadcast_to(values, total.shape)
    apart = at[:, :, None] - at[:, None, :]
    distance = (apart != 0).astype(float) if level == "nominal" else apart**2
    observed = (pairs * distance).sum(axis=(1, 2))
    by_chance = np.einsum("ni,nj,nij->n", total, total, distance) / (total.sum(axis=1) - 1)
    found: Floats = 1.0 - np.divide(observed, by_chance, out=np.zeros(len(total)), where=by_chance > 0)
    return found


def distinct(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different rows of a table of counts, and how often each is there."""
    # As one number each, which sorts far faster than rows do, where they fit into one.
    base = int(rows.max(initial=0)) + 1
    if base ** rows.shape[1] < 2**62:
        keys = rows @ base ** np.arange(rows.shape[1], dtype=np.int64)
        _, first, times = np.unique(keys, return_index=True, return_counts=True)
        return rows[first], times
    found, times = np.unique(rows, axis=0, return_counts=True)
    return found, times


def resampled(times: NDArray[np.int64], draws: int, seed: int) -> Iterator[Floats]:
    """How often units of each kind are drawn, when as many are drawn with replacement as there are (n, kinds)."""
    rng = np.random.default_rng(seed)
    at_once = max(1, WEIGHTS_AT_ONCE // len(times))
    for start in range(0, draws, at_once):
        yield rng.multinomial(times.sum(), times / times.sum(), min(at_once, draws - start)).astype(float)


def ratio_error(hits: NDArray[np.int64], of: NDArray[np.int64], *, draws: int = DRAWS, seed: int = 0) -> float | None:
    """The standard error of sum(hits) / sum(of), both by unit, by a bootstrap over units; None below two units."""
    some = of > 0
    if some.sum() < 2:
        return None
    rows, times = distinct(np.column_stack([hits[some], of[some]]))
    drawn = [sums[:, 0] / sums[:, 1] for weights in resampled(times, draws, seed) for sums in [weights @ rows]]
    return float(np.concatenate(drawn).std(ddof=1))
