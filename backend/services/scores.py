"""What a project's newest reward model gives its completions: where that contradicts the ratings, people are asked."""

import math
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Double, delete, literal, select
from sqlalchemy.dialects.postgresql import UUID, insert
from sqlalchemy.orm import Session

from backend.errors import Invalid
from backend.services import bulk
from backend.tables import Completion, CompletionScore, Run


def keep(session: Session, run: Run, rows: Iterable[Mapping[str, Any]]) -> int:
    """Store the scores `{"completion", "score"}` of a reward_model run, in log-odds, and drop those of earlier ones:
    only scores of one model can be compared. Returns how many; completions that are gone are passed over."""
    try:
        found = {uuid.UUID(row["completion"]): float(row["score"]) for row in rows}
        if not all(map(math.isfinite, found.values())):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise Invalid("The trainer's scores name no completion, or no number.") from None
    mine = select(Completion.id).where(Completion.project_id == run.project_id)
    session.execute(delete(CompletionScore).where(CompletionScore.completion_id.in_(mine)))
    given = bulk.table({"id": (UUID(as_uuid=True), list(found)), "score": (Double(), list(found.values()))})
    scored = select(given.c.id, literal(run.id), given.c.score).where(given.c.id.in_(mine))
    statement = insert(CompletionScore).from_select(["completion_id", "run_id", "score"], scored)
    statement = statement.on_conflict_do_update(
        index_elements=["completion_id"],
        set_={"run_id": statement.excluded.run_id, "score": statement.excluded.score},
    )
    return len(session.scalars(statement.returning(CompletionScore.completion_id)).all())
