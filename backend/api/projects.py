"""Projects over HTTP: make, list, read, change; and how far each is."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.api.deps import Admin, Caller, Reader, SessionDep
from backend.api.wire import After, Body, IdStr, Limit, Page, Time, Wire, paginate
from backend.domain import masks
from backend.domain.judgments import Protocol
from backend.services import projects
from backend.tables import GuidelinesVersion, Project

router = APIRouter(tags=["projects"])

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Share = Annotated[float, Field(ge=0, le=1)]
State = Literal["active", "paused", "closed", "archived"]
SkipsToRetire = Annotated[
    int | None,
    Field(ge=1, le=1000, description="so many people's skips keep a set of completions from all others; null: never"),
]
TargetError = Annotated[
    float | None,
    Field(
        gt=0,
        le=1000,
        description="a prompt is asked about until no completion's standard error is above so many Elo points; "
        "null: as often as the overlap says",
    ),
]
Masks = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=masks.MAX_PHRASE)]],
    Field(max_length=masks.MAX_PHRASES, description="phrases hidden from annotators; `*` is up to 40 characters"),
]


class CountsOut(Wire):
    """How much a project holds."""

    prompts: int
    completions: int
    models: int
    judgments: int
    annotators: int


class ProjectOut(Wire):
    """A preference study."""

    id: IdStr
    slug: str
    name: str
    guidelines: str
    guidelines_version: int
    protocol: Protocol
    overlap: int
    gold_share: float
    repeat_share: float
    random_share: float
    lease_minutes: float
    target_error: float | None
    skips_to_retire: int | None
    masks: list[str]
    qualification_share: float
    people_ranking: bool
    state: State
    created_at: Time
    counts: CountsOut


class ProjectIn(Body):
    """A new project; `name` also makes its slug."""

    name: Name
    guidelines: str = Field(default="", max_length=100_000)
    protocol: Protocol = Field(default_factory=Protocol, strict=False)
    overlap: int = Field(default=1, ge=1, le=1000, description="judgments asked for of each set of completions")
    gold_share: Share = 0.0
    repeat_share: Share = 0.0
    random_share: Share = 0.1
    lease_minutes: float = Field(default=10.0, ge=0.05, le=24 * 60)
    target_error: TargetError = None
    skips_to_retire: SkipsToRetire = None
    masks: Masks = Field(default_factory=list)
    qualification_share: Share = 0.8
    people_ranking: bool = False


class ProjectPatch(Body):
    """What to change; fields left out stay."""

    name: Name | None = None
    guidelines: str | None = Field(default=None, max_length=100_000)
    protocol: Protocol | None = Field(default=None, strict=False)
    overlap: int | None = Field(default=None, ge=1, le=1000)
    gold_share: Share | None = None
    repeat_share: Share | None = None
    random_share: Share | None = None
    lease_minutes: float | None = Field(default=None, ge=0.05, le=24 * 60)
    target_error: TargetError = None
    skips_to_retire: SkipsToRetire = None
    masks: Masks | None = None
    qualification_share: Share | None = None
    people_ranking: bool | None = None
    state: State | None = None


class GuidelinesOut(Wire):
    """The guidelines as they stood."""

    version: int
    text: str
    created_at: Time


def get_project(project: str, caller: Reader, session: SessionDep) -> Project:
    """The project in the path, by id or slug; only people and programs that are known hear whether it exists."""
    return projects.find(session, project)


ProjectDep = Annotated[Project, Depends(get_project, scope="function")]


def shown(session: Session, rows: list[Project], caller: Caller) -> list[ProjectOut]:
    counted = projects.counts(session, [row.id for row in rows])
    # The masks would tell an annotator what they hide.
    sees_masks = caller.user.role == "admin"
    return [
        ProjectOut.model_validate(
            {
                **row.__dict__,
                "masks": row.masks if sees_masks else [],
                "counts": CountsOut.model_validate(counted[row.id]),
            }
        )
        for row in rows
    ]


@router.post("/projects", status_code=201)
def create_project(body: ProjectIn, session: SessionDep, caller: Admin) -> ProjectOut:
    """Start a preference study."""
    fields = {name: getattr(body, name) for name in ProjectIn.model_fields}
    return shown(session, [projects.create(session, **fields, created_by=caller.user.id)], caller)[0]


@router.get("/projects")
def list_projects(
    session: SessionDep,
    caller: Reader,
    after: After = None,
    limit: Limit = 50,
    archived: Annotated[bool, Query(description="those that are archived, too")] = False,
) -> Page[ProjectOut]:
    """All projects, newest first."""
    query = select(Project) if archived else select(Project).where(Project.state != "archived")
    rows, cursor = paginate(session, query, key=Project.id, after=after, limit=limit)
    return Page(items=shown(session, rows, caller), next=cursor)


@router.get("/projects/{project}")
def read_project(project: ProjectDep, session: SessionDep, caller: Reader) -> ProjectOut:
    """One project."""
    return shown(session, [project], caller)[0]


@router.patch("/projects/{project}")
def change_project(project: ProjectDep, body: ProjectPatch, session: SessionDep, caller: Admin) -> ProjectOut:
    """Change a project; new guidelines become a new version of them."""
    changes = {name: getattr(body, name) for name in body.model_fields_set if getattr(body, name) is not None}
    for name in {"skips_to_retire", "target_error"} & body.model_fields_set:
        changes[name] = getattr(body, name)  # null is an answer here: never
    return shown(session, [projects.change(session, project, changes)], caller)[0]


@router.get("/projects/{project}/guidelines")
def list_guidelines(
    project: ProjectDep, session: SessionDep, caller: Reader, after: After = None, limit: Limit = 50
) -> Page[GuidelinesOut]:
    """Every version of the guidelines, newest first."""
    rows, cursor = paginate(
        session, projects.guidelines(project), key=GuidelinesVersion.version, after=after, limit=limit
    )
    return Page(items=[GuidelinesOut.model_validate(row) for row in rows], next=cursor)
