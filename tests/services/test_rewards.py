"""Reward sets: frozen, complete, on one side of the split, traceable to the judgments."""

import math
import random
import uuid

import pytest
from sqlalchemy import func, select

from backend.domain.judgments import Protocol, Verdict
from backend.domain.rewards import Question
from backend.errors import Invalid, NotFound
from backend.services import comparisons, judgments, ratings, reward_reasons, rewards
from backend.tables import Completion, Judgment, Model, Prompt, Reward, RewardOutcome
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
    groups = list(rewards.groups(session, reward_set.id))
    assert {row["split"] for row in groups} <= {"train", "held_out"}
    assert {outcome["annotator"] for row in groups for outcome in row["outcomes"]} == {str(user.id)}
    names = set(session.scalars(select(Model.name)))
    assert {answer["model"] for row in groups for answer in row["completions"]} == names and len(names) == 2


def test_how_strong_a_preference_was_is_told_as_a_share_of_the_strongest(session):
    project, user = make_study(session, prompts=3), make_user(session)
    project.protocol = project.protocol | {"strength_levels": 4}
    for strength in (1, 3, None):
        (held,) = comparisons.hand_out(session, project, user.id, 1, random.Random(0)).items
        verdict = Verdict(ranks=(1, 2), strength=strength)
        judgments.cast(
            session, id=uuid.uuid4(), annotator_id=user.id, comparison_id=held.comparison.id, verdict=verdict
        )
    groups = rewards.groups(session, rewards.freeze(session, project).id)
    assert sorted(outcome["strength"] for row in groups for outcome in row["outcomes"]) == [1 / 3, 1.0, 1.0]


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


def test_a_set_is_a_question_with_a_frozen_answer(session):
    project = make_study(session, prompts=12, models=2, overlap=2)
    fair, contrary = make_user(session, name="Fair"), make_user(session, name="Contrary")

    def model_of(completion):
        return session.get(Completion, completion).model_id

    def judge(user, first_model_wins):
        held = comparisons.hand_out(session, project, user.id, 1, random.Random(1)).items
        a, b = held[0].comparison.completions
        ranks = (1, 2) if (model_of(a) < model_of(b)) == first_model_wins else (2, 1)
        judgments.cast(session, id=uuid.uuid4(), annotator_id=user.id, comparison_id=held[0].comparison.id,
                       verdict=Verdict(ranks=ranks))  # fmt: skip

    for _ in range(12):
        judge(fair, True)
        judge(contrary, False)
    everybody = rewards.freeze(session, project, method="bradley_terry")
    without = Question(without_annotators={contrary.id})
    fair_alone = rewards.freeze(session, project, method="bradley_terry", question=without)
    assert (everybody.judgments, fair_alone.judgments) == (24, 12)
    assert fair_alone.parameters["question"] == {"without_annotators": [str(contrary.id)]}
    values = session.execute(
        select(Reward.reward, Completion.model_id)
        .join(Completion, Completion.id == Reward.completion_id)
        .where(Reward.reward_set_id == fair_alone.id)
    ).all()
    best_model = min(model for _, model in values)
    assert all((reward > 0) == (model == best_model) for reward, model in values)
    tied = session.scalars(select(Reward.reward).where(Reward.reward_set_id == everybody.id)).all()
    assert tied == pytest.approx([0.0] * 24, abs=1e-9)

    with pytest.raises(Invalid, match="of the kind asked for"):
        rewards.freeze(session, project, question=Question(before=NOW.replace(year=2020)))
    with pytest.raises(Invalid, match="of the kind asked for"):
        rewards.freeze(session, project, question=Question(guidelines_versions={7}))
    with pytest.raises(Invalid, match="of the kind asked for"):
        rewards.freeze(session, project, question=Question(min_gold_share=0.5))

    other = rewards.freeze(session, project, method="bradley_terry", question=Question(without_annotators={fair.id}))
    turned = rewards.compare(session, fair_alone.id, other.id)
    assert (turned.prompts, turned.pairs, turned.pairs_turned, turned.best_differs) == (12, 12, 12, 12)
    assert turned.correlation == pytest.approx(-1.0)
    same = rewards.compare(session, fair_alone.id, fair_alone.id)
    assert (same.pairs_turned, same.best_differs) == (0, 0) and same.correlation == pytest.approx(1.0)


def test_a_reward_opens_down_to_its_judgments(session):
    project, user = make_study(session, prompts=1, models=3), make_user(session, name="Ada")
    made = [make_judgment(session, project, user) for _ in range(3)]
    reward_set = rewards.freeze(session, project)
    row = session.scalars(select(Reward).where(Reward.reward_set_id == reward_set.id)).first()
    reward, found = reward_reasons.because(session, reward_set.id, row.completion_id)
    assert reward.judgments == len(found) == 2
    assert {one.annotator for one in found} == {"Ada"} and {one.judgment.id for one in found} <= {m.id for m in made}
    assert len({one.other for one in found}) == 2
    model, prompt = reward_reasons.names(session, [row.completion_id])[row.completion_id]
    answer = session.get_one(Completion, row.completion_id)
    assert (model, prompt.id) == (session.get_one(Model, answer.model_id).name, answer.prompt_id)
    with pytest.raises(NotFound):
        reward_reasons.because(session, reward_set.id, user.id)


def test_a_project_that_ranks_several_is_rated_by_whole_rankings(session):
    project = make_study(session, prompts=4, models=4, protocol=Protocol(size=4, top=2))
    user = make_user(session)
    while judge_next(session, project, user, ranks=(1, 2, 3, 3)):
        pass
    reward_set = rewards.freeze(session, project, method="bradley_terry")
    for group in rewards.groups(session, reward_set.id):
        assert len(group["outcomes"]) == 5  # six pairs, less the one whose order was not asked
        values = sorted(completion["reward"] for completion in group["completions"])
        assert values[0] == pytest.approx(values[1]) and values[1] < values[2] < values[3]


def test_annotators_count_by_what_they_see(session):
    """A guesser beside two who agree: fewer of the guesser's votes reach the rewards, and the set says so."""
    project = make_study(session, prompts=20, models=3, overlap=3)
    people = [make_user(session, name=name) for name in ("Ada", "Bo", "Dice")]
    with pytest.raises(Invalid, match="too few judgments to tell annotators apart"):
        make_judgment(session, project, people[0])
        rewards.freeze(session, project, method="crowd_bradley_terry")
    dice, rng = random.Random(5), random.Random(2)

    def model_of(completion):
        return session.get(Completion, completion).model_id

    for _ in range(60):
        for user in people:
            held = comparisons.hand_out(session, project, user.id, 1, rng).items
            if not held:
                continue
            a, b = held[0].comparison.completions
            guess = dice.random() < 0.5
            ranks = ((1, 2) if guess else (2, 1)) if user.name == "Dice" else (
                (1, 2) if model_of(a) < model_of(b) else (2, 1))  # fmt: skip
            judgments.cast(session, id=uuid.uuid4(), annotator_id=user.id, comparison_id=held[0].comparison.id,
                           verdict=Verdict(ranks=ranks))  # fmt: skip
    reward_set = rewards.freeze(session, project, method="crowd_bradley_terry")
    slope = {row["annotator"]: row["slope"] for row in reward_set.parameters["annotators"]}
    assert slope[str(people[2].id)] < 0.6 < 1.0 < slope[str(people[0].id)]
    weights = dict(
        session.execute(
            select(Judgment.annotator_id, func.avg(RewardOutcome.weight))
            .join(Judgment, Judgment.id == RewardOutcome.judgment_id)
            .where(RewardOutcome.reward_set_id == reward_set.id)
            .group_by(Judgment.annotator_id)
        ).all()
    )
    assert weights[people[2].id] < weights[people[0].id]
