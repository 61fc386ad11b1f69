"""What annotators are like, fitted now and then on all judgments of a project and kept: versions 1, 2, ..., none of
which changes. Ratings and pages read the newest; a fit of a million votes takes some 15 seconds, so it runs aside.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from backend.domain import annotators as rules
from backend.domain.bradley_terry import Floats, Ints
from backend.errors import Conflict, NotFound
from backend.services import facts
from backend.tables import AnnotatorFit, AnnotatorSlope, Project

# A new version after so many judgments more, or so large a share more, whichever is later.
EVERY, EVERY_SHARE = 1_000, 0.1
# Before the first, it is looked again whether there is enough after so many judgments more, or the same share.
LOOK_EVERY = 50


class Slope(NamedTuple):
    """One annotator in one version, with the errors of both."""

    slope: float
    slope_error: float
    lean: float
    lean_error: float
    votes: float


@dataclass(frozen=True)
class Crowd:
    """A version, to weigh votes with."""

    number: int
    prior_deviation: float
    mean_lean: float
    slopes: Mapping[uuid.UUID, Slope]

    def of_votes(self, annotators: Sequence[uuid.UUID], annotator: Ints) -> tuple[Floats, Floats]:
        """Slope and lean of each vote, told from the number of its annotator.

        Who came after the fit is taken for the average. Who sees the contrary of the crowd counts nothing here: turned
        round, their vote would raise what they did not choose.
        """
        average = Slope(1.0, 0.0, self.mean_lean, 0.0, 0.0)
        known = [self.slopes.get(id, average) for id in annotators]
        slope = np.array([max(0.0, one.slope) for one in known])
        lean = np.array([one.lean for one in known])
        return slope[annotator], lean[annotator]


def fit(session: Session, project: Project) -> AnnotatorFit:
    """Fit now, on all judgments in the ratings, and keep it as the next version.

    Raises Conflict while there is too little to tell annotators apart. Waits for a fit of the project under way.
    """
    session.execute(select(func.pg_advisory_xact_lock(_key(project.id))))
    return _fit(session, project)


def fit_due(session: Session, project_id: uuid.UUID) -> AnnotatorFit | None:
    """The same where it is due; None where it is not, or where there is too little, or somebody fits already."""
    if not session.scalar(select(func.pg_try_advisory_xact_lock(_key(project_id)))):
        return None
    if project_id not in session.scalars(_due()).all():
        return None
    try:
        return _fit(session, session.get_one(Project, project_id))
    except Conflict:
        return None


def due(session: Session, looked: dict[uuid.UUID, int]) -> list[uuid.UUID]:
    """The projects whose annotators should be fitted.

    `looked` is kept by the caller from call to call: how many judgments each had when it was named here last. So a
    project that has too little is not looked at over and over, but when it has grown.
    """
    found = []
    held = select(Project.id, Project.judgments_folded).where(Project.id.in_(_due()))
    for id, judgments in session.execute(held):
        if id not in looked or judgments - looked[id] >= max(LOOK_EVERY, EVERY_SHARE * looked[id]):
            looked[id] = judgments
            found.append(id)
    return found


def _due() -> Select[Any]:
    """Projects without a version and with enough for one person, or with enough more than the newest has seen."""
    newest = (
        select(AnnotatorFit.project_id, func.max(AnnotatorFit.position).label("position"))
        .group_by(AnnotatorFit.project_id)
        .subquery()
    )
    grown = Project.judgments_folded - func.coalesce(newest.c.position, 0)
    wanted = func.greatest(EVERY, EVERY_SHARE * newest.c.position)
    first = newest.c.position.is_(None) & (Project.judgments_folded >= rules.VOTES_OF_ANNOTATOR)
    return (
        select(Project.id)
        .outerjoin(newest, newest.c.project_id == Project.id)
        .where(Project.state != "archived", first | (newest.c.position.is_not(None) & (grown >= wanted)))
    )


def _fit(session: Session, project: Project) -> AnnotatorFit:
    folded = project.judgments_folded  # from here on, what comes in meanwhile may be seen or not
    known = facts.load(session, project)
    left, right, score, annotator = facts.pairs(known)
    there = rules.evidence(known.group_of, left, annotator)
    if not there.enough:
        raise Conflict(
            f"There is too little to tell annotators apart. {rules.NEEDED} "
            f"Now half come from people with {there.of_annotator:.0f} or more, and prompts have "
            f"{there.of_mean_prompt:.1f}."
        )
    crowd = rules.fit_annotators(
        known.group_of,
        left,
        right,
        score,
        annotator,
        annotators=len(known.annotators),
        groups=len(known.prompts),
    )
    number = session.scalar(select(func.max(AnnotatorFit.number)).where(AnnotatorFit.project_id == project.id))
    made = AnnotatorFit(
        project_id=project.id,
        number=(number or 0) + 1,
        position=max(folded, *(int(part.order.max()) for part in known.said)),
        judgments=known.judgments,
        prior_deviation=crowd.ratings.prior_deviation,
        mean_lean=crowd.mean_lean,
    )
    session.add(made)
    session.flush()
    columns = (crowd.slope, crowd.slope_error, crowd.lean, crowd.lean_error, crowd.votes)
    rows = zip(known.annotators, *(column.tolist() for column in columns), strict=True)
    names = ("annotator_id", *Slope._fields)
    session.execute(insert(AnnotatorSlope), [{"fit_id": made.id, **dict(zip(names, row, strict=True))} for row in rows])
    return made


def find(session: Session, fit_id: uuid.UUID) -> AnnotatorFit:
    """One version. Raises NotFound."""
    found = session.get(AnnotatorFit, fit_id)
    if found is None:
        raise NotFound("There is no such fit of annotators.")
    return found


def newest(session: Session, project: Project) -> AnnotatorFit | None:
    """The newest version of a project; None before the first."""
    mine = select(AnnotatorFit).where(AnnotatorFit.project_id == project.id)
    return session.scalars(mine.order_by(AnnotatorFit.number.desc()).limit(1)).first()


def crowd(session: Session, project: Project) -> Crowd:
    """The newest version, to weigh votes with. Raises Conflict before the first."""
    made = newest(session, project)
    if made is None:
        raise Conflict(f"Annotators cannot be weighed yet: their slopes and leans have not been fitted. {rules.NEEDED}")
    return Crowd(made.number, made.prior_deviation, made.mean_lean, slopes(session, made))


def rate(known: facts.Facts, crowd: Crowd) -> facts.Rated:
    """Rate every completion among those of its prompt, each vote weighed as the version says."""
    left, right, score, annotator = facts.pairs(known)
    slope, lean = crowd.of_votes(known.annotators, annotator)
    fit = rules.fit_given(
        known.group_of,
        left,
        right,
        score,
        slope,
        lean,
        prior_deviation=crowd.prior_deviation,
        groups=len(known.prompts),
    )
    return facts.rated(known, fit)


def slopes(session: Session, made: AnnotatorFit) -> dict[uuid.UUID, Slope]:
    """Everybody in a version."""
    rows = session.scalars(select(AnnotatorSlope).where(AnnotatorSlope.fit_id == made.id))
    return {row.annotator_id: Slope(row.slope, row.slope_error, row.lean, row.lean_error, row.votes) for row in rows}


def of_person(session: Session, project: Project, annotator_id: uuid.UUID) -> list[tuple[AnnotatorFit, AnnotatorSlope]]:
    """One annotator in all versions, the newest first."""
    rows = session.execute(
        select(AnnotatorFit, AnnotatorSlope)
        .join(AnnotatorSlope, AnnotatorSlope.fit_id == AnnotatorFit.id)
        .where(AnnotatorFit.project_id == project.id, AnnotatorSlope.annotator_id == annotator_id)
        .order_by(AnnotatorFit.number.desc())
    )
    return [(row[0], row[1]) for row in rows]


def _key(project_id: uuid.UUID) -> object:
    return func.hashtextextended(f"annotators/{project_id}", 0)
