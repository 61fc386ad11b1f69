"""Completions of one prompt, in a recorded order, handed to one annotator for some minutes (the lease); those whose
answer is known (gold); and what annotators want an admin to look at (flags)."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import Base, Id, Now

OPEN = "state IN ('leased', 'judged')"


class Comparison(Base):
    """`completions` is the order shown; `set_key` names the same completions in any order, for counting the overlap.

    States: leased (an annotator has it), judged, skipped (given back on purpose), released (the lease ended).
    A comparison is made when it is handed out and stays with its annotator; a released one no longer holds a place.
    An `adjudication` is an admin's own judgment of what annotators disagree on: it was never handed out and takes no
    place of theirs. A skip that an admin has settled (`skip_settled_at`) no longer keeps the set from others.
    """

    __tablename__ = "comparisons"
    __table_args__ = (
        CheckConstraint("state IN ('leased', 'judged', 'skipped', 'released')", name="state"),
        CheckConstraint("kind IN ('regular', 'gold', 'repeat', 'adjudication')", name="kind"),
        CheckConstraint("cardinality(completions) BETWEEN 2 AND 9", name="size"),
        Index("ix_comparisons_prompt_id", "prompt_id"),
        Index("ix_comparisons_annotator", "annotator_id", "project_id", "id"),
        Index("ix_comparisons_leased", "lease_expires_at", postgresql_where="state = 'leased'"),
        Index("ix_comparisons_project_id", "project_id", "id"),
        Index("ix_comparisons_skipped", "project_id", "set_key", postgresql_where="state = 'skipped'"),
        Index("ix_comparisons_gold_id", "gold_id", postgresql_where="gold_id IS NOT NULL"),
        Index("ix_comparisons_adjudicated", "project_id", "set_key", postgresql_where="kind = 'adjudication'"),
    )

    id: Mapped[Id]
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    prompt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"))
    annotator_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    completions: Mapped[list[uuid.UUID]]
    set_key: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(default="regular")
    repeat_of: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("comparisons.id", ondelete="SET NULL"))
    gold_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("gold.id", ondelete="SET NULL"))
    policy: Mapped[str]
    probability: Mapped[float | None]
    guidelines_version: Mapped[int]
    state: Mapped[str]
    lease_id: Mapped[uuid.UUID | None] = mapped_column(unique=True)
    lease_expires_at: Mapped[datetime | None]
    skip_reason: Mapped[str | None]
    skipped_at: Mapped[datetime | None]
    skip_settled_at: Mapped[datetime | None]
    created_at: Mapped[Now]


class Gold(Base):
    """Completions whose right ranking is known (`ranks` as in a judgment; null: none is acceptable).

    `use`: "check" are mixed into real work and look like everything else; "practice" come first and tell the annotator
    what was right and why (`explanation`); "qualification" come next and decide who goes on.
    """

    __tablename__ = "gold"
    __table_args__ = (
        CheckConstraint("use IN ('check', 'practice', 'qualification')", name="use"),
        CheckConstraint("cardinality(completions) BETWEEN 2 AND 9", name="size"),
        Index("ix_gold_project_id", "project_id", "id"),
    )

    id: Mapped[Id]
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    prompt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"))
    completions: Mapped[list[uuid.UUID]]
    ranks: Mapped[list[int] | None]
    use: Mapped[str]
    explanation: Mapped[str] = mapped_column(default="")
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Now]
    retired_at: Mapped[datetime | None]


class Flag(Base):
    """An annotator wants an admin to look at a comparison; it can be judged all the same."""

    __tablename__ = "flags"
    __table_args__ = (Index("ix_flags_project_id", "project_id", "id"),)

    id: Mapped[Id]
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    comparison_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("comparisons.id", ondelete="CASCADE"), index=True)
    annotator_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    reason: Mapped[str]
    created_at: Mapped[Now]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    resolution: Mapped[str | None]
