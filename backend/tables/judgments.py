"""What annotators said. Facts: never changed, only voided, alone or many at once."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Identity, Index, and_
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import Base, Id, Now


class Judgment(Base):
    """`id` is made by the client, which makes sending it twice harmless.

    `sequence` is the order of arrival; `position` the order in which the ratings took it in (null: not yet; 0: never,
    it answers a repeat or a gold comparison). A judgment that came too late or twice is kept with `uncounted_reason`
    and never reaches the ratings. `spans` are remarks on parts of completions; `gold_right` says whether the answer to
    a gold comparison was the known one.
    """

    __tablename__ = "judgments"
    __table_args__ = (
        CheckConstraint("(ranks IS NULL) = none_acceptable", name="verdict"),
        Index(
            "uq_judgments_comparison",
            "comparison_id",
            unique=True,
            postgresql_where="voided_at IS NULL AND uncounted_reason IS NULL",
        ),
        Index(
            "ix_judgments_unfolded",
            "project_id",
            "sequence",
            postgresql_where="position IS NULL AND voided_at IS NULL AND uncounted_reason IS NULL",
        ),
        Index("ix_judgments_folded", "project_id", "position"),
        Index("ix_judgments_voided", "project_id", postgresql_where="voided_at IS NOT NULL AND position > 0"),
        Index("ix_judgments_annotator", "annotator_id", "project_id", "sequence"),
        Index("ix_judgments_prompt_id", "prompt_id"),
        Index("ix_judgments_created_at", "project_id", "created_at"),
        Index("ix_judgments_voiding_id", "voiding_id", postgresql_where="voiding_id IS NOT NULL"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    position: Mapped[int | None]
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    prompt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"))
    comparison_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("comparisons.id", ondelete="CASCADE"))
    annotator_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    ranks: Mapped[list[int] | None]
    none_acceptable: Mapped[bool] = mapped_column(default=False)
    strength: Mapped[int | None]
    aspects: Mapped[dict[str, Any] | None]
    comment: Mapped[str | None]
    ideal_answer: Mapped[str | None]
    spans: Mapped[list[dict[str, Any]] | None]
    guidelines_version: Mapped[int]
    gold_right: Mapped[bool | None]
    active_ms: Mapped[int | None]
    uncounted_reason: Mapped[str | None]
    voided_at: Mapped[datetime | None]
    voided_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    voiding_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("voidings.id", ondelete="SET NULL"))
    created_at: Mapped[Now]

    @hybrid_property
    def stands(self) -> bool:
        """Whether it counts: neither taken back, nor too late or a second one."""
        return self.voided_at is None and self.uncounted_reason is None

    @stands.inplace.expression
    @classmethod
    def _stands(cls) -> ColumnElement[bool]:
        return and_(cls.voided_at.is_(None), cls.uncounted_reason.is_(None))


class Voiding(Base):
    """Judgments set aside together, with the reason: those of an annotator, or those that an adjudication overruled.

    Undone, they stand again.
    """

    __tablename__ = "voidings"
    __table_args__ = (Index("ix_voidings_project_id", "project_id", "id"),)

    id: Mapped[Id]
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    annotator_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    adjudication_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("judgments.id", ondelete="SET NULL", use_alter=True)
    )
    reason: Mapped[str]
    judgments: Mapped[int]
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Now]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))


class Disagreement(Base):
    """Completions that annotators ranked in opposite ways, as far as the ratings hold their judgments.

    Not a fact: it is told from the judgments whenever these are folded, and made anew with the ratings. `completions`
    are sorted. `conflict` counts the answers that oppose each other, each as much as its strength says; `latest` is the
    sequence of the last judgment of the set.
    """

    __tablename__ = "disagreements"
    __table_args__ = (
        Index("ix_disagreements_strongest", "project_id", "conflict", "set_key"),
        Index("ix_disagreements_newest", "project_id", "latest"),
    )

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    set_key: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    prompt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"))
    completions: Mapped[list[uuid.UUID]]
    judgments: Mapped[int]
    conflict: Mapped[float]
    latest: Mapped[int]
