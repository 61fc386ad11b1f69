"""Protocols, verdicts and outcomes: what is refused and where, and hand-worked pairs."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backend.domain.judgments import Aspect, Outcome, Protocol, Verdict, check, dense, outcomes, rating_ranks, reorder
from backend.errors import Invalid

RICH = Protocol(
    size=4,
    strength_levels=3,
    aspects=(Aspect(name="honest", definition="Says nothing false."), Aspect(name="helpful")),
    comment="optional",
)


def test_defaults_are_a_plain_choice_of_two() -> None:
    assert Protocol().model_dump() == {
        "size": 2,
        "top": None,
        "allow_tie": True,
        "allow_none_acceptable": True,
        "strength_levels": 0,
        "aspects": (),
        "comment": "off",
        "ideal_answer": "off",
        "spans": False,
    }
    assert Protocol.model_validate_json(RICH.model_dump_json()) == RICH
    assert Protocol.model_validate(RICH.model_dump(mode="json")) == RICH


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 1},
        {"size": 10},
        {"size": "2"},
        {"size": True},
        {"allow_tie": 1},
        {"strength_levels": 1},
        {"strength_levels": 5},
        {"comment": "maybe"},
        {"colour": "red"},
        {"size": 4, "top": 3},
        {"top": 1},
        {"ideal_answer": "required"},
        {"aspects": [{"name": "a"}, {"name": "a"}]},
        {"aspects": [{"name": ""}]},
        {"aspects": [{"name": "a", "weight": 2}]},
    ],
)
def test_wrong_protocols_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Protocol.model_validate(wrong)


@pytest.mark.parametrize(
    "answer",
    [
        {"ranks": (1, 2, 3, 4)},
        {"ranks": (2, 1, 1, 3)},
        {"ranks": (3, 1, 2, 3)},  # the top two named, the rest tied
        {"ranks": (1, 1, 1, 1)},
        {"none_acceptable": True},
        {"none_acceptable": True, "comment": "all four are off topic"},
        {"ranks": (1, 2, 3, 4), "strength": 3, "aspects": {"honest": (1, 1, 2, 1)}, "comment": "  "},
    ],
)
def test_good_answers_pass(answer: dict[str, Any]) -> None:
    check(Verdict(**answer), RICH, 4)


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ({}, "ranks"),
        ({"ranks": (1, 2, 3)}, "ranks"),
        ({"ranks": (1, 2, 3, 5)}, "ranks"),
        ({"ranks": (0, 1, 2, 3)}, "ranks"),
        ({"ranks": (1, 2, 2, 4)}, "ranks"),
        ({"ranks": (-1, 1, 2, 3)}, "ranks"),
        ({"ranks": (1, 2, 3, 4), "none_acceptable": True}, "none_acceptable"),
        ({"ranks": (1, 2, 3, 4), "strength": 0}, "strength"),
        ({"ranks": (1, 2, 3, 4), "strength": 4}, "strength"),
        ({"ranks": (1, 1, 1, 1), "strength": 1}, "strength"),
        ({"none_acceptable": True, "strength": 1}, "strength"),
        ({"ranks": (1, 2, 3, 4), "aspects": {"funny": (1, 2, 3, 4)}}, "aspects"),
        ({"ranks": (1, 2, 3, 4), "aspects": {"honest": (1, 3, 3, 3)}}, "aspects.honest"),
        ({"ranks": (1, 2, 3, 4), "comment": "x" * 10_001}, "comment"),
        ({"ranks": (1, 2, 3, 4), "comment": "a\0b"}, "comment"),
    ],
)
def test_bad_answers_name_the_field(answer: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(Verdict(**answer), RICH, 4)
    assert refused.value.field == field


def test_a_strict_protocol_takes_nothing_that_it_does_not_ask() -> None:
    strict = Protocol(allow_tie=False, allow_none_acceptable=False, comment="required")
    check(Verdict(ranks=(2, 1), comment="shorter"), strict, 2)
    for answer, field in [
        (Verdict(ranks=(1, 1), comment="same"), "ranks"),
        (Verdict(none_acceptable=True, comment="bad"), "none_acceptable"),
        (Verdict(ranks=(1, 2)), "comment"),
        (Verdict(ranks=(1, 2), comment=" \n"), "comment"),
        (Verdict(ranks=(1, 2), comment="x", strength=1), "strength"),
        (Verdict(ranks=(1, 2), comment="x", aspects={"honest": (1, 2)}), "aspects"),
    ]:
        with pytest.raises(Invalid) as refused:
            check(answer, strict, 2)
        assert refused.value.field == field
    with pytest.raises(Invalid) as refused:
        check(Verdict(ranks=(1, 2), comment="x"), Protocol(), 2)
    assert refused.value.field == "comment"


def test_verdicts_hold_whole_numbers_only() -> None:
    for ranks in ([1.0, 2.0], ["1", "2"], [True, 2], "12"):
        with pytest.raises(ValidationError):
            Verdict.model_validate({"ranks": ranks})


def test_outcomes_by_hand() -> None:
    assert outcomes((2, 1)) == [Outcome(0, 1, 0.0)]
    assert outcomes((2, 1, 2)) == [Outcome(0, 1, 0.0), Outcome(0, 2, 0.5), Outcome(1, 2, 1.0)]
    assert rating_ranks(None, 3) == (1, 1, 1)
    assert rating_ranks((2, 1), 2) == (2, 1)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=9))
def test_outcomes_say_the_ranking_and_nothing_else(values: list[int]) -> None:
    ranks = dense(values)
    pairs = outcomes(ranks)
    assert len(pairs) == len(ranks) * (len(ranks) - 1) // 2
    won = [0.0] * len(ranks)
    for a, b, score in pairs:
        assert a < b
        won[a] += score
        won[b] += 1 - score
    for a, b in product(range(len(ranks)), repeat=2):
        assert (won[a] > won[b]) == (values[a] < values[b])
    assert set(ranks) == set(range(1, len(set(values)) + 1))


def test_reorder_tells_a_swapped_repeat_in_the_first_order() -> None:
    assert reorder((1, 2, 3), ["x", "y", "z"], ["z", "x", "y"]) == (3, 1, 2)
    for shown, wanted in ((["x", "x"], ["x", "x"]), (["x", "y"], ["x", "z"]), (["x", "y"], ["x", "y", "x"])):
        with pytest.raises(Invalid):
            reorder((1, 2), shown, wanted)


def test_only_the_best_few_may_be_asked_for() -> None:
    best_two = Protocol(size=5, top=2, allow_tie=False)
    for ranks in [(3, 1, 2, 3, 3), (1, 2, 3, 4, 4), (5, 4, 3, 2, 1)]:
        check(Verdict(ranks=ranks), best_two, 5)
    for ranks in [(2, 1, 2, 2, 2), (3, 1, 1, 2, 3), (1, 2, 3, 3, 4), (1, 1, 1, 1, 1)]:
        with pytest.raises(Invalid, match="rank the best 2"):
            check(Verdict(ranks=ranks), best_two, 5)
    check(Verdict(ranks=(3, 1, 1, 2, 3)), best_two.model_copy(update={"allow_tie": True}), 5)
