"""What training runs made: the manifest of a folder kept in storage, and where it came from."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import Base, Id, Now


class Checkpoint(Base):
    """`name` is its repository (`namespace/name`), `revision` the 40-hex id of its manifest, which never changes."""

    __tablename__ = "checkpoints"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    revision: Mapped[str]
    kind: Mapped[str]
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("runs.id"), unique=True)
    project_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    model_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("models.id", ondelete="SET NULL"))
    reward_set_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("reward_sets.id", ondelete="SET NULL"))
    parents: Mapped[list[uuid.UUID]]
    files: Mapped[list[dict[str, Any]]]
    metrics: Mapped[dict[str, Any]]
    promoted_at: Mapped[datetime | None]
    created_at: Mapped[Now]
