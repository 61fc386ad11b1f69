"""Reward sets over HTTP: freeze one, list them, read what is in one."""

import uuid
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from backend.api.deps import Admin, AdminReader, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import After, Body, IdStr, Limit, Page, Time, Wire, paginate
from backend.services import ratings, rewards
from backend.tables import Reward, RewardSet

router = APIRouter(tags=["rewards"])


class RewardSetIn(Body):
    """How to make rewards from the ratings as they stand now."""

    name: str | None = Field(default=None, min_length=1, max_length=120)
    method: ratings.Method = "elo"
    normalisation: rewards.Normalisation = "centred_global"


class RewardSetOut(Wire):
    """A frozen reward set; `scale` is the global divisor, in log-odds."""

    id: IdStr
    project: IdStr
    number: int
    name: str
    method: str
    normalisation: str
    parameters: dict[str, Any]
    scale: float
    prompts: int
    held_out_prompts: int
    skipped_prompts: int
    completions: int
    judgments: int
    created_at: Time


class RewardOut(Wire):
    """One completion's reward and the rating it came from."""

    completion: IdStr
    prompt: IdStr
    split: Literal["train", "held_out"]
    rating: float
    standard_error: float | None
    reward: float
    weight: float
    judgments: int


def _out(row: RewardSet) -> RewardSetOut:
    return RewardSetOut.model_validate({**row.__dict__, "project": row.project_id})


@router.post("/projects/{project}/reward-sets", status_code=201)
def create_reward_set(project: ProjectDep, body: RewardSetIn, session: SessionDep, caller: Admin) -> RewardSetOut:
    """Freeze the ratings as they stand now into rewards."""
    return _out(
        rewards.freeze(
            session,
            project,
            name=body.name,
            method=body.method,
            normalisation=body.normalisation,
            created_by=caller.user.id,
        )
    )


@router.get("/projects/{project}/reward-sets")
def list_reward_sets(
    project: ProjectDep, session: SessionDep, caller: AdminReader, after: After = None, limit: Limit = 50
) -> Page[RewardSetOut]:
    """A project's reward sets, newest first."""
    query = select(RewardSet).where(RewardSet.project_id == project.id)
    rows, cursor = paginate(session, query, key=RewardSet.id, after=after, limit=limit)
    return Page(items=[_out(row) for row in rows], next=cursor)


@router.get("/reward-sets/{reward_set_id}")
def read_reward_set(reward_set_id: uuid.UUID, session: SessionDep, caller: AdminReader) -> RewardSetOut:
    """One reward set."""
    return _out(rewards.find(session, reward_set_id))


@router.get("/reward-sets/{reward_set_id}/rewards")
def list_rewards(
    reward_set_id: uuid.UUID, session: SessionDep, caller: AdminReader, after: After = None, limit: Limit = 50
) -> Page[RewardOut]:
    """The rewards in a set."""
    rewards.find(session, reward_set_id)
    query = select(Reward).where(Reward.reward_set_id == reward_set_id)
    rows, cursor = paginate(session, query, key=Reward.completion_id, after=after, limit=limit, newest_first=False)
    items = [
        RewardOut.model_validate({**row.__dict__, "completion": row.completion_id, "prompt": row.prompt_id})
        for row in rows
    ]
    return Page(items=items, next=cursor)
