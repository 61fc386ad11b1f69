"""Agreement: golden values of a real study, a table worked by hand, and what must not change the numbers."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.agreement import (
    Agreement,
    Answers,
    Judged,
    Leanings,
    agreement,
    annotators,
    length_lean,
    repeat_consistency,
)
from backend.domain.shares import Share, share_of
from tests.domain.alpha import krippendorff_alpha
from tests.domain.real_data import votes

RANKS = {1.0: (1, 2), 0.5: (1, 1), 0.0: (2, 1)}


def study() -> Answers:
    return Answers.of(Judged(vote.worker, vote.prompt, (vote.left, vote.right), RANKS[vote.score]) for vote in votes())


def left_lean(judged: Iterable[Judged]) -> Share | None:
    """Of all of them as if one person had judged."""
    return annotators(Answers.of(one._replace(annotator="all") for one in judged))["all"].left_lean


def majority(judged: Iterable[Judged], who: str) -> Share | None:
    return annotators(Answers.of(judged))[who].majority_agreement


def test_golden_alpha_of_a_real_study() -> None:
    rows = [((vote.prompt, vote.left, vote.right), vote.score) for vote in votes()]
    assert krippendorff_alpha(rows, "nominal") == pytest.approx(0.290595, abs=1e-6)
    assert krippendorff_alpha(rows, "interval") == pytest.approx(0.287761, abs=1e-6)


def test_a_real_study_told_both_ways_round() -> None:
    found = agreement(study())
    assert found.units == 2139 - sum(1 for said in units().values() if len(set(said)) < 2)
    assert found.alpha_nominal == pytest.approx(0.2914, abs=5e-4)
    assert found.alpha_interval == pytest.approx(0.2896, abs=5e-4)
    assert found.alpha_ordinal == pytest.approx(found.alpha_interval)
    assert found.alpha_nominal_error == pytest.approx(0.0097, abs=5e-4)
    assert found.majority_agreement_error == pytest.approx(0.0083, abs=5e-4)
    assert len(annotators(study())) == 124
    won, decided = study().first_won()
    assert won.sum() / decided.sum() == pytest.approx(0.533, abs=5e-4)


def units() -> dict[Any, list[str]]:
    found: dict[Any, list[str]] = {}
    for vote in votes():
        found.setdefault((vote.prompt, vote.left, vote.right), []).append(vote.worker)
    return found


def test_alpha_by_hand() -> None:
    # Units (1, 1), (0, 0), (1, 0): two of six ordered pairs differ where chance (three of each) gives 18 of 30.
    rows = [("u", 1), ("u", 1), ("v", 0), ("v", 0), ("w", 1), ("w", 0)]
    assert krippendorff_alpha(rows, "nominal") == pytest.approx(1 - (2 / 6) / (18 / 30))
    # A single answer changes nothing; unanimity is 1; nothing to pair is nothing.
    assert krippendorff_alpha([*rows, ("x", 0)], "nominal") == krippendorff_alpha(rows, "nominal")
    assert krippendorff_alpha([("u", 1), ("u", 1), ("v", 0), ("v", 0)], "interval") == 1.0
    assert krippendorff_alpha([("u", 1), ("u", 1)], "nominal") == 1.0
    assert krippendorff_alpha([("u", 1), ("v", 0)], "nominal") is None
    assert krippendorff_alpha([], "nominal") is None


def test_majority_by_hand() -> None:
    said = [
        Judged("ann", "p", ("x", "y"), (1, 2)),
        Judged("bob", "p", ("y", "x"), (2, 1)),  # the same answer, shown the other way round
        Judged("cat", "p", ("x", "y"), (2, 1)),
        Judged("ann", "q", ("x", "y"), (1, 1)),  # alone on this one
    ]
    found = annotators(Answers.of(said))
    # ann and bob: the others are one for x and one for y, so nothing to hold them against; cat disagrees with both.
    assert [found[who].majority_agreement for who in ("ann", "bob", "cat")] == [None, None, share_of(0, 1)]
    assert [found[who].left_lean for who in ("ann", "bob", "cat")] == [share_of(1, 1), share_of(0, 1), share_of(0, 1)]
    both = agreement(Answers.of(said))
    assert (both.majority_agreement, both.units) == (0.0, 1)
    said.append(Judged("dan", "p", ("x", "y"), (1, 2)))
    assert agreement(Answers.of(said)).majority_agreement == pytest.approx(3 / 4)


def test_how_strong_a_preference_is_tells_of_order_alone() -> None:
    """Two units, told from the first shown: +1 and +1, +4 and -1. With the other sides, grades -4, -1, 1, 4 are given
    1, 3, 3 and 1 times, the middles of whose ranks are 0.5, 2.5, 5.5, 7.5."""
    people, units = np.array([1, 2, 1, 2]), np.array([1, 1, 2, 2])
    score, same_side = np.array([2, 2, 2, 0]), np.zeros(4, int)
    found = agreement(Answers.of_arrays(people, units, score, same_side, np.array([1, 1, 4, 1])))
    by_chance = 2 * (3 * 2**2 + 3 * 5**2 + 1 * 7**2 + 9 * 3**2 + 3 * 5**2 + 3 * 2**2) / 7
    assert found.alpha_ordinal == pytest.approx(1 - 4 * 5.0**2 / by_chance)
    plain = agreement(Answers.of_arrays(people, units, score, same_side))
    assert (found.alpha_nominal, found.alpha_interval) == (plain.alpha_nominal, plain.alpha_interval)
    assert plain.alpha_ordinal == pytest.approx(plain.alpha_interval)


def test_nobody_agrees_with_himself() -> None:
    twice = [Judged("ann", "p", ("x", "y"), (1, 2))] * 5
    assert agreement(Answers.of(twice)) == agreement(Answers.of([])) == Agreement()
    assert annotators(Answers.of([])) == {}
    assert annotators(Answers.of(twice))["ann"].majority_agreement is None


def test_rankings_of_three_agree_pair_by_pair() -> None:
    # Of three pairs the two differ on one.
    found = agreement(Answers.of([Judged("ann", "p", "xyz", (1, 2, 3)), Judged("bob", "p", "zxy", (3, 2, 1))]))
    assert found.units == 3
    assert found.majority_agreement == pytest.approx(2 / 3)
    assert left_lean([Judged("ann", "p", "xyz", (1, 2, 3)), Judged("bob", "p", "zxy", (3, 2, 1))]) == share_of(3, 6)


def test_with_the_majority_needs_only_what_one_person_judged() -> None:
    said = [
        Judged("ann", "p", "xy", (1, 2)),
        Judged("bob", "p", "yx", (2, 1)),
        Judged("cat", "p", "xy", (1, 1)),
        Judged("ann", "q", "xyz", (1, 2, 3)),
        Judged("bob", "q", "zy", (1, 2)),  # one pair of the three
        Judged("ann", "r", "xy", (1, 2)),
        Judged("ann", "r", "yx", (1, 2)),  # asked again, and now otherwise
        Judged("dan", "r", "xy", (1, 2)),
        Judged("dan", "s", "xy", (1, 2)),
        Judged("bob", "s", "xy", (2, 1)),
    ]
    # On p the others are split; on q bob alone says otherwise; on r one of her two answers is dan's.
    assert majority(said, "ann") == share_of(1, 3)
    assert majority(said[:-2], "ann") == share_of(1, 3)
    assert majority(said[:1], "ann") is None


def test_any_numbers_for_people_and_units_will_do() -> None:
    """As the database has them: each unit told from one side whichever was shown first."""
    people, units = np.array([7, -3, 7, 2**60]), np.array([5, 5, 9, 5])
    found = Answers.of_arrays(people, units, np.array([2, 0, 1, 2]), np.array([0, 1, 0, 1]))
    # On unit 5: 7 and -3 say the first side won, 2**60 that the other did.
    assert annotators(found)[7] == Leanings(None, share_of(1, 1))
    assert annotators(found)[-3] == Leanings(None, share_of(0, 1))
    assert annotators(found)[2**60] == Leanings(share_of(0, 1), share_of(1, 1))
    assert agreement(found).units == 1


def test_lean_to_length_by_hand() -> None:
    # 30 characters apart is the same length; then the longer and the shorter one, a tie, and the longer one second.
    scores, longer = np.array([2, 2, 0, 1, 0]), np.array([30, 31, 31, 400, -31])
    assert length_lean(scores, longer) == share_of(2, 3)
    assert length_lean(scores[:1], longer[:1]) is None
    assert length_lean(np.array([], dtype=int), np.array([], dtype=int)) is None


def test_repeats_are_told_in_the_same_order() -> None:
    once = Judged("ann", "p", "xy", (1, 2))
    assert repeat_consistency([(once, Judged("ann", "p", "yx", (2, 1)))]) == share_of(1, 1)
    assert repeat_consistency([(once, Judged("ann", "p", "yx", (1, 2)))]) == share_of(0, 1)
    assert repeat_consistency([(once, once), (once, Judged("ann", "p", "yx", (1, 1)))]) == share_of(1, 2)
    assert repeat_consistency([]) is None


JUDGED = st.lists(
    st.builds(
        Judged,
        st.sampled_from(["ann", "bob", "cat"]),
        st.sampled_from("pq"),
        st.permutations("xyz").map(lambda order: tuple(order[:2])),
        st.sampled_from(list(RANKS.values())),
    ),
    max_size=30,
)


@given(JUDGED, st.randoms(use_true_random=False))
def test_order_and_sides_change_nothing(judged: list[Judged], rng: Any) -> None:
    plain = agreement(Answers.of(judged))
    turned = [each._replace(shown=each.shown[::-1], ranks=each.ranks[::-1]) for each in judged]
    rng.shuffle(turned)
    other = agreement(Answers.of(turned))
    assert plain.units == other.units
    for name in ("majority_agreement", "alpha_nominal", "alpha_interval"):
        assert getattr(plain, name) == pytest.approx(getattr(other, name))
    if not judged:
        return
    lean, other_lean = left_lean(judged), left_lean(turned)
    assert (lean is None) == (other_lean is None)
    assert lean is None or other_lean is None or other_lean.share == pytest.approx(1 - lean.share)
