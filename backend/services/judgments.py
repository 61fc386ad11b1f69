"""Taking judgments: each exactly once, none lost, and undoing them."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.domain.judgments import Protocol, Verdict, check
from backend.errors import Conflict, NotFound
from backend.services import comparisons
from backend.tables import Comparison, Judgment, Project, Prompt


def cast(
    session: Session,
    *,
    id: uuid.UUID,
    annotator_id: uuid.UUID,
    comparison_id: uuid.UUID,
    verdict: Verdict,
    active_ms: int | None = None,
) -> tuple[Judgment, bool]:
    """Keep what an annotator said of a comparison handed to them; returns the judgment and whether it is new.

    Sending the same judgment again returns the first. One that comes after its lease ended counts when it is still
    asked for; one that is no longer (or is a second one) is kept with the reason and not counted: nothing that a
    person said is thrown away. Raises Conflict when `id` was used for something else.
    """
    comparison = comparisons.own(session, comparison_id, annotator_id)  # the lock makes two sends at once two in a row
    project = session.get_one(Project, comparison.project_id)
    check(verdict, Protocol.model_validate(project.protocol), len(comparison.completions))
    judgment = Judgment(
        id=id,
        project_id=project.id,
        prompt_id=comparison.prompt_id,
        comparison_id=comparison.id,
        annotator_id=annotator_id,
        ranks=None if verdict.ranks is None else list(verdict.ranks),
        none_acceptable=verdict.none_acceptable,
        strength=verdict.strength,
        aspects={name: list(ranks) for name, ranks in verdict.aspects.items()} or None,
        comment=verdict.comment,
        active_ms=active_ms,
        position=None if comparison.kind == "regular" else 0,
        guidelines_version=comparison.guidelines_version,
    )
    known = session.get(Judgment, id)
    if known is not None:
        if (known.annotator_id, known.comparison_id, known.ranks, known.none_acceptable) != (
            annotator_id,
            comparison_id,
            judgment.ranks,
            judgment.none_acceptable,
        ):
            raise Conflict("This id belongs to another judgment; a new judgment needs a new id.", field="id")
        return known, False

    if comparison.state == "judged":
        judgment.uncounted_reason = "You had already judged this comparison."
    elif comparison.state != "leased" and comparison.kind == "regular":
        if comparisons.has_room(session, comparison, project):
            comparisons.free_place(session, [comparison], change=+1)
        else:
            judgment.uncounted_reason = "The lease had ended and others have judged it since."
    if judgment.uncounted_reason is None:
        comparison.state = "judged"
    session.add(judgment)
    session.flush()
    return judgment, True


def find(session: Session, id: uuid.UUID) -> Judgment:
    """The judgment, locked. Raises NotFound."""
    # Read again even if it is loaded: somebody else may have voided it while this request waited for the lock.
    judgment = session.scalar(
        select(Judgment).where(Judgment.id == id).with_for_update().execution_options(populate_existing=True)
    )
    if judgment is None:
        raise NotFound("There is no such judgment.")
    return judgment


def void(session: Session, id: uuid.UUID, *, by: uuid.UUID, may_void_others: bool, at: datetime) -> Comparison | None:
    """Take a judgment back. The annotator who made it gets the comparison again (the undo); voided by somebody else
    its place is free for others. Doing it twice changes nothing more. Returns the comparison leased again, if any."""
    judgment = session.get(Judgment, id)
    if judgment is None or (judgment.annotator_id != by and not may_void_others):
        raise NotFound("There is no such judgment among yours.")
    comparison = session.scalar(select(Comparison).where(Comparison.id == judgment.comparison_id).with_for_update())
    judgment = find(session, id)
    assert comparison is not None  # the foreign key says so
    project = session.get_one(Project, judgment.project_id)
    mine = judgment.annotator_id == by
    if judgment.voided_at is None:
        judgment.voided_at = at
        judgment.voided_by = by
        if judgment.uncounted_reason is None:
            if judgment.position:
                _ratings_are_stale(session, project.id)
            if mine:
                comparisons.lease_again(session, project, comparison)
            else:
                comparisons.free_place(session, [comparison])
                comparison.state = "released"
        session.flush()
    return comparison if mine and comparison.state == "leased" else None


def _ratings_are_stale(session: Session, project_id: uuid.UUID) -> None:
    project = session.scalar(select(Project).where(Project.id == project_id).with_for_update(key_share=True))
    assert project is not None
    project.ratings_stale = True


@dataclass(frozen=True)
class Own:
    """One of an annotator's latest judgments."""

    judgment: Judgment
    prompt: Prompt


def latest_of(session: Session, project_id: uuid.UUID, annotator_id: uuid.UUID, limit: int) -> list[Own]:
    """What this annotator said last, newest first, without what was taken back."""
    rows = session.execute(
        select(Judgment, Prompt)
        .join(Prompt, Prompt.id == Judgment.prompt_id)
        .where(Judgment.annotator_id == annotator_id, Judgment.project_id == project_id, Judgment.voided_at.is_(None))
        .order_by(Judgment.sequence.desc())
        .limit(limit)
    )
    return [Own(judgment, prompt) for judgment, prompt in rows]


def count(session: Session) -> int:
    """All judgments that stand, for the metrics page."""
    return session.scalar(select(func.count()).select_from(Judgment).where(Judgment.voided_at.is_(None))) or 0
