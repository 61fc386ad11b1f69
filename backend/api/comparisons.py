"""Handing out comparisons over HTTP. Nothing here tells who wrote a completion or what others said of it."""

import random
import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select

from backend.api.corpus import MessageOut
from backend.api.deps import Admin, AdminReader, Annotator, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import After, Body, IdStr, Limit, Page, Time, Wire, paginate
from backend.domain.judgments import Protocol
from backend.domain.masks import mask
from backend.services import comparisons, leases, skips
from backend.tables import Comparison, Prompt

router = APIRouter(tags=["comparisons"])


class AnnotatorRef(Wire):
    """A person, as other things name them."""

    id: IdStr
    name: str


class PromptRef(Wire):
    """A prompt, as other things name it: the beginning of its last message."""

    id: IdStr
    excerpt: str


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
    practice: bool = Field(description="whether what was right is told after the judgment")


class StageOut(Wire):
    """What the annotator does in this project now.

    Of practice and qualification `done` of `of` are answered; of a failed qualification `done` of `of` were right, and
    `needed_share` had to be.
    """

    name: Literal["work", "practice", "qualification", "failed"]
    done: int
    of: int
    needed_share: float | None


class ComparisonList(Wire):
    """Comparisons to judge now; empty when there is nothing to judge."""

    items: list[ShownComparison]
    stage: StageOut


class SkipIn(Body):
    """Why it was skipped, if the annotator says so."""

    reason: str | None = Field(default=None, max_length=2000)


class GivenBack(Wire):
    """The comparison, on lease to the annotator again; null when it is no longer theirs."""

    comparison: ShownComparison | None


class SkipOut(Wire):
    """Who skipped, and why if they said so."""

    annotator: AnnotatorRef
    reason: str | None
    at: Time


class SkippedSetOut(Wire):
    """Completions that were skipped; `retired`: so many skipped them that nobody else gets them."""

    set_key: IdStr
    prompt: PromptRef
    completions: list[IdStr]
    skips: list[SkipOut]
    retired: bool


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


def prompt_ref(prompt: Prompt, phrases: Sequence[str] = ()) -> PromptRef:
    """A prompt by its excerpt, with phrases hidden where an annotator is to read it."""
    return PromptRef(id=str(prompt.id), excerpt=excerpt(prompt, phrases))


def excerpt(prompt: Prompt, phrases: Sequence[str] = ()) -> str:
    """The beginning of a prompt's last message."""
    last = prompt.messages[-1]
    # Hidden first: a phrase that is cut in two would no longer be found.
    return _content(last, phrases)[:200]


def _content(message: dict[str, Any], phrases: Sequence[str]) -> str:
    content = str(message["content"])
    return mask(content, phrases) if message["role"] == "assistant" else content


def shown(item: comparisons.Shown) -> ShownComparison:
    """What leaves the server of a comparison: texts in their order and the lease, nothing else."""
    masks = item.project.masks
    return ShownComparison(
        id=str(item.comparison.id),
        prompt=ShownPrompt(
            id=str(item.prompt.id),
            messages=[MessageOut(role=m["role"], content=_content(m, masks)) for m in item.prompt.messages],
        ),
        completions=[ShownCompletion(id=str(c.id), text=mask(c.text, masks)) for c in item.completions],
        lease=LeaseOut.model_validate({"id": item.comparison.lease_id, "expires_at": item.comparison.lease_expires_at}),
        protocol=Protocol.model_validate(item.project.protocol),
        guidelines_version=item.comparison.guidelines_version,
        practice=item.practice,
    )


@router.post("/projects/{project}/comparisons/next")
def next_comparisons(
    project: ProjectDep,
    session: SessionDep,
    caller: Annotator,
    count: Annotated[int, Query(ge=1, le=20, description="how many to hold, those already on lease among them")] = 1,
) -> ComparisonList:
    """Comparisons for the caller to judge: those on lease to them, filled up to `count` with new ones."""
    rng = random.SystemRandom()
    handed = comparisons.hand_out(session, project, caller.user.id, count, rng)
    return ComparisonList(items=[shown(item) for item in handed.items], stage=StageOut.model_validate(handed.stage))


@router.post("/comparisons/{comparison_id}/skip", status_code=204)
def skip_comparison(
    comparison_id: uuid.UUID, session: SessionDep, caller: Annotator, body: SkipIn | None = None
) -> None:
    """Give a comparison back without judging it; it is not shown to the caller again."""
    skips.skip(session, comparison_id, caller.user.id, body.reason if body else None)


@router.post("/comparisons/{comparison_id}/unskip")
def unskip_comparison(comparison_id: uuid.UUID, session: SessionDep, caller: Annotator) -> GivenBack:
    """Take a skip back; the comparison is the caller's again, unless others have taken its place since."""
    comparison = skips.unskip(session, comparison_id, caller.user.id)
    if comparison is None:
        return GivenBack(comparison=None)
    return GivenBack(comparison=shown(comparisons.show_again(session, comparison)))


@router.get("/projects/{project}/skips")
def list_skips(
    project: ProjectDep, session: SessionDep, caller: AdminReader, after: After = None, limit: Limit = 50
) -> Page[SkippedSetOut]:
    """Sets of completions that annotators skipped and nobody has settled, the one skipped last first."""
    found, cursor = skips.skipped_sets(session, project, after, limit)
    items = [
        SkippedSetOut(
            set_key=str(one.set_key),
            prompt=prompt_ref(one.prompt),
            completions=[str(id) for id in one.completions],
            skips=[
                SkipOut(annotator=AnnotatorRef(id=str(s.annotator_id), name=s.name), reason=s.reason, at=s.at)
                for s in one.skips
            ],
            retired=one.retired,
        )
        for one in found
    ]
    return Page(items=items, next=cursor)


@router.post("/projects/{project}/skips/{set_key}/settle", status_code=204)
def settle_skips(project: ProjectDep, set_key: uuid.UUID, session: SessionDep, caller: Admin) -> None:
    """Let others have a set again that was skipped."""
    skips.settle(session, project, set_key)


@router.post("/leases/{lease_id}/renew")
def renew_lease(lease_id: uuid.UUID, session: SessionDep, caller: Annotator) -> LeaseOut:
    """Hold on to a comparison; 409 when the lease has ended."""
    comparison = leases.renew(session, lease_id, caller.user.id)
    return LeaseOut.model_validate({"id": comparison.lease_id, "expires_at": comparison.lease_expires_at})


@router.delete("/leases/{lease_id}", status_code=204)
def give_back_lease(
    lease_id: uuid.UUID,
    session: SessionDep,
    caller: Annotator,
    after_s: Annotated[int, Query(ge=0, le=300, description="seconds during which its person may come back to it")] = 0,
) -> None:
    """Let others have the comparison, at once or soon, as a closing page does."""
    leases.give_back(session, lease_id, caller.user.id, after_s)


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
