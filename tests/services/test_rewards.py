"""Reward sets: frozen, complete, on one side of the split, traceable to the judgments."""

import math

import pytest
from sqlalchemy import func, select

from backend.errors import Invalid
from backend.services import judgments, ratings, rewards
from backend.tables import Prompt, Reward, RewardOutcome
from tests.factories import judge_next, make_completions, make_judgment, make_model, make_prompt, make_study, make_user
from tests.services.test_judgments import NOW


def test_a_frozen_set_does_not_move_when_judgments_do(session):
    project, user = make_study(session, prompts=8, models=3), make_user(session)
    made = [make_judgment(session, project, user) for _ in range(20)]
    reward_set = rewards.freeze(session, project)
    before = list(rewards.groups(session, reward_set.id))
    judgments.void(session, made[3].id, by=user.id, may_void_others=False, at=NOW)
    make_judgment(session, project, user, ranks=(2, 1))
    ratings.fold_pending(session)
    assert list(rewards.groups(session, reward_set.id)) == before
    assert rewards.freeze(session, project).number == 2


def test_waiting_judgments_are_folded_first(session):
    project, user = make_study(session, prompts=1), make_user(session)
    make_judgment(session, project, user)
    reward_set = rewards.freeze(session, project)
    assert (reward_set.judgments, reward_set.position) == (1, 1)


@pytest.mark.parametrize("method", ["elo", "bradley_terry"])
def test_rewards_follow_the_ratings_and_sum_to_zero(session, method):
    project, user = make_study(session, prompts=6, models=3), make_user(session)
    while judge_next(session, project, user, ranks=(1, 2)):
        pass
    reward_set = rewards.freeze(session, project, method=method)
    for group in rewards.groups(session, reward_set.id):
        values = [completion["reward"] for completion in group["completions"]]
        assert math.fsum(values) == pytest.approx(0, abs=1e-9)
        wins = [0.0] * len(values)
        for outcome in group["outcomes"]:
            wins[outcome["a"]] += outcome["score"]
            wins[outcome["b"]] += 1 - outcome["score"]
        most, least = max(range(3), key=wins.__getitem__), min(range(3), key=wins.__getitem__)
        if wins[most] > wins[least]:
            assert values[most] > values[least]
    errors = session.scalars(select(Reward.standard_error).where(Reward.reward_set_id == reward_set.id)).all()
    assert all((error is None) == (method == "elo") for error in errors)


def test_each_outcome_names_its_judgment_and_a_prompt_lies_on_one_side(session):
    project, user = make_study(session, prompts=10, models=2), make_user(session)
    while judge_next(session, project, user):
        pass
    reward_set = rewards.freeze(session, project)
    assert session.scalar(select(func.count()).select_from(RewardOutcome)) == 10
    sides = session.execute(
        select(Reward.prompt_id, func.count(Reward.split.distinct())).group_by(Reward.prompt_id)
    ).all()
    assert {count for _, count in sides} == {1}
    held_out = {row["split"] for row in rewards.groups(session, reward_set.id)}
    assert held_out <= {"train", "held_out"}


def test_prompts_nobody_judged_are_counted_and_left_out(session):
    project, user = make_study(session, prompts=3), make_user(session)
    make_judgment(session, project, user)
    make_completions(session, make_prompt(session, project), [make_model(session)])
    reward_set = rewards.freeze(session, project)
    assert (reward_set.prompts, reward_set.skipped_prompts) == (1, 3)
    assert session.scalar(select(func.count()).select_from(Prompt).where(Prompt.project_id == project.id)) == 4


def test_without_judgments_there_is_no_set(session):
    with pytest.raises(Invalid, match="no judgments yet"):
        rewards.freeze(session, make_study(session))
