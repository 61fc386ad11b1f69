"""What a reward set looks like as a whole: how its rewards are spread, and some of them as points. Knows nothing of
pages. One pass over the set; what comes back is as small for a million rewards as for a thousand.
"""

import uuid
from dataclasses import dataclass

from sqlalchemy import Float, Text, cast, func, literal, select
from sqlalchemy.orm import Session, aliased

from backend.tables import Reward


@dataclass(frozen=True)
class Point:
    """One reward with the rating behind it, and the reward of the same completion in another set, if that was asked."""

    completion: uuid.UUID
    prompt: uuid.UUID
    rating: float
    reward: float
    weight: float
    other: float | None


@dataclass(frozen=True)
class Shape:
    """`train[i]` and `held_out[i]` rewards lie from `edges[i]` to `edges[i + 1]`; the last edge belongs to the last.
    `points`: all rewards, or where they are too many, a choice that stays the same."""

    edges: list[float]
    train: list[int]
    held_out: list[int]
    points: list[Point]


def shape(
    session: Session, set_id: uuid.UUID, *, bins: int = 40, points: int = 1_000, other_id: uuid.UUID | None = None
) -> Shape:
    """The spread of a set in so many bins, and at most so many points (with `other_id`: of what both sets hold)."""
    here = Reward.reward_set_id == set_id
    ends = select(func.count(), func.min(Reward.reward), func.max(Reward.reward)).where(here)
    total, low, high = session.execute(ends).one()
    if not total:
        return Shape([], [], [], [])
    edges = [low + (high - low) * i / bins for i in range(bins)] + [high] if high > low else [low, low]
    counts = {"train": [0] * (len(edges) - 1), "held_out": [0] * (len(edges) - 1)}
    bin = func.least(func.width_bucket(Reward.reward, low, high, bins), bins) - 1 if high > low else literal(0)
    grouped = select(Reward.split, bin.label("bin"), func.count()).where(here).group_by(Reward.split, "bin")
    for split, number, many in session.execute(grouped):
        counts[split][number] = many
    return Shape(edges, counts["train"], counts["held_out"], _points(session, set_id, other_id, points))


def _points(session: Session, set_id: uuid.UUID, other_id: uuid.UUID | None, most: int) -> list[Point]:
    other = aliased(Reward)
    columns = (Reward.completion_id, Reward.prompt_id, Reward.rating, Reward.reward, Reward.weight)
    if other_id is None:
        query = select(*columns, cast(literal(None), Float))
    else:
        both = (other.completion_id == Reward.completion_id) & (other.reward_set_id == other_id)
        query = select(*columns, other.reward).join(other, both)
    # Ids grow with time; their digests are in no order, and the same whenever one looks.
    chosen = func.md5(cast(Reward.completion_id, Text))
    rows = session.execute(query.where(Reward.reward_set_id == set_id).order_by(chosen).limit(most))
    return [Point(*row) for row in rows]
