"""The way to real work in a project that has practice or qualification comparisons, and where each person stands on it.

Practice comes first, one by one, each answer followed by what was right; then the qualification, decided when all of it
is answered. Whoever has once been let in stays in, whatever is added later; an admin may let in, turn away, or grant
another attempt.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import BindParameter, ColumnElement, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from backend.domain.judgments import Protocol
from backend.errors import NotFound
from backend.services import leases
from backend.tables import Comparison, Gold, Judgment, Project, Standing, User

Decision = Literal["qualified", "failed", "retake"]
# Shares are fractions such as 4/5, which a computer rounds.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Stage:
    """What somebody does in a project now. `done` of `of` are answered; of a failed qualification, were right."""

    name: Literal["work", "practice", "qualification", "failed"]
    done: int = 0
    of: int = 0
    needed_share: float | None = None


WORK = Stage("work")


@dataclass(frozen=True)
class Course:
    """A stage, and what of it is still to be answered, in order; all since the attempt began."""

    stage: Stage
    left: Sequence[Gold] = ()
    since: datetime | None = None


def has_tests(project_id: uuid.UUID | BindParameter[uuid.UUID]) -> ColumnElement[bool]:
    """Whether a project asks for practice or a qualification."""
    return exists().where(
        Gold.project_id == project_id, Gold.use.in_(("practice", "qualification")), Gold.retired_at.is_(None)
    )


def course(session: Session, project: Project, annotator_id: uuid.UUID) -> Course:
    """Where this person stands. The first time they are entered as learning, and when all is answered it is decided."""
    # Not locked: whoever judges has locked the comparison before, and whoever is handed some locks them after this.
    standing = session.get(Standing, (project.id, annotator_id), populate_existing=True)
    if standing is not None and standing.state == "qualified":
        return Course(WORK)
    share = project.qualification_share
    if standing is not None and standing.state == "failed":
        return Course(Stage("failed", standing.right or 0, standing.asked or 0, share))
    tests = _tests(session, project)
    if standing is None:
        if not tests:
            return Course(WORK)
        standing = _enter(session, project, annotator_id)
        if standing.state != "learning":
            return course(session, project, annotator_id)
    answered = _answered(session, standing)
    for use in ("practice", "qualification"):
        asked = [gold for gold in tests if gold.use == use]
        left = [gold for gold in asked if gold.id not in answered]
        if left:
            needed = share if use == "qualification" else None
            return Course(Stage(use, len(asked) - len(left), len(asked), needed), left, standing.since)
    return _decide(session, project, standing, [gold for gold in tests if gold.use == "qualification"], answered)


def look(session: Session, project: Project, annotator_id: uuid.UUID) -> Stage:
    """The stage of somebody who only looks: nobody is entered by that."""
    if session.get(Standing, (project.id, annotator_id)) is not None:
        return course(session, project, annotator_id).stage
    tests = [] if _is_at_work(session, project, annotator_id) else _tests(session, project)
    for use, share in (("practice", None), ("qualification", project.qualification_share)):
        if asked := sum(gold.use == use for gold in tests):
            return Stage(use, 0, asked, share)  # type: ignore[arg-type]
    return WORK


def _tests(session: Session, project: Project) -> list[Gold]:
    size = Protocol.model_validate(project.protocol).size
    found = session.scalars(
        select(Gold)
        .where(
            Gold.project_id == project.id,
            Gold.use.in_(("practice", "qualification")),
            Gold.retired_at.is_(None),
            func.cardinality(Gold.completions) == size,
        )
        .order_by(Gold.id)
    )
    return list(found)


def _enter(session: Session, project: Project, annotator_id: uuid.UUID) -> Standing:
    """Begin the first attempt. Who was at work before there was a test goes on working."""
    at_work = _is_at_work(session, project, annotator_id)
    key = {"project_id": project.id, "annotator_id": annotator_id}
    state = "qualified" if at_work else "learning"
    decided = leases.now() if at_work else None
    session.execute(insert(Standing).values(**key, state=state, decided_at=decided).on_conflict_do_nothing())
    return session.get_one(Standing, (project.id, annotator_id))


def _is_at_work(session: Session, project: Project, annotator_id: uuid.UUID) -> bool:
    return bool(
        session.scalar(
            select(
                exists(Judgment.id)
                .where(Judgment.comparison_id == Comparison.id, Comparison.kind == "regular")
                .where(Judgment.annotator_id == annotator_id, Judgment.project_id == project.id)
            )
        )
    )


def _answered(session: Session, standing: Standing) -> dict[uuid.UUID, bool]:
    """The gold answered (or skipped) in this attempt, and whether rightly."""
    rows = session.execute(
        select(Comparison.gold_id, func.bool_or(Judgment.gold_right))
        .outerjoin(
            Judgment,
            (Judgment.comparison_id == Comparison.id) & Judgment.stands,
        )
        .where(
            Comparison.annotator_id == standing.annotator_id,
            Comparison.project_id == standing.project_id,
            Comparison.gold_id.is_not(None),
            Comparison.state.in_(("judged", "skipped")),
            Comparison.created_at >= standing.since,
        )
        .group_by(Comparison.gold_id)
    )
    return {id: bool(right) for id, right in rows if id is not None}


def _decide(
    session: Session,
    project: Project,
    standing: Standing,
    asked: Sequence[Gold],
    answered: dict[uuid.UUID, bool],
) -> Course:
    right = sum(answered[gold.id] for gold in asked)
    passed = right + ROUNDING >= project.qualification_share * len(asked)
    # The first word stands: an admin may have spoken meanwhile.
    session.execute(
        update(Standing)
        .where(
            Standing.project_id == project.id,
            Standing.annotator_id == standing.annotator_id,
            Standing.attempt == standing.attempt,
            Standing.state == "learning",
        )
        .values(
            state="qualified" if passed else "failed",
            right=right if asked else None,
            asked=len(asked) or None,
            decided_at=leases.now(),
        )
        .execution_options(synchronize_session=False)
    )
    return course(session, project, standing.annotator_id)


def decide(
    session: Session,
    project: Project,
    annotator_id: uuid.UUID,
    decision: Decision,
    *,
    by: uuid.UUID,
    note: str | None = None,
) -> Standing:
    """An admin's word, whatever the test said: let in, turn away, or grant another attempt. Raises NotFound.

    Whoever may not go on with real work gives back what they hold of it.
    """
    if session.get(User, annotator_id) is None:
        raise NotFound("There is no such person.")
    if decision != "qualified":
        # Before the standing: people who judge lock in this order as well.
        leases.end_all_of(session, project, annotator_id)
    key = {"project_id": project.id, "annotator_id": annotator_id}
    session.execute(insert(Standing).values(**key, attempt=0).on_conflict_do_nothing())
    standing = session.get_one(Standing, (project.id, annotator_id), with_for_update=True, populate_existing=True)
    standing.note = note
    if decision == "retake":
        standing.state = "learning"
        standing.attempt += 1
        # By the clock of the comparisons that follow.
        standing.since = session.scalars(select(func.clock_timestamp())).one()
        standing.right = standing.asked = standing.decided_at = standing.decided_by = None
    else:
        standing.state = decision
        standing.attempt = max(1, standing.attempt)
        standing.decided_at = leases.now()
        standing.decided_by = by
    session.flush()
    session.refresh(standing)
    return standing


def is_turned_away(session: Session, project: Project, annotator_id: uuid.UUID) -> bool:
    """Whether this person may not do real work any more."""
    standing = session.get(Standing, (project.id, annotator_id))
    return standing is not None and standing.state == "failed"


def of_project(session: Session, project: Project) -> dict[uuid.UUID, Standing]:
    """Everybody's standing, by person."""
    rows = session.scalars(select(Standing).where(Standing.project_id == project.id))
    return {row.annotator_id: row for row in rows}
