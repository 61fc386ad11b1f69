"""Live Elo ratings: a fold over the judgments in the order of their `position`."""

import uuid

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import Base


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
