"""How annotators agree and what each of them did, from the judgments that stand (repeats included)."""

import uuid
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.domain import agreement as rules
from backend.domain.shares import Share
from backend.services import work
from backend.tables import Comparison, Judgment, Project, User


@dataclass(frozen=True)
class Annotator:
    """One person's part in a project; None where there is nothing to tell it from."""

    id: uuid.UUID
    name: str
    judgments: int
    last_judgment_at: datetime
    majority_agreement: float | None
    left_share: float | None
    repeat_consistency: float | None
    median_active_ms: int | None


def of_project(session: Session, project: Project) -> rules.Agreement:
    """Agreement between the annotators of a project."""
    rows = session.execute(work.facts().where(Judgment.project_id == project.id))
    return rules.agreement(work.judged(row) for row in rows)


def annotators(session: Session, project: Project) -> list[Annotator]:
    """Everybody who judged in a project, the busiest first."""
    people = {
        id: (name, last)
        for id, name, last in session.execute(
            select(User.id, User.name, func.max(Judgment.created_at))
            .join(Judgment, Judgment.annotator_id == User.id)
            .where(Judgment.project_id == project.id, *work.stands())
            .group_by(User.id)
        )
    }
    rows = session.execute(
        work.facts(Comparison.id, Comparison.repeat_of).where(Judgment.project_id == project.id)
    ).all()
    told = [work.judged(row) for row in rows]
    stats = rules.annotators(told)
    twice: dict[Hashable, list[tuple[rules.Judged, rules.Judged]]] = defaultdict(list)
    for pair in work.twice(rows, told):
        twice[pair[1].annotator].append(pair)
    nothing = rules.AnnotatorStats(0, None, None, None)

    def told_of(id: uuid.UUID) -> Annotator:
        name, last = people[id]
        own = stats.get(id, nothing)
        return Annotator(
            id=id,
            name=name,
            judgments=own.judgments,
            last_judgment_at=last,
            majority_agreement=_value(own.majority_agreement),
            left_share=_value(own.left_lean),
            repeat_consistency=_value(rules.repeat_consistency(twice[id])),
            median_active_ms=own.median_active_ms,
        )

    return sorted(map(told_of, people), key=lambda annotator: (-annotator.judgments, annotator.name))


def _value(share: Share | None) -> float | None:
    return None if share is None else share.share
