"""One annotator's own numbers in a project: how much, how fast, how sure. Reads what this person judged and what others
said of the same, never the whole project."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session, aliased

from backend.domain import agreement as rules
from backend.domain.judgments import rating_ranks
from backend.domain.shares import Share, share_of
from backend.errors import Forbidden
from backend.services import answers
from backend.tables import Comparison, Flag, Gold, Judgment, Project, User


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


# What tells of others' judgments and of known answers moves after so many of one's own only.
STEP = 20


def of_person(
    session: Session, project: Project, annotator_id: uuid.UUID, since: datetime, *, in_steps: bool = False
) -> Work:
    """The numbers of one annotator; `today` begins at `since`.

    `in_steps`, for the annotator's own eyes: agreement, self-consistency and gold are told of whole steps of judgments.
    Told at once, each judgment would give away what others said of the same, or that its answer was known, and could
    then be taken back and given otherwise.
    """
    up_to = _end_of_step(session, project, annotator_id) if in_steps else None
    today = Judgment.created_at >= since
    counted = Judgment.stands
    totals = session.execute(
        select(
            func.count().filter(counted).label("judgments"),
            func.count().filter(counted, today).label("today"),
            func.max(Judgment.created_at).filter(counted).label("last_judgment_at"),
            func.percentile_cont(0.5).within_group(Judgment.active_ms).filter(counted).label("median_active_ms"),
            func.coalesce(func.sum(Judgment.active_ms), 0).label("active_ms"),
            func.coalesce(func.sum(Judgment.active_ms).filter(today), 0).label("active_ms_today"),
        )
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .where(
            Judgment.annotator_id == annotator_id,
            Judgment.project_id == project.id,
            Comparison.kind != "adjudication",
        )
    ).one()
    skipped = session.scalar(
        select(func.count()).where(
            Comparison.annotator_id == annotator_id, Comparison.project_id == project.id, Comparison.state == "skipped"
        )
    )
    told = rules.annotators(answers.of_person(session, project, annotator_id, up_to))
    own = told.get(answers.key_of(session, annotator_id))
    scores, longer = answers.lengths_of_person(session, project, annotator_id)
    return Work(
        judgments=totals.judgments,
        today=totals.today,
        skipped=skipped or 0,
        last_judgment_at=totals.last_judgment_at,
        active_ms=int(totals.active_ms),
        active_ms_today=int(totals.active_ms_today),
        median_active_ms=None if totals.median_active_ms is None else round(totals.median_active_ms),
        agreement=None if own is None else own.majority_agreement,
        self_consistency=consistency(session, project, annotator_id, up_to).get(annotator_id),
        gold=gold(session, project, annotator_id, up_to).get(annotator_id),
        left_lean=rules.left_lean(scores),
        length_lean=rules.length_lean(scores, longer),
    )


def _end_of_step(session: Session, project: Project, annotator_id: uuid.UUID) -> int:
    """The last judgment of the last whole step, in the order of arrival. What was taken back counts, so that taking
    back and judging again moves nothing."""
    mine = (Judgment.annotator_id == annotator_id, Judgment.project_id == project.id)
    made = session.scalar(select(func.count()).select_from(Judgment).where(*mine)) or 0
    if made < STEP:
        return 0
    last = select(Judgment.sequence).where(*mine).order_by(Judgment.sequence).offset(made - made % STEP - 1).limit(1)
    return session.scalars(last).one()


class Asked(NamedTuple):
    """Something that was asked to see how somebody judges, and how it went: `right` of so many cases (`of`)."""

    annotator_id: uuid.UUID
    created_at: datetime
    guidelines_version: int
    right: int
    of: int


def consistency(
    session: Session, project: Project, annotator_id: uuid.UUID | None = None, up_to: int | None = None
) -> dict[uuid.UUID, Share | None]:
    """How often people say the same when asked again; of one person, or of all who were."""
    return _by_person(repeats(session, project, annotator_id, up_to))


def gold(
    session: Session, project: Project, annotator_id: uuid.UUID | None = None, up_to: int | None = None
) -> dict[uuid.UUID, Share | None]:
    """How often people are right where the answer is known; of one person, or of all who were asked."""
    return _by_person(checks(session, project, annotator_id, up_to))


def _by_person(asked: Iterable[Asked]) -> dict[uuid.UUID, Share | None]:
    by: dict[uuid.UUID, list[Asked]] = defaultdict(list)
    for one in asked:
        by[one.annotator_id].append(one)
    return {who: share_of_all(some) for who, some in by.items()}


def share_of_all(asked: Iterable[Asked]) -> Share | None:
    """How much of it went right."""
    asked = list(asked)
    return share_of(sum(one.right for one in asked), sum(one.of for one in asked))


def repeats(
    session: Session, project: Project, annotator_id: uuid.UUID | None = None, up_to: int | None = None
) -> list[Asked]:
    """Comparisons that were asked again: how many of their pairs were answered the same."""
    first, then = aliased(Judgment), aliased(Comparison)
    query = (
        select(
            Judgment.annotator_id,
            Judgment.created_at,
            Judgment.guidelines_version,
            first.ranks,
            then.completions,
            Judgment.ranks,
            Comparison.completions,
        )
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .join(then, then.id == Comparison.repeat_of)
        .join(first, first.comparison_id == then.id)
        .where(
            Judgment.project_id == project.id,
            Judgment.stands,
            first.stands,
            first.annotator_id == Judgment.annotator_id,
        )
    )
    if annotator_id is not None:
        query = query.where(Judgment.annotator_id == annotator_id)
    if up_to is not None:
        query = query.where(Judgment.sequence <= up_to)
    found = []
    for who, at, version, once, shown_once, again, shown_again in session.execute(query):
        same = rules.answered_the_same(_judged(once, shown_once), _judged(again, shown_again))
        found.append(Asked(who, at, version, sum(same), len(same)))
    return found


def _judged(ranks: list[int] | None, shown: Sequence[uuid.UUID]) -> rules.Judged:
    return rules.Judged(None, None, shown, rating_ranks(ranks, len(shown)))


def checks(
    session: Session, project: Project, annotator_id: uuid.UUID | None = None, up_to: int | None = None
) -> list[Asked]:
    """Comparisons whose answer is known. In practice the right answer is told afterwards, so it is no test."""
    query = (
        select(
            Judgment.annotator_id, Judgment.created_at, Judgment.guidelines_version, cast(Judgment.gold_right, Integer)
        )
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .outerjoin(Gold, Gold.id == Comparison.gold_id)
        .where(
            Judgment.project_id == project.id,
            Judgment.gold_right.is_not(None),
            Judgment.stands,
            func.coalesce(Gold.use, "check") != "practice",
        )
    )
    if annotator_id is not None:
        query = query.where(Judgment.annotator_id == annotator_id)
    if up_to is not None:
        query = query.where(Judgment.sequence <= up_to)
    return [Asked(*row, 1) for row in session.execute(query)]


def flagged(session: Session, project: Project, annotator_id: uuid.UUID) -> int:
    """How many comparisons one person wants an admin to look at, or wanted."""
    mine = (Flag.project_id == project.id, Flag.annotator_id == annotator_id)
    return session.scalar(select(func.count()).select_from(Flag).where(*mine)) or 0


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
    judgments = func.count().filter(Judgment.stands)
    rows = session.execute(
        select(User.id, User.name, judgments, func.coalesce(func.sum(Judgment.active_ms), 0))
        .join(Judgment, Judgment.annotator_id == User.id)
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .where(Judgment.project_id == project.id, Comparison.kind != "adjudication")
        .group_by(User.id)
        .order_by(judgments.desc(), User.name, User.id)
    )
    return [Contribution(id, name, count, int(ms or 0)) for id, name, count, ms in rows]
