"""How the models' Elo moved from judgment to judgment, at a bounded number of places. Knows nothing of pages.

What it costs is bounded: a project of at most `MOST_REPLAYED` judgments is played once from the beginning; of a larger
one only as many snapshots are read as there are places. Either way the last place is the live rating, to the digit.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.domain import elo
from backend.services import ratings
from backend.tables import Judgment, Model, ModelRating, Project, RatingSnapshot

MOST_REPLAYED = 20_000

Ratings = dict[uuid.UUID, float]


@dataclass(frozen=True)
class Track:
    """Elo of one model at each place; null before its first judgment."""

    id: uuid.UUID
    name: str
    ratings: list[float | None]


@dataclass(frozen=True)
class History:
    """`positions` in the order of judgments, `times` by which those were made (never falling), and the models, best at
    the end first."""

    positions: list[int]
    times: list[datetime]
    items: list[Track]


def history(
    session: Session, project: Project, *, points: int = 200, models: Sequence[uuid.UUID] | None = None
) -> History:
    """The models' Elo at no more than `points` (2 or more) places up to now; of some models, or of all."""
    last = project.judgments_folded
    if last <= MOST_REPLAYED:
        states = _played(session, project.id, places(last, points))
    else:
        states = _stored(session, project.id, last, points)
    wanted = {id for state in states.values() for id in state}
    if models is not None:
        wanted &= set(models)
    final = next(reversed(states.values()), {})
    names = session.execute(select(Model.id, Model.name).where(Model.id.in_(wanted))).all()
    items = [Track(id, name, [state.get(id) for state in states.values()]) for id, name in names]
    items.sort(key=lambda item: (-final.get(item.id, 0.0), item.name, item.id))
    return History(list(states), _times(session, project.id, list(states)), items)


def places(last: int, points: int) -> list[int]:
    """Evenly, the last one always among them: `places(10, 4)` is 3, 6, 9, 10."""
    step = max(1, -(-last // max(1, points - 1)))
    return sorted({*range(step, last + 1, step), last} - {0})


def _played(session: Session, project_id: uuid.UUID, positions: Sequence[int]) -> dict[int, Ratings]:
    states: dict[int, Ratings] = {}
    live: Ratings = {}
    waiting = iter(positions)
    place = next(waiting, None)
    for ranking in ratings.rankings_of(session, project_id):
        assert ranking.position is not None
        while place is not None and ranking.position > place:
            states[place] = dict(live)
            place = next(waiting, None)
        if place is None:  # folded since we began
            return states
        elo.fold_judgment(live, ranking.models, ranking.ranks, elo.K_MODEL)
    while place is not None:
        states[place] = dict(live)
        place = next(waiting, None)
    return states


def _stored(session: Session, project_id: uuid.UUID, last: int, points: int) -> dict[int, Ratings]:
    here = RatingSnapshot.project_id == project_id
    there = session.scalars(select(RatingSnapshot.position).where(here).order_by(RatingSnapshot.position)).all()
    chosen = [there[place - 1] for place in places(len(there), points - 1)]
    rows = session.scalars(
        select(RatingSnapshot).where(here, RatingSnapshot.position.in_(chosen)).order_by(RatingSnapshot.position)
    )
    states = {row.position: {uuid.UUID(id): float(elo) for id, (elo, _) in row.models.items()} for row in rows}
    live = select(ModelRating.model_id, ModelRating.elo).where(ModelRating.project_id == project_id)
    states[last] = dict(session.execute(live).all())
    return states


def _times(session: Session, project_id: uuid.UUID, positions: Sequence[int]) -> list[datetime]:
    made = session.execute(
        select(Judgment.position, Judgment.created_at)
        .where(Judgment.project_id == project_id, Judgment.position.in_(positions))
        .order_by(Judgment.position)
    )
    return list(accumulate((at for _, at in made), max))
