"""How much the order matters: nothing where it cannot, something where it must; the same seed gives the same."""

import random
import uuid

import pytest

from backend.domain.judgments import Protocol, Verdict
from backend.errors import Invalid
from backend.services import comparisons, judgments, rating_lists, rating_orders, ratings
from backend.services.rating_orders import spread
from tests.factories import judge_next, make_judgment, make_study, make_user


def test_one_judgment_has_one_order(session):
    project = make_study(session, prompts=1)
    make_judgment(session, project, make_user(session), ranks=(1, 2))
    ratings.fold(session, project.id)
    assert sorted(spread(session, project, orders=20).values()) == [(998.0, 0.0), (1002.0, 0.0)]


def test_a_win_each_by_hand(session):
    # Who wins last ends above: K = 32, 1016 against 984 loses 32 / (1 + 10^(-32/400)), so they end at 1000 -+ 1.47.
    project = make_study(session, prompts=1, overlap=2)
    winners = []
    for place in (0, 1):
        user = make_user(session)
        (item,) = comparisons.hand_out(session, project, user.id, 1, random.Random(place)).items
        winner = sorted(item.comparison.completions)[place]
        ranks = tuple(1 if id == winner else 2 for id in item.comparison.completions)
        judgments.cast(
            session,
            id=uuid.uuid4(),
            annotator_id=user.id,
            comparison_id=item.comparison.id,
            verdict=Verdict(ranks=ranks),
        )
        winners.append(winner)
    ratings.fold(session, project.id)
    prompt_id = item.comparison.prompt_id
    distance = 32.0 / (1.0 + 10.0 ** (-32.0 / 400.0)) - 16.0
    board, _ = rating_lists.leaderboard(session, project, of="completions", prompt_id=prompt_id)
    assert [line.id for line in board] == winners[::-1]
    assert [line.rating for line in board] == pytest.approx([1000.0 + distance, 1000.0 - distance], abs=1e-9)
    found = spread(session, project, of="completions", prompt_id=prompt_id, orders=200)
    assert set(found) == set(winners)
    for mean, deviation in found.values():  # plus or minus the distance, as coins fall
        assert abs(mean - 1000.0) < 4 * distance / 200**0.5
        assert deviation == pytest.approx(distance, rel=0.05)


def test_a_seed_is_repeatable_and_another_differs(session):
    project = make_study(session, prompts=5, models=3, protocol=Protocol(size=3))
    user = make_user(session)
    turns = 0
    while judge_next(session, project, user, ranks=[(1, 2, 3), (2, 1, 3), (3, 1, 2)][turns % 3]):
        turns += 1
    ratings.fold(session, project.id)
    found = spread(session, project, orders=30, seed=1)
    assert found == spread(session, project, orders=30, seed=1) != spread(session, project, orders=30, seed=2)
    assert all(deviation > 0 for _, deviation in found.values())
    assert sum(mean for mean, _ in found.values()) == pytest.approx(3000.0, abs=1e-6)


def test_too_many_outcomes_are_refused_in_words(session, monkeypatch):
    monkeypatch.setattr(rating_orders, "MOST_OUTCOMES", 1)
    project = make_study(session, prompts=2)
    user = make_user(session)
    while judge_next(session, project, user):
        pass
    ratings.fold(session, project.id)
    with pytest.raises(Invalid, match="Bradley-Terry") as refused:
        spread(session, project)
    assert refused.value.field == "orders"
