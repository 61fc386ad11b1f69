"""Ratings are a fold over the facts: in pieces or at once, live or rebuilt, to the same digits."""

import pytest
from sqlalchemy import select

from backend.domain import elo
from backend.domain.judgments import Protocol
from backend.errors import Invalid
from backend.services import ratings
from backend.tables import CompletionRating, Judgment, ModelRating
from tests.factories import judge_next, make_judgment, make_study, make_user


def everything(session, project):
    session.expire_all()
    completions = session.scalars(select(CompletionRating).where(CompletionRating.project_id == project.id))
    models = session.scalars(select(ModelRating).where(ModelRating.project_id == project.id))
    return {
        **{row.completion_id: (row.elo, row.judgments) for row in completions},
        **{row.model_id: (row.elo, row.judgments) for row in models},
    }


def test_one_judgment_by_hand(session):
    project, user = make_study(session, prompts=1), make_user(session)
    judgment = make_judgment(session, project, user, ranks=(1, 2))
    assert ratings.fold_pending(session) == 1
    session.refresh(judgment)
    assert judgment.position == 1
    board, judged = ratings.leaderboard(session, project, of="completions", prompt_id=judgment.prompt_id)
    assert [(item.rating, item.judgments) for item in board] == [(1016.0, 1), (984.0, 1)]
    board, judged = ratings.leaderboard(session, project, of="models")
    assert [item.rating for item in board] == [1002.0, 998.0]
    assert judged == 1


def test_folding_in_pieces_equals_rebuilding_to_the_digit(session):
    # As many judgments of each pair as there are people, so that in no order of drawing somebody runs out of work.
    project = make_study(session, prompts=5, models=4, overlap=3)
    users = [make_user(session) for _ in range(3)]
    verdicts = [(1, 2), (2, 1), (1, 1), None]
    for i in range(60):
        make_judgment(session, project, users[i % 3], ranks=verdicts[i % 4])
        if i % 7 == 0:
            ratings.fold_pending(session)
    ratings.fold_pending(session)
    live = everything(session, project)
    assert ratings.rebuild(session, project.id) == 60
    assert everything(session, project) == live
    assert ratings.fold_pending(session) == 0


def test_ratings_of_a_prompt_sum_to_the_start(session):
    project = make_study(session, prompts=2, models=4, protocol=Protocol(size=4))
    user = make_user(session)
    while judge_next(session, project, user, ranks=(2, 1, 3, 3)):
        pass
    ratings.fold_pending(session)
    rows = session.scalars(select(CompletionRating).where(CompletionRating.project_id == project.id)).all()
    assert sum(row.elo for row in rows) == pytest.approx(elo.START * len(rows), abs=1e-9)


def test_another_k_is_played_from_the_facts(session):
    project, user = make_study(session, prompts=1), make_user(session)
    make_judgment(session, project, user)
    ratings.fold_pending(session)
    board, _ = ratings.leaderboard(session, project, of="models", k=32)
    assert [item.rating for item in board] == [1016.0, 984.0]


def test_the_usual_k_asked_for_by_number_is_the_stored_one(session):
    project = make_study(session, prompts=4, models=3)
    user = make_user(session)
    while judge_next(session, project, user):
        pass
    ratings.fold_pending(session)
    stored, _ = ratings.leaderboard(session, project, of="models")
    for prompt_id in session.scalars(select(Judgment.prompt_id).where(Judgment.project_id == project.id).distinct()):
        ratings.leaderboard(session, project, of="models", prompt_id=prompt_id)
    played, _ = ratings.leaderboard(session, project, of="models", k=4.0)
    assert played == stored


def test_completions_need_their_prompt(session):
    project = make_study(session)
    with pytest.raises(Invalid) as refused:
        ratings.leaderboard(session, project, of="completions")
    assert refused.value.field == "prompt"


def test_an_empty_project_has_an_empty_leaderboard(session):
    project = make_study(session)
    assert ratings.leaderboard(session, project, of="models") == ([], 0)
