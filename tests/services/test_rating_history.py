"""The history of ratings: hand-worked points, the last one the live rating to the digit, whatever it is made from."""

import uuid

import pytest
from sqlalchemy import select

from backend.services import judgments, rating_history, rating_state, ratings
from backend.services.rating_history import history, places
from backend.tables import Judgment, ModelRating, Project
from tests.factories import judge_next, make_judgment, make_study, make_user
from tests.services.test_judgments import NOW


def live(session, project: Project) -> dict[uuid.UUID, float]:
    rows = session.scalars(select(ModelRating).where(ModelRating.project_id == project.id))
    return {row.model_id: row.elo for row in rows}


def ends(found: rating_history.History) -> dict[uuid.UUID, float | None]:
    return {item.id: item.ratings[-1] for item in found.items}


def judged(session, many: int = 60) -> Project:
    """Four models, so many judgments with ties and without, folded."""
    project = make_study(session, prompts=5, models=4, overlap=3)
    people = [make_user(session) for _ in range(3)]
    for number in range(many):
        make_judgment(session, project, people[number % 3], ranks=[(1, 2), (2, 1), (1, 1), None][number % 4])
    ratings.fold(session, project.id)
    return project


@pytest.mark.parametrize(
    ("last", "points", "expected"),
    [
        (10, 4, [4, 8, 10]),
        (10, 11, list(range(1, 11))),
        (3, 200, [1, 2, 3]),
        (9, 4, [3, 6, 9]),
        (1, 2, [1]),
        (0, 200, []),
    ],
)
def test_places_are_even_and_end_at_the_last(last, points, expected):
    assert places(last, points) == expected


@pytest.mark.parametrize("last", [1, 7, 199, 200, 201, 8931, 1_200_000])
@pytest.mark.parametrize("points", [2, 3, 200])
def test_places_are_never_more_than_asked_for(last, points):
    found = places(last, points)
    assert len(found) <= points and found[-1] == last and len(set(found)) == len(found)


def test_two_judgments_by_hand(session):
    project, user = make_study(session, prompts=2), make_user(session)
    first = make_judgment(session, project, user, ranks=(1, 2))
    second = make_judgment(session, project, user, ranks=(1, 1))
    ratings.fold(session, project.id)
    found = history(session, project)
    assert found.positions == [1, 2]
    assert found.times == sorted([first.created_at, second.created_at])
    # K = 4: the winner of two equals gets 2. Then a tie of 1002 and 998: expected 1 / (1 + 10^(-4/400)).
    expected = 1.0 / (1.0 + 10.0 ** (-4.0 / 400.0))
    winner, loser = found.items
    assert winner.ratings == [1002.0, pytest.approx(1002.0 - 4.0 * (expected - 0.5), abs=1e-9)]
    assert loser.ratings == [998.0, pytest.approx(998.0 + 4.0 * (expected - 0.5), abs=1e-9)]


@pytest.mark.parametrize("points", [2, 7, 200])
def test_the_last_point_is_the_live_rating_to_the_digit(session, points):
    project = judged(session)
    found = history(session, project, points=points)
    assert len(found.positions) <= points
    assert ends(found) == live(session, project)
    assert [item.ratings[-1] for item in found.items] == sorted(live(session, project).values(), reverse=True)


def test_a_model_has_no_rating_before_its_first_judgment(session):
    project = judged(session, many=30)
    found = history(session, project)
    started = [next(at for at, rating in enumerate(item.ratings) if rating is not None) for item in found.items]
    assert sorted(started)[:2] == [0, 0] and max(started) > 0
    for item, start in zip(found.items, started, strict=True):
        assert None not in item.ratings[start:]


def test_what_was_taken_back_is_gone(session):
    project = judged(session, many=40)
    before = history(session, project)
    taken = session.scalars(select(Judgment).where(Judgment.project_id == project.id, Judgment.position == 10)).one()
    judgments.void(session, taken.id, by=taken.annotator_id, may_void_others=False, at=NOW)
    ratings.fold(session, project.id)
    after = history(session, project)
    assert ends(after) == live(session, project) != ends(before)
    old, new = ({item.id: item.ratings for item in found.items} for found in (before, after))
    assert all(new[id][:9] == old[id][:9] for id in old)
    assert any(new[id][9] != old[id][9] for id in old)
    assert all(new[id][9] == new[id][8] for id in old), "nothing happened at its place"


def test_snapshots_tell_the_same_as_playing(session, monkeypatch):
    monkeypatch.setattr(rating_state, "SNAPSHOT_EVERY", 5)
    project = judged(session, many=43)
    played = history(session, project)
    monkeypatch.setattr(rating_history, "MOST_REPLAYED", 0)
    stored = history(session, project)
    assert stored.positions == [5, 10, 15, 20, 25, 30, 35, 40, 43]
    at = [played.positions.index(position) for position in stored.positions]
    assert {item.id: item.ratings for item in stored.items} == {
        item.id: [item.ratings[place] for place in at] for item in played.items
    }
    assert stored.times == [played.times[place] for place in at]
    few = history(session, project, points=4)
    assert len(few.positions) <= 4
    assert ends(few) == live(session, project)


def test_some_models_only(session):
    project = judged(session, many=20)
    every = history(session, project)
    wanted = every.items[1]
    assert history(session, project, models=[wanted.id]).items == [wanted]
    assert history(session, project, models=[project.id]).items == []


def test_nothing_was_judged(session):
    project = make_study(session)
    assert history(session, project) == rating_history.History([], [], [])
    judge_next(session, project, make_user(session))  # it waits for the fold
    assert history(session, project).positions == []
