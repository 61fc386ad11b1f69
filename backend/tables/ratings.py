"""Live Elo ratings: a fold over the judgments in the order of their `position`, and what playing it anew needs."""

import uuid
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import Base, Now


class CompletionRating(Base):
    """Elo of a completion among the completions of its prompt."""

    __tablename__ = "completion_ratings"
    __table_args__ = (Index("ix_completion_ratings_project_id", "project_id", "prompt_id"),)

    completion_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("completions.id", ondelete="CASCADE"), primary_key=True)
    prompt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"))
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    elo: Mapped[float]
    judgments: Mapped[int]


class ModelRating(Base):
    """Elo of a model within a project."""

    __tablename__ = "model_ratings"

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    model_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    elo: Mapped[float]
    judgments: Mapped[int]


class RatingSnapshot(Base):
    """All models' Elo after the judgment at `position`: `{model: [elo, judgments]}`.

    A judgment taken back is played around from the snapshot before it, not from the beginning.
    """

    __tablename__ = "rating_snapshots"

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    models: Mapped[dict[str, Any]]
    created_at: Mapped[Now]


class RatingChange(Base):
    """A judgment that the ratings hold was voided, or stands again: its prompt and its place in the order.

    Added without waiting for a fold that is under way; the next fold takes the rows away and plays anew from there.
    """

    __tablename__ = "rating_changes"
    __table_args__ = (Index("ix_rating_changes_project_id", "project_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    prompt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"))
    position: Mapped[int]
