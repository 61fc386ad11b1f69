"""Right or wrong against a known answer, worked by hand."""

import pytest

from backend.domain.gold import is_right


@pytest.mark.parametrize(
    ("known", "said", "right"),
    [
        ((1, 2), (1, 2), True),
        ((1, 2), (2, 1), False),
        ((1, 2), (1, 1), False),  # a tie does not say which is better
        ((1, 2), None, False),
        (None, None, True),
        (None, (1, 2), False),
        (None, (1, 1), False),
        # Of three, the first is known to be the best; the other two may stand as they like.
        ((1, 2, 2), (1, 2, 3), True),
        ((1, 2, 2), (1, 3, 2), True),
        ((1, 2, 2), (1, 2, 2), True),
        ((1, 2, 2), (1, 1, 2), False),
        ((1, 2, 2), (2, 1, 3), False),
        ((1, 2, 3), (1, 2, 2), False),
        ((2, 1, 3), (2, 1, 3), True),
        ((2, 1, 3), (1, 2, 3), False),
    ],
)
def test_against_the_known_ranking(known, said, right):
    assert is_right(known, said) is right


@pytest.mark.parametrize(
    ("top", "said", "right"),
    [
        # Known: 1, 2, 3, 4. Only the best is asked for: the rest is equal and may be.
        (1, (1, 2, 2, 2), True),
        (1, (2, 1, 2, 2), False),
        (1, (1, 4, 3, 2), True),
        # The best two: the first and second matter, and that both are before the rest.
        (2, (1, 2, 3, 3), True),
        (2, (2, 1, 3, 3), False),
        (2, (1, 3, 2, 3), False),
        (None, (1, 2, 3, 3), False),
    ],
)
def test_only_the_best_are_asked_for(top, said, right):
    assert is_right((1, 2, 3, 4), said, top) is right
