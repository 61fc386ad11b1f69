"""Setting judgments aside together, with a reason, and letting them stand again. How ratings are made anew and how
places are counted is the business of others."""

import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, exists, select, update
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Session, aliased

from backend.errors import Conflict, NotFound
from backend.services import bulk, corpus, ideal_answers, ratings, skips
from backend.tables import Comparison, Judgment, Project, Prompt, User, Voiding

# What is needed of judgments that were changed; not the ideal answer itself, which may be long.
_RETURNED = (
    Judgment.id,
    Judgment.comparison_id,
    Judgment.uncounted_reason,
    Judgment.ideal_answer.is_not(None).label("wrote"),
)


def void_annotator(
    session: Session, project: Project, annotator_id: uuid.UUID, *, reason: str, by: uuid.UUID, at: datetime
) -> Voiding:
    """Set aside all that this person said in the project and has not taken back; others are asked in their place.

    Raises NotFound for an unknown person and Conflict when there is nothing to set aside.
    """
    if session.get(User, annotator_id) is None:
        raise NotFound("There is no such person.", field="annotator")
    ids = session.scalars(
        select(Judgment.id)
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .where(
            Judgment.annotator_id == annotator_id,
            Judgment.project_id == project.id,
            Judgment.voided_at.is_(None),
            # What an admin decided is undone one by one, since others' judgments depend on it.
            Comparison.kind != "adjudication",
        )
    ).all()
    voiding = Voiding(project_id=project.id, annotator_id=annotator_id, reason=reason, created_by=by, created_at=at)
    set_aside(session, voiding, ids, free_places=True)
    if not voiding.judgments:
        raise Conflict("No judgment of this person in this project stands; there is nothing to void.", "annotator")
    return voiding


def set_aside(session: Session, voiding: Voiding, ids: Collection[uuid.UUID], *, free_places: bool) -> None:
    """Void those of these judgments that stand. Their places go to others, unless nobody else is to be asked."""
    # Comparisons, then the numbering, then judgments, then prompts, each in the order of ids: whoever else locks
    # several of these (undoing, folding, ending leases) does so in the same order, so nobody waits for each other.
    _lock(session, select(Comparison.id).where(Judgment.id.in_(select(_ids(ids).c.id))))
    ratings.number_waiting(session, voiding.project_id)
    voiding.judgments = 0
    session.add(voiding)
    session.flush()
    voided = session.execute(
        update(Judgment)
        .where(Judgment.id.in_(select(_ids(ids).c.id)), Judgment.voided_at.is_(None))
        .values(voided_at=voiding.created_at, voided_by=voiding.created_by, voiding_id=voiding.id)
        .returning(*_RETURNED)
        .execution_options(synchronize_session=False)
    ).all()
    voiding.judgments = len(voided)
    ratings.note_voiding(session, voiding.id)
    ideal_answers.withdraw(session, [row.id for row in voided if row.wrote])
    if free_places:
        counted = [row.comparison_id for row in voided if row.uncounted_reason is None]
        freed = _move(session, counted, ("judged",), "released")
        corpus.count_in(session, Prompt.handed_out, _places(freed, -1))
    _reload(session)


def restore(session: Session, voiding: Voiding, *, by: uuid.UUID, at: datetime) -> Voiding:
    """Let what was set aside stand again, with its place in the order of the ratings; doing it twice changes nothing.

    A judgment whose comparison was judged anew meanwhile stays set aside: one comparison has one judgment.
    """
    voiding = session.scalars(
        select(Voiding).where(Voiding.id == voiding.id).with_for_update().execution_options(populate_existing=True)
    ).one()
    if voiding.undone_at is not None:
        return voiding
    mine = (Judgment.voiding_id == voiding.id, Judgment.voided_at.is_not(None))
    _lock(session, select(Comparison.id).where(*mine))
    ratings.number_waiting(session, voiding.project_id)
    _keep_aside(session, voiding)
    newer = aliased(Judgment)
    judged_anew = exists().where(newer.comparison_id == Judgment.comparison_id, newer.stands)
    restored = session.execute(
        update(Judgment)
        .where(*mine, Judgment.uncounted_reason.is_not(None) | ~judged_anew)
        .values(voided_at=None, voided_by=None)
        .returning(*_RETURNED)
        .execution_options(synchronize_session=False)
    ).all()
    ratings.note_voiding(session, voiding.id)
    counted = [row.comparison_id for row in restored if row.uncounted_reason is None]
    ideal_answers.keep(session, [row.id for row in restored if row.wrote])
    skipped = _move(session, counted, ("skipped",), "judged")
    taken = [*skipped, *_move(session, counted, ("released",), "judged")]
    corpus.count_in(session, Prompt.handed_out, _places(taken, +1))
    _move(session, counted, ("leased",), "judged")  # it holds its place already
    if skipped:
        project = session.get_one(Project, voiding.project_id)
        skips.count_retired(session, project, Prompt.id.in_({row.prompt_id for row in skipped}))
    voiding.undone_at = at
    voiding.undone_by = by
    session.flush()
    _reload(session)
    return voiding


def _keep_aside(session: Session, voiding: Voiding) -> None:
    """Those whose annotator was voided as a whole since do not stand again now, but when that is undone."""
    whole = aliased(Voiding)
    passed_on = session.execute(
        update(Judgment)
        .where(
            Judgment.voiding_id == voiding.id,
            Judgment.voided_at.is_not(None),
            whole.project_id == voiding.project_id,
            whole.annotator_id == Judgment.annotator_id,
            whole.created_at > voiding.created_at,
            whole.undone_at.is_(None),
        )
        .values(voiding_id=whole.id, voided_at=whole.created_at, voided_by=whole.created_by)
        .returning(*_RETURNED)
        .execution_options(synchronize_session=False)
    ).all()
    counted = [row.comparison_id for row in passed_on if row.uncounted_reason is None]
    corpus.count_in(session, Prompt.handed_out, _places(_move(session, counted, ("judged",), "released"), -1))


def find(session: Session, id: uuid.UUID) -> Voiding:
    """Raises NotFound."""
    voiding = session.get(Voiding, id)
    if voiding is None:
        raise NotFound("There is no such voiding.")
    return voiding


def _ids(ids: Collection[uuid.UUID]) -> Any:
    return bulk.table({"id": (UUID(as_uuid=True), list(ids))})


def _lock(session: Session, comparisons: Select[uuid.UUID]) -> None:
    """Lock the comparisons of judgments."""
    session.execute(
        comparisons.join(Judgment, Judgment.comparison_id == Comparison.id)
        .order_by(Comparison.id)
        .with_for_update(of=Comparison)
    ).all()


def _move(session: Session, ids: Sequence[uuid.UUID], old: Sequence[str], new: str) -> Sequence[Row[uuid.UUID, str]]:
    """Put those of the comparisons that are in an old state into the new one; returns their prompts and kinds."""
    if not ids:
        return []
    return session.execute(
        update(Comparison)
        .where(Comparison.id.in_(select(_ids(ids).c.id)), Comparison.state.in_(old))
        .values(state=new)
        .returning(Comparison.prompt_id, Comparison.kind)
        .execution_options(synchronize_session=False)
    ).all()


def _places(comparisons: Sequence[Row[uuid.UUID, str]], change: int) -> dict[uuid.UUID, int]:
    """What their prompts have handed out more (or less) by these."""
    counted = Counter(row.prompt_id for row in comparisons if row.kind == "regular")
    return {prompt_id: change * number for prompt_id, number in counted.items()}


def _reload(session: Session) -> None:
    """Rows that the session holds from before are out of date."""
    session.flush()
    session.expire_all()
