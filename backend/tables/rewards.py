"""Frozen reward sets: what a training run reads, and the outcomes behind it. Written once, never changed."""

import uuid
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import Base, Id, Now


class RewardSet(Base):
    """`scale` is the global divisor that made ratings rewards; `position` the last judgment it contains."""

    __tablename__ = "reward_sets"
    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: Mapped[Id]
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    number: Mapped[int]
    name: Mapped[str]
    method: Mapped[str]
    normalisation: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    scale: Mapped[float]
    position: Mapped[int]
    prompts: Mapped[int]
    held_out_prompts: Mapped[int]
    skipped_prompts: Mapped[int]
    completions: Mapped[int]
    judgments: Mapped[int]
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Now]


class Reward(Base):
    """The normalised scalar reward of one completion, with the rating it came from."""

    __tablename__ = "rewards"
    __table_args__ = (
        CheckConstraint("split IN ('train', 'held_out')", name="split"),
        Index("ix_rewards_prompt", "reward_set_id", "prompt_id"),
    )

    reward_set_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("reward_sets.id", ondelete="CASCADE"), primary_key=True)
    completion_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("completions.id", ondelete="CASCADE"), primary_key=True)
    prompt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"))
    split: Mapped[str]
    rating: Mapped[float]
    standard_error: Mapped[float | None]
    reward: Mapped[float]
    weight: Mapped[float]
    judgments: Mapped[int]


class RewardOutcome(Base):
    """One pair out of one judgment, as it stood when the set was frozen; `score` is that of `a` (1, 0.5 or 0)."""

    __tablename__ = "reward_outcomes"
    __table_args__ = (Index("ix_reward_outcomes_prompt", "reward_set_id", "prompt_id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    reward_set_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("reward_sets.id", ondelete="CASCADE"))
    judgment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("judgments.id", ondelete="CASCADE"), index=True)
    prompt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"))
    a: Mapped[uuid.UUID]
    b: Mapped[uuid.UUID]
    score: Mapped[float]
    weight: Mapped[float]
