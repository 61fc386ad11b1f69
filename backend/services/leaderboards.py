"""The leaderboard of a project's models, fitted anew from its judgments: Bradley-Terry with errors, raw and with
length, style, side and annotators' own ways taken out; and who wins how often against whom."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.domain import leaderboard as rules
from backend.domain.bradley_terry import Floats, Ints
from backend.domain.elo import POINTS_PER_LOG_ODDS, START
from backend.domain.leaderboard import CONTROL_RIDGE, SIDE, Cluster, Coefficient
from backend.domain.model_fit import Fit, fit_columns
from backend.domain.style import Style, contrast, style
from backend.errors import Invalid
from backend.services import facts
from backend.services.annotator_fits import Crowd
from backend.services.bulk import Ids
from backend.tables import Completion, Model, Project

# Where some model only won or only lost, the votes alone hold no finite ratings; a weak prior then does, and the
# leaderboard says that not all models are connected.
WEAK_RIDGE = 0.1
BATCH = 5_000


@dataclass(frozen=True)
class Place:
    """A model in Elo points; `rank` is shared until a difference is beyond doubt."""

    rating: float
    standard_error: float
    rank: int
    chance_of_best: float


@dataclass(frozen=True)
class Line:
    """A model, as it is and with the controls taken out."""

    id: uuid.UUID
    name: str
    judgments: int
    raw: Place
    controlled: Place | None


@dataclass(frozen=True)
class Board:
    """Best first. `connected`: the judgments alone hold all models on one scale. `annotator_fit` is the number of the
    fit that annotators were weighed by."""

    lines: list[Line]
    connected: bool
    cluster: Cluster
    clusters: int
    judgments: int
    controls: dict[str, Coefficient]
    annotator_fit: int | None = None


@dataclass(frozen=True)
class Matrix:
    """`wins[i][j]`: the scores of model i against model j (a tie is half for both); `games[i][j]`: how many."""

    models: list[tuple[uuid.UUID, str]]
    wins: list[list[float]]
    games: list[list[int]]


@dataclass(frozen=True)
class _Votes:
    models: list[tuple[uuid.UUID, str]]
    left: Ints
    right: Ints
    score: Floats
    prompt: Ints
    annotator: Ints
    left_item: Ints
    right_item: Ints
    completions: Ids
    took_part: Ints
    judgments: int
    annotators: Ids


def board(
    session: Session,
    project: Project,
    *,
    cluster: Cluster = "prompt",
    controls: bool = False,
    side: bool = False,
    crowd: Crowd | None = None,
    prompt_id: uuid.UUID | None = None,
) -> Board:
    """Fit the leaderboard. `controls` takes out length and style, `side` what being shown first wins, a `crowd`
    counts annotators by their slopes and takes out their leans; each gives a second rating beside the raw one."""
    votes = _votes(session, project, prompt_id)
    if not len(votes.left):
        return Board([], True, cluster, 0, votes.judgments, {}, crowd.number if crowd else None)
    labels = {"prompt": [votes.prompt], "annotator": [votes.annotator], "both": [votes.prompt, votes.annotator]}
    columns = labels.get(cluster, [])
    if any(len(np.unique(column)) < 2 for column in columns):
        cluster, columns = "votes", []
    raw, ridge = _fit(votes, columns, None, [])
    names: list[str] = []
    controlled = None
    if controls or side:
        taken_out = _contrasts(session, votes) if controls else np.zeros((len(votes.left), 0))
        names = list(Style._fields) if controls else []
        some = taken_out.std(axis=0) > 0  # what never differs can win nothing
        taken_out, names = taken_out[:, some], [name for name, used in zip(names, some, strict=True) if used]
        penalties = [CONTROL_RIDGE] * len(names)
        if side:
            taken_out = np.column_stack([taken_out, np.ones(len(votes.left))])
            names, penalties = [*names, SIDE], [*penalties, 0.0]
        if names:
            controlled, _ = _fit(votes, columns, rules.standardised(taken_out, votes.score), penalties, ridge, crowd)
    if crowd and controlled is None:
        controlled, _ = _fit(votes, columns, None, [], ridge, crowd)
    places, beside = _places(raw), _places(controlled) if controlled else None
    lines = [
        Line(id, name, int(votes.took_part[i]), places[i], beside[i] if beside else None)
        for i, (id, name) in enumerate(votes.models)
    ]
    lines.sort(key=lambda line: (-(line.controlled or line.raw).rating, line.name, line.id))
    found = {}
    if controlled:
        errors = np.sqrt(np.maximum(np.diag(controlled.covariance)[len(votes.models) :], 0.0)).tolist()
        values = controlled.coefficients.tolist()
        found = {name: Coefficient(*pair) for name, *pair in zip(names, values, errors, strict=True)}
    number = min((len(np.unique(column)) for column in columns), default=len(votes.left))
    return Board(lines, raw.connected, cluster, number, votes.judgments, found, crowd.number if crowd else None)


def matrix(session: Session, project: Project) -> Matrix:
    """Who won how often against whom."""
    votes = _votes(session, project, None)
    count = len(votes.models)
    wins = np.zeros((count, count))
    games = np.zeros((count, count), dtype=int)
    np.add.at(wins, (votes.left, votes.right), votes.score)
    np.add.at(wins, (votes.right, votes.left), 1.0 - votes.score)
    np.add.at(games, (votes.left, votes.right), 1)
    return Matrix(votes.models, wins.tolist(), (games + games.T).tolist())


def _votes(session: Session, project: Project, prompt_id: uuid.UUID | None) -> _Votes:
    """All outcomes between different models, in columns."""
    known = facts.load(session, project, prompt_id=prompt_id)
    left, right, score, annotator = facts.pairs(known)
    model_of = known.model_of
    apart = model_of[left] != model_of[right]
    left, right, score, annotator = left[apart], right[apart], score[apart], annotator[apart]
    numbers = np.unique(model_of[np.concatenate([left, right])]) if len(left) else np.zeros(0, np.intp)
    place = np.zeros(len(known.models), np.intp)
    place[numbers] = np.arange(len(numbers))
    took_part = np.zeros(len(known.models), np.intp)
    for part in known.said:
        # A judgment of two answers of one model is one judgment for it.
        by_model = np.sort(model_of[part.shown], axis=1)
        first = np.column_stack([np.ones(len(by_model), bool), np.diff(by_model, axis=1) != 0])
        np.add.at(took_part, by_model[first], 1)
    ids = [known.models[number] for number in numbers.tolist()]
    names = dict(session.execute(select(Model.id, Model.name).where(Model.id.in_(ids))).all())
    return _Votes(
        models=[(id, names[id]) for id in ids],
        left=place[model_of[left]],
        right=place[model_of[right]],
        score=score,
        prompt=known.group_of[left],
        annotator=annotator,
        left_item=left,
        right_item=right,
        completions=known.completions,
        took_part=took_part[numbers],
        judgments=known.judgments,
        annotators=known.annotators,
    )


def _fit(
    votes: _Votes,
    clusters: Sequence[Ints],
    controls: Floats | None,
    penalties: Sequence[float],
    ridge: float = 0.0,
    crowd: Crowd | None = None,
) -> tuple[Fit, float]:
    """With the weak prior only where it is needed (who counts nothing holds no models together); returns the prior's
    precision too."""
    slope, lean = crowd.of_votes(votes.annotators, votes.annotator) if crowd else (None, None)

    def fit(ridge: float) -> Fit:
        return fit_columns(
            votes.left,
            votes.right,
            votes.score,
            models=len(votes.models),
            ridge=ridge,
            clusters=clusters,
            controls=controls,
            penalties=penalties,
            slope=slope,
            lean=lean,
        )

    try:
        return fit(ridge), ridge
    except Invalid:
        if ridge:
            raise
        return fit(WEAK_RIDGE), WEAK_RIDGE


def _places(fit: Fit) -> list[Place]:
    count = len(fit.utility)
    covariance = fit.covariance[:count, :count]
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    rank, best = rules.ranks(fit.utility, covariance), rules.chance_of_best(fit.utility, covariance)
    return [
        Place(
            START + POINTS_PER_LOG_ODDS * float(fit.utility[i]),
            POINTS_PER_LOG_ODDS * float(errors[i]),
            int(rank[i]),
            float(best[i]),
        )
        for i in range(count)
    ]


def _contrasts(session: Session, votes: _Votes) -> Floats:
    """How the first shown differs from the other in length and style, for every vote."""
    needed = np.unique(np.concatenate([votes.left_item, votes.right_item])).tolist()
    looks = np.zeros((len(votes.completions), len(Style._fields)))
    for start in range(0, len(needed), BATCH):
        number = {votes.completions[item]: item for item in needed[start : start + BATCH]}
        for id, text in session.execute(select(Completion.id, Completion.text).where(Completion.id.in_(number))):
            looks[number[id]] = style(text)
    return contrast(looks[votes.left_item], looks[votes.right_item])
