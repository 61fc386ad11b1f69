"""Why a completion has its reward: whose it is, what it answers, and the judgments and people behind it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from backend.errors import NotFound
from backend.tables import Completion, Judgment, Model, Prompt, Reward, RewardOutcome, User


@dataclass(frozen=True)
class Because:
    """One outcome behind a reward, told from the completion's view: the score against `other`, who said so and when."""

    judgment: Judgment
    annotator: str
    other: uuid.UUID
    model: str
    score: float
    weight: float


def because(session: Session, reward_set_id: uuid.UUID, completion_id: uuid.UUID) -> tuple[Reward, list[Because]]:
    """A reward opened down to the judgments and people behind it. Raises NotFound."""
    reward = session.get(Reward, (reward_set_id, completion_id))
    if reward is None:
        raise NotFound("This reward set has no reward for that completion.")
    rows = session.execute(
        select(RewardOutcome, Judgment, User.name)
        .join(Judgment, Judgment.id == RewardOutcome.judgment_id)
        .join(User, User.id == Judgment.annotator_id)
        .where(
            RewardOutcome.reward_set_id == reward_set_id,
            RewardOutcome.prompt_id == reward.prompt_id,
            or_(RewardOutcome.a == completion_id, RewardOutcome.b == completion_id),
        )
        .order_by(RewardOutcome.id)
    ).all()
    others = {outcome.b if outcome.a == completion_id else outcome.a for outcome, _, _ in rows}
    models = dict(
        session.execute(
            select(Completion.id, Model.name)
            .join(Model, Model.id == Completion.model_id)
            .where(Completion.id.in_(others))
        ).all()
    )
    found = []
    for outcome, judgment, name in rows:
        first = outcome.a == completion_id
        other = outcome.b if first else outcome.a
        score = outcome.score if first else 1.0 - outcome.score
        found.append(Because(judgment, name, other, models[other], score, outcome.weight))
    return reward, found


def names(session: Session, completion_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[str, Prompt]]:
    """Whose each completion is, by the model's name, and what it answers."""
    rows = session.execute(
        select(Completion.id, Model.name, Prompt)
        .join(Model, Model.id == Completion.model_id)
        .join(Prompt, Prompt.id == Completion.prompt_id)
        .where(Completion.id.in_(completion_ids))
    )
    return {id: (model, prompt) for id, model, prompt in rows}
