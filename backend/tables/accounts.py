"""People and how they prove who they are. Secrets are stored as hashes only."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import Base, Id, Now


class User(Base):
    """Somebody who judges or administers; an annotator of an imported study has an `external_id` and cannot sign in."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'annotator')", name="role"),
        CheckConstraint("email IS NOT NULL OR external_id IS NOT NULL", name="named"),
        Index("uq_users_email", text("lower(email)"), unique=True),
    )

    id: Mapped[Id]
    email: Mapped[str | None]
    external_id: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str | None]
    disabled_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]
    created_at: Mapped[Now]


class UserSession(Base):
    """A signed-in browser; `id` is the SHA-256 of the cookie's secret."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    csrf_token: Mapped[str]
    user_agent: Mapped[str | None]
    expires_at: Mapped[datetime]
    created_at: Mapped[Now]


class Token(Base):
    """An API token of a program; `secret_hash` is its SHA-256, `prefix` its first characters for people."""

    __tablename__ = "tokens"

    id: Mapped[Id]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    prefix: Mapped[str]
    secret_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[Now]


class Invitation(Base):
    """A link that makes an account, once."""

    __tablename__ = "invitations"

    id: Mapped[Id]
    secret_hash: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    email: Mapped[str | None]
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    accepted_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    accepted_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    created_at: Mapped[Now]
