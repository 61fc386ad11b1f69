"""A preference study: what is asked of whom, and the versions of its guidelines."""

import uuid
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import Base, Id, Now


class Project(Base):
    """One preference study. `judgments_folded` is the position of the last judgment that its ratings contain;
    `ratings_stale` asks the dispatcher to rebuild them from the facts (something folded was voided)."""

    __tablename__ = "projects"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'paused', 'closed')", name="state"),
        CheckConstraint("overlap BETWEEN 1 AND 1000", name="overlap"),
        CheckConstraint("gold_share + repeat_share <= 1", name="shares"),
    )

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    guidelines: Mapped[str] = mapped_column(default="")
    guidelines_version: Mapped[int] = mapped_column(default=1)
    protocol: Mapped[dict[str, Any]]
    overlap: Mapped[int]
    gold_share: Mapped[float]
    repeat_share: Mapped[float]
    random_share: Mapped[float]
    lease_minutes: Mapped[float]
    state: Mapped[str] = mapped_column(default="active")
    judgments_folded: Mapped[int] = mapped_column(default=0)
    ratings_stale: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Now]


class GuidelinesVersion(Base):
    """The guidelines as they stood; every judgment names the version it was made under."""

    __tablename__ = "guidelines_versions"

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str]
    created_at: Mapped[Now]
