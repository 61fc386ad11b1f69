"""How annotators agree and what each of them did in a project, from the judgments that stand (repeats included)."""

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.domain import agreement as rules
from backend.domain.shares import Share
from backend.domain.signs import Sign
from backend.services import annotator_fits, answers, signs, work
from backend.services.annotator_fits import Slope
from backend.tables import Comparison, Flag, Judgment, Project, Standing, User


@dataclass(frozen=True)
class Annotator:
    """One person's part in a project; None where there is nothing to tell it from.

    `judgments` and `today` are those that stand; the time is that of all, also those set aside since. `slope` is that
    of the newest fit.
    """

    id: uuid.UUID
    name: str
    judgments: int
    today: int
    skipped: int
    flagged: int
    last_judgment_at: datetime | None
    last_seen_at: datetime | None
    active_ms_total: int
    median_active_ms: int | None
    majority_agreement: float | None
    left_share: float | None
    repeat_consistency: float | None
    gold_right_share: float | None
    gold_answers: int
    standing: Standing | None
    slope: Slope | None
    signs: list[Sign]


@dataclass(frozen=True)
class Quality(rules.Agreement):
    """How far annotators agree with each other, with themselves when asked again, and with the known answers."""

    repeat_consistency: Share | None = None
    gold: Share | None = None


def of_project(session: Session, project: Project) -> Quality:
    """Agreement between the annotators of a project."""
    return Quality(
        **asdict(rules.agreement(answers.of_project(session, project))),
        repeat_consistency=work.share_of_all(work.repeats(session, project)),
        gold=work.share_of_all(work.checks(session, project)),
    )


@dataclass(frozen=True)
class _Counts:
    judgments: int = 0
    today: int = 0
    active_ms: int = 0
    median_ms: int | None = None
    last: datetime | None = None


def annotators(session: Session, project: Project, since: datetime) -> list[Annotator]:
    """Everybody who did anything in a project, the busiest first; `today` begins at `since`."""
    counts = _counts(session, project, since)
    skipped = _by_person(session, Comparison, Comparison.project_id == project.id, Comparison.state == "skipped")
    flagged = _by_person(session, Flag, Flag.project_id == project.id)
    working = _by_person(session, Comparison, Comparison.project_id == project.id, Comparison.state == "leased")
    standings = {row.annotator_id: row for row in session.scalars(select(Standing).filter_by(project_id=project.id))}
    gold, consistency = work.gold(session, project), work.consistency(session, project)
    told = rules.annotators(answers.of_project(session, project))
    fit = annotator_fits.newest(session, project)
    slopes = annotator_fits.slopes(session, fit) if fit else {}
    everybody = counts.keys() | skipped.keys() | flagged.keys() | working.keys() | standings.keys()
    key_of = {id: key for key, id in answers.people(session, everybody).items()}
    told_signs = signs.of_project(session, project, slopes, key_of)
    found = []
    for id, name, seen in session.execute(select(User.id, User.name, User.last_seen_at).where(User.id.in_(everybody))):
        did, known = counts.get(id, _Counts()), gold.get(id)
        own = told.get(key_of[id], rules.Leanings(None, None))
        found.append(
            Annotator(
                id=id,
                name=name,
                judgments=did.judgments,
                today=did.today,
                skipped=skipped.get(id, 0),
                flagged=flagged.get(id, 0),
                last_judgment_at=did.last,
                last_seen_at=seen,
                active_ms_total=did.active_ms,
                median_active_ms=did.median_ms,
                majority_agreement=_value(own.majority_agreement),
                left_share=_value(own.left_lean),
                repeat_consistency=_value(consistency.get(id)),
                gold_right_share=_value(known),
                gold_answers=known.n if known else 0,
                standing=standings.get(id),
                slope=slopes.get(id),
                signs=told_signs.get(id, []),
            )
        )
    return sorted(found, key=lambda annotator: (-annotator.judgments, annotator.name, annotator.id))


def _value(share: Share | None) -> float | None:
    return None if share is None else share.share


def _counts(session: Session, project: Project, since: datetime) -> dict[uuid.UUID, _Counts]:
    rows = session.execute(
        select(
            Judgment.annotator_id,
            func.count().filter(Judgment.stands),
            func.count().filter(Judgment.stands, Judgment.created_at >= since),
            func.coalesce(func.sum(Judgment.active_ms), 0),
            func.percentile_cont(0.5).within_group(Judgment.active_ms).filter(Judgment.stands),
            func.max(Judgment.created_at).filter(Judgment.stands),
        )
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .where(Judgment.project_id == project.id, Comparison.kind != "adjudication")
        .group_by(Judgment.annotator_id)
    )
    return {
        id: _Counts(judgments, today, int(ms or 0), None if middle is None else round(middle), last)
        for id, judgments, today, ms, middle, last in rows
    }


def _by_person(session: Session, table: Any, *which: Any) -> dict[uuid.UUID, int]:
    rows = session.execute(select(table.annotator_id, func.count()).where(*which).group_by(table.annotator_id))
    return dict(rows.all())
