"""Standings over HTTP: an admin lets somebody in to real work, turns them away, or grants another attempt."""

import uuid
from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from backend.api.deps import Admin, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import Body, Time, Wire
from backend.services import standings

router = APIRouter(tags=["standings"])


class StandingIn(Body):
    """An admin's word, and why."""

    state: Literal["qualified", "failed", "retake"]
    note: str | None = Field(default=None, max_length=2000)


class StandingOut(Wire):
    """How far somebody has come towards real work; `right` of `asked` in the qualification that was decided last."""

    state: Literal["learning", "qualified", "failed"]
    attempt: int
    right: int | None
    asked: int | None
    since: Time
    decided_at: Time | None
    note: str | None


@router.post("/projects/{project}/annotators/{annotator_id}/standing")
def decide_standing(
    project: ProjectDep, annotator_id: uuid.UUID, body: StandingIn, session: SessionDep, caller: Admin
) -> StandingOut:
    """Let somebody in, turn them away, or grant another attempt, whatever the test said."""
    decided = standings.decide(session, project, annotator_id, body.state, by=caller.user.id, note=body.note)
    return StandingOut.model_validate(decided)
