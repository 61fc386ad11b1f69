"""Scores of a reward model: kept of the newest one, and what they do to the choice of the next pair."""

import random
import uuid

import pytest
from sqlalchemy import select

from backend.errors import Invalid
from backend.services import comparisons, scores
from backend.tables import Completion, CompletionScore, Run
from tests.factories import make_project, make_study, make_user


def make_run(session, project) -> Run:
    run = Run(project_id=project.id, kind="reward_model", name="a run", state="running", config={}, seed=0, attempt=1)
    session.add(run)
    session.flush()
    return run


def kept(session, project) -> dict[uuid.UUID, tuple[uuid.UUID, float]]:
    mine = select(CompletionScore).join(Completion, Completion.id == CompletionScore.completion_id)
    rows = session.scalars(mine.where(Completion.project_id == project.id))
    return {row.completion_id: (row.run_id, row.score) for row in rows}


def test_the_newest_run_replaces_what_others_said_in_its_project(session):
    project, other = make_study(session, prompts=2), make_study(session)
    ids = session.scalars(select(Completion.id).where(Completion.project_id == project.id)).all()
    elsewhere = session.scalars(select(Completion.id).where(Completion.project_id == other.id)).all()
    first, second, third = make_run(session, project), make_run(session, other), make_run(session, project)
    assert scores.keep(session, first, [{"completion": str(id), "score": 1.5} for id in ids]) == 4
    assert scores.keep(session, second, [{"completion": str(elsewhere[0]), "score": 0}]) == 1
    gone = [{"completion": str(uuid.uuid4()), "score": 1.0}, {"completion": str(elsewhere[1]), "score": 1.0}]
    assert scores.keep(session, third, [{"completion": str(ids[0]), "score": -2.0}, *gone]) == 1
    session.expire_all()
    assert kept(session, project) == {ids[0]: (third.id, -2.0)}
    assert kept(session, other) == {elsewhere[0]: (second.id, 0.0)}
    assert scores.keep(session, third, []) == 0
    assert kept(session, project) == {}


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"completion": "x", "score": 1.0},
        {"completion": str(uuid.uuid4()), "score": None},
        {"completion": str(uuid.uuid4()), "score": float("nan")},
    ],
)
def test_what_is_no_score_is_refused(session, row):
    with pytest.raises(Invalid):
        scores.keep(session, make_run(session, make_project(session)), [row])


def test_what_the_reward_model_is_unsure_of_is_asked_first(session):
    project = make_study(session, prompts=1, models=3, random_share=0.0)
    ids = session.scalars(
        select(Completion.id).where(Completion.project_id == project.id).order_by(Completion.id)
    ).all()
    # The first stands far above two that are alike: where people have said nothing, that pair tells most.
    given = [{"completion": str(id), "score": score} for id, score in zip(ids, (4.0, 0.0, 0.1), strict=True)]
    scores.keep(session, make_run(session, project), given)
    (item,) = comparisons.hand_out(session, project, make_user(session).id, 1, random.Random(0)).items
    assert set(item.comparison.completions) == set(ids[1:])
    assert (item.comparison.policy, item.comparison.probability) == ("informative", 1.0)
