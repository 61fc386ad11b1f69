"""Judgments over HTTP as admins read them: all with filters, and one with all that is known of it."""

import uuid
from collections.abc import Sequence
from typing import Any, Literal

from fastapi import APIRouter
from sqlalchemy.orm import Session

from backend.api.comparisons import AnnotatorRef
from backend.api.corpus import MessageOut, ModelRef
from backend.api.deps import AdminReader, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import After, IdStr, Limit, Page, Time, Wire, paginate_rows
from backend.services import gold, review
from backend.services.review import Told
from backend.tables import Gold, Judgment, Prompt

router = APIRouter(tags=["judgments"])


class JudgedCompletion(Wire):
    """A completion in the order it was shown."""

    id: IdStr
    model: ModelRef


class JudgedText(JudgedCompletion):
    """The same with its text."""

    text: str


class JudgmentOut(Wire):
    """A judgment as an admin sees it; `completions` and `ranks` are in the same order."""

    id: IdStr
    comparison: IdStr
    set_key: IdStr
    kind: review.Kind
    annotator: AnnotatorRef
    prompt: IdStr
    completions: list[JudgedCompletion]
    ranks: list[int] | None
    none_acceptable: bool
    strength: int | None
    aspects: dict[str, Any] | None
    comment: str | None
    active_ms: int | None
    gold_right: bool | None
    counted: bool
    reason: str | None
    guidelines_version: int
    created_at: Time
    voided_at: Time | None


class EventOut(Wire):
    """Something that happened to a judgment; `at` is null where the time was not kept."""

    what: Literal["handed_out", "judged", "folded", "flagged", "resolved", "voided", "taken_back", "restored"]
    at: Time | None
    by: AnnotatorRef | None
    reason: str | None


class SpanOut(Wire):
    """A remark on a part of a completion, by its place in the order shown; offsets count code points."""

    completion: int
    start: int | None
    end: int | None
    quote: str
    remark: str


class KnownAnswer(Wire):
    """The answer to a gold comparison, told in the order shown."""

    id: IdStr
    use: str
    ranks: list[int] | None
    explanation: str


class JudgmentDetail(JudgmentOut):
    """A judgment with what it was made of, what others said of the same, and its history.

    `others` are told in the order of this one, those set aside among them. `policy` and `probability`: how the set was
    chosen, and how likely that was.
    """

    messages: list[MessageOut]
    completions: list[JudgedText]  # type: ignore[assignment]  # the same with more
    spans: list[SpanOut]
    ideal_answer: str | None
    policy: str
    probability: float | None
    gold: KnownAnswer | None
    others: list[JudgmentOut]
    history: list[EventOut]


def out(session: Session, judgments: Sequence[Told]) -> list[JudgmentOut]:
    """Judgments with the models behind what was judged."""
    models = review.models_of(session, {id for one in judgments for id in one.shown})
    return [JudgmentOut.model_validate(_fields(one, models)) for one in judgments]


def _fields(one: Told, models: dict[uuid.UUID, tuple[uuid.UUID, str]]) -> dict[str, Any]:
    judgment, comparison = one.judgment, one.comparison
    return {
        **judgment.__dict__,
        "comparison": comparison.id,
        "set_key": comparison.set_key,
        "kind": comparison.kind,
        "annotator": AnnotatorRef(id=str(judgment.annotator_id), name=one.name),
        "prompt": judgment.prompt_id,
        "completions": [
            JudgedCompletion(id=str(id), model=ModelRef(id=str(models[id][0]), name=models[id][1])) for id in one.shown
        ],
        "ranks": one.ranks,
        "aspects": one.aspects,
        "counted": judgment.uncounted_reason is None and judgment.voided_at is None,
        "reason": judgment.uncounted_reason,
    }


@router.get("/projects/{project}/judgments")
def list_judgments(
    project: ProjectDep,
    session: SessionDep,
    caller: AdminReader,
    after: After = None,
    limit: Limit = 50,
    annotator: uuid.UUID | None = None,
    prompt: uuid.UUID | None = None,
    kind: review.Kind | None = None,
    voided: bool | None = None,
    disagreeing: bool | None = None,
) -> Page[JudgmentOut]:
    """Judgments, newest first, with what was voided or not counted. `disagreeing`: of sets ranked in opposite ways."""
    query = review.of_project(
        project, annotator=annotator, prompt=prompt, kind=kind, voided=voided, disagreeing=disagreeing
    )
    rows, cursor = paginate_rows(session, query, key=Judgment.sequence, after=after, limit=limit)
    return Page(items=out(session, [review.told(*row[:3]) for row in rows]), next=cursor)


@router.get("/judgments/{judgment_id}")
def read_judgment(judgment_id: uuid.UUID, session: SessionDep, caller: AdminReader) -> JudgmentDetail:
    """One judgment: what was shown, what was said, what others said of it, and what happened to it."""
    one = review.find(session, judgment_id)
    models = review.models_of(session, one.shown)
    texts = review.texts_of(session, one.shown)
    prompt = session.get_one(Prompt, one.judgment.prompt_id)
    fields = _fields(one, models)
    fields["completions"] = [
        JudgedText(id=shown.id, model=shown.model, text=texts[uuid.UUID(shown.id)]) for shown in fields["completions"]
    ]
    return JudgmentDetail.model_validate(
        {
            **fields,
            "messages": [MessageOut(role=turn["role"], content=turn["content"]) for turn in prompt.messages],
            "spans": one.judgment.spans or [],
            "policy": one.comparison.policy,
            "probability": one.comparison.probability,
            "gold": _known_answer(session, one),
            "others": out(session, review.others(session, one)),
            "history": [
                EventOut(
                    what=event.what,
                    at=event.at,
                    by=event.by and AnnotatorRef(id=str(event.by[0]), name=event.by[1]),
                    reason=event.reason,
                )
                for event in review.history(session, one)
            ],
        }
    )


def _known_answer(session: Session, one: Told) -> KnownAnswer | None:
    known = None if one.comparison.gold_id is None else session.get(Gold, one.comparison.gold_id)
    if known is None:
        return None
    ranks = gold.known_ranks(known, one.comparison)
    return KnownAnswer(
        id=str(known.id), use=known.use, ranks=None if ranks is None else list(ranks), explanation=known.explanation
    )
