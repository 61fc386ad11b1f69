"""How far a project is, and when it will be done at the pace of the last days."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import mean, median
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from backend.domain.judgments import Protocol
from backend.services import asking
from backend.services.queue import sets_of
from backend.tables import Comparison, Judgment, Project, Prompt, User

# The pace is that of the last days on which anybody was asked and judged. Days of imports alone are passed over, as
# long as they are not too many.
DAYS_WITH_WORK = 7
ROUNDS = 5
# The time a judgment takes is told from the last so many.
LATEST_TIMES = 1_000


@dataclass(frozen=True)
class Progress:
    """`wanted` is what the overlap asks for in all, `left` what of it is not judged and can still be handed out:
    nothing of prompts that are `settled`. `unsettled` are the other prompts that can be asked about."""

    judgments: int
    wanted: int
    left: int
    open_leases: int
    skipped: int
    mine: int
    today: int
    settled: int
    unsettled: int


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
    wanted, free, settled, unsettled = session.execute(
        select(
            func.coalesce(func.sum(sets * project.overlap), 0),
            func.coalesce(func.sum(func.greatest(free, 0)).filter(~Prompt.settled), 0),
            func.count().filter(Prompt.settled),
            func.count().filter(~Prompt.settled),
        ).where(Prompt.project_id == project.id, Prompt.completions >= size)
    ).one()
    mine, today = session.execute(
        select(func.count(), func.count().filter(Judgment.created_at >= since)).where(
            Judgment.project_id == project.id, Judgment.annotator_id == annotator_id, Judgment.stands
        )
    ).one()
    # Each kind of them has an index of its own.
    regular = Comparison.kind == "regular"
    leased, to_judge = session.execute(
        select(func.count(), func.count().filter(regular)).where(
            Comparison.project_id == project.id, Comparison.state == "leased"
        )
    ).one()
    skipped = session.scalar(
        select(func.count()).where(Comparison.project_id == project.id, Comparison.state == "skipped")
    )
    return Progress(
        judgments=_judgments(session, project),
        wanted=int(wanted),
        left=int(free) + to_judge,
        open_leases=leased,
        skipped=skipped or 0,
        mine=mine,
        today=today,
        settled=settled,
        unsettled=unsettled,
    )


def _judgments(session: Session, project: Project) -> int:
    """Judgments that stand and are in the ratings or wait for them: those with a place, less those that were voided.

    The project knows how many have a place; the others are few, so that a million judgments are not counted.
    """
    here = select(func.count()).where(Judgment.project_id == project.id)
    waiting = here.where(Judgment.position.is_(None), Judgment.stands).scalar_subquery()
    voided = here.where(Judgment.position > 0, Judgment.voided_at.is_not(None)).scalar_subquery()
    # In one statement: a fold that ends meanwhile moves them from the one to the other.
    return session.scalars(select(Project.judgments_folded + waiting - voided).where(Project.id == project.id)).one()


def forecast(session: Session, project: Project, so_far: Progress, midnight: datetime) -> Forecast:
    """When the rest will be done; days begin at the hour of `midnight`, which begins today."""
    expected = asking.judgments_left(session, project, so_far.unsettled)
    left = so_far.left if expected is None else min(so_far.left, expected)
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
    """Judgments that people were asked for here: what was imported, by people who cannot sign in, says nothing of the
    pace. Told without the comparisons, which would be read as a whole."""
    here = select(User.id).where(User.email.is_not(None))
    adjudications = select(Comparison.id).where(Comparison.project_id == project.id, Comparison.kind == "adjudication")
    return select(what).where(
        Judgment.project_id == project.id,
        Judgment.stands,
        Judgment.position.is_distinct_from(0),  # neither gold nor a repeat
        Judgment.annotator_id.in_(here),
        Judgment.comparison_id.not_in(adjudications),
    )
