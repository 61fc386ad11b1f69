"""Flags: an annotator wants an admin to look at a comparison, which can be judged or skipped all the same."""

import uuid
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from backend.errors import Conflict, NotFound
from backend.services import leases
from backend.tables import Comparison, Flag, Project, Prompt, User


def raise_flag(session: Session, comparison_id: uuid.UUID, annotator_id: uuid.UUID, reason: str) -> Flag:
    """Flag a comparison handed to this person. While their flag on it is open, another only changes the reason."""
    comparison, project = leases.own(session, comparison_id, annotator_id)
    flag = session.scalar(
        select(Flag).where(
            Flag.comparison_id == comparison.id, Flag.annotator_id == annotator_id, Flag.resolved_at.is_(None)
        )
    )
    if flag is None:
        flag = Flag(project_id=project.id, comparison_id=comparison.id, annotator_id=annotator_id, reason=reason)
        session.add(flag)
    flag.reason = reason
    session.flush()
    return flag


def withdraw(session: Session, id: uuid.UUID, annotator_id: uuid.UUID) -> None:
    """Take one's own flag back. Raises NotFound, or Conflict once an admin has dealt with it."""
    flag = session.scalar(select(Flag).where(Flag.id == id, Flag.annotator_id == annotator_id).with_for_update())
    if flag is None:
        raise NotFound("There is no such flag among yours.")
    if flag.resolved_at is not None:
        raise Conflict("This flag has been dealt with and stays.")
    session.delete(flag)
    session.flush()


def find(session: Session, id: uuid.UUID) -> Flag:
    """The flag, locked. Raises NotFound."""
    flag = session.scalar(select(Flag).where(Flag.id == id).with_for_update())
    if flag is None:
        raise NotFound("There is no such flag.")
    return flag


def resolve(session: Session, id: uuid.UUID, by: uuid.UUID, resolution: str | None) -> Flag:
    """Say that a flag was dealt with, and how; doing it again changes what is said."""
    flag = find(session, id)
    flag.resolved_at = flag.resolved_at or leases.now()
    flag.resolved_by = by
    flag.resolution = resolution
    session.flush()
    return flag


def reopen(session: Session, id: uuid.UUID) -> Flag:
    """Take back that a flag was dealt with."""
    flag = find(session, id)
    flag.resolved_at = flag.resolved_by = flag.resolution = None
    session.flush()
    return flag


def listed(project: Project | None = None) -> Select[*tuple[Any, ...]]:
    """Flags with who raised them and the prompt, for a list."""
    query = (
        select(Flag, User.name, Prompt)
        .join(User, User.id == Flag.annotator_id)
        .join(Comparison, Comparison.id == Flag.comparison_id)
        .join(Prompt, Prompt.id == Comparison.prompt_id)
    )
    return query if project is None else query.where(Flag.project_id == project.id)
