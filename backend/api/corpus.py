"""Prompts, completions and models over HTTP. For admins: an annotator must not learn which model wrote what."""

import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import JSONB

from backend.api.deps import Admin, AdminReader, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import After, Body, Id, IdStr, Limit, Page, Time, Wire, paginate, paginate_rows
from backend.domain.training.base import KEY_VARIABLE, KEY_VARIABLE_HELP
from backend.errors import NotFound
from backend.services import corpus, rating_lists
from backend.tables import Checkpoint, Completion, CompletionRating, Judgment, Model, Prompt

router = APIRouter(tags=["corpus"])


class MessageOut(Wire):
    """One turn of a conversation."""

    role: str
    content: str


class ModelRef(Wire):
    """A model, as other things name it."""

    id: IdStr
    name: str


class PromptOut(Wire):
    """A prompt and how much of it is answered and judged."""

    id: IdStr
    messages: list[MessageOut]
    completions: int
    judgments: int
    created_at: Time


class CompletionOut(Wire):
    """A completion, with its ratings among those of its prompt once it was judged.

    `rating` is Elo. `bradley_terry` and `standard_error` are a posterior in Elo points, as the distance from the
    prompt's mean; `best` is the chance of being the best. Completions of different `component`s were never compared,
    not even through others.
    """

    id: IdStr
    prompt: IdStr
    text: str
    model: ModelRef
    rating: float | None
    bradley_terry: float | None
    standard_error: float | None
    best: float | None
    component: int | None
    judgments: int
    finish_reason: str | None
    sampling: dict[str, Any] | None
    created_at: Time


class DuelOut(Wire):
    """How often completion `a` won against `b` in the ratings (a tie is half for both), in how many judgments."""

    a: IdStr
    b: IdStr
    wins: float
    judgments: int


class PromptDetail(PromptOut):
    """A prompt with its completions, best first, and every pair of them that was compared."""

    completions: list[CompletionOut]  # type: ignore[assignment]
    duels: list[DuelOut]


class HubSource(Body):
    """A repository on a Hub."""

    kind: Literal["hub"]
    repo: str = Field(min_length=1, max_length=200)
    revision: str | None = Field(default=None, max_length=200)


class FolderSource(Body):
    """A folder on the workers' machine."""

    kind: Literal["folder"]
    path: str = Field(min_length=1, max_length=4096)


class EndpointSource(Body):
    """An OpenAI-style endpoint; the key is read from the worker's environment, never stored here."""

    kind: Literal["endpoint"]
    url: str = Field(pattern=r"^https?://", max_length=2000)
    model: str = Field(min_length=1, max_length=200)
    api_key_env: str | None = Field(default=None, pattern=KEY_VARIABLE, max_length=100, description=KEY_VARIABLE_HELP)


class ImportedSource(Body):
    """Only its answers are known."""

    kind: Literal["imported"]


Source = Annotated[HubSource | FolderSource | EndpointSource | ImportedSource, Field(discriminator="kind")]


class ModelIn(Body):
    """A model to register."""

    name: str = Field(min_length=3, max_length=200)
    source: Source


class ModelOut(Wire):
    """An entry of the model registry."""

    id: IdStr
    name: str
    source: dict[str, Any]
    checkpoint: IdStr | None
    created_at: Time


def _completion(completion: Completion, name: str, rating: CompletionRating | None) -> CompletionOut:
    return CompletionOut(
        id=str(completion.id),
        prompt=str(completion.prompt_id),
        text=completion.text,
        model=ModelRef(id=str(completion.model_id), name=name),
        rating=rating and rating.elo,
        bradley_terry=rating and rating.bradley_terry,
        standard_error=rating and rating.standard_error,
        best=rating and rating.best,
        component=rating and rating.component,
        judgments=rating.judgments if rating else 0,
        finish_reason=completion.finish_reason,
        sampling=completion.sampling,
        created_at=completion.created_at,
    )


def _judged() -> Any:
    return select(func.count()).where(Judgment.prompt_id == Prompt.id, Judgment.stands).scalar_subquery()


@router.get("/projects/{project}/prompts")
def list_prompts(
    project: ProjectDep,
    session: SessionDep,
    caller: AdminReader,
    after: After = None,
    limit: Limit = 50,
    q: Annotated[str | None, Query(max_length=200, description="only prompts that contain this text")] = None,
) -> Page[PromptOut]:
    """A project's prompts, newest first."""
    query = select(Prompt, _judged()).where(Prompt.project_id == project.id)
    if q:
        # In what was said, not in the JSON around it.
        message = func.jsonb_array_elements(Prompt.messages, type_=JSONB).column_valued("message")
        said = select(message).where(message["content"].astext.icontains(q, autoescape=True))
        query = query.where(said.exists())
    rows, cursor = paginate_rows(session, query, key=Prompt.id, after=after, limit=limit)
    items = [PromptOut.model_validate({**prompt.__dict__, "judgments": judged}) for prompt, judged, _ in rows]
    return Page(items=items, next=cursor)


@router.get("/projects/{project}/prompts/{prompt_id}")
def read_prompt(project: ProjectDep, prompt_id: uuid.UUID, session: SessionDep, caller: AdminReader) -> PromptDetail:
    """A prompt with its completions, best first."""
    row = session.execute(
        select(Prompt, _judged()).where(Prompt.id == prompt_id, Prompt.project_id == project.id)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such prompt in this project.")
    prompt, judged = row
    completions = [_completion(*found) for found in corpus.prompt_completions(session, prompt.id)]
    duels = [DuelOut.model_validate(duel) for duel in rating_lists.duels(session, project.id, prompt.id)]
    return PromptDetail.model_validate(
        {**prompt.__dict__, "judgments": judged, "completions": completions, "duels": duels}
    )


@router.get("/projects/{project}/completions")
def list_completions(
    project: ProjectDep,
    session: SessionDep,
    caller: AdminReader,
    after: After = None,
    limit: Limit = 50,
    prompt: uuid.UUID | None = None,
    model: Annotated[str | None, Query(max_length=200, description="name or id")] = None,
) -> Page[CompletionOut]:
    """Completions, newest first."""
    query = (
        select(Completion, Model.name, CompletionRating)
        .join(Model, Model.id == Completion.model_id)
        .outerjoin(CompletionRating, CompletionRating.completion_id == Completion.id)
        .where(Completion.project_id == project.id)
    )
    if prompt is not None:
        query = query.where(Completion.prompt_id == prompt)
    if model is not None:
        query = query.where(Completion.model_id == corpus.resolve_model(session, model).id)
    rows, cursor = paginate_rows(session, query, key=Completion.id, after=after, limit=limit)
    return Page(items=[_completion(*row[:3]) for row in rows], next=cursor)


def _model(model: Model, checkpoint: uuid.UUID | None) -> ModelOut:
    return ModelOut.model_validate({**model.__dict__, "checkpoint": checkpoint})


@router.post("/models", status_code=201)
def register_model(body: ModelIn, session: SessionDep, caller: Admin) -> ModelOut:
    """Register a model from a Hub, a folder, behind an endpoint, or known by its answers only."""
    source = body.source.model_dump(mode="json", exclude_none=True)
    return _model(corpus.register_model(session, name=body.name, source=source, created_by=caller.user.id), None)


@router.get("/models")
def list_models(
    session: SessionDep, caller: AdminReader, after: After = None, limit: Limit = 50, usable: bool = False
) -> Page[ModelOut]:
    """The model registry, newest first; `usable` leaves out those known by their answers only."""
    query = select(Model)
    if usable:
        query = query.where(Model.source["kind"].astext != "imported")
    rows, cursor = paginate(session, query, key=Model.id, after=after, limit=limit)
    found = session.execute(
        select(Checkpoint.model_id, Checkpoint.id).where(Checkpoint.model_id.in_([row.id for row in rows]))
    )
    checkpoints = dict(found.all())
    return Page(items=[_model(row, checkpoints.get(row.id)) for row in rows], next=cursor)


@router.get("/models/{model_id}")
def read_model(model_id: Id, session: SessionDep, caller: AdminReader) -> ModelOut:
    """One model."""
    model = corpus.resolve_model(session, str(model_id))
    return _model(model, session.scalar(select(Checkpoint.id).where(Checkpoint.model_id == model.id)))
