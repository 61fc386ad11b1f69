"""Long work. A run in state `queued` is its own outbox: the database is the queue, Celery only rings."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import Base, Id, Now


class Run(Base):
    """One piece of long work. `attempt` is the fence: a write from an older attempt changes nothing.

    `warnings` are what rules found while it worked: `{step, rule, message}`. `rang_at` is when the dispatcher last rang
    the worker; `heartbeat_at` when the worker last said it lives.
    """

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint("kind IN ('pretrain', 'sft', 'sample', 'reward_model', 'ppo', 'evaluate')", name="kind"),
        CheckConstraint("state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="state"),
        Index("ix_runs_live", "state", "created_at", postgresql_where="state IN ('queued', 'running')"),
        Index("ix_runs_project_id", "project_id", "id"),
    )

    id: Mapped[Id]
    project_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    kind: Mapped[str]
    name: Mapped[str]
    state: Mapped[str] = mapped_column(default="queued")
    config: Mapped[dict[str, Any]]
    seed: Mapped[int]
    attempt: Mapped[int] = mapped_column(default=0)
    lost: Mapped[int] = mapped_column(default=0)
    progress: Mapped[dict[str, Any] | None]
    message: Mapped[str | None]
    warnings: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=text("'[]'"))
    result: Mapped[dict[str, Any] | None]
    inputs: Mapped[dict[str, Any] | None]
    environment: Mapped[dict[str, Any] | None]
    worker: Mapped[str | None]
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    cancel_requested_at: Mapped[datetime | None]
    rang_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    created_at: Mapped[Now]


class RunMetrics(Base):
    """The numbers of one step; those told again after a resume replace what was there."""

    __tablename__ = "run_metrics"

    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    values: Mapped[dict[str, Any]]
    created_at: Mapped[Now]


class RunSample(Base):
    """A text made during a run, with its numbers, for people to read."""

    __tablename__ = "run_samples"
    __table_args__ = (Index("ix_run_samples_run_id", "run_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    step: Mapped[int]
    prompt: Mapped[list[dict[str, Any]]]
    completion: Mapped[str]
    values: Mapped[dict[str, Any]]
    tokens: Mapped[list[dict[str, Any]] | None]
    created_at: Mapped[Now]


class RunLog(Base):
    """A line that the run's process wrote, as it wrote it."""

    __tablename__ = "run_log"
    __table_args__ = (Index("ix_run_log_run_id", "run_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    line: Mapped[str]
    created_at: Mapped[Now]
