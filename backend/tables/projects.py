"""A preference study: what is asked of whom, the versions of its guidelines, and who may judge in it."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import Base, Id, Now


class Project(Base):
    """One preference study. `judgments_folded` is the position of the last judgment that its ratings contain.

    `skips_to_retire`: after so many people skipped a set of completions nobody else gets it until an admin says so
    (null: never). `masks` are phrases hidden in what annotators see. `qualification_share` of the qualification
    comparisons must be right before real work begins. A prompt is asked about until the ratings of its completions are
    known to `target_error` Elo points (null: as often as `overlap` says). What was handed out before
    `protocol_changed_at` may still be answered as it was asked.
    """

    __tablename__ = "projects"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'paused', 'closed', 'archived')", name="state"),
        CheckConstraint("overlap BETWEEN 1 AND 1000", name="overlap"),
        CheckConstraint("target_error > 0", name="target_error"),
        CheckConstraint("gold_share + repeat_share <= 1", name="shares"),
    )

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    guidelines: Mapped[str] = mapped_column(default="")
    guidelines_version: Mapped[int] = mapped_column(default=1)
    protocol: Mapped[dict[str, Any]]
    protocol_changed_at: Mapped[datetime | None]
    overlap: Mapped[int]
    gold_share: Mapped[float]
    repeat_share: Mapped[float]
    random_share: Mapped[float]
    lease_minutes: Mapped[float]
    target_error: Mapped[float | None]
    skips_to_retire: Mapped[int | None]
    masks: Mapped[list[str]] = mapped_column(default=list, server_default=text("'{}'"))
    qualification_share: Mapped[float] = mapped_column(default=0.8, server_default=text("0.8"))
    people_ranking: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    state: Mapped[str] = mapped_column(default="active")
    judgments_folded: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Now]


class GuidelinesVersion(Base):
    """The guidelines as they stood; every judgment names the version it was made under."""

    __tablename__ = "guidelines_versions"

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str]
    created_at: Mapped[Now]


class Standing(Base):
    """How far an annotator has come towards real work in a project that has practice or qualification comparisons.

    `since` begins the attempt that counts: an admin who grants another one moves it. `decided_by` is null when the
    test decided.
    """

    __tablename__ = "standings"
    __table_args__ = (CheckConstraint("state IN ('learning', 'qualified', 'failed')", name="state"),)

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    annotator_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[str] = mapped_column(default="learning")
    attempt: Mapped[int] = mapped_column(default=1)
    since: Mapped[Now]
    right: Mapped[int | None]
    asked: Mapped[int | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    note: Mapped[str | None]
