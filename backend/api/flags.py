"""Flags over HTTP: annotators raise and withdraw them, admins read and resolve them."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from backend.api.comparisons import AnnotatorRef, PromptRef, prompt_ref
from backend.api.deps import Admin, AdminReader, Annotator, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import After, Body, IdStr, Limit, Page, Time, Wire, paginate_rows
from backend.services import flags
from backend.tables import Flag, Project, Prompt

router = APIRouter(tags=["flags"])


class FlagIn(Body):
    """What is wrong."""

    reason: str = Field(min_length=1, max_length=2000)


class ResolutionIn(Body):
    """What was done about it."""

    resolution: str | None = Field(default=None, max_length=2000)


class FlagOut(Wire):
    """An annotator wants an admin to look at a comparison."""

    id: IdStr
    comparison: IdStr
    annotator: AnnotatorRef
    prompt: PromptRef
    reason: str
    created_at: Time
    resolved_at: Time | None
    resolution: str | None


def _out(flag: Flag, name: str, prompt: Prompt, masks: list[str]) -> FlagOut:
    return FlagOut.model_validate(
        {
            **flag.__dict__,
            "comparison": flag.comparison_id,
            "annotator": AnnotatorRef(id=str(flag.annotator_id), name=name),
            "prompt": prompt_ref(prompt, masks),
        }
    )


def _one(session: SessionDep, flag: Flag, masked: bool = False) -> FlagOut:
    _, name, prompt = session.execute(flags.listed().where(Flag.id == flag.id)).one()
    return _out(flag, name, prompt, session.get_one(Project, flag.project_id).masks if masked else [])


@router.post("/comparisons/{comparison_id}/flag", status_code=201)
def flag_comparison(comparison_id: uuid.UUID, body: FlagIn, session: SessionDep, caller: Annotator) -> FlagOut:
    """Ask an admin to look at a comparison handed to the caller; it can be judged or skipped all the same."""
    return _one(session, flags.raise_flag(session, comparison_id, caller.user.id, body.reason), masked=True)


@router.delete("/flags/{flag_id}", status_code=204)
def withdraw_flag(flag_id: uuid.UUID, session: SessionDep, caller: Annotator) -> None:
    """Take the caller's own flag back, as long as nobody has dealt with it."""
    flags.withdraw(session, flag_id, caller.user.id)


@router.get("/projects/{project}/flags")
def list_flags(
    project: ProjectDep,
    session: SessionDep,
    caller: AdminReader,
    after: After = None,
    limit: Limit = 50,
    open: Annotated[bool, Query(description="only those that nobody has dealt with")] = False,
) -> Page[FlagOut]:
    """What annotators flagged, newest first."""
    query = flags.listed(project)
    if open:
        query = query.where(Flag.resolved_at.is_(None))
    rows, cursor = paginate_rows(session, query, key=Flag.id, after=after, limit=limit)
    return Page(items=[_out(flag, name, prompt, []) for flag, name, prompt, _ in rows], next=cursor)


@router.post("/flags/{flag_id}/resolve")
def resolve_flag(flag_id: uuid.UUID, session: SessionDep, caller: Admin, body: ResolutionIn | None = None) -> FlagOut:
    """Say that a flag was dealt with, and how."""
    return _one(session, flags.resolve(session, flag_id, caller.user.id, body.resolution if body else None))


@router.delete("/flags/{flag_id}/resolution")
def reopen_flag(flag_id: uuid.UUID, session: SessionDep, caller: Admin) -> FlagOut:
    """Take back that a flag was dealt with."""
    return _one(session, flags.reopen(session, flag_id))
