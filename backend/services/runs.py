"""Runs: launching, claiming, keeping alive, ending, and bringing back what was lost.

The database is the queue. A claim is one conditional UPDATE that raises `attempt`; from then on every write of the
worker names its attempt, and one that no longer owns the run is refused with `Superseded`. All times are the
database's own, so that no two machines' clocks are ever compared. The moves follow `backend.domain.runs.MOVES`.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, delete, func, or_, select, text, update
from sqlalchemy.orm import Session

from backend.domain import progress
from backend.domain.runs import LIVE, check_action
from backend.domain.training import read_config
from backend.errors import Conflict, NotFound
from backend.services import run_inputs
from backend.tables import Project, Run, RunMetrics, RunSample

RING_AGAIN_S = 5.0
LONGEST_RING_PAUSE_S = 60.0
MESSAGE_LENGTH = 4000
STORING = "storing"

# The database's clock at this statement; `now()` would be that of the transaction's start.
_now = func.clock_timestamp


class Superseded(Conflict):
    """This attempt no longer owns the run: it was lost and somebody else took it, or it ended."""

    def __init__(self, run_id: uuid.UUID, attempt: int) -> None:
        super().__init__(f"Attempt {attempt} does not own the run {run_id} any more.")


# --- what people ask for --------------------------------------------------------------------------------------------


def launch(
    session: Session,
    *,
    project: Project,
    kind: str,
    config: dict[str, Any],
    name: str | None = None,
    created_by: uuid.UUID | None = None,
) -> Run:
    """Queue a run. Raises Invalid, with the field at fault, for a config that could never succeed."""
    checked = read_config(kind, config)
    inputs = run_inputs.resolve(session, project, kind, checked)
    if name is None or not name.strip():
        earlier = session.scalar(select(func.count()).where(Run.project_id == project.id, Run.kind == kind)) or 0
        name = f"{kind.replace('_', ' ')} {earlier + 1}"
    run = Run(
        project_id=project.id,
        kind=kind,
        name=name.strip(),
        state="queued",
        config=checked.model_dump(mode="json"),
        seed=checked.seed,
        inputs=inputs,
        created_by=created_by,
    )
    session.add(run)
    session.flush()
    session.refresh(run)
    return run


def find(session: Session, run_id: uuid.UUID) -> Run:
    """The run. Raises NotFound."""
    run = session.get(Run, run_id)
    if run is None:
        raise NotFound("There is no such run.")
    return run


def all_of(
    project_id: uuid.UUID | None = None, state: str | None = None, kind: str | None = None, name: str | None = None
) -> Select[Run]:
    """The runs that a list shows; `name` is a part of theirs, in any case."""
    query = select(Run)
    for column, value in ((Run.project_id, project_id), (Run.state, state), (Run.kind, kind)):
        if value is not None:
            query = query.where(column == value)
    return query if name is None else query.where(Run.name.icontains(name, autoescape=True))


def cancel(session: Session, run_id: uuid.UUID) -> Run:
    """A queued run is cancelled at once; a running one is asked to save its state and stop."""
    queued = Run.state == "queued"
    moved = session.execute(
        update(Run)
        .where(Run.id == run_id, Run.state.in_(LIVE), Run.cancel_requested_at.is_(None))
        .values(
            state=case((queued, "cancelled"), else_=Run.state),
            finished_at=case((queued, _now()), else_=None),
            message=case((queued, "Cancelled before it started."), else_=Run.message),
            cancel_requested_at=_now(),
        )
        .execution_options(synchronize_session=False)
        .returning(Run.id)
    ).first()
    run = _fresh(session, run_id)
    if moved is None:
        check_action("cancel", run.state, run.cancel_requested_at is not None)
    return run


def resume(session: Session, run_id: uuid.UUID) -> Run:
    """Queue a failed or cancelled run again; it goes on from its saved state, or from the start if there is none."""
    moved = session.execute(
        update(Run)
        .where(Run.id == run_id, Run.state.in_(("failed", "cancelled")))
        .values(
            state="queued",
            lost=0,
            message=None,
            finished_at=None,
            cancel_requested_at=None,
            rang_at=None,
            heartbeat_at=None,
            worker=None,
        )
        .execution_options(synchronize_session=False)
        .returning(Run.id)
    ).first()
    run = _fresh(session, run_id)
    if moved is None:
        check_action("resume", run.state)
    return run


def seconds_left(session: Session, runs: Sequence[Run]) -> dict[uuid.UUID, float | None]:
    """How long each of the running runs will still take."""
    running = [run for run in runs if run.state == "running"]
    if not running:
        return {}
    now = session.scalars(select(_now())).one().timestamp()
    return {run.id: progress.seconds_left(run.progress, now) for run in running}


# --- what a worker does ---------------------------------------------------------------------------------------------


def claim(session: Session, run_id: uuid.UUID, worker: str) -> Run | None:
    """Take a queued run; None when it is not queued (any more), which is how a second ring does nothing."""
    row = session.execute(
        update(Run)
        .where(Run.id == run_id, Run.state == "queued")
        .values(
            state="running",
            attempt=Run.attempt + 1,
            worker=worker,
            message=None,
            heartbeat_at=_now(),
            started_at=func.coalesce(Run.started_at, _now()),
        )
        .execution_options(synchronize_session=False)
        .returning(Run.id)
    ).first()
    return None if row is None else _fresh(session, run_id)


def begin(session: Session, run_id: uuid.UUID, attempt: int, *, fresh: bool, environment: Mapping[str, Any]) -> None:
    """Note where an attempt begins; what an earlier attempt reported goes when this one starts from nothing."""
    run = _owned(session, run_id, attempt)
    if fresh:
        session.execute(delete(RunMetrics).where(RunMetrics.run_id == run_id))
        session.execute(delete(RunSample).where(RunSample.run_id == run_id))
        run.warnings = []
    run.progress = progress.restarted(run.progress, fresh=fresh)
    run.environment = dict(environment)
    session.flush()


def note_inputs(session: Session, run_id: uuid.UUID, attempt: int, found: Mapping[str, Any]) -> Run:
    """Add to what the run says it read."""
    run = _owned(session, run_id, attempt)
    run.inputs = {**(run.inputs or {}), **found}
    session.flush()
    return run


def note_storing(session: Session, run_id: uuid.UUID, attempt: int, key: str) -> None:
    """Say under which key the output is about to be stored, so that a later attempt can remove it if this one dies."""
    run = _owned(session, run_id, attempt)
    run.environment = {**(run.environment or {}), STORING: key}
    session.flush()


def beat(session: Session, run_id: uuid.UUID, attempt: int) -> bool:
    """Say that the attempt lives; returns whether a person has asked it to stop. Raises Superseded."""
    row = session.execute(
        update(Run)
        .where(*_ownership(run_id, attempt))
        .values(heartbeat_at=_now())
        .execution_options(synchronize_session=False)
        .returning(Run.cancel_requested_at)
    ).first()
    if row is None:
        raise Superseded(run_id, attempt)
    return row[0] is not None


def succeed(session: Session, run_id: uuid.UUID, attempt: int, result: Mapping[str, Any]) -> Run:
    """End a run well. The row stays locked until the commit, so what is stored with it happens once."""
    return _leave(session, run_id, attempt, state="succeeded", result=dict(result), finished_at=_now(), message=None)


def fail(session: Session, run_id: uuid.UUID, attempt: int, message: str) -> Run:
    """End a run with a plain sentence of what went wrong."""
    return _leave(session, run_id, attempt, state="failed", message=message[:MESSAGE_LENGTH], finished_at=_now())


def stopped(session: Session, run_id: uuid.UUID, attempt: int) -> Run:
    """End a run that a person asked to stop."""
    run = _owned(session, run_id, attempt)
    reached = progress.shown(run.progress)
    message = f"Cancelled at step {reached['step']}." if reached else "Cancelled."
    return _leave(session, run_id, attempt, state="cancelled", message=message, finished_at=_now())


def release(session: Session, run_id: uuid.UUID, attempt: int) -> Run:
    """Give a run back to the queue because its worker stops; a run that was asked to stop ends here instead."""
    asked = Run.cancel_requested_at.is_not(None)
    return _leave(
        session,
        run_id,
        attempt,
        state=case((asked, "cancelled"), else_="queued"),
        message=case((asked, "Cancelled."), else_="Its worker was stopped; the run goes on from its saved state."),
        finished_at=case((asked, _now()), else_=None),
        heartbeat_at=None,
        rang_at=None,
        worker=None,
    )


# --- what the dispatcher does ---------------------------------------------------------------------------------------


def requeue_lost(session: Session, *, lost_after_s: float, attempts: int, limit: int = 100) -> list[Run]:
    """Runs whose heart stopped go back to the queue; one that keeps killing its workers, saving nothing, has failed.

    `lost` counts the losses since a state was last saved further than before.
    """
    rows = session.scalars(
        select(Run)
        .where(Run.state == "running", Run.heartbeat_at < _now() - timedelta(seconds=lost_after_s))
        .order_by(Run.heartbeat_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    now = session.scalars(select(_now())).one() if rows else None
    for run in rows:
        run.lost += 1
        run.worker = None
        run.rang_at = None
        if run.cancel_requested_at is not None:
            run.state, run.finished_at = "cancelled", now
            run.message = "Cancelled; its worker was lost before it could stop by itself."
        elif run.lost >= attempts:
            run.state, run.finished_at = "failed", now
            run.message = (
                f"Its worker was lost {run.lost} times without the run getting any further. Most often the machine "
                "ran out of memory: look at the worker's log, make the run smaller, then launch or resume it."
            )
        else:
            run.state = "queued"
            run.message = "Its worker was lost; the run goes on from its saved state."
    session.flush()
    return list(rows)


def to_ring(session: Session, limit: int = 100) -> list[uuid.UUID]:
    """Queued runs that were not rung lately, oldest first; they count as rung from now on.

    A run that has waited long is rung less often (a tenth of its age, at most each minute), so that a long queue
    does not fill the broker with messages.
    """
    pause = func.least(
        LONGEST_RING_PAUSE_S, func.greatest(RING_AGAIN_S, func.extract("epoch", _now() - Run.created_at) / 10)
    )
    due = or_(Run.rang_at.is_(None), Run.rang_at < _now() - pause * text("interval '1 second'"))
    ids = session.scalars(
        select(Run.id)
        .where(and_(Run.state == "queued", due))
        .order_by(Run.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if ids:
        session.execute(
            update(Run).where(Run.id.in_(ids)).values(rang_at=_now()).execution_options(synchronize_session=False)
        )
    return list(ids)


# --- ownership ------------------------------------------------------------------------------------------------------


def _ownership(run_id: uuid.UUID, attempt: int) -> tuple[ColumnElement[bool], ...]:
    return (Run.id == run_id, Run.attempt == attempt, Run.state == "running")


def _owned(session: Session, run_id: uuid.UUID, attempt: int) -> Run:
    """The run, locked for this transaction. Raises Superseded."""
    query = select(Run).where(*_ownership(run_id, attempt)).with_for_update()
    run = session.scalar(query.execution_options(populate_existing=True))
    if run is None:
        raise Superseded(run_id, attempt)
    return run


def _leave(session: Session, run_id: uuid.UUID, attempt: int, **values: Any) -> Run:
    moved = session.execute(
        update(Run)
        .where(*_ownership(run_id, attempt))
        .values(**values)
        .execution_options(synchronize_session=False)
        .returning(Run.id)
    ).first()
    if moved is None:
        raise Superseded(run_id, attempt)
    return _fresh(session, run_id)


def _fresh(session: Session, run_id: uuid.UUID) -> Run:
    run = session.get(Run, run_id, populate_existing=True)
    if run is None:
        raise NotFound("There is no such run.")
    return run
