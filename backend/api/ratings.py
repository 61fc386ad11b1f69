"""Leaderboards over HTTP. For admins: annotators stay blind to which model does well."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Query

from backend.api.deps import AdminReader, HeavyDep, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import IdStr, Time, Wire
from backend.domain.leaderboard import Cluster
from backend.errors import Invalid
from backend.services import annotator_fits, leaderboards, rating_history, rating_lists, rating_orders

router = APIRouter(tags=["ratings"])

Weighted = Annotated[
    bool,
    Query(
        description="Bradley-Terry only: count annotators by their slopes and take out their leans, as the newest fit "
        "of them says (409 before the first)"
    ),
]


class RatingOut(Wire):
    """One line of a leaderboard, in Elo points; for completions `name` is the model that wrote it. `order_mean` and
    `order_deviation`: over the random orders asked for, of the same judgments."""

    id: IdStr
    name: str
    rating: float
    standard_error: float | None
    judgments: int
    order_mean: float | None = None
    order_deviation: float | None = None


class LeaderboardOut(Wire):
    """Ratings, best first, and what they were made from; `annotator_fit` is the number of the fit that annotators were
    weighed by."""

    items: list[RatingOut]
    of: str
    method: str
    k: float | None
    judgments: int
    annotator_fit: int | None = None


@router.get("/projects/{project}/ratings")
def read_ratings(
    project: ProjectDep,
    session: SessionDep,
    heavy: HeavyDep,
    caller: AdminReader,
    of: rating_lists.Of = "models",
    method: rating_lists.Method = "elo",
    k: Annotated[float | None, Query(gt=0, le=1000, description="Elo's K; left out: 4 for models, 32 else")] = None,
    prompt: uuid.UUID | None = None,
    orders: Annotated[
        int, Query(ge=0, le=rating_orders.MOST_ORDERS, description="Elo in so many random orders as well")
    ] = 0,
    seed: Annotated[int, Query(ge=0, le=2**31, description="of the random orders")] = 0,
    weighted: Weighted = False,
) -> LeaderboardOut:
    """Ratings of models, or of the completions of a prompt."""
    crowd = annotator_fits.crowd(session, project) if weighted else None
    if prompt is not None or rating_lists.is_stored(of, method, k, prompt):
        items, judged = rating_lists.leaderboard(
            session, project, of=of, method=method, k=k, prompt_id=prompt, crowd=crowd
        )
    else:
        items, judged = heavy(
            rating_lists.leaderboard, project, of=of, method=method, k=k, prompt_id=prompt, crowd=crowd
        )
    lines = [RatingOut.model_validate(item) for item in items]
    if orders:
        if method != "elo":
            raise Invalid("Only Elo depends on the order of judgments.", field="orders")
        spread = heavy(rating_orders.spread, project, of=of, k=k, prompt_id=prompt, orders=orders, seed=seed)
        for line in lines:
            if found := spread.get(uuid.UUID(line.id)):
                line.order_mean, line.order_deviation = found
    return LeaderboardOut(
        items=lines,
        of=of,
        method=method,
        k=rating_lists.k_used(of, method, k),
        judgments=judged,
        annotator_fit=crowd.number if crowd else None,
    )


class TrackOut(Wire):
    """Elo of one model at each place; null before its first judgment."""

    id: IdStr
    name: str
    ratings: list[float | None]


class HistoryOut(Wire):
    """Places in the order of judgments, when the judgments there were made, and the models, best at the end first."""

    positions: list[int]
    times: list[Time]
    items: list[TrackOut]


@router.get("/projects/{project}/ratings/history")
def read_rating_history(
    project: ProjectDep,
    session: SessionDep,
    heavy: HeavyDep,
    caller: AdminReader,
    models: Annotated[list[uuid.UUID] | None, Query(max_length=200, description="only these; left out: all")] = None,
    points: Annotated[int, Query(ge=2, le=500, description="at no more places than these")] = 200,
) -> HistoryOut:
    """How the models' Elo moved from judgment to judgment; the last place is the rating of now."""
    return HistoryOut.model_validate(heavy(rating_history.history, project, points=points, models=models))


class PlaceOut(Wire):
    """A rating with its error; `rank` is shared until a difference is beyond doubt."""

    rating: float
    standard_error: float
    rank: int
    chance_of_best: float


class BoardLine(Wire):
    """A model as it is (`raw`), and with length, style, side or annotators' own ways taken out (`controlled`)."""

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
    errors are rough. `annotator_fit` is the number of the fit that annotators were weighed by."""

    items: list[BoardLine]
    connected: bool
    cluster: str
    clusters: int
    judgments: int
    controls: list[ControlOut]
    annotator_fit: int | None = None


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
    session: SessionDep,
    heavy: HeavyDep,
    caller: AdminReader,
    cluster: Annotated[Cluster, Query(description="which votes hang together, for the errors")] = "prompt",
    controls: Annotated[bool, Query(description="take out what length and style win")] = False,
    side: Annotated[bool, Query(description="take out what being shown first wins")] = False,
    weighted: Weighted = False,
) -> BoardOut:
    """Models by Bradley-Terry with errors, ranks and chances of being best, raw and controlled side by side."""
    crowd = annotator_fits.crowd(session, project) if weighted else None
    board = heavy(leaderboards.board, project, cluster=cluster, controls=controls, side=side, crowd=crowd)
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
        annotator_fit=board.annotator_fit,
    )


@router.get("/projects/{project}/win-matrix")
def read_win_matrix(project: ProjectDep, heavy: HeavyDep, caller: AdminReader) -> WinMatrix:
    """Who won how often against whom."""
    found = heavy(leaderboards.matrix, project)
    return WinMatrix(
        models=[ModelName(id=str(id), name=name) for id, name in found.models], wins=found.wins, games=found.games
    )
