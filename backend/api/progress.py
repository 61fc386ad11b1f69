"""How far a project is, over HTTP, and for admins when it will be done."""

from fastapi import APIRouter

from backend.api.deps import Reader, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import UtcOffset, Wire, midnight
from backend.services import progress

router = APIRouter(tags=["projects"])


class ProgressOut(Wire):
    """How far a project is. `mine` and `today` are the caller's own.

    `wanted` is what its overlap asks for in all, `left` what of it can still be judged. For admins, and null where
    nothing tells it: judgments a day (the mean of the last seven days that had any, without today unless there is no
    other), days left at that pace, and the time that the rest takes of people, from the median of the last judgments.
    With a `target_error`, prompts that are known to it are `settled` and ask for nothing; `expected_left`, for admins,
    is how many judgments settle the others if each teaches as much as those so far, and days and time are of these.
    """

    judgments: int
    wanted: int
    left: int
    open_leases: int
    skipped: int
    mine: int
    today: int
    settled: int
    target_error: float | None
    expected_left: int | None
    judgments_per_day: float | None
    days_left: float | None
    work_ms_left: int | None


@router.get("/projects/{project}/progress")
def read_progress(
    project: ProjectDep, session: SessionDep, caller: Reader, utc_offset_minutes: UtcOffset = 0
) -> ProgressOut:
    """How far a project is, the caller's own part, and for admins a forecast."""
    today = midnight(utc_offset_minutes)
    found = progress.of_project(session, project, caller.user.id, today)
    ahead = progress.Forecast(None, None, None, None)
    if caller.user.role == "admin":
        ahead = progress.forecast(session, project, found, today)
    return ProgressOut.model_validate({**found.__dict__, **ahead.__dict__, "target_error": project.target_error})
