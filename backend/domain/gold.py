"""Whether an answer to a comparison whose right ranking is known was the right one."""

from collections.abc import Sequence
from itertools import combinations


def is_right(known: Sequence[int] | None, said: Sequence[int] | None, top: int | None = None) -> bool:
    """Whether what was said agrees with what is known; both are ranks in the same order, None: none is acceptable.

    Every pair that the known ranking tells apart has to be told apart in the same way; pairs that it ties do not
    matter. "None is acceptable" is right only where it is the answer. Where only the best `top` are asked for, the
    order of all others does not matter either.
    """
    if known is None or said is None:
        return known is None and said is None
    better = [sum(other < rank for other in known) for rank in known]
    for a, b in combinations(range(len(known)), 2):
        if known[a] == known[b] or (top is not None and min(better[a], better[b]) >= top):
            continue
        if said[a] == said[b] or (said[a] < said[b]) != (known[a] < known[b]):
            return False
    return True
