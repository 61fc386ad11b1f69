"""How far a project is, and when it will be done at the pace of the last days."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import mean, median
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from backend.domain.judgments import Protocol
from backend.services import asking
from backend.services.queue import sets_of
from backend.tables import Comparison, Judgment, Project, Prompt

# The pace is that of the last days on which anybody was asked and judged. Days of imports alone are passed over, as
# long as they are not too many.
DAYS_WITH_WORK = 7
ROUNDS = 5
# The time a judgment takes is told from the last so many.
LATEST_TIMES = 1_000


@dataclass(frozen=True)
class Progress:
    """`wanted` is what the overlap asks for in all, `left` what of it is not judged and can still be handed out:
    nothing of prompts that are `settled`."""

    judgments: int
    wanted: int
    left: int
    open_leases: int
    skipped: int
    mine: int
    today: int
    settled: int


@dataclass(frozen=True)
class Forecast:
    """What is left at the pace of the last days that had any judgment; None where nothing tells it.

    `expected_left`: judgments until all is as precise as asked for, by what those so far have taught; None without a
    target. Where it is told, the days and the work are those of so many.
    """

    expected_left: int | None
    judgments_per_day: float | None
    days_left: float | None
    work_ms_left: int | None


def of_project(session: Session, project: Project, annotator_id: uuid.UUID, since: datetime) -> Progress:
    """Counts for the progress bar; `today` are this annotator's judgments since `since`."""
    size = Protocol.model_validate(project.protocol).size
    sets = sets_of(Prompt.completions, size)
    free = (sets - Prompt.sets_retired) * project.overlap - Prompt.handed_out
    wanted, free, settled = session.execute(
        select(
            func.coalesce(func.sum(sets * project.overlap), 0),
            func.coalesce(func.sum(func.greatest(free, 0)).filter(~Prompt.settled), 0),
            func.count().filter(Prompt.settled),
        ).where(Prompt.project_id == project.id, Prompt.completions >= size)
    ).one()
    judgments, mine, today = session.execute(
        select(
            func.count().filter(or_(Judgment.position.is_(None), Judgment.position > 0)),
            func.count().filter(Judgment.annotator_id == annotator_id),
            func.count().filter(Judgment.annotator_id == annotator_id, Judgment.created_at >= since),
        ).where(Judgment.project_id == project.id, Judgment.stands)
    ).one()
    regular = Comparison.kind == "regular"
    leased, to_judge, skipped = session.execute(
        select(
            func.count().filter(Comparison.state == "leased"),
            func.count().filter(Comparison.state == "leased", regular),
            func.count().filter(Comparison.state == "skipped"),
        ).where(Comparison.project_id == project.id, Comparison.state.in_(("leased", "skipped")))
    ).one()
    return Progress(judgments, int(wanted), int(free) + to_judge, leased, skipped, mine, today, settled)


def forecast(session: Session, project: Project, left: int, midnight: datetime) -> Forecast:
    """When the rest will be done; days begin at the hour of `midnight`, which begins today."""
    expected = asking.judgments_left(session, project)
    left = left if expected is None else min(left, expected)
    pace = _per_day(session, project, midnight)
    times = session.scalars(
        _asked_here(Judgment.active_ms, project)
        .where(Judgment.active_ms.is_not(None))
        .order_by(Judgment.created_at.desc())
        .limit(LATEST_TIMES)
    ).all()
    return Forecast(
        expected_left=None if expected is None else left,
        judgments_per_day=pace,
        days_left=0.0 if left == 0 else None if pace is None else left / pace,
        work_ms_left=0 if left == 0 else round(left * median(times)) if times else None,
    )


def _per_day(session: Session, project: Project, midnight: datetime) -> float | None:
    """The mean over the last days with any judgment; today, which is not over, counts only where no other day does."""
    counts: list[int] = []
    end = midnight
    for _ in range(ROUNDS):
        start = _some_days_before(session, project, end)
        if start is None or len(counts) >= DAYS_WITH_WORK:
            break
        counts += _by_day(session, project, start, end)
        end = start
    if counts:
        return mean(counts[:DAYS_WITH_WORK])
    today = session.scalar(_asked_here(func.count(), project).where(Judgment.created_at >= midnight))
    return float(today) if today else None


def _some_days_before(session: Session, project: Project, end: datetime) -> datetime | None:
    """When the last so many days before `end` begin that have any judgment, asked for or not; None where none has.

    Goes back a day at a time by an index, so that a large project is not read as a whole.
    """
    start = None
    for _ in range(DAYS_WITH_WORK):
        latest = session.scalar(
            select(func.max(Judgment.created_at)).where(
                Judgment.project_id == project.id, Judgment.created_at < (start or end)
            )
        )
        if latest is None:
            break
        days = -((latest - end) // timedelta(days=1))  # rounded up
        start = end - timedelta(days=days)
    return start


def _by_day(session: Session, project: Project, start: datetime, end: datetime) -> list[int]:
    """Judgments of each day that has any, the last day first."""
    day = func.floor(func.extract("epoch", Judgment.created_at - start) / 86_400)
    within = (Judgment.created_at >= start, Judgment.created_at < end)
    rows = session.execute(_asked_here(func.count(), project).where(*within).group_by(day).order_by(day.desc()))
    return list(rows.scalars())


def _asked_here(what: Any, project: Project) -> Select[Any]:
    """Judgments that people were asked for here: what was imported says nothing of the pace."""
    return (
        select(what)
        .select_from(Judgment)
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .where(
            Judgment.project_id == project.id,
            Judgment.stands,
            Comparison.kind == "regular",
            Comparison.policy != "imported",
        )
    )
