"""The life of a run, checked against what may happen to one and not against the table itself."""

from itertools import product

import pytest

from backend.domain.runs import KINDS, LIVE, MOVES, STATES, actions, check_action, check_kind, check_move
from backend.errors import Conflict, Invalid

ALLOWED = {
    ("queued", "running"),
    ("queued", "failed"),
    ("queued", "cancelled"),
    ("running", "queued"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("failed", "queued"),
    ("cancelled", "queued"),
}


@pytest.mark.parametrize(("leaving", "entering"), list(product(STATES, STATES)))
def test_exactly_nine_moves_exist(leaving: str, entering: str) -> None:
    if (leaving, entering) in ALLOWED:
        check_move(leaving, entering)
    else:
        with pytest.raises(Conflict, match=f"{leaving} cannot become {entering}"):
            check_move(leaving, entering)


def test_unknown_states_and_kinds_are_named() -> None:
    with pytest.raises(Invalid, match="asleep"):
        check_move("queued", "asleep")
    with pytest.raises(Invalid, match="dream") as refused:
        check_kind("dream")
    assert refused.value.field == "kind"


def test_every_kind_and_state_has_its_sentence_and_every_state_can_be_reached() -> None:
    assert set(KINDS) == {"pretrain", "sft", "sample", "reward_model", "ppo", "evaluate"}
    assert all(kind.title and kind.sentence for kind in KINDS.values())
    assert all(STATES.values()) and STATES.keys() == MOVES.keys()
    reached, frontier = {"queued"}, ["queued"]
    while frontier:
        for state in MOVES[frontier.pop()]:  # type: ignore[index]
            if state not in reached:
                reached.add(state)
                frontier.append(state)
    assert reached == set(STATES)


@pytest.mark.parametrize("state", STATES)
def test_an_action_is_offered_exactly_where_its_move_exists(state: str) -> None:
    offered = actions(state)
    assert ("cancel" in offered) == ((state, "cancelled") in ALLOWED)
    assert ("resume" in offered) == (state not in LIVE and (state, "queued") in ALLOWED)


def test_cancelling_twice_or_too_late_is_refused_in_words() -> None:
    check_action("cancel", "running")
    with pytest.raises(Conflict, match="already been asked"):
        check_action("cancel", "running", cancel_requested=True)
    with pytest.raises(Conflict, match="succeeded cannot be cancelled"):
        check_action("cancel", "succeeded")
    with pytest.raises(Conflict, match="running cannot be resumed"):
        check_action("resume", "running")
    check_action("resume", "failed", cancel_requested=True)
