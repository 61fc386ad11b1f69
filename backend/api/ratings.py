"""Leaderboards over HTTP. For admins: annotators stay blind to which model does well."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Query

from backend.api.deps import AdminReader, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import IdStr, Wire
from backend.services import ratings

router = APIRouter(tags=["ratings"])


class RatingOut(Wire):
    """One line of a leaderboard, in Elo points; for completions `name` is the model that wrote it."""

    id: IdStr
    name: str
    rating: float
    standard_error: float | None
    judgments: int


class LeaderboardOut(Wire):
    """Ratings, best first, and what they were made from."""

    items: list[RatingOut]
    of: str
    method: str
    k: float | None
    judgments: int


@router.get("/projects/{project}/ratings")
def read_ratings(
    project: ProjectDep,
    session: SessionDep,
    caller: AdminReader,
    of: ratings.Of = "models",
    method: ratings.Method = "elo",
    k: Annotated[float | None, Query(gt=0, le=1000, description="Elo's K; left out: 4 for models, 32 else")] = None,
    prompt: uuid.UUID | None = None,
) -> LeaderboardOut:
    """Ratings of models, or of the completions of a prompt."""
    items, judged = ratings.leaderboard(session, project, of=of, method=method, k=k, prompt_id=prompt)
    return LeaderboardOut(
        items=[RatingOut.model_validate(item) for item in items],
        of=of,
        method=method,
        k=ratings.k_used(of, method, k),
        judgments=judged,
    )
