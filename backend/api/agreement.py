"""How annotators agree, over HTTP. For admins: people are not ranked before each other."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from backend.api.deps import AdminReader, HeavyDep, SessionDep
from backend.api.projects import ProjectDep
from backend.api.standings import StandingOut
from backend.api.wire import IdStr, Page, ShareOut, Time, UtcOffset, Wire, midnight
from backend.domain.signs import Name
from backend.services import accounts, agreement, agreement_history
from backend.services.annotator_fits import Slope

router = APIRouter(tags=["agreement"])


class AgreementOut(Wire):
    """Over all pairs that two or more people judged; null where there are none.

    The alphas are Krippendorff's: 1 is full agreement, 0 what chance gives. `nominal` takes win, tie and loss for three
    different answers; `interval` a tie for half a win; `ordinal` reads answers in their order, with their strength
    where it was asked (else it is the same as `interval`). Errors are standard errors, by a bootstrap over pairs.
    """

    majority_agreement: float | None
    majority_agreement_error: float | None
    alpha_nominal: float | None
    alpha_nominal_error: float | None
    alpha_ordinal: float | None
    alpha_ordinal_error: float | None
    alpha_interval: float | None
    alpha_interval_error: float | None
    units: int
    repeat_consistency: ShareOut | None
    gold: ShareOut | None


class AgreementPoint(AgreementOut):
    """What was judged from one time up to another, or under one version of the guidelines. `agreement` is that of the
    annotator who was asked for with the others; then the numbers of all are null."""

    label: str
    start: Time = Field(serialization_alias="from")
    end: Time = Field(serialization_alias="to")
    judgments: int
    agreement: ShareOut | None


class AgreementHistory(Wire):
    """The course of agreement, in order."""

    items: list[AgreementPoint]


class SignOut(Wire):
    """Something to look at (near chance, contrary to the crowd, leaning to a side, too fast, always the same answer),
    and a sentence with its figures. Nobody is dropped by it."""

    name: Name
    sentence: str


class AnnotatorOut(Wire):
    """One person's part in a project; `left_share` of the decided pairs went to what was shown first.

    `judgments` and `today` are those that stand; `active_ms_total` is the time of all, also those set aside since.
    `slope` and `lean` are those of the newest fit, with standard errors; null before the first.
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
    slope: float | None
    slope_error: float | None
    lean: float | None
    lean_error: float | None
    signs: list[SignOut]


@router.get("/projects/{project}/agreement")
def read_agreement(project: ProjectDep, heavy: HeavyDep, caller: AdminReader) -> AgreementOut:
    """How far the annotators of a project agree."""
    return AgreementOut.model_validate(heavy(agreement.of_project, project))


@router.get("/projects/{project}/agreement/history")
def read_agreement_history(
    project: ProjectDep,
    heavy: HeavyDep,
    session: SessionDep,
    caller: AdminReader,
    by: Annotated[agreement_history.By, Query(description="days, weeks, ... so that there are up to 30")] = "time",
    annotator: Annotated[uuid.UUID | None, Query(description="of this person with the others")] = None,
    utc_offset_minutes: UtcOffset = 0,
) -> AgreementHistory:
    """Agreement, gold and consistency over time or by version of the guidelines."""
    who = None if annotator is None else accounts.get(session, annotator).id
    found = heavy(agreement_history.of_project, project, by, annotator_id=who, utc_offset_minutes=utc_offset_minutes)
    return AgreementHistory(items=[AgreementPoint.model_validate(point) for point in found])


@router.get("/projects/{project}/annotators")
def list_annotators(
    project: ProjectDep, heavy: HeavyDep, caller: AdminReader, utc_offset_minutes: UtcOffset = 0
) -> Page[AnnotatorOut]:
    """Everybody who did anything in a project, the busiest first."""
    found = heavy(agreement.annotators, project, midnight(utc_offset_minutes))
    return Page(
        items=[AnnotatorOut.model_validate({**one.__dict__, **slope_of(one.slope)}) for one in found], next=None
    )


def slope_of(slope: Slope | None) -> dict[str, float | None]:
    """The figures of a slope, or none."""
    return {name: getattr(slope, name, None) for name in ("slope", "slope_error", "lean", "lean_error")}
