"""Who stood on which side before this annotator lately, so that sides stay balanced for each person and pair."""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, select
from sqlalchemy.orm import Session, aliased

from backend.tables import Comparison, Completion, Project

# So many comparisons back: enough to balance, few enough to read them for every request.
RECENT = 60


def _recent() -> Select[*tuple[Any, ...]]:
    latest = (
        select(Comparison.id, Comparison.kind, Comparison.completions)
        .where(
            Comparison.annotator_id == bindparam("annotator"),
            Comparison.project_id == bindparam("project"),
            Comparison.state != "released",
        )
        .order_by(Comparison.id.desc())
        .limit(RECENT)
        .subquery()
    )
    left, right = aliased(Completion), aliased(Completion)
    return (
        select(latest.c.kind, left.model_id, right.model_id)
        .outerjoin(left, and_(left.id == latest.c.completions[1], func.cardinality(latest.c.completions) == 2))
        .outerjoin(right, right.id == latest.c.completions[2])
        .order_by(latest.c.id.desc())
    )


# Written once: to put a statement together takes longer than the database does to answer it.
_RECENT = _recent()


class Sides:
    """Counts of models on the left and right in one person's recent pairs, and what kind came last."""

    def __init__(self, last_kind: str | None = None) -> None:
        self.last_kind = last_kind
        self._pairs: Counter[tuple[uuid.UUID, uuid.UUID]] = Counter()
        self._models: Counter[uuid.UUID] = Counter()

    @classmethod
    def recent(cls, session: Session, project: Project, annotator_id: uuid.UUID) -> "Sides":
        """As they are now."""
        rows = session.execute(_RECENT, {"project": project.id, "annotator": annotator_id}).all()
        sides = cls(rows[0][0] if rows else None)
        for _, first, second in rows:
            if first is not None and second is not None:
                sides._count(first, second)
        return sides

    def note(self, shown: Sequence[uuid.UUID], model_of: Mapping[uuid.UUID, uuid.UUID]) -> None:
        """Count in another pair of completions."""
        if len(shown) == 2:
            self._count(model_of[shown[0]], model_of[shown[1]])

    def _count(self, left: uuid.UUID, right: uuid.UUID) -> None:
        self._pairs[left, right] += 1
        self._models[left] += 1
        self._models[right] -= 1

    def lead(self, a: uuid.UUID, b: uuid.UUID) -> int:
        """How much more often model `a` stood on the left than `b` did: against each other, or else over all."""
        return self._pairs[a, b] - self._pairs[b, a] or self._models[a] - self._models[b]
