"""What to ask next, over HTTP: how precise ratings are, how far it is to the precision asked for, and whether choosing
pays. For admins."""

from fastapi import APIRouter

from backend.api.deps import AdminReader, HeavyDep, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import UtcOffset, Wire, midnight
from backend.services import asking, progress

router = APIRouter(tags=["projects"])


class ErrorsOut(Wire):
    """Prompts with `judgments` to `upto` judgments; the median of the largest standard error of each, Elo points."""

    judgments: int
    upto: int
    prompts: int
    median_error: float


class BinOut(Wire):
    """Judged prompts whose largest standard error is `low` or more and below `high`, Elo points."""

    low: int
    high: int
    prompts: int


class StepOut(Wire):
    """The n-th judgments of prompts: by how much one lowered the mean posterior variance of its prompt's completions
    (squared log-odds, prior deviation 1), the standard error of that, how many they are; `total` of the first n."""

    nth: int
    gain: float
    error: float | None
    n: int
    total: float


class GainOut(Wire):
    """What chosen judgments taught beside those by chance, on up to 2,000 prompts; `ratio` with its 95 % interval is
    null while there are too few by chance (`random_judgments`)."""

    informative: list[StepOut]
    random: list[StepOut]
    random_judgments: int
    ratio: float | None
    low: float | None
    high: float | None


class ForecastOut(Wire):
    """Judgments until all prompts are settled, or until the overlap is reached; null where nothing tells it."""

    judgments_left: int | None
    days_left: float | None


class AskingOut(Wire):
    """`prompts` are those that can be asked about, `typical_error` the median standard error of judged completions,
    in Elo points, of the distance to their prompt's mean."""

    target_error: float | None
    prompts: int
    settled: int
    typical_error: float | None
    errors: list[ErrorsOut]
    distribution: list[BinOut]
    gain: GainOut
    forecast: ForecastOut


@router.get("/projects/{project}/asking")
def read_asking(
    project: ProjectDep, session: SessionDep, heavy: HeavyDep, caller: AdminReader, utc_offset_minutes: UtcOffset = 0
) -> AskingOut:
    """How precise ratings are, when they will be as precise as asked for, and whether choosing what to ask pays."""
    found = heavy(asking.of_project, project)
    today = midnight(utc_offset_minutes)
    so_far = progress.of_project(session, project, caller.user.id, today)
    ahead = progress.forecast(session, project, so_far, today)
    gain = found.gain
    return AskingOut(
        target_error=found.target_error,
        prompts=found.prompts,
        settled=found.settled,
        typical_error=found.typical_error,
        errors=[ErrorsOut.model_validate(one) for one in found.errors],
        distribution=[BinOut.model_validate(one) for one in found.distribution],
        gain=GainOut(
            informative=[StepOut.model_validate(step) for step in gain.informative],
            random=[StepOut.model_validate(step) for step in gain.random],
            random_judgments=gain.advantage.random,
            ratio=gain.advantage.ratio,
            low=gain.advantage.low,
            high=gain.advantage.high,
        ),
        forecast=ForecastOut(
            judgments_left=so_far.left if ahead.expected_left is None else ahead.expected_left,
            days_left=ahead.days_left,
        ),
    )
