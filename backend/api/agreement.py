"""How annotators agree, over HTTP. For admins: people are not ranked before each other."""

from fastapi import APIRouter

from backend.api.deps import AdminReader, HeavyDep
from backend.api.projects import ProjectDep
from backend.api.standings import StandingOut
from backend.api.wire import IdStr, Page, Time, UtcOffset, Wire, midnight
from backend.services import agreement

router = APIRouter(tags=["agreement"])


class AgreementOut(Wire):
    """Over all pairs that two or more people judged; null where there are none. The alphas are Krippendorff's."""

    majority_agreement: float | None
    alpha_nominal: float | None
    alpha_interval: float | None
    units: int


class AnnotatorOut(Wire):
    """One person's part in a project; `left_share` of the decided pairs went to what was shown first.

    `judgments` and `today` are those that stand; `active_ms_total` is the time of all, also those set aside since.
    """

    id: IdStr
    name: str
    judgments: int
    today: int
    skipped: int
    flagged: int
    last_judgment_at: Time | None
    last_seen_at: Time | None
    active_ms_total: int
    median_active_ms: int | None
    majority_agreement: float | None
    left_share: float | None
    repeat_consistency: float | None
    gold_right_share: float | None
    gold_answers: int
    standing: StandingOut | None


@router.get("/projects/{project}/agreement")
def read_agreement(project: ProjectDep, heavy: HeavyDep, caller: AdminReader) -> AgreementOut:
    """How far the annotators of a project agree."""
    return AgreementOut.model_validate(heavy(agreement.of_project, project))


@router.get("/projects/{project}/annotators")
def list_annotators(
    project: ProjectDep, heavy: HeavyDep, caller: AdminReader, utc_offset_minutes: UtcOffset = 0
) -> Page[AnnotatorOut]:
    """Everybody who did anything in a project, the busiest first."""
    found = heavy(agreement.annotators, project, midnight(utc_offset_minutes))
    return Page(items=[AnnotatorOut.model_validate(one) for one in found], next=None)
