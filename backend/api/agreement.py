"""How annotators agree, over HTTP. For admins: people are not ranked before each other."""

from fastapi import APIRouter

from backend.api.deps import AdminReader, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import IdStr, Page, Time, Wire
from backend.services import agreement

router = APIRouter(tags=["agreement"])


class AgreementOut(Wire):
    """Over all pairs that two or more people judged; null where there are none. The alphas are Krippendorff's."""

    majority_agreement: float | None
    alpha_nominal: float | None
    alpha_interval: float | None
    units: int


class AnnotatorOut(Wire):
    """One person's part in a project; `left_share` of the decided pairs went to what was shown first."""

    id: IdStr
    name: str
    judgments: int
    last_judgment_at: Time
    majority_agreement: float | None
    left_share: float | None
    repeat_consistency: float | None
    median_active_ms: int | None


@router.get("/projects/{project}/agreement")
def read_agreement(project: ProjectDep, session: SessionDep, caller: AdminReader) -> AgreementOut:
    """How far the annotators of a project agree."""
    return AgreementOut.model_validate(agreement.of_project(session, project))


@router.get("/projects/{project}/annotators")
def list_annotators(project: ProjectDep, session: SessionDep, caller: AdminReader) -> Page[AnnotatorOut]:
    """Everybody who judged in a project, the busiest first."""
    return Page(items=[AnnotatorOut.model_validate(one) for one in agreement.annotators(session, project)], next=None)
