"""How annotators agree and what each of them did, from the judgments that stand (repeats included)."""

import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from backend.domain import agreement as rules
from backend.domain.judgments import Verdict
from backend.tables import Comparison, Judgment, Project, User

BATCH = 2_000


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
    return rules.agreement(judged for _, _, judged in _judged(session, project))


def annotators(session: Session, project: Project) -> list[Annotator]:
    """Everybody who judged in a project, the busiest first."""
    people = {
        id: (name, last)
        for id, name, last in session.execute(
            select(User.id, User.name, func.max(Judgment.created_at))
            .join(Judgment, Judgment.annotator_id == User.id)
            .where(Judgment.project_id == project.id, *_stands())
            .group_by(User.id)
        )
    }
    rows = list(_judged(session, project))
    stats = rules.annotators(judged for _, _, judged in rows)
    by_comparison = {comparison.id: judged for comparison, _, judged in rows}
    twice: dict[uuid.UUID, list[tuple[rules.Judged, rules.Judged]]] = defaultdict(list)
    for comparison, annotator_id, judged in rows:
        if comparison.repeat_of in by_comparison:
            twice[annotator_id].append((by_comparison[comparison.repeat_of], judged))
    found = [
        Annotator(
            id=id,
            name=name,
            judgments=stats[id].judgments,
            last_judgment_at=last,
            majority_agreement=stats[id].majority_agreement,
            left_share=stats[id].left_share,
            repeat_consistency=rules.repeat_consistency(twice[id]),
            median_active_ms=stats[id].median_active_ms,
        )
        for id, (name, last) in people.items()
    ]
    return sorted(found, key=lambda annotator: (-annotator.judgments, annotator.name))


def _stands() -> tuple[ColumnElement[bool], ...]:
    return Judgment.voided_at.is_(None), Judgment.uncounted_reason.is_(None)


def _judged(session: Session, project: Project) -> Iterator[tuple[Comparison, uuid.UUID, rules.Judged]]:
    statement = (
        select(Judgment, Comparison)
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .where(Judgment.project_id == project.id, *_stands())
        .order_by(Judgment.sequence)
        .execution_options(yield_per=BATCH)
    )
    for judgment, comparison in session.execute(statement):
        ranks = None if judgment.ranks is None else tuple(judgment.ranks)
        verdict = Verdict(ranks=ranks, none_acceptable=ranks is None)
        judged = rules.Judged(
            judgment.annotator_id,
            judgment.prompt_id,
            comparison.completions,
            verdict.rating_ranks(len(comparison.completions)),
            judgment.active_ms,
        )
        yield comparison, judgment.annotator_id, judged
