"""Krippendorff's alpha of plain rows, as the tests write them down."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable

import numpy as np

from backend.domain.alpha import Level, alphas


def krippendorff_alpha(rows: Iterable[tuple[Hashable, float]], level: Level) -> float | None:
    """Of (unit, value) rows."""
    units: dict[Hashable, Counter[float]] = defaultdict(Counter)
    for unit, value in rows:
        units[unit][value] += 1
    known = sorted({value for counts in units.values() for value in counts})
    table = np.array([[counts[value] for value in known] for counts in units.values()]).reshape(len(units), len(known))
    found = alphas(table, np.array(known), [level], draws=0)
    return found[level].value if found else None
