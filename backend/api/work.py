"""Each annotator's own numbers over HTTP, the same for admins, and the ranking of people where a project has one."""

import uuid

from fastapi import APIRouter

from backend.api.agreement import SignOut
from backend.api.comparisons import StageOut
from backend.api.deps import AdminReader, Annotator, HeavyDep, Reader, SessionDep
from backend.api.projects import ProjectDep
from backend.api.standings import StandingOut
from backend.api.wire import IdStr, Page, ShareOut, Time, UtcOffset, Wire, midnight
from backend.services import accounts, annotator_fits, signs, standings, work
from backend.tables import Standing

router = APIRouter(tags=["work"])


class MyWork(Wire):
    """One person's part in a project; a share is null where there is nothing to tell it from.

    `agreement`: answers that are the commonest among the others' on the same pair. `self_consistency`: pairs answered
    the same when asked again. `gold`: comparisons with a known answer that were right. Leans, of the decided pairs: how
    often what was shown first won, and how often the longer one (where more than 30 characters apart).
    """

    judgments: int
    today: int
    skipped: int
    active_ms: int
    active_ms_today: int
    median_active_ms: int | None
    agreement: ShareOut | None
    self_consistency: ShareOut | None
    gold: ShareOut | None
    left_lean: ShareOut | None
    length_lean: ShareOut | None


class OwnWork(MyWork):
    """The same with the stage of the one who asks: practice, qualification, or real work.

    Agreement, self-consistency and gold are told of every twenty judgments together, so that none gives away what
    others said of the same, or that its answer was known.
    """

    stage: StageOut


class OwnSlope(Wire):
    """What one fit tells of this annotator, each with its standard error."""

    number: int
    created_at: Time
    slope: float
    slope_error: float
    lean: float
    lean_error: float
    votes: float


class AnnotatorWork(MyWork):
    """The same, as an admin sees it: with signs for review, and slope and lean in each fit, the newest first."""

    id: IdStr
    name: str
    last_judgment_at: Time | None
    last_seen_at: Time | None
    flagged: int
    standing: StandingOut | None
    signs: list[SignOut]
    fits: list[OwnSlope]


class RankedPerson(Wire):
    """One line of the ranking of people; `me` is the caller."""

    name: str
    judgments: int
    active_ms: int
    me: bool


@router.get("/projects/{project}/my-work")
def read_my_work(
    project: ProjectDep, session: SessionDep, caller: Annotator, utc_offset_minutes: UtcOffset = 0
) -> OwnWork:
    """The caller's own numbers."""
    found = work.of_person(session, project, caller.user.id, midnight(utc_offset_minutes), in_steps=True)
    stage = standings.look(session, project, caller.user.id)
    return OwnWork.model_validate({**found.__dict__, "stage": stage})


@router.get("/projects/{project}/annotators/{user_id}")
def read_annotator(
    project: ProjectDep,
    user_id: uuid.UUID,
    session: SessionDep,
    heavy: HeavyDep,
    caller: AdminReader,
    utc_offset_minutes: UtcOffset = 0,
) -> AnnotatorWork:
    """One annotator's numbers."""
    user = accounts.get(session, user_id)
    found = work.of_person(session, project, user.id, midnight(utc_offset_minutes))
    more = {
        "id": user.id,
        "name": user.name,
        "last_seen_at": user.last_seen_at,
        "flagged": work.flagged(session, project, user.id),
        "standing": session.get(Standing, (project.id, user.id)),
        "signs": heavy(signs.of_person, project, user.id),
        "fits": [
            {**slope.__dict__, "number": fit.number, "created_at": fit.created_at}
            for fit, slope in annotator_fits.of_person(session, project, user.id)
        ],
    }
    return AnnotatorWork.model_validate({**found.__dict__, **more})


@router.get("/projects/{project}/people-ranking")
def read_people_ranking(project: ProjectDep, session: SessionDep, caller: Reader) -> Page[RankedPerson]:
    """Who judged how much, the busiest first; only where the project switched it on, or for admins."""
    sees_all = caller.user.role == "admin" and bool(caller.scopes & {"read", "admin"})
    found = work.ranking(session, project, for_admin=sees_all)
    items = [
        RankedPerson(
            name=one.name, judgments=one.judgments, active_ms=one.active_ms, me=one.annotator_id == caller.user.id
        )
        for one in found
    ]
    return Page(items=items, next=None)
