"""Numbering facts: as counting them one by one would, however they come in pieces."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from backend.domain.digests import digest
from backend.domain.occurrences import Occurrences


@given(st.lists(st.lists(st.integers(0, 8), max_size=9), max_size=9))
def test_facts_are_numbered_as_if_counted(pieces):
    counted: Counter[int] = Counter()
    occurrences = Occurrences()
    for piece in pieces:
        before = occurrences.copy()
        expected = []
        for fact in piece:
            counted[fact] += 1
            expected.append(counted[fact])
        digests = [digest(fact) for fact in piece]
        assert occurrences.number(digests) == expected
        # What was there before knows nothing of this piece.
        assert before.number(digests) == expected


def test_many_pieces_are_kept_in_few_arrays():
    occurrences = Occurrences()
    for piece in range(100):
        assert occurrences.number([f"{piece * 100 + i:016x}" for i in range(100)]) == [1] * 100
    assert len(occurrences._sorted) < 12
    assert occurrences.number([f"{7:016x}"]) == [2]
