"""A share of so many cases, and how far chance alone may have moved it. Knows nothing of what the cases are."""

from dataclasses import dataclass
from math import sqrt

# A normal value lies within so many standard deviations with a probability of 95 %.
Z = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """`share` of `n` cases; `low` and `high` are the 95 % Wilson interval, which is honest for small `n` too."""

    share: float
    low: float
    high: float
    n: int


def share_of(hits: int, n: int) -> Share | None:
    """`hits` out of `n` cases; None where there are none."""
    if n == 0:
        return None
    observed = hits / n
    middle = observed + Z * Z / (2 * n)
    reach = Z * sqrt(observed * (1 - observed) / n + Z * Z / (4 * n * n))
    scale = 1 + Z * Z / n
    # At none and at all of them the interval ends where the share is, which rounding must not undo.
    low = 0.0 if hits == 0 else (middle - reach) / scale
    high = 1.0 if hits == n else (middle + reach) / scale
    return Share(observed, low, high, n)
