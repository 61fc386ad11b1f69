"""Leaderboards over HTTP. For admins: annotators stay blind to which model does well."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Query

from backend.api.deps import AdminReader, HeavyDep, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import IdStr, Wire
from backend.domain.leaderboard import Cluster
from backend.services import leaderboards, ratings

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
    heavy: HeavyDep,
    caller: AdminReader,
    of: ratings.Of = "models",
    method: ratings.Method = "elo",
    k: Annotated[float | None, Query(gt=0, le=1000, description="Elo's K; left out: 4 for models, 32 else")] = None,
    prompt: uuid.UUID | None = None,
) -> LeaderboardOut:
    """Ratings of models, or of the completions of a prompt."""
    if prompt is not None or ratings.is_stored(of, method, k, prompt):
        items, judged = ratings.leaderboard(session, project, of=of, method=method, k=k, prompt_id=prompt)
    else:
        items, judged = heavy(ratings.leaderboard, project, of=of, method=method, k=k, prompt_id=prompt)
    return LeaderboardOut(
        items=[RatingOut.model_validate(item) for item in items],
        of=of,
        method=method,
        k=ratings.k_used(of, method, k),
        judgments=judged,
    )


class PlaceOut(Wire):
    """A rating with its error; `rank` is shared until a difference is beyond doubt."""

    rating: float
    standard_error: float
    rank: int
    chance_of_best: float


class BoardLine(Wire):
    """A model as it is (`raw`), and with length, style or side taken out (`controlled`)."""

    id: IdStr
    name: str
    judgments: int
    raw: PlaceOut
    controlled: PlaceOut | None


class ControlOut(Wire):
    """What one deviation of it (for the side: being shown first) adds to the log-odds of winning."""

    name: str
    value: float
    standard_error: float


class BoardOut(Wire):
    """Models, best first. `connected`: the judgments alone hold all of them on one scale; below 30 `clusters` the
    errors are rough."""

    items: list[BoardLine]
    connected: bool
    cluster: str
    clusters: int
    judgments: int
    controls: list[ControlOut]


class ModelName(Wire):
    """A model of the matrix."""

    id: IdStr
    name: str


class WinMatrix(Wire):
    """`wins[i][j]`: the scores of model i against model j (a tie is half for both); `games[i][j]`: how many."""

    models: list[ModelName]
    wins: list[list[float]]
    games: list[list[int]]


@router.get("/projects/{project}/leaderboard")
def read_leaderboard(
    project: ProjectDep,
    heavy: HeavyDep,
    caller: AdminReader,
    cluster: Annotated[Cluster, Query(description="which votes hang together, for the errors")] = "prompt",
    controls: Annotated[bool, Query(description="take out what length and style win")] = False,
    side: Annotated[bool, Query(description="take out what being shown first wins")] = False,
) -> BoardOut:
    """Models by Bradley-Terry with errors, ranks and chances of being best, raw and controlled side by side."""
    board = heavy(leaderboards.board, project, cluster=cluster, controls=controls, side=side)
    return BoardOut(
        items=[BoardLine.model_validate(line) for line in board.lines],
        connected=board.connected,
        cluster=board.cluster,
        clusters=board.clusters,
        judgments=board.judgments,
        controls=[
            ControlOut(name=name, value=found.value, standard_error=found.standard_error)
            for name, found in board.controls.items()
        ],
    )


@router.get("/projects/{project}/win-matrix")
def read_win_matrix(project: ProjectDep, heavy: HeavyDep, caller: AdminReader) -> WinMatrix:
    """Who won how often against whom."""
    found = heavy(leaderboards.matrix, project)
    return WinMatrix(
        models=[ModelName(id=str(id), name=name) for id, name in found.models], wins=found.wins, games=found.games
    )
