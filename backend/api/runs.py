"""Runs over HTTP: what can be launched, launching, watching, stopping and resuming. For admins only."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.api.deps import Admin, AdminReader, SessionDep, StreamSessionDep
from backend.api.wire import After, Body, IdStr, Limit, Page, Time, Wire, paginate
from backend.domain import progress
from backend.domain.formats import tensorboard
from backend.domain.runs import Action, State, actions
from backend.domain.training import CONFIGS
from backend.domain.training.forms import FORMS
from backend.services import projects, run_inputs, run_records, runs
from backend.tables import Checkpoint, Project, Run, User

router = APIRouter(tags=["runs"])

Since = Annotated[int, Query(ge=-1, lt=2**53, description="Only what comes after this; `next_after` of the last call.")]
Rows = Annotated[int, Query(ge=1, le=1000)]
# A sample may carry the numbers of each of its tokens.
SampleRows = Annotated[int, Query(ge=1, le=200)]


class RunForm(Wire):
    """How the form is laid out; see `backend/domain/training/forms.py`."""

    first: list[str]
    groups: dict[str, list[str]]
    only: dict[str, dict[str, list[str | None]]]
    sets: dict[str, dict[str, dict[str, str | int]]]


class RunKind(Wire):
    """A kind of run, and the JSON schema of its config, from which the form is drawn."""

    kind: str
    title: str
    description: str
    config_schema: dict[str, Any] = Field(alias="schema")
    form: RunForm
    needs: list[str] = Field(description="What must be there first: a model, a reward_set, documents, prompts ...")


class RunKinds(Wire):
    """All of them, in the order of the flow."""

    items: list[RunKind]


class RunIn(Body):
    """What to launch. The config is checked by the class of its kind; see `GET /run-kinds`."""

    project: str = Field(min_length=1, max_length=100, description="id or slug")
    kind: str = Field(min_length=1, max_length=40)
    config: dict[str, Any] = Field(default_factory=dict)
    name: str | None = Field(default=None, max_length=120)


class RunAccepted(Wire):
    """The queued run."""

    id: IdStr


class ProjectRef(Wire):
    """The project a run belongs to."""

    id: IdStr
    slug: str
    name: str


class RunProgress(Wire):
    """Where a run stands; the total is null when unknown."""

    step: int
    total: int | None
    phase: str | None


class WarningOut(Wire):
    """Something that a rule found at a step."""

    step: int
    rule: str
    message: str


class RunOut(Wire):
    """One piece of long work. `eta_s` is null until a pace is known; `moves` is what may be asked of it now."""

    id: IdStr
    project: ProjectRef | None
    kind: str
    name: str
    state: State
    config: dict[str, Any]
    seed: int
    attempt: int
    progress: RunProgress | None
    message: str | None
    warnings: list[WarningOut]
    result: dict[str, Any] | None
    inputs: dict[str, Any] | None
    environment: dict[str, Any] | None
    eta_s: float | None
    checkpoint: IdStr | None
    created_by: str | None = Field(description="The name of who launched it.")
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    heartbeat_at: Time | None
    cancel_requested: bool
    moves: list[Action]


class MetricsOut(Wire):
    """The numbers of one step, by name."""

    step: int
    values: dict[str, float | None]
    at: Time


class MetricsPage(Wire):
    """Steps in order; ask again with `next_after`."""

    items: list[MetricsOut]
    next_after: int


class SampleMessage(Wire):
    """One turn of the prompt."""

    role: str
    content: str


class SampleOut(Wire):
    """A text made during the run, with its numbers and, where known, those of each token."""

    id: int
    step: int
    prompt: list[SampleMessage]
    completion: str
    values: dict[str, Any]
    tokens: list[dict[str, Any]] | None


class SamplesPage(Wire):
    """Samples in the order they came; ask again with `next_after`."""

    items: list[SampleOut]
    next_after: int


class SampleSteps(Wire):
    """Steps in order, each once; ask again with `next_after`. One that was there may come again, with more samples."""

    items: list[int]
    next_after: int


class LogLine(Wire):
    """A line that the run's process wrote."""

    id: int
    at: Time
    line: str


class LogPage(Wire):
    """Lines in the order they came; ask again with `next_after`."""

    items: list[LogLine]
    next_after: int


@router.get("/run-kinds")
def list_run_kinds(caller: AdminReader) -> RunKinds:
    """What can be launched, and what each kind asks."""
    return RunKinds(
        items=[
            RunKind(
                kind=kind,
                title=config.title,
                description=config.description,
                schema=config.model_json_schema(),
                form=RunForm.model_validate(asdict(FORMS[kind])),
                needs=run_inputs.needs(kind, config),
            )
            for kind, config in CONFIGS.items()
        ]
    )


@router.post("/runs", status_code=202)
def launch_run(body: RunIn, session: SessionDep, caller: Admin) -> RunAccepted:
    """Queue a run; a worker takes it within moments when one is free."""
    project = projects.find(session, body.project)
    run = runs.launch(
        session, project=project, kind=body.kind, config=body.config, name=body.name, created_by=caller.user.id
    )
    return RunAccepted(id=str(run.id))


@router.get("/runs")
def list_runs(
    session: SessionDep,
    caller: AdminReader,
    project: Annotated[str | None, Query(max_length=100, description="id or slug")] = None,
    state: State | None = None,
    kind: Annotated[str | None, Query(max_length=40)] = None,
    name: Annotated[str | None, Query(max_length=120, description="part of the name, in any case")] = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[RunOut]:
    """Runs, newest first."""
    project_id = projects.find(session, project).id if project is not None else None
    rows, cursor = paginate(session, runs.all_of(project_id, state, kind, name), key=Run.id, after=after, limit=limit)
    return Page(items=_out(session, rows), next=cursor)


@router.get("/runs/{id}")
def get_run(id: uuid.UUID, session: SessionDep, caller: AdminReader) -> RunOut:
    """One run as it stands."""
    return _one(session, runs.find(session, id))


@router.get("/runs/{id}/metrics")
def list_run_metrics(
    id: uuid.UUID, session: SessionDep, caller: AdminReader, after: Since = -1, limit: Rows = 1000
) -> MetricsPage:
    """Numbers of the steps after `after`."""
    rows = run_records.metrics_after(session, runs.find(session, id).id, after, limit)
    items = [MetricsOut(step=row.step, values=row.values, at=row.created_at) for row in rows]
    return MetricsPage(items=items, next_after=items[-1].step if items else after)


@router.get("/runs/{id}/tensorboard", response_class=StreamingResponse)
def save_run_for_tensorboard(id: uuid.UUID, session: StreamSessionDep, caller: AdminReader) -> StreamingResponse:
    """All numbers of a run as an event file. TensorBoard calls a run as the folder that the file is put into."""
    run = runs.find(session, id)
    began = (run.started_at or run.created_at).timestamp()
    # TensorBoard reads files of such a name only.
    headers = {"Content-Disposition": f'attachment; filename="events.out.tfevents.{began:.0f}.{run.id}"'}
    content = tensorboard.events(began, run_records.curves(session, run.id))
    return StreamingResponse(content, media_type=tensorboard.MEDIA_TYPE, headers=headers)


@router.get("/runs/{id}/samples")
def list_run_samples(
    id: uuid.UUID,
    session: SessionDep,
    caller: AdminReader,
    after: Since = -1,
    limit: SampleRows = 200,
    step: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
) -> SamplesPage:
    """Samples after the one with the id `after`, of one step or of all."""
    rows = run_records.samples_after(session, runs.find(session, id).id, after, limit, step)
    items = [SampleOut.model_validate(row) for row in rows]
    return SamplesPage(items=items, next_after=items[-1].id if items else after)


@router.get("/runs/{id}/sample-steps")
def list_run_sample_steps(
    id: uuid.UUID, session: SessionDep, caller: AdminReader, after: Since = -1, limit: Rows = 1000
) -> SampleSteps:
    """The steps that have samples after the one with the id `after`, in the order in which they were stored."""
    steps, last = run_records.sample_steps_after(session, runs.find(session, id).id, after, limit)
    return SampleSteps(items=steps, next_after=last)


@router.get("/runs/{id}/log")
def list_run_log(
    id: uuid.UUID, session: SessionDep, caller: AdminReader, after: Since = -1, limit: Rows = 1000
) -> LogPage:
    """Log lines after the one with the id `after`."""
    rows = run_records.log_after(session, runs.find(session, id).id, after, limit)
    items = [LogLine(id=row.id, at=row.created_at, line=row.line) for row in rows]
    return LogPage(items=items, next_after=items[-1].id if items else after)


@router.post("/runs/{id}/cancel")
def cancel_run(id: uuid.UUID, session: SessionDep, caller: Admin) -> RunOut:
    """A queued run is cancelled at once; a running one saves its state first."""
    return _one(session, runs.cancel(session, id))


@router.post("/runs/{id}/resume", status_code=202)
def resume_run(id: uuid.UUID, session: SessionDep, caller: Admin) -> RunOut:
    """Queue a failed or cancelled run again, from its saved state if there is one."""
    return _one(session, runs.resume(session, id))


def _one(session: Session, run: Run) -> RunOut:
    return _out(session, [run])[0]


def _out(session: Session, rows: Sequence[Run]) -> list[RunOut]:
    """Runs with the names of what they point at, in a query each."""
    ids = [run.id for run in rows]
    found = session.scalars(select(Project).where(Project.id.in_({run.project_id for run in rows})))
    by_project = {project.id: project for project in found}
    made = dict(session.execute(select(Checkpoint.run_id, Checkpoint.id).where(Checkpoint.run_id.in_(ids))).all())
    people = select(User.id, User.name).where(User.id.in_({run.created_by for run in rows}))
    names = dict(session.execute(people).all())
    left = runs.seconds_left(session, rows)
    return [_wire(run, by_project, made, names, left.get(run.id)) for run in rows]


def _wire(
    run: Run,
    by_project: dict[uuid.UUID, Project],
    made: dict[uuid.UUID, uuid.UUID],
    names: dict[uuid.UUID, str],
    eta_s: float | None,
) -> RunOut:
    project = by_project.get(run.project_id) if run.project_id else None
    checkpoint = made.get(run.id)
    requested = run.cancel_requested_at is not None and run.state == "running"
    return RunOut.model_validate(
        {
            **{column.key: getattr(run, column.key) for column in Run.__table__.columns},
            "project": ProjectRef.model_validate(project) if project else None,
            "progress": progress.shown(run.progress),
            "eta_s": eta_s,
            "checkpoint": str(checkpoint) if checkpoint else None,
            "created_by": names.get(run.created_by) if run.created_by else None,
            "cancel_requested": requested,
            "moves": actions(run.state, requested),
        }
    )
