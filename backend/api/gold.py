"""Gold over HTTP: comparisons whose answer is known. For admins only."""

import uuid
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Query
from pydantic import Field, model_validator

from backend.api.comparisons import PromptRef, prompt_ref
from backend.api.corpus import ModelRef
from backend.api.deps import Admin, AdminReader, SessionDep
from backend.api.judgments import Ranks
from backend.api.projects import ProjectDep
from backend.api.wire import After, Body, Id, IdStr, Limit, Page, Time, Wire, paginate
from backend.services import gold
from backend.tables import Gold, Prompt

router = APIRouter(tags=["gold"])

Use = Literal["check", "practice", "qualification"]
Explanation = Annotated[str, Field(max_length=10_000, description="shown after practice, with what was right")]


class GoldIn(Body):
    """A known answer: ranks in the order of `completions` (or of the comparison they are taken from)."""

    prompt: Id | None = None
    completions: list[Id] = Field(default_factory=list, max_length=9)
    comparison: Id | None = None
    ranks: Ranks | None = None
    none_acceptable: bool = False
    use: Use
    explanation: Explanation = ""

    @model_validator(mode="after")
    def _one_answer(self) -> "GoldIn":
        if (self.ranks is None) != self.none_acceptable:
            raise ValueError("give either ranks or 'none is acceptable'")
        return self


class GoldPatch(Body):
    """What to change; fields left out stay."""

    ranks: Ranks | None = None
    none_acceptable: bool | None = None
    use: Use | None = None
    explanation: Explanation | None = None
    retired: bool | None = None

    @model_validator(mode="after")
    def _one_answer(self) -> "GoldPatch":
        if self.ranks is not None and self.none_acceptable:
            raise ValueError("give either ranks or 'none is acceptable'")
        if self.ranks is None and self.none_acceptable is False:
            raise ValueError("give the ranks that are right")
        return self


class GoldCompletion(Wire):
    """A completion of a known answer."""

    id: IdStr
    model: ModelRef
    text: str


class GoldOut(Wire):
    """A comparison whose answer is known, and how it was answered by those whose answer stands."""

    id: IdStr
    prompt: PromptRef
    completions: list[GoldCompletion]
    ranks: list[int] | None
    none_acceptable: bool
    use: Use
    explanation: str
    answers: int
    right_share: float | None
    created_at: Time
    retired_at: Time | None


def _out(session: SessionDep, rows: list[Gold]) -> list[GoldOut]:
    answers = gold.answers(session, [row.id for row in rows])
    shown = gold.completions(session, rows)
    found: list[GoldOut] = []
    for row in rows:
        completions = [
            GoldCompletion(
                id=str(id), model=ModelRef(id=str(shown[id].model_id), name=shown[id].model), text=shown[id].text
            )
            for id in row.completions
        ]
        found.append(
            GoldOut(
                id=str(row.id),
                prompt=prompt_ref(session.get_one(Prompt, row.prompt_id)),
                completions=completions,
                ranks=row.ranks,
                none_acceptable=row.ranks is None,
                use=cast(Use, row.use),
                explanation=row.explanation,
                answers=answers[row.id].answers,
                right_share=answers[row.id].right_share,
                created_at=row.created_at,
                retired_at=row.retired_at,
            )
        )
    return found


@router.get("/projects/{project}/gold")
def list_gold(
    project: ProjectDep,
    session: SessionDep,
    caller: AdminReader,
    after: After = None,
    limit: Limit = 50,
    use: Annotated[Use | None, Query(description="only what is used for this")] = None,
) -> Page[GoldOut]:
    """Comparisons whose answer is known, newest first."""
    rows, cursor = paginate(session, gold.listed(project, use), key=Gold.id, after=after, limit=limit)
    return Page(items=_out(session, rows), next=cursor)


@router.post("/projects/{project}/gold", status_code=201)
def add_gold(project: ProjectDep, body: GoldIn, session: SessionDep, caller: Admin) -> GoldOut:
    """Keep the known answer to completions of one prompt, or to those of a comparison that was handed out."""
    made = gold.create(
        session,
        project,
        ranks=body.ranks,
        use=body.use,
        completions=body.completions,
        comparison_id=body.comparison,
        prompt_id=body.prompt,
        explanation=body.explanation,
        by=caller.user.id,
    )
    return _out(session, [made])[0]


@router.patch("/gold/{gold_id}")
def change_gold(gold_id: uuid.UUID, body: GoldPatch, session: SessionDep, caller: Admin) -> GoldOut:
    """Put a known answer right, use it for something else, explain it, retire it or bring it back."""
    changes: dict[str, Any] = {
        name: value for name in ("use", "explanation", "retired") if (value := getattr(body, name)) is not None
    }
    if body.ranks is not None or body.none_acceptable:
        changes["ranks"] = body.ranks
    return _out(session, [gold.change(session, gold_id, changes)])[0]
