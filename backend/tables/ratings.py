"""Live ratings: a fold over the judgments in the order of their `position`, and what playing it anew needs; and what is
fitted now and then on all of them: slopes and leans of annotators."""

import uuid
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import Base, Id, Now


class CompletionRating(Base):
    """A completion among the completions of its prompt: Elo, and the posterior of Bradley-Terry in Elo points.

    `bradley_terry` and `standard_error` are the distance from the prompt's mean and its posterior deviation, under a
    prior of one unit of log-odds; `best` is the chance of being the best of the prompt. Completions of different
    `component`s were never compared, not even through others.
    """

    __tablename__ = "completion_ratings"
    __table_args__ = (Index("ix_completion_ratings_project_id", "project_id", "prompt_id"),)

    completion_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("completions.id", ondelete="CASCADE"), primary_key=True)
    prompt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"))
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    elo: Mapped[float]
    judgments: Mapped[int]
    bradley_terry: Mapped[float | None]
    standard_error: Mapped[float | None]
    best: Mapped[float | None]
    component: Mapped[int | None]


class CompletionScore(Base):
    """What the project's newest reward model gives a completion. Where it contradicts the ratings, people are asked."""

    __tablename__ = "completion_scores"

    completion_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("completions.id", ondelete="CASCADE"), primary_key=True)
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    score: Mapped[float]


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


class AnnotatorFit(Base):
    """What annotators are like, told from all judgments up to `position`: one version of it, never changed.

    `prior_deviation` is that of utilities within their prompts, in log-odds; `mean_lean` what being shown first is
    worth to the crowd.
    """

    __tablename__ = "annotator_fits"
    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: Mapped[Id]
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    number: Mapped[int]
    position: Mapped[int]
    judgments: Mapped[int]
    prior_deviation: Mapped[float]
    mean_lean: Mapped[float]
    created_at: Mapped[Now]


class AnnotatorSlope(Base):
    """One annotator in a fit: how sharply they see differences (1 is the average vote, 0 is guessing), and how much
    being shown first is worth to them, in log-odds."""

    __tablename__ = "annotator_slopes"

    fit_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("annotator_fits.id", ondelete="CASCADE"), primary_key=True)
    annotator_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    slope: Mapped[float]
    slope_error: Mapped[float]
    lean: Mapped[float]
    lean_error: Mapped[float]
    votes: Mapped[float]
