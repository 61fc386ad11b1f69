"""Handing out comparisons over HTTP. Nothing here tells who wrote a completion or what others said of it."""

import random
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select

from backend.api.corpus import MessageOut
from backend.api.deps import AdminReader, Annotator, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import After, Body, IdStr, Limit, Page, Time, Wire, paginate
from backend.domain.judgments import Protocol
from backend.services import comparisons
from backend.tables import Comparison

router = APIRouter(tags=["comparisons"])


class ShownPrompt(Wire):
    """The prompt, as an annotator sees it."""

    id: IdStr
    messages: list[MessageOut]


class ShownCompletion(Wire):
    """A completion, as an annotator sees it."""

    id: IdStr
    text: str


class LeaseOut(Wire):
    """How long the comparison is the annotator's."""

    id: IdStr
    expires_at: Time


class ShownComparison(Wire):
    """Completions of one prompt to judge, in the order to show them."""

    id: IdStr
    prompt: ShownPrompt
    completions: list[ShownCompletion]
    lease: LeaseOut
    protocol: Protocol
    guidelines_version: int


class ComparisonList(Wire):
    """Comparisons to judge now; empty when there is nothing to judge."""

    items: list[ShownComparison]


class SkipIn(Body):
    """Why it was skipped, if the annotator says so."""

    reason: str | None = Field(default=None, max_length=2000)


class ComparisonOut(Wire):
    """A comparison as an admin sees it: who has it, how it was chosen, what became of it."""

    id: IdStr
    prompt: IdStr
    annotator: IdStr
    completions: list[IdStr]
    kind: str
    state: str
    policy: str
    probability: float | None
    skip_reason: str | None
    guidelines_version: int
    lease_expires_at: Time | None
    created_at: Time


def shown(item: comparisons.Shown) -> ShownComparison:
    """What leaves the server of a comparison: texts in their order and the lease, nothing else."""
    return ShownComparison(
        id=str(item.comparison.id),
        prompt=ShownPrompt(id=str(item.prompt.id), messages=[MessageOut(**_turn(m)) for m in item.prompt.messages]),
        completions=[ShownCompletion(id=str(c.id), text=c.text) for c in item.completions],
        lease=LeaseOut.model_validate({"id": item.comparison.lease_id, "expires_at": item.comparison.lease_expires_at}),
        protocol=Protocol.model_validate(item.project.protocol),
        guidelines_version=item.comparison.guidelines_version,
    )


def _turn(message: dict[str, Any]) -> dict[str, str]:
    return {"role": message["role"], "content": message["content"]}


@router.post("/projects/{project}/comparisons/next")
def next_comparisons(
    project: ProjectDep,
    session: SessionDep,
    caller: Annotator,
    count: Annotated[int, Query(ge=1, le=20, description="how many to hold, those already on lease among them")] = 1,
) -> ComparisonList:
    """Comparisons for the caller to judge: those on lease to them, filled up to `count` with new ones."""
    rng = random.SystemRandom()
    held = comparisons.hand_out(session, project, caller.user.id, count, rng)
    return ComparisonList(items=[shown(item) for item in held])


@router.post("/comparisons/{comparison_id}/skip", status_code=204)
def skip_comparison(
    comparison_id: uuid.UUID, session: SessionDep, caller: Annotator, body: SkipIn | None = None
) -> None:
    """Give a comparison back without judging it; it is not shown to the caller again."""
    comparisons.skip(session, comparison_id, caller.user.id, body.reason if body else None)


@router.post("/leases/{lease_id}/renew")
def renew_lease(lease_id: uuid.UUID, session: SessionDep, caller: Annotator) -> LeaseOut:
    """Hold on to a comparison; 409 when the lease has ended."""
    comparison = comparisons.renew(session, lease_id, caller.user.id)
    return LeaseOut.model_validate({"id": comparison.lease_id, "expires_at": comparison.lease_expires_at})


@router.delete("/leases/{lease_id}", status_code=204)
def give_back_lease(
    lease_id: uuid.UUID,
    session: SessionDep,
    caller: Annotator,
    after_s: Annotated[int, Query(ge=0, le=300, description="seconds during which its person may come back to it")] = 0,
) -> None:
    """Let others have the comparison, at once or soon, as a closing page does."""
    comparisons.give_back(session, lease_id, caller.user.id, after_s)


@router.get("/projects/{project}/comparisons")
def list_comparisons(
    project: ProjectDep,
    session: SessionDep,
    caller: AdminReader,
    after: After = None,
    limit: Limit = 50,
    state: Annotated[str | None, Query(pattern="^(leased|judged|skipped|released)$")] = None,
) -> Page[ComparisonOut]:
    """All comparisons ever handed out, newest first."""
    query = select(Comparison).where(Comparison.project_id == project.id)
    if state is not None:
        query = query.where(Comparison.state == state)
    rows, cursor = paginate(session, query, key=Comparison.id, after=after, limit=limit)
    items = [
        ComparisonOut.model_validate({**row.__dict__, "prompt": row.prompt_id, "annotator": row.annotator_id})
        for row in rows
    ]
    return Page(items=items, next=cursor)
