"""The posterior beside live Elo, by hand; and prompts that are settled by it: asked about no more, until something
changes."""

import random
import uuid

import pytest
from sqlalchemy import select

from backend.domain.judgments import Protocol, Verdict
from backend.services import comparisons, judgments, projects, ratings
from backend.tables import CompletionRating, Prompt
from tests.factories import (
    make_completions,
    make_judgment,
    make_model,
    make_project,
    make_prompt,
    make_study,
    make_user,
)
from tests.services.test_judgments import NOW


def rated(session, project):
    session.expire_all()
    rows = session.scalars(select(CompletionRating).where(CompletionRating.project_id == project.id)).all()
    return sorted(rows, key=lambda row: -row.bradley_terry)


def settled(session, project) -> int:
    session.expire_all()
    return len(session.scalars(select(Prompt.id).where(Prompt.project_id == project.id, Prompt.settled)).all())


def asked(session, project, user) -> bool:
    return bool(comparisons.hand_out(session, project, user.id, 1, random.Random(0)).items)


def test_one_judgment_of_two_by_hand(session):
    project, user = make_study(session, prompts=1), make_user(session)
    make_judgment(session, project, user)
    ratings.fold_pending(session)
    first, second = rated(session, project)
    assert (first.bradley_terry, second.bradley_terry) == pytest.approx((58.615129, -58.615129), abs=1e-6)
    # Half of the gap's deviation, sqrt(2 / (1 + 2 p (1 - p))) in log-odds.
    assert first.standard_error == pytest.approx(102.11, abs=0.01)
    assert second.standard_error == pytest.approx(first.standard_error)
    # P(gap > 0) of a normal with mean 0.6748 and deviation 1.1756.
    assert first.best == pytest.approx(0.7170, abs=0.01) and first.best + second.best == pytest.approx(1)
    assert first.component == second.component == 0


def test_a_ranking_of_three_and_what_nobody_judged(session):
    project = make_study(session, prompts=1, models=4, protocol=Protocol(size=3))
    make_judgment(session, project, make_user(session), ranks=(1, 2, 3))
    ratings.fold_pending(session)
    rows = rated(session, project)
    assert len(rows) == 3 and len({row.component for row in rows}) == 1
    assert sum(row.bradley_terry for row in rows) == pytest.approx(0, abs=1e-9)
    assert rows[0].best > rows[1].best > rows[2].best
    assert sum(row.best for row in rows) < 0.9, "the fourth may be the best as well"


def test_settled_prompts_are_not_asked_about(session):
    # Of a pair, one vote leaves 102 points, two of one mind 92, three 87.
    project = make_study(session, prompts=1, overlap=50, target_error=95.0)
    first, second, third, fourth = (make_user(session) for _ in range(4))
    held = comparisons.hand_out(session, project, fourth.id, 1, random.Random(0)).items[0].comparison
    make_judgment(session, project, first)
    ratings.fold_pending(session)
    assert settled(session, project) == 0
    judgment = make_judgment(session, project, second)
    assert settled(session, project) == 0, "not before the fold"
    ratings.fold_pending(session)
    assert settled(session, project) == 1
    assert not asked(session, project, third)
    # What is on lease may still be answered, and counts.
    late, _ = judgments.cast(
        session, id=uuid.uuid4(), annotator_id=fourth.id, comparison_id=held.id, verdict=Verdict(ranks=(1, 2))
    )
    ratings.fold_pending(session)
    assert late.stands and settled(session, project) == 1
    # Two taken back: one vote is left.
    for taken in (judgment, late):
        judgments.void(session, taken.id, by=taken.annotator_id, may_void_others=False, at=NOW)
    ratings.fold_pending(session)
    assert settled(session, project) == 0
    assert asked(session, project, third)


def test_the_target_can_be_changed_and_taken_away(session):
    project = make_study(session, prompts=2, overlap=5)
    people = [make_user(session) for _ in range(3)]
    for person in people:
        make_judgment(session, project, person)
    ratings.fold_pending(session)
    for target, expected in ((103.0, 2), (95.0, 1), (60.0, 0), (103.0, 2), (None, 0)):
        projects.change(session, project, {"target_error": target})
        assert settled(session, project) == expected
    assert asked(session, project, people[0])


def test_new_completions_and_islands_are_not_settled(session):
    # None of the pairs is drawn by chance, which might ask about the first two again.
    project = make_project(session, overlap=5, target_error=150.0, random_share=0.0)
    prompt, models = make_prompt(session, project), [make_model(session) for _ in range(3)]
    make_completions(session, prompt, models[:2])
    for person in (make_user(session), make_user(session)):
        make_judgment(session, project, person)
    ratings.fold_pending(session)
    assert settled(session, project) == 1
    make_completions(session, prompt, models[2:])
    assert settled(session, project) == 0
    # It stays so while nothing has met the new one, whatever the error of the others.
    projects.change(session, project, {"target_error": 1000.0})
    ratings.rebuild(session, project.id)
    assert settled(session, project) == 0
    make_judgment(session, project, make_user(session))
    ratings.fold_pending(session)
    assert settled(session, project) == 1
