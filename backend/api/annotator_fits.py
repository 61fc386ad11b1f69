"""Versions of what annotators are like, over HTTP. For admins: people are not ranked before each other."""

import uuid

from fastapi import APIRouter
from sqlalchemy import func, select

from backend.api.deps import Admin, AdminReader, HeavyDep, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import After, IdStr, Limit, Page, Time, Wire, paginate
from backend.services import annotator_fits
from backend.tables import AnnotatorFit, AnnotatorSlope, User

router = APIRouter(tags=["annotators"])


class AnnotatorFitOut(Wire):
    """One version, which never changes; made of the judgments up to `position` in the order of the ratings.

    `prior_deviation` is that of the utilities of a prompt's completions, in log-odds; `mean_lean` what being shown
    first is worth to the crowd.
    """

    id: IdStr
    project: IdStr
    number: int
    position: int
    judgments: int
    annotators: int
    prior_deviation: float
    mean_lean: float
    created_at: Time


class PersonName(Wire):
    """Somebody's id and name."""

    id: IdStr
    name: str


class SlopeOut(Wire):
    """How sharply somebody sees what the crowd sees (1 is the average vote, 0 is guessing, below 0 is contrary), and
    what being shown first is worth to them, in log-odds; each with its standard error."""

    annotator: PersonName
    slope: float
    slope_error: float
    lean: float
    lean_error: float
    votes: float


class AnnotatorFitWhole(AnnotatorFitOut):
    """One version with everybody in it, the busiest first."""

    slopes: list[SlopeOut]


@router.get("/projects/{project}/annotator-fits")
def list_annotator_fits(
    project: ProjectDep, session: SessionDep, caller: AdminReader, after: After = None, limit: Limit = 50
) -> Page[AnnotatorFitOut]:
    """The versions of a project, newest first."""
    query = select(AnnotatorFit).where(AnnotatorFit.project_id == project.id)
    rows, cursor = paginate(session, query, key=AnnotatorFit.id, after=after, limit=limit)
    counted = select(AnnotatorSlope.fit_id, func.count()).where(AnnotatorSlope.fit_id.in_([row.id for row in rows]))
    people = dict(session.execute(counted.group_by(AnnotatorSlope.fit_id)).all())
    return Page(items=[AnnotatorFitOut.model_validate(_told(row, people.get(row.id, 0))) for row in rows], next=cursor)


@router.post("/projects/{project}/annotator-fits", status_code=201)
def create_annotator_fit(project: ProjectDep, session: SessionDep, heavy: HeavyDep, caller: Admin) -> AnnotatorFitOut:
    """Fit now. Podium does so by itself when there is enough to tell annotators apart, and after 1,000 judgments more
    (or 10 % more, if that is later)."""
    made = heavy(annotator_fits.fit, project)
    return AnnotatorFitOut.model_validate(_told(made, len(annotator_fits.slopes(session, made))))


@router.get("/annotator-fits/{fit_id}")
def read_annotator_fit(fit_id: uuid.UUID, session: SessionDep, caller: AdminReader) -> AnnotatorFitWhole:
    """One version with everybody's slope and lean."""
    made = annotator_fits.find(session, fit_id)
    slopes = annotator_fits.slopes(session, made)
    names = dict(session.execute(select(User.id, User.name).where(User.id.in_(slopes))).all())
    ordered = sorted(slopes, key=lambda id: (-slopes[id].votes, names[id], id))
    people = [{"annotator": {"id": id, "name": names[id]}, **slopes[id]._asdict()} for id in ordered]
    return AnnotatorFitWhole.model_validate({**_told(made, len(slopes)), "slopes": people})


def _told(made: AnnotatorFit, annotators: int) -> dict[str, object]:
    return {**made.__dict__, "project": made.project_id, "annotators": annotators}
