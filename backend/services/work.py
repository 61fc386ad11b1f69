"""One annotator's own numbers in a project: how much, how fast, how sure. Reads what this person judged and what others
said of the same, never the whole project."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Text, and_, cast, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from backend.domain import agreement as rules
from backend.domain.judgments import Verdict
from backend.domain.shares import Share, share_of
from backend.errors import Forbidden
from backend.tables import Comparison, Completion, Gold, Judgment, Project, User


@dataclass(frozen=True)
class Work:
    """What one person did in a project; a share is None where there is nothing to tell it from.

    `judgments` are those that stand. Time is counted for all that were made, also those set aside since.
    """

    judgments: int
    today: int
    skipped: int
    last_judgment_at: datetime | None
    active_ms: int
    active_ms_today: int
    median_active_ms: int | None
    agreement: Share | None
    self_consistency: Share | None
    gold: Share | None
    left_lean: Share | None
    length_lean: Share | None


def stands() -> tuple[ColumnElement[bool], ...]:
    """Judgments that count: neither taken back nor kept for the record only."""
    return Judgment.voided_at.is_(None), Judgment.uncounted_reason.is_(None)


def judged(row: Row[Any]) -> rules.Judged:
    """A row of `facts` as the rules of agreement read it."""
    shown = row.completions[1:-1].split(",")
    ranks = None if row.ranks is None else tuple(row.ranks)
    verdict = Verdict.model_construct(ranks=ranks, none_acceptable=ranks is None)
    return rules.Judged(row.annotator_id, row.prompt_id, shown, verdict.rating_ranks(len(shown)), row.active_ms)


def facts(*more: Any) -> Select[Any]:
    """Judgments that stand, as annotators gave them: an admin's adjudication is not one of them."""
    # The ids of completions stay one text (`{id,id}`): making an object of each would take most of the time.
    return (
        select(
            Judgment.annotator_id,
            Judgment.ranks,
            Judgment.active_ms,
            Comparison.prompt_id,
            cast(Comparison.completions, Text).label("completions"),
            *more,
        )
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .where(*stands(), Comparison.kind != "adjudication")
    )


def of_person(session: Session, project: Project, annotator_id: uuid.UUID, since: datetime) -> Work:
    """The numbers of one annotator; `today` begins at `since`."""
    mine = session.execute(
        facts(Comparison.id, Comparison.kind, Comparison.repeat_of, Judgment.gold_right, Gold.use)
        .outerjoin(Gold, Gold.id == Comparison.gold_id)
        .where(Judgment.annotator_id == annotator_id, Judgment.project_id == project.id)
    ).all()
    own = [judged(row) for row in mine]
    # In practice the right answer is told afterwards, so it is no test.
    tested = [row.gold_right for row in mine if row.gold_right is not None and row.use != "practice"]
    times = [row.active_ms for row in mine if row.active_ms is not None]
    today = Judgment.created_at >= since
    counted = and_(*stands())
    totals = session.execute(
        select(
            func.count().filter(counted).label("judgments"),
            func.count().filter(counted, today).label("today"),
            func.max(Judgment.created_at).filter(counted).label("last_judgment_at"),
            func.coalesce(func.sum(Judgment.active_ms), 0).label("active_ms"),
            func.coalesce(func.sum(Judgment.active_ms).filter(today), 0).label("active_ms_today"),
        ).where(Judgment.annotator_id == annotator_id, Judgment.project_id == project.id)
    ).one()
    skipped = session.scalar(
        select(func.count()).where(
            Comparison.annotator_id == annotator_id, Comparison.project_id == project.id, Comparison.state == "skipped"
        )
    )
    return Work(
        judgments=totals.judgments,
        today=totals.today,
        skipped=skipped or 0,
        last_judgment_at=totals.last_judgment_at,
        active_ms=int(totals.active_ms),
        active_ms_today=int(totals.active_ms_today),
        median_active_ms=round(median(times)) if times else None,
        agreement=rules.with_the_majority([*own, *_others(session, project, annotator_id)], annotator_id),
        self_consistency=rules.repeat_consistency(twice(mine, own)),
        gold=share_of(sum(tested), len(tested)),
        left_lean=rules.left_lean(own),
        length_lean=rules.length_lean(own, _lengths(session, project, annotator_id)),
    )


def twice(rows: Sequence[Row[Any]], told: Sequence[rules.Judged]) -> Iterable[tuple[rules.Judged, rules.Judged]]:
    """What was judged first and again as a repeat."""
    first = {row.id: judged for row, judged in zip(rows, told, strict=True)}
    return [
        (first[row.repeat_of], again)
        for row, again in zip(rows, told, strict=True)
        if row.repeat_of in first and row.annotator_id == first[row.repeat_of].annotator
    ]


def _others(session: Session, project: Project, annotator_id: uuid.UUID) -> list[rules.Judged]:
    """What others said of pairs that this person judged."""
    own, seen = aliased(Judgment), aliased(Comparison)
    # Two sets share a pair when they are the same, or (of three and more) when they are of the same prompt and overlap.
    overlap = or_(
        seen.set_key == Comparison.set_key,
        func.cardinality(seen.completions) > 2,
        func.cardinality(Comparison.completions) > 2,
    )
    same = (
        select(own.id)
        .join(seen, seen.id == own.comparison_id)
        .where(
            own.annotator_id == annotator_id,
            own.project_id == project.id,
            own.voided_at.is_(None),
            own.uncounted_reason.is_(None),
            seen.prompt_id == Comparison.prompt_id,
            overlap,
        )
        .exists()
    )
    rows = session.execute(
        facts().where(Judgment.project_id == project.id, Judgment.annotator_id != annotator_id, same)
    )
    return [judged(row) for row in rows]


def _lengths(session: Session, project: Project, annotator_id: uuid.UUID) -> dict[Any, int]:
    """Characters of every completion that this person judged."""
    shown = (
        select(func.unnest(Comparison.completions))
        .join(Judgment, Judgment.comparison_id == Comparison.id)
        .where(Judgment.annotator_id == annotator_id, Judgment.project_id == project.id)
    )
    rows = session.execute(
        select(cast(Completion.id, Text), func.char_length(Completion.text)).where(Completion.id.in_(shown))
    )
    return dict(rows.all())


@dataclass(frozen=True)
class Contribution:
    """One line of the ranking of people: `judgments` that stand, and the time spent."""

    annotator_id: uuid.UUID
    name: str
    judgments: int
    active_ms: int


def ranking(session: Session, project: Project, *, for_admin: bool) -> list[Contribution]:
    """Who judged how much, the busiest first. Raises Forbidden where the project does not rank people."""
    if not project.people_ranking and not for_admin:
        raise Forbidden("This project does not rank people.")
    judgments = func.count().filter(and_(true(), *stands()))
    rows = session.execute(
        select(User.id, User.name, judgments, func.coalesce(func.sum(Judgment.active_ms), 0))
        .join(Judgment, Judgment.annotator_id == User.id)
        .where(Judgment.project_id == project.id)
        .group_by(User.id)
        .order_by(judgments.desc(), User.name, User.id)
    )
    return [Contribution(id, name, count, int(ms or 0)) for id, name, count, ms in rows]
