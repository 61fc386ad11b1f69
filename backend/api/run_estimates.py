"""What a run would take, before it is launched. For admins only."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from backend.api.checkpoints import StoreDep
from backend.api.deps import Admin, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import Body, IdStr, Wire
from backend.domain.training.workload import Unit
from backend.services import run_estimates

router = APIRouter(tags=["runs"])


class EstimateIn(Body):
    """The run that might be launched."""

    kind: str = Field(min_length=1, max_length=40)
    config: dict[str, Any] = Field(default_factory=dict)


class LikeOut(Wire):
    """An ended run on the same model, with the same settings where they change the pace."""

    id: IdStr
    name: str
    seconds: float


class RoomOut(Wire):
    """Bytes of memory at the worst moment, on each GPU or of a machine without one; of disk while it runs, and for the
    checkpoint. Right to about a third."""

    gpu: int
    cpu: int
    folder: int
    stored: int


class EstimateOut(Wire):
    """What is null is not known, and `unknown` says why. `advice` tells what would do better."""

    steps: int
    unit: Unit
    seconds: float | None
    like: LikeOut | None
    room: RoomOut | None
    unknown: list[str]
    advice: list[str]


@router.post("/projects/{project}/runs/estimate")
def estimate_run(
    project: ProjectDep, body: EstimateIn, session: SessionDep, store: StoreDep, caller: Admin
) -> EstimateOut:
    """Steps, time, memory and disk of a run, without starting it; what could not be launched is refused alike."""
    found = run_estimates.estimate(session, store, project, body.kind, body.config)
    like = found.like
    return EstimateOut(
        steps=found.workload.steps,
        unit=found.workload.unit,
        seconds=found.seconds,
        like=LikeOut(id=str(like.run.id), name=like.run.name, seconds=like.seconds) if like else None,
        room=RoomOut(**vars(found.room)) if found.room else None,
        unknown=found.unknown,
        advice=found.advice,
    )
