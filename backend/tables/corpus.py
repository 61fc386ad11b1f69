"""What is judged and what models learn from: prompts, models, completions, documents, demonstrations."""

import uuid
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import Base, Id, Now


class Prompt(Base):
    """Chat messages that end before the answer. `digest` is the SHA-256 of their canonical JSON: it makes imports
    repeatable and decides the split. `handed_out` counts comparisons judged or on lease; less `missing` it orders the
    queue, which is by how many judgments of the average annotator the prompt's own fall short of as many.
    `sets_retired`: how many sets of its completions are kept back because too many people skipped them. `settled`: its
    ratings are as precise as the project asks for, so nobody is asked about it any more."""

    __tablename__ = "prompts"
    __table_args__ = (
        UniqueConstraint("project_id", "digest"),
        Index(
            "ix_prompts_queue",
            "project_id",
            text("(handed_out - missing)"),
            "id",
            postgresql_where="completions >= 2 AND NOT settled",
        ),
    )

    id: Mapped[Id]
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    digest: Mapped[str]
    messages: Mapped[list[dict[str, Any]]]
    completions: Mapped[int] = mapped_column(default=0)
    handed_out: Mapped[int] = mapped_column(default=0)
    missing: Mapped[float] = mapped_column(default=0.0, server_default=text("0"))
    sets_retired: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    settled: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    created_at: Mapped[Now]


class Model(Base):
    """An entry of the registry, named `namespace/name`; `source` says where its answers come from."""

    __tablename__ = "models"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    source: Mapped[dict[str, Any]]
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Now]


class Completion(Base):
    """What a model answered to a prompt. Token ids and log-probabilities are there where we generated it."""

    __tablename__ = "completions"
    __table_args__ = (UniqueConstraint("prompt_id", "model_id", "digest"),)

    id: Mapped[Id]
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    prompt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"))
    model_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("models.id"), index=True)
    run_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"), index=True)
    digest: Mapped[str]
    text: Mapped[str]
    finish_reason: Mapped[str | None]
    sampling: Mapped[dict[str, Any] | None]
    token_ids: Mapped[list[int] | None]
    logprobs: Mapped[list[float] | None]
    created_at: Mapped[Now]


class Document(Base):
    """A plain text that a language model can be pretrained on."""

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("project_id", "digest"),)

    id: Mapped[Id]
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    digest: Mapped[str]
    text: Mapped[str]
    created_at: Mapped[Now]


class Demonstration(Base):
    """A prompt with an answer worth imitating, for supervised fine-tuning; never handed out for judging.

    `judgment_id`: the ideal answer that an annotator wrote with that judgment.
    """

    __tablename__ = "demonstrations"
    __table_args__ = (UniqueConstraint("project_id", "digest"),)

    id: Mapped[Id]
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    digest: Mapped[str]
    messages: Mapped[list[dict[str, Any]]]
    text: Mapped[str]
    judgment_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("judgments.id", ondelete="SET NULL"), index=True)
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Now]
