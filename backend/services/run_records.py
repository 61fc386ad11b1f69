"""What a run reports while it works: progress, metrics, samples and log lines, written in batches and read by pages.

A batch is written under the attempt's ownership (see `backend.services.runs`) and counts as a heartbeat.
"""

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from backend.domain import progress
from backend.services.runs import Superseded
from backend.tables import Run, RunLog, RunMetrics, RunSample


@dataclass(frozen=True, slots=True)
class Sample:
    """A text made at a step, for people to read."""

    step: int
    prompt: list[dict[str, Any]]
    completion: str
    values: Mapping[str, Any]
    tokens: list[dict[str, Any]] | None = None


@dataclass(slots=True)
class Batch:
    """What was reported since the last batch.

    `metrics` holds numbers of a step, which replace those of the same names that were there; samples of the steps in
    `redone` replace those that an earlier attempt left.
    """

    reports: list[tuple[int, int | None, str | None]] = field(default_factory=list)
    saved: int | None = None
    metrics: dict[int, dict[str, Any]] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    redone: set[int] = field(default_factory=set)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(
            self.reports or self.metrics or self.samples or self.warnings or self.lines or self.saved is not None
        )


def write(session: Session, run_id: uuid.UUID, attempt: int, batch: Batch) -> bool:
    """Store a batch; returns whether a person has asked the run to stop. Raises Superseded."""
    row = session.execute(
        update(Run)
        .where(Run.id == run_id, Run.attempt == attempt, Run.state == "running")
        .values(heartbeat_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
        .returning(Run.progress, Run.heartbeat_at, Run.cancel_requested_at, Run.warnings)
    ).first()
    if row is None:
        raise Superseded(run_id, attempt)
    record, at, cancel_requested_at, warnings = row
    changes: dict[str, Any] = {}
    # The reports of one batch share its time: the pace needs only the first and the last of them.
    for step, total, phase in batch.reports[:1] + batch.reports[1:][-1:]:
        record = changes["progress"] = progress.advance(record, step, total, phase, at.timestamp())
    if batch.saved is not None:
        record, further = progress.saved(record, batch.saved)
        changes["progress"] = record
        if further:
            changes["lost"] = 0
    if batch.warnings:
        # A resumed attempt goes through some steps again, and warns again.
        again = {(one["step"], one["rule"]) for one in batch.warnings}
        changes["warnings"] = [one for one in warnings if (one["step"], one["rule"]) not in again] + batch.warnings
    if changes:
        session.execute(
            update(Run).where(Run.id == run_id).values(**changes).execution_options(synchronize_session=False)
        )
    _write_metrics(session, run_id, batch.metrics)
    if batch.redone:
        session.execute(delete(RunSample).where(RunSample.run_id == run_id, RunSample.step.in_(batch.redone)))
    if batch.samples:
        session.execute(
            insert(RunSample),
            [
                {
                    "run_id": run_id,
                    "step": one.step,
                    "prompt": one.prompt,
                    "completion": one.completion,
                    "values": dict(one.values),
                    "tokens": one.tokens,
                }
                for one in batch.samples
            ],
        )
    if batch.lines:
        session.execute(insert(RunLog), [{"run_id": run_id, "line": line} for line in batch.lines])
    return cancel_requested_at is not None


def leave_out_known(session: Session, run_id: uuid.UUID, batch: Batch) -> None:
    """Take out of a batch what is stored already: what was reported twice is written once, and keeps its time."""
    numbers = select(RunMetrics.step, RunMetrics.values).where(
        RunMetrics.run_id == run_id,
        RunMetrics.step.between(min(batch.metrics, default=0), max(batch.metrics, default=-1)),
    )
    for step, values in session.execute(numbers):
        if step in batch.metrics and batch.metrics[step].keys() <= values.keys():
            del batch.metrics[step]
    told = Counter(one.step for one in batch.samples)
    stored = dict(
        session.execute(
            select(RunSample.step, func.count())
            .where(RunSample.run_id == run_id, RunSample.step.in_(told))
            .group_by(RunSample.step)
        ).all()
    )
    batch.redone = {step for step, count in told.items() if stored.get(step, 0) < count}
    batch.samples = [one for one in batch.samples if one.step in batch.redone]
    said = {(one["step"], one["rule"]) for one in session.get_one(Run, run_id).warnings}
    batch.warnings = [one for one in batch.warnings if (one["step"], one["rule"]) not in said]
    batch.lines = [one["message"] for one in batch.warnings]


def _write_metrics(session: Session, run_id: uuid.UUID, metrics: Mapping[int, Mapping[str, Any]]) -> None:
    if not metrics:
        return
    statement = insert(RunMetrics).values(
        [{"run_id": run_id, "step": step, "values": dict(values)} for step, values in sorted(metrics.items())]
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[RunMetrics.run_id, RunMetrics.step],
            set_={
                # A resumed attempt may have only a part of a step's numbers to tell again.
                "values": RunMetrics.values.op("||")(statement.excluded["values"]),
                "created_at": func.clock_timestamp(),
            },
        )
    )


def metrics_after(session: Session, run_id: uuid.UUID, after: int, limit: int) -> Sequence[RunMetrics]:
    """The numbers of the steps after `after`, in order."""
    return session.scalars(
        select(RunMetrics)
        .where(RunMetrics.run_id == run_id, RunMetrics.step > after)
        .order_by(RunMetrics.step)
        .limit(limit)
    ).all()


def curves(session: Session, run_id: uuid.UUID) -> Iterator[tuple[int, float, dict[str, Any]]]:
    """Step, Unix seconds and numbers of every step, in order, some at a time."""
    after = -1
    while rows := metrics_after(session, run_id, after, 1000):
        yield from ((row.step, row.created_at.timestamp(), row.values) for row in rows)
        after = rows[-1].step


def samples_after(
    session: Session, run_id: uuid.UUID, after: int, limit: int, step: int | None = None
) -> Sequence[RunSample]:
    """The samples stored after the one with id `after`, of one step or of all."""
    query = select(RunSample).where(RunSample.run_id == run_id, RunSample.id > after)
    if step is not None:
        query = query.where(RunSample.step == step)
    return session.scalars(query.order_by(RunSample.id).limit(limit)).all()


def sample_steps_after(session: Session, run_id: uuid.UUID, after: int, limit: int) -> tuple[list[int], int]:
    """The steps of the samples stored after the one with id `after`, in the order of their last ones; and the id of the
    very last."""
    last = func.max(RunSample.id)
    found = session.execute(
        select(RunSample.step, last)
        .where(RunSample.run_id == run_id, RunSample.id > after)
        .group_by(RunSample.step)
        .order_by(last)
        .limit(limit)
    ).all()
    return [step for step, _ in found], found[-1][1] if found else after


def log_after(session: Session, run_id: uuid.UUID, after: int, limit: int) -> Sequence[RunLog]:
    """The lines stored after the one with id `after`."""
    return session.scalars(
        select(RunLog).where(RunLog.run_id == run_id, RunLog.id > after).order_by(RunLog.id).limit(limit)
    ).all()


def last_metrics(session: Session, run_id: uuid.UUID) -> dict[str, Any]:
    """The newest value of each metric among the last steps, for a checkpoint to show."""
    rows = session.scalars(
        select(RunMetrics).where(RunMetrics.run_id == run_id).order_by(RunMetrics.step.desc()).limit(50)
    ).all()
    found: dict[str, Any] = {}
    for row in reversed(rows):
        found.update(row.values)
    return found
