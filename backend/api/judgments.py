"""Judgments over HTTP: sending them (the same one twice is one), undoing them, and reading them."""

import uuid
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from backend.api.comparisons import GivenBack, excerpt, shown
from backend.api.deps import Annotator, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import Body, Id, IdStr, Page, Time, Wire
from backend.domain.judgments import MAX_COMMENT, Verdict
from backend.domain.spans import MAX_SPANS, Span
from backend.services import comparisons, judgments

router = APIRouter(tags=["judgments"])

Ranks = Annotated[tuple[int, ...], Field(strict=False, min_length=2, max_length=9)]


class JudgmentIn(Body):
    """What the annotator said: one rank per completion in shown order (1 best, equal = tie), or none acceptable."""

    comparison: Id
    lease: Id
    ranks: Ranks | None = None
    none_acceptable: bool = False
    strength: int | None = None
    aspects: dict[str, Ranks] = Field(default_factory=dict)
    comment: str | None = Field(default=None, max_length=MAX_COMMENT)
    active_ms: int | None = Field(default=None, ge=0, le=24 * 3600 * 1000)
    ideal_answer: str | None = Field(default=None, max_length=100_000)
    spans: list[Span] = Field(default_factory=list, max_length=MAX_SPANS)
    guidelines_version: int | None = Field(
        default=None, ge=1, le=2**31, description="the guidelines that were read; that of the comparison unless told"
    )


class FeedbackOut(Wire):
    """What was right in a practice comparison, in the order shown."""

    right: bool
    ranks: list[int] | None
    none_acceptable: bool
    explanation: str


class JudgmentReceipt(Wire):
    """What became of a judgment; `counted` false means kept, but not used, for the reason given."""

    id: IdStr
    comparison: IdStr
    counted: bool
    reason: str | None
    created_at: Time
    feedback: FeedbackOut | None


class OwnJudgment(Wire):
    """One of the caller's own judgments."""

    id: IdStr
    comparison: IdStr
    prompt_excerpt: str
    ranks: list[int] | None
    none_acceptable: bool
    strength: int | None
    comment: str | None
    counted: bool
    created_at: Time


@router.put("/judgments/{judgment_id}", status_code=201)
def put_judgment(
    judgment_id: uuid.UUID, body: JudgmentIn, session: SessionDep, caller: Annotator, response: Response
) -> JudgmentReceipt:
    """Keep a judgment under an id made by the client; sending it again changes nothing and answers 200.

    `lease` says what the client believed; the comparison stays with its annotator, so a judgment is not refused
    for a lease that was renewed or has ended meanwhile.
    """
    verdict = Verdict(
        ranks=body.ranks,
        none_acceptable=body.none_acceptable,
        strength=body.strength,
        aspects=body.aspects,
        comment=body.comment,
    )
    judgment, created = judgments.cast(
        session,
        id=judgment_id,
        annotator_id=caller.user.id,
        comparison_id=body.comparison,
        verdict=verdict,
        active_ms=body.active_ms,
        ideal_answer=body.ideal_answer,
        spans=body.spans,
        guidelines_version=body.guidelines_version,
    )
    if not created:
        response.status_code = 200
    reason = judgment.uncounted_reason or ("It was taken back." if judgment.voided_at else None)
    return JudgmentReceipt(
        id=str(judgment.id),
        comparison=str(judgment.comparison_id),
        counted=reason is None,
        reason=reason,
        created_at=judgment.created_at,
        feedback=_feedback(judgments.feedback(session, judgment)),
    )


def _feedback(told: judgments.Feedback | None) -> FeedbackOut | None:
    if told is None:
        return None
    ranks = None if told.ranks is None else list(told.ranks)
    return FeedbackOut(right=told.right, ranks=ranks, none_acceptable=ranks is None, explanation=told.explanation)


@router.delete("/judgments/{judgment_id}")
def undo_judgment(judgment_id: uuid.UUID, session: SessionDep, caller: Annotator) -> GivenBack:
    """Take a judgment back; its annotator gets the comparison again. Admins may void anybody's."""
    comparison = judgments.void(
        session,
        judgment_id,
        by=caller.user.id,
        may_void_others="admin" in caller.scopes,
        at=datetime.now(UTC),
    )
    if comparison is None:
        return GivenBack(comparison=None)
    return GivenBack(comparison=shown(comparisons.show_again(session, comparison)))


@router.get("/projects/{project}/my-judgments")
def list_own_judgments(
    project: ProjectDep,
    session: SessionDep,
    caller: Annotator,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> Page[OwnJudgment]:
    """The caller's latest judgments, newest first."""
    items = [
        OwnJudgment.model_validate(
            {
                **own.judgment.__dict__,
                "comparison": own.judgment.comparison_id,
                "counted": own.judgment.uncounted_reason is None,
                "prompt_excerpt": excerpt(own.prompt, project.masks),
            }
        )
        for own in judgments.latest_of(session, project.id, caller.user.id, limit)
    ]
    return Page(items=items, next=None)
