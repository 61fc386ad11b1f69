"""Comparisons whose answer is known: making and changing them, and telling whether they were answered right."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from backend.domain import gold as rules
from backend.domain.judgments import Protocol, reorder
from backend.tables import Comparison, Gold, Project


def is_right(session: Session, comparison: Comparison, ranks: Sequence[int] | None) -> bool | None:
    """Whether these ranks, in the order shown, are the known ones; None when nothing is known any more."""
    if comparison.gold_id is None:
        return None
    gold = session.get_one(Gold, comparison.gold_id)
    project = session.get_one(Project, comparison.project_id)
    return rules.is_right(known_ranks(gold, comparison), ranks, Protocol.model_validate(project.protocol).top)


def known_ranks(gold: Gold, comparison: Comparison) -> tuple[int, ...] | None:
    """The known ranks in the order in which the completions were shown."""
    return None if gold.ranks is None else reorder(gold.ranks, gold.completions, comparison.completions)
