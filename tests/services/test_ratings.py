"""Ratings are a fold over the facts: in pieces or at once, live or rebuilt, to the same digits."""

import random
import uuid

import pytest
from sqlalchemy import select

from backend.domain import elo
from backend.domain.judgments import Protocol
from backend.errors import Invalid
from backend.services import judgments, rating_lists, rating_state, ratings
from backend.tables import Comparison, CompletionRating, Judgment, ModelRating, RatingSnapshot
from tests.factories import judge_next, make_judgment, make_study, make_user
from tests.services.test_judgments import NOW


def everything(session, project):
    session.expire_all()
    completions = session.scalars(select(CompletionRating).where(CompletionRating.project_id == project.id))
    models = session.scalars(select(ModelRating).where(ModelRating.project_id == project.id))
    return {
        **{
            row.completion_id: (
                row.elo,
                row.judgments,
                row.bradley_terry,
                row.standard_error,
                row.best,
                row.component,
            )
            for row in completions
        },
        **{row.model_id: (row.elo, row.judgments) for row in models},
    }


def test_one_judgment_by_hand(session):
    project, user = make_study(session, prompts=1), make_user(session)
    judgment = make_judgment(session, project, user, ranks=(1, 2))
    assert ratings.fold_pending(session) == 1
    session.refresh(judgment)
    assert judgment.position == 1
    board, judged = rating_lists.leaderboard(session, project, of="completions", prompt_id=judgment.prompt_id)
    assert [(item.rating, item.judgments) for item in board] == [(1016.0, 1), (984.0, 1)]
    board, judged = rating_lists.leaderboard(session, project, of="models")
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
    ratings.rebuild(session, project.id)
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
    board, _ = rating_lists.leaderboard(session, project, of="models", k=32)
    assert [item.rating for item in board] == [1016.0, 984.0]


def test_the_usual_k_asked_for_by_number_is_the_stored_one(session):
    project = make_study(session, prompts=4, models=3)
    user = make_user(session)
    while judge_next(session, project, user):
        pass
    ratings.fold_pending(session)
    stored, _ = rating_lists.leaderboard(session, project, of="models")
    for prompt_id in session.scalars(select(Judgment.prompt_id).where(Judgment.project_id == project.id).distinct()):
        rating_lists.leaderboard(session, project, of="models", prompt_id=prompt_id)
    played, _ = rating_lists.leaderboard(session, project, of="models", k=4.0)
    assert played == stored


def test_completions_need_their_prompt(session):
    project = make_study(session)
    with pytest.raises(Invalid) as refused:
        rating_lists.leaderboard(session, project, of="completions")
    assert refused.value.field == "prompt"


def test_an_empty_project_has_an_empty_leaderboard(session):
    project = make_study(session)
    assert rating_lists.leaderboard(session, project, of="models") == ([], 0)


@pytest.mark.parametrize("seed", range(6))
def test_taking_back_here_and_there_equals_making_all_anew(session, monkeypatch, seed):
    """Judgments come, are taken back and folded in any order; snapshots of any age lie between."""
    monkeypatch.setattr(rating_state, "SNAPSHOT_EVERY", 5)
    monkeypatch.setattr(ratings, "MANY_PROMPTS", 3)
    rng = random.Random(seed)
    project = make_study(session, prompts=6, models=3, overlap=3)
    people = [make_user(session) for _ in range(3)]
    made = []
    for _ in range(70):
        what = rng.random()
        if what < 0.7:
            judgment = judge_next(session, project, rng.choice(people), ranks=rng.choice([(1, 2), (2, 1), (1, 1)]))
            made += [judgment] if judgment else []
        elif what < 0.85 and made:
            taken = made.pop(rng.randrange(len(made)))
            judgments.void(session, taken.id, by=taken.annotator_id, may_void_others=False, at=NOW)
        else:
            ratings.fold(session, project.id)
    ratings.fold(session, project.id)
    assert ratings.is_up_to_date(session, project.id)
    live = everything(session, project)
    ratings.rebuild(session, project.id)
    assert everything(session, project) == live
    by_hand: dict[uuid.UUID, float] = {}
    for ranking in ratings.rankings_of(session, project.id):
        elo.fold_judgment(by_hand, ranking.models, ranking.ranks, elo.K_MODEL)
    assert by_hand and all(live[id][0] == rating for id, rating in by_hand.items())


def test_what_is_taken_back_is_played_around_from_the_snapshot_before_it(session, monkeypatch):
    monkeypatch.setattr(rating_state, "SNAPSHOT_EVERY", 10)
    project, user = make_study(session, prompts=30, models=2), make_user(session)
    made = [make_judgment(session, project, user) for _ in range(30)]
    ratings.fold(session, project.id)
    kept = select(RatingSnapshot.position).where(RatingSnapshot.project_id == project.id)
    assert session.scalars(kept.order_by(RatingSnapshot.position)).all() == [10, 20]
    judgments.void(session, made[24].id, by=user.id, may_void_others=False, at=NOW)
    played = []
    real = ratings.rankings_of

    def watched(*args, **options):
        for ranking in real(*args, **options):
            played.append(ranking)
            yield ranking

    monkeypatch.setattr(ratings, "rankings_of", watched)
    ratings.fold(session, project.id)
    assert len(played) == 9  # none of its prompt, and the models' after the twentieth without it
    assert session.scalars(kept).all() == [10, 20]


def test_duels_of_a_prompt_by_hand(session):
    project = make_study(session, prompts=1, models=3, protocol=Protocol(size=3), overlap=2)
    shown = []
    for ranks in ((1, 2, 2), (1, 2, 3)):
        judgment = make_judgment(session, project, make_user(session), ranks=ranks)
        shown.append(session.get_one(Comparison, judgment.comparison_id).completions)
    ratings.fold(session, project.id)
    found = {
        (duel.a, duel.b): (duel.wins, duel.judgments)
        for duel in rating_lists.duels(session, project.id, judgment.prompt_id)
    }
    assert len(found) == 3
    expected = dict.fromkeys(found, 0.0)
    for order, scores in zip(
        shown, ({(0, 1): 1.0, (0, 2): 1.0, (1, 2): 0.5}, {(0, 1): 1.0, (0, 2): 1.0, (1, 2): 1.0}), strict=True
    ):
        for (i, j), score in scores.items():
            a, b = order[i], order[j]
            expected[(a, b) if a < b else (b, a)] += score if a < b else 1.0 - score
    assert found == {pair: (wins, 2) for pair, wins in expected.items()}
