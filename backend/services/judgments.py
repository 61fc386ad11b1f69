"""Taking judgments: each exactly once, none lost, and undoing them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from backend.domain.judgments import Protocol, Verdict, as_asked_before, check
from backend.domain.spans import Span
from backend.domain.spans import check as check_spans
from backend.domain.spans import placed as place_spans
from backend.errors import Conflict, Invalid, NotFound
from backend.services import adjudications, gold, ideal_answers, leases, ratings, skips, standings
from backend.tables import Comparison, Completion, Judgment, Project, Prompt

_KEEP = insert(Judgment).on_conflict_do_nothing(index_elements=[Judgment.id]).returning(Judgment)


def cast(
    session: Session,
    *,
    id: uuid.UUID,
    annotator_id: uuid.UUID,
    comparison_id: uuid.UUID,
    verdict: Verdict,
    active_ms: int | None = None,
    ideal_answer: str | None = None,
    spans: Sequence[Span] = (),
    guidelines_version: int | None = None,
) -> tuple[Judgment, bool]:
    """Keep what an annotator said of a comparison handed to them; returns the judgment and whether it is new.

    Sending the same judgment again returns the first. One that comes after its lease ended counts when it is still
    asked for; one that is no longer (or is a second one) is kept with the reason and not counted: nothing that a
    person said is thrown away. Raises Conflict when `id` was used for something else.
    """
    # The lock makes two sends at once two in a row.
    comparison, project = leases.own(session, comparison_id, annotator_id)
    protocol = Protocol.model_validate(project.protocol)
    size = len(comparison.completions)
    asked = protocol
    if project.protocol_changed_at is not None and comparison.created_at < project.protocol_changed_at:
        asked = as_asked_before(verdict, size)
    check(verdict, asked, size)
    check_spans(spans, asked, size)
    ranks = None if verdict.ranks is None else list(verdict.ranks)
    said: dict[str, Any] = {
        "id": id,
        "project_id": project.id,
        "prompt_id": comparison.prompt_id,
        "comparison_id": comparison.id,
        "annotator_id": annotator_id,
        "ranks": ranks,
        "none_acceptable": verdict.none_acceptable,
        "strength": verdict.strength,
        "aspects": {name: list(ranks) for name, ranks in verdict.aspects.items()} or None,
        "comment": verdict.comment,
        "ideal_answer": _ideal_answer(ideal_answer, asked),
        "spans": _placed(session, project, comparison, spans),
        "guidelines_version": _version(guidelines_version, comparison, project),
        "active_ms": active_ms,
        "position": None if comparison.kind == "regular" else 0,
    }
    known = None if comparison.state == "leased" else session.get(Judgment, id)
    if known is None:
        known_answer = gold.of_comparison(session, comparison)
        if known_answer is not None:
            said["gold_right"] = gold.is_right(known_answer, comparison, protocol, verdict)
        said["uncounted_reason"] = _why_not_counted(session, comparison, project)
        judgment = session.scalar(_KEEP, said)
        if judgment is not None:
            if judgment.uncounted_reason is None:
                _settle(session, project, comparison, judgment)
            return judgment, True
        known = session.get_one(Judgment, id)
    if (known.annotator_id, known.comparison_id, known.ranks, known.none_acceptable) != (
        annotator_id,
        comparison_id,
        ranks,
        verdict.none_acceptable,
    ):
        raise Conflict("This id belongs to another judgment; a new judgment needs a new id.", field="id")
    return known, False


def _why_not_counted(session: Session, comparison: Comparison, project: Project) -> str | None:
    """None when a judgment of this comparison counts; the place it takes is then counted in."""
    if comparison.state == "leased":
        return None
    if comparison.state == "judged":
        return "You had already judged this comparison."
    if comparison.kind == "regular":
        if standings.is_turned_away(session, project, comparison.annotator_id):
            return "You no longer judge in this project."
        if not leases.has_room(session, comparison, project):
            return "The lease had ended and others have judged it since."
        leases.free_place(session, [comparison], change=+1)
    return None


def _settle(session: Session, project: Project, comparison: Comparison, judgment: Judgment) -> None:
    """What follows from a judgment that counts."""
    was_skipped = comparison.state == "skipped"
    comparison.state = "judged"
    session.flush()
    if was_skipped:
        skips.recount(session, project, comparison)
    if judgment.ideal_answer is not None:
        ideal_answers.keep(session, [judgment.id])
    known = gold.of_comparison(session, comparison)
    if known is not None and known.use != "check":
        standings.course(session, project, comparison.annotator_id)  # decides, if this was the last answer


@dataclass(frozen=True)
class Feedback:
    """What was right in a practice comparison, its ranks in the order shown."""

    right: bool
    ranks: tuple[int, ...] | None
    explanation: str


def feedback(session: Session, judgment: Judgment) -> Feedback | None:
    """What the annotator hears of their answer: after practice what was right, and nothing after anything else."""
    if judgment.gold_right is None:
        return None
    comparison = session.get_one(Comparison, judgment.comparison_id)
    known = gold.of_comparison(session, comparison)
    if known is None or known.use != "practice":
        return None
    return Feedback(judgment.gold_right, gold.known_ranks(known, comparison), known.explanation)


def _ideal_answer(text: str | None, protocol: Protocol) -> str | None:
    if text is None or not text.strip():
        return None
    if protocol.ideal_answer == "off":
        raise Invalid("this project does not ask for an ideal answer", "ideal_answer")
    return text


def _placed(
    session: Session, project: Project, comparison: Comparison, spans: Sequence[Span]
) -> list[dict[str, Any]] | None:
    if not spans:
        return None
    texts: dict[uuid.UUID, str] = dict(
        session.execute(select(Completion.id, Completion.text).where(Completion.id.in_(comparison.completions))).all()
    )
    placed = place_spans(spans, [texts[id] for id in comparison.completions], project.masks)
    return [span.model_dump() for span in placed]


def _version(version: int | None, comparison: Comparison, project: Project) -> int:
    if version is None:
        return comparison.guidelines_version
    if not 1 <= version <= project.guidelines_version:
        raise Invalid(f"the guidelines have versions 1 to {project.guidelines_version}", "guidelines_version")
    return version


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
    if session.scalar(select(Comparison.kind).where(Comparison.id == judgment.comparison_id)) == "adjudication":
        adjudications.undo(session, judgment, by=by, at=at)
        return None
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
                ratings.note_change(session, judgment)
            if mine:
                leases.lease_again(session, project, comparison)
            else:
                leases.release(session, [comparison])
            ideal_answers.withdraw(session, [judgment.id])
        session.flush()
    return comparison if mine and comparison.state == "leased" else None


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
