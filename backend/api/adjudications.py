"""Where annotators disagree, and what an admin decides about it, over HTTP."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from backend.api.comparisons import AnnotatorRef, PromptRef, prompt_ref
from backend.api.corpus import ModelRef
from backend.api.deps import Admin, AdminReader, SessionDep
from backend.api.judgments import Ranks
from backend.api.projects import ProjectDep
from backend.api.review import JudgedCompletion, JudgmentOut, out
from backend.api.wire import After, Body, Id, IdStr, Limit, Page, Time, Wire
from backend.domain.judgments import MAX_COMMENT, Verdict
from backend.services import adjudications, disagreements, review

router = APIRouter(tags=["adjudications"])


class DisputedJudgment(Wire):
    """What one annotator said, told in the order of the set."""

    id: IdStr
    annotator: AnnotatorRef
    ranks: list[int] | None
    none_acceptable: bool
    strength: int | None
    comment: str | None
    created_at: Time


class DisagreementOut(Wire):
    """Completions that annotators ranked in opposite ways.

    `conflict` counts the answers that oppose each other, each as much as its strength says. `adjudicated` is the
    admin's judgment that decided it, if one stands.
    """

    set_key: IdStr
    prompt: PromptRef
    completions: list[JudgedCompletion]
    judgments: list[DisputedJudgment]
    conflict: float
    adjudicated: IdStr | None


class AdjudicationIn(Body):
    """What the admin says of a set; `ranks` in the order of `completions`. `set_aside` voids what says otherwise."""

    set_key: Id
    completions: Annotated[list[Id], Field(min_length=2, max_length=9)]
    ranks: Ranks | None = None
    none_acceptable: bool = False
    comment: str | None = Field(default=None, max_length=MAX_COMMENT)
    set_aside: bool = False


@router.get("/projects/{project}/disagreements")
def list_disagreements(
    project: ProjectDep,
    session: SessionDep,
    caller: AdminReader,
    after: After = None,
    limit: Limit = 50,
    order: disagreements.Order = "strongest",
    adjudicated: Annotated[bool | None, Query(description="only those that are, or are not yet, decided")] = None,
) -> Page[DisagreementOut]:
    """Sets on which judgments that stand say the opposite, the strongest or the newest first."""
    found, cursor = disagreements.page(session, project, order=order, adjudicated=adjudicated, after=after, limit=limit)
    models = review.models_of(session, {id for one in found for id in one.disagreement.completions})
    items = []
    for one in found:
        shown = one.disagreement.completions
        told = [review.told(*row, shown) for row in one.judgments]
        items.append(
            DisagreementOut(
                set_key=str(one.disagreement.set_key),
                prompt=prompt_ref(one.prompt),
                completions=[
                    JudgedCompletion(id=str(id), model=ModelRef(id=str(models[id][0]), name=models[id][1]))
                    for id in shown
                ],
                judgments=[
                    DisputedJudgment(
                        id=str(each.judgment.id),
                        annotator=AnnotatorRef(id=str(each.judgment.annotator_id), name=each.name),
                        ranks=each.ranks,
                        none_acceptable=each.judgment.none_acceptable,
                        strength=each.judgment.strength,
                        comment=each.judgment.comment,
                        created_at=each.judgment.created_at,
                    )
                    for each in told
                ],
                conflict=one.disagreement.conflict,
                adjudicated=None if one.adjudication is None else str(one.adjudication),
            )
        )
    return Page(items=items, next=cursor)


@router.post("/projects/{project}/adjudications", status_code=201)
def adjudicate(project: ProjectDep, body: AdjudicationIn, session: SessionDep, caller: Admin) -> JudgmentOut:
    """Decide a set as an admin. Undoing this judgment lets those that it set aside stand again."""
    judgment = adjudications.adjudicate(
        session,
        project,
        set_key=body.set_key,
        shown=body.completions,
        verdict=Verdict(ranks=body.ranks, none_acceptable=body.none_acceptable, comment=body.comment),
        set_aside=body.set_aside,
        by=caller.user.id,
        at=datetime.now(UTC),
    )
    return out(session, [review.find(session, judgment.id)])[0]
