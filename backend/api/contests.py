"""Blind contests between models over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from backend.api.deps import Admin, SessionDep
from backend.api.projects import Name, ProjectDep, ProjectOut, shown
from backend.api.wire import Body
from backend.services import contests

router = APIRouter(tags=["projects"])


class ContestIn(Body):
    """Which models, over which of the project's prompts."""

    models: Annotated[list[str], Field(min_length=2, max_length=16, description="names or ids")]
    name: Name | None = None
    prompts: Literal["all", "train", "held_out"] = "held_out"
    max_prompts: int | None = Field(default=None, ge=1, le=100_000)


@router.post("/projects/{project}/contests", status_code=201)
def open_contest(project: ProjectDep, body: ContestIn, session: SessionDep, caller: Admin) -> ProjectOut:
    """Open a project in which people compare these models' answers without knowing whose they are."""
    made = contests.open_contest(
        session,
        project,
        models=body.models,
        name=body.name,
        prompts=body.prompts,
        max_prompts=body.max_prompts,
        created_by=caller.user.id,
    )
    return shown(session, [made], caller)[0]
