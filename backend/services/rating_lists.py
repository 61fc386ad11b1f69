"""Ratings as they are read: leaderboards of models and of a prompt's completions by each method, and who won against
whom among the completions of a prompt. What keeps the live ones up to date is the business of `ratings`.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.domain import elo
from backend.domain.judgments import outcomes
from backend.errors import Invalid
from backend.services import annotator_fits, facts, leaderboards
from backend.services.annotator_fits import Crowd
from backend.services.rating_state import Ranking
from backend.services.ratings import rankings_of
from backend.tables import Completion, CompletionRating, Judgment, Model, ModelRating, Project

Of = Literal["models", "completions"]
Method = Literal["elo", "bradley_terry"]


@dataclass(frozen=True)
class Rating:
    """One line of a leaderboard, in Elo points; `standard_error` is null where the method gives none."""

    id: uuid.UUID
    name: str
    rating: float
    standard_error: float | None
    judgments: int


def k_used(of: Of, method: Method, k: float | None) -> float | None:
    """The K that a leaderboard asked for in this way is made with."""
    if method != "elo":
        return None
    return k if k is not None else _usual_k(of)


def _usual_k(of: Of) -> float:
    return elo.K_COMPLETION if of == "completions" else elo.K_MODEL


def is_stored(of: Of, method: Method, k: float | None, prompt_id: uuid.UUID | None) -> bool:
    """Whether these ratings are read as they stand, rather than made anew from the judgments."""
    return method == "elo" and k in (None, _usual_k(of)) and (of == "completions" or prompt_id is None)


def leaderboard(
    session: Session,
    project: Project,
    *,
    of: Of,
    method: Method = "elo",
    k: float | None = None,
    prompt_id: uuid.UUID | None = None,
    crowd: Crowd | None = None,
) -> tuple[list[Rating], int]:
    """Ratings, best first, and the number of judgments behind them.

    Elo with the usual K is read as it stands; another K, or models rated on one prompt alone, is played again from
    the judgments. `prompt_id` is needed for completions: each prompt's completions are a pool of their own. With a
    `crowd`, Bradley-Terry counts annotators by their slopes and takes out their leans.
    """
    if of == "completions" and prompt_id is None:
        raise Invalid("Completions are rated within their prompt; say which prompt.", field="prompt")
    if k is not None and method != "elo":
        raise Invalid("K belongs to Elo; Bradley-Terry has none.", field="k")
    if crowd is not None and method != "bradley_terry":
        raise Invalid("Elo counts every judgment alike; only Bradley-Terry weighs annotators.", field="weighted")
    if method == "bradley_terry":
        return _bradley_terry(session, project, of, prompt_id, crowd)
    if is_stored(of, method, k, prompt_id):
        return _stored(session, project, of, prompt_id)
    ratings: dict[uuid.UUID, float] = {}
    rankings = list(rankings_of(session, project.id, prompts=None if prompt_id is None else [prompt_id]))
    for ranking in rankings:
        shown = ranking.completions if of == "completions" else ranking.models
        elo.fold_judgment(ratings, shown, ranking.ranks, k or _usual_k(of))
    values = {id: (rating, None) for id, rating in ratings.items()}
    return _named(session, of, {**values}, _judged(rankings, of)), len(rankings)


def _bradley_terry(
    session: Session, project: Project, of: Of, prompt_id: uuid.UUID | None, crowd: Crowd | None
) -> tuple[list[Rating], int]:
    """Fitted anew from the judgments; errors of models are clustered by prompt."""
    if of == "models":
        board = leaderboards.board(session, project, crowd=crowd, prompt_id=prompt_id)
        places = [(line, line.controlled or line.raw) for line in board.lines]
        return [
            Rating(line.id, line.name, place.rating, place.standard_error, line.judgments) for line, place in places
        ], board.judgments
    known = facts.load(session, project, prompt_id=prompt_id)
    rated = annotator_fits.rate(known, crowd) if crowd else facts.rate(known, "bradley_terry")
    errors = rated.standard_error.tolist() if rated.standard_error is not None else []
    values = dict(zip(known.completions, zip(rated.rating.tolist(), errors, strict=True), strict=True))
    judged = dict(zip(known.completions, rated.judgments.tolist(), strict=True))
    return _named(session, of, {**values}, judged), known.judgments


@dataclass(frozen=True)
class Duel:
    """How often completion `a` won against `b`, a tie being half for both, in how many judgments."""

    a: uuid.UUID
    b: uuid.UUID
    wins: float
    judgments: int


def duels(session: Session, project_id: uuid.UUID, prompt_id: uuid.UUID) -> list[Duel]:
    """Every pair of a prompt's completions that some judgment in the ratings compares."""
    found: dict[tuple[uuid.UUID, uuid.UUID], tuple[float, int]] = {}
    for ranking in rankings_of(session, project_id, prompts=[prompt_id]):
        for i, j, score in outcomes(ranking.ranks):
            a, b = ranking.completions[i], ranking.completions[j]
            pair, won = ((a, b), score) if a < b else ((b, a), 1.0 - score)
            wins, judged = found.get(pair, (0.0, 0))
            found[pair] = wins + won, judged + 1
    return [Duel(*pair, *totals) for pair, totals in sorted(found.items())]


def _judged(rankings: Iterable[Ranking], of: Of) -> dict[uuid.UUID, int]:
    """In how many judgments each took part."""
    judged: dict[uuid.UUID, int] = {}
    for ranking in rankings:
        for id in set(ranking.completions if of == "completions" else ranking.models):
            judged[id] = judged.get(id, 0) + 1
    return judged


def _stored(session: Session, project: Project, of: Of, prompt_id: uuid.UUID | None) -> tuple[list[Rating], int]:
    if of == "models":
        rows = session.scalars(select(ModelRating).where(ModelRating.project_id == project.id)).all()
        values: dict[uuid.UUID, tuple[float, float | None]] = {row.model_id: (row.elo, None) for row in rows}
        judged = {row.model_id: row.judgments for row in rows}
    else:
        pool = session.scalars(select(CompletionRating).where(CompletionRating.prompt_id == prompt_id)).all()
        values = {row.completion_id: (row.elo, None) for row in pool}
        judged = {row.completion_id: row.judgments for row in pool}
    held = select(func.count()).where(
        Judgment.project_id == project.id,
        Judgment.position > 0,
        Judgment.stands,
    )
    if prompt_id is not None:
        held = held.where(Judgment.prompt_id == prompt_id)
    return _named(session, of, values, judged), session.scalar(held) or 0


def _named(
    session: Session,
    of: Of,
    values: dict[uuid.UUID, tuple[float, float | None]],
    judged: dict[uuid.UUID, int],
) -> list[Rating]:
    if of == "models":
        names = session.execute(select(Model.id, Model.name).where(Model.id.in_(values)))
    else:
        names = session.execute(
            select(Completion.id, Model.name)
            .join(Model, Model.id == Completion.model_id)
            .where(Completion.id.in_(values))
        )
    items = [Rating(id, name, *values[id], judged.get(id, 0)) for id, name in names]
    return sorted(items, key=lambda item: (-item.rating, item.name, item.id))
