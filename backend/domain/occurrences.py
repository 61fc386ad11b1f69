"""How often each fact has occurred so far, among any number of them, at 8 bytes a fact."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Occurrences:
    """Numbers facts: the first of its kind is 1, the next the same is 2.

    Kept are sorted arrays of the first 64 bits of each digest, of which no two have about the same size, so that there
    are few of them and each fact is moved seldom. (Two of a million facts share 64 bits with a chance of 3e-8.)
    """

    def __init__(self) -> None:
        self._sorted: list[NDArray[np.uint64]] = []

    def copy(self) -> "Occurrences":
        """What is known now, whatever is counted from now on."""
        known = Occurrences()
        known._sorted = list(self._sorted)
        return known

    def number(self, digests: Sequence[str]) -> list[int]:
        """The number of each of these facts, given by hexadecimal digests; they are counted from now on."""
        if not digests:
            return []
        keys = np.array([int(digest[:16], 16) for digest in digests], dtype=np.uint64)
        before = np.zeros(len(keys), dtype=np.int64)
        for known in self._sorted:
            before += np.searchsorted(known, keys, "right") - np.searchsorted(known, keys, "left")
        self._sorted.append(np.sort(keys))
        while len(self._sorted) > 1 and 2 * len(self._sorted[-1]) > len(self._sorted[-2]):
            merged = np.concatenate([self._sorted.pop(), self._sorted.pop()])
            merged.sort(kind="stable")
            self._sorted.append(merged)
        here: Counter[int] = Counter()
        numbers = []
        for key, earlier in zip(keys.tolist(), before.tolist(), strict=True):
            here[key] += 1
            numbers.append(earlier + here[key])
        return numbers
