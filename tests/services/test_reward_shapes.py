"""The spread of a reward set: every reward in its bin, on its side of the split; points that stay the same."""

import uuid

import pytest
from sqlalchemy import select

from backend.services import ratings, rewards
from backend.services.reward_shapes import Shape, shape
from backend.tables import Project, Reward, RewardSet
from tests.factories import judge_next, make_study, make_user


def frozen(session, prompts: int = 12) -> tuple[RewardSet, list[Reward]]:
    project, user = make_study(session, prompts=prompts, models=3), make_user(session)
    while judge_next(session, project, user):
        pass
    ratings.fold(session, project.id)
    made = rewards.freeze(session, project)
    return made, list(session.scalars(select(Reward).where(Reward.reward_set_id == made.id)))


def test_bins_by_hand(session):
    made, rows = frozen(session, prompts=3)
    for row, value in zip(rows, [-1.0, -0.5, 0.0, 0.49, 0.5, 1.0, 1.0, -0.51, 0.99], strict=True):
        row.reward, row.split = value, "train" if value < 0.99 else "held_out"
    session.flush()
    found = shape(session, made.id, bins=4)
    assert found.edges == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert found.train == [2, 1, 2, 1]
    assert found.held_out == [0, 0, 0, 3], "the largest of all is in the last bin"


@pytest.mark.parametrize("bins", [1, 7, 40])
def test_every_reward_is_in_one_bin(session, bins):
    made, rows = frozen(session)
    rows[0].split, rows[-1].split = "held_out", "train"  # where prompts fall hangs on their texts
    session.flush()
    found = shape(session, made.id, bins=bins)
    assert sum(found.train) == sum(row.split == "train" for row in rows)
    assert sum(found.held_out) == sum(row.split == "held_out" for row in rows) > 0
    assert (found.edges[0], found.edges[-1]) == (min(row.reward for row in rows), max(row.reward for row in rows))


def test_rewards_that_are_all_alike_are_one_bin(session):
    made, rows = frozen(session, prompts=2)
    for row in rows:
        row.reward = 0.25
    session.flush()
    found = shape(session, made.id)
    assert (found.edges, sum(found.train) + sum(found.held_out)) == ([0.25, 0.25], len(rows))


def test_points_are_rewards_of_the_set_and_a_choice_of_them_stays_the_same(session):
    made, rows = frozen(session)
    every = shape(session, made.id).points
    assert {(one.completion, one.rating, one.reward) for one in every} == {
        (row.completion_id, row.rating, row.reward) for row in rows
    }
    assert all(one.other is None for one in every)
    assert shape(session, made.id, points=5).points == every[:5]


def test_points_of_two_sets_are_what_both_hold(session):
    made, rows = frozen(session)
    other = rewards.freeze(session, session.get_one(Project, made.project_id), method="bradley_terry")
    session.delete(session.get_one(Reward, (other.id, rows[0].completion_id)))
    session.flush()
    theirs = dict(
        session.execute(select(Reward.completion_id, Reward.reward).where(Reward.reward_set_id == other.id)).all()
    )
    found = shape(session, made.id, other_id=other.id).points
    assert {one.completion: one.other for one in found} == theirs
    assert len(found) == len(rows) - 1


def test_a_set_without_rewards_has_no_shape(session):
    assert shape(session, uuid.uuid4()) == Shape([], [], [], [])
