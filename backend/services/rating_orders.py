"""How much of an Elo rating is owed to the order of judgments. Knows nothing of pages."""

import uuid
from collections.abc import Mapping

from sqlalchemy.orm import Session

from backend.domain import elo
from backend.domain.judgments import outcomes
from backend.errors import Invalid
from backend.services import rating_lists, ratings
from backend.tables import Project

# Together some ten seconds.
MOST_ORDERS = 200
MOST_OUTCOMES = 500_000


def spread(
    session: Session,
    project: Project,
    *,
    of: rating_lists.Of = "models",
    k: float | None = None,
    prompt_id: uuid.UUID | None = None,
    orders: int = 100,
    seed: int = 0,
) -> Mapping[uuid.UUID, elo.Spread]:
    """Mean and standard deviation of each rating over random orders of the same judgments, in Elo points.

    The pairs of a ranking of n are moved about one by one, each with 1/(n-1) of the weight that it has in the rating.
    """
    rows: list[elo.Row[uuid.UUID]] = []
    for ranking in ratings.rankings_of(session, project.id, prompts=None if prompt_id is None else [prompt_id]):
        shown = ranking.completions if of == "completions" else ranking.models
        weight = 1.0 / (len(shown) - 1)
        pairs = outcomes(ranking.ranks)
        rows += [(shown[a], shown[b], score, weight) for a, b, score in pairs if shown[a] != shown[b]]
        if len(rows) > MOST_OUTCOMES:
            raise Invalid(
                f"Random orders are played for at most {MOST_OUTCOMES:,} outcomes, and here are more. With so many, "
                "Bradley-Terry, which knows no order, is the better answer.",
                field="orders",
            )
    return elo.rate_orders(rows, k or rating_lists.k_used(of, "elo", None) or elo.K_MODEL, orders, seed)
