"""Reward sets over HTTP: freeze one, list them, read what is in one."""

import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select

from backend.api.comparisons import excerpt
from backend.api.deps import Admin, AdminReader, HeavyDep, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import After, Body, IdStr, Limit, Page, Time, Wire, paginate
from backend.domain.rewards import Normalisation, Question
from backend.services import facts, reward_reasons, reward_shapes, rewards
from backend.tables import Prompt, Reward, RewardSet

router = APIRouter(tags=["rewards"])


class RewardSetIn(Body):
    """How to make rewards from the ratings as they stand now."""

    name: str | None = Field(default=None, min_length=1, max_length=120)
    method: facts.Method = "elo"
    normalisation: Normalisation = "centred_global"
    question: Question | None = Field(default=None, strict=False, description="which judgments; all, if left out")


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
    """One completion's reward and the rating it came from; `prompt_excerpt` is the beginning of its last message."""

    completion: IdStr
    model: str
    prompt: IdStr
    prompt_excerpt: str
    split: Literal["train", "held_out"]
    rating: float
    standard_error: float | None
    reward: float
    weight: float
    judgments: int


class ComparedOut(Wire):
    """Two reward sets over the completions in both. `pairs_turned` of the `pairs` within prompts change their order."""

    completions: int
    prompts: int
    correlation: float | None
    best_differs: int
    pairs: int
    pairs_turned: int


class BecauseOut(Wire):
    """One outcome behind a reward: the completion's score against another (1, 0.5, 0), and who said so."""

    judgment: IdStr
    annotator: str
    other: IdStr
    model: str
    score: float
    weight: float
    comment: str | None
    voided_at: Time | None
    created_at: Time


class OpenedReward(RewardOut):
    """A reward with everything it was made from; judgments voided since are marked, the set stays as it was frozen."""

    because: list[BecauseOut]


def _out(row: RewardSet) -> RewardSetOut:
    return RewardSetOut.model_validate({**row.__dict__, "project": row.project_id})


@router.post("/projects/{project}/reward-sets", status_code=201)
def create_reward_set(project: ProjectDep, body: RewardSetIn, heavy: HeavyDep, caller: Admin) -> RewardSetOut:
    """Freeze the ratings as they stand now into rewards."""
    return _out(
        heavy(
            rewards.freeze,
            project,
            name=body.name,
            method=body.method,
            normalisation=body.normalisation,
            question=body.question,
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
    named = reward_reasons.names(session, [row.completion_id for row in rows])
    return Page(items=[RewardOut.model_validate(_named(row, *named[row.completion_id])) for row in rows], next=cursor)


def _named(row: Reward, model: str, prompt: Prompt) -> dict[str, Any]:
    told = {"completion": row.completion_id, "model": model, "prompt": row.prompt_id, "prompt_excerpt": excerpt(prompt)}
    return {**row.__dict__, **told}


@router.get("/reward-sets/{reward_set_id}/rewards/{completion_id}")
def read_reward(
    reward_set_id: uuid.UUID, completion_id: uuid.UUID, session: SessionDep, caller: AdminReader
) -> OpenedReward:
    """One reward, opened down to the judgments and people behind it."""
    reward, found = reward_reasons.because(session, reward_set_id, completion_id)
    named = reward_reasons.names(session, [completion_id])
    return OpenedReward.model_validate(
        {
            **_named(reward, *named[completion_id]),
            "because": [
                BecauseOut.model_validate(
                    {
                        "judgment": one.judgment.id,
                        "annotator": one.annotator,
                        "other": one.other,
                        "model": one.model,
                        "score": one.score,
                        "weight": one.weight,
                        "comment": one.judgment.comment,
                        "voided_at": one.judgment.voided_at,
                        "created_at": one.judgment.created_at,
                    }
                )
                for one in found
            ],
        }
    )


class PointOut(Wire):
    """One reward with the rating behind it; `other` is that of the same completion in the other set."""

    completion: IdStr
    prompt: IdStr
    rating: float
    reward: float
    weight: float
    other: float | None


class ShapeOut(Wire):
    """How many rewards of either side of the split lie from one edge to the next; and rewards as points: all of them,
    or where they are too many, a choice that stays the same."""

    edges: list[float]
    train: list[int]
    held_out: list[int]
    points: list[PointOut]


@router.get("/reward-sets/{reward_set_id}/shape")
def read_reward_shape(
    reward_set_id: uuid.UUID,
    session: SessionDep,
    caller: AdminReader,
    bins: Annotated[int, Query(ge=1, le=200)] = 40,
    points: Annotated[int, Query(ge=0, le=2000, description="at most so many")] = 1000,
    other: Annotated[uuid.UUID | None, Query(description="points of what is in this set too")] = None,
) -> ShapeOut:
    """How the rewards of a set are spread, alone or beside another set."""
    for id in filter(None, (reward_set_id, other)):
        rewards.find(session, id)
    return ShapeOut.model_validate(
        reward_shapes.shape(session, reward_set_id, bins=bins, points=points, other_id=other)
    )


@router.get("/reward-sets/{reward_set_id}/compare/{other_id}")
def compare_reward_sets(
    reward_set_id: uuid.UUID, other_id: uuid.UUID, session: SessionDep, caller: AdminReader
) -> ComparedOut:
    """How much two reward sets differ where both have a reward."""
    for id in (reward_set_id, other_id):
        rewards.find(session, id)
    return ComparedOut.model_validate(rewards.compare(session, reward_set_id, other_id))
