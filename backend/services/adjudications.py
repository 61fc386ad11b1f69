"""An admin decides what annotators disagree on: a judgment of the admin's own that nobody was asked for, and, if
wanted, those that say otherwise set aside. Undone, all is as before."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from backend.domain.judgments import Protocol, Verdict, check, reorder
from backend.errors import Conflict, Invalid, NotFound
from backend.services import comparisons, ratings, voidings
from backend.tables import Comparison, Completion, Judgment, Project, Voiding

REASON = "An admin decided otherwise."


def adjudicate(
    session: Session,
    project: Project,
    *,
    set_key: uuid.UUID,
    shown: Sequence[uuid.UUID],
    verdict: Verdict,
    set_aside: bool,
    by: uuid.UUID,
    at: datetime,
) -> Judgment:
    """Judge these completions as an admin, in the order shown; `set_aside` voids the judgments that say otherwise.

    The comment, if any, is the reason told with them. Raises NotFound when nobody judged this set, and Conflict when
    an adjudication of it stands.
    """
    prompt_id = session.scalar(select(Completion.prompt_id).where(Completion.id.in_(shown[:1])))
    asked = _locked_set(session, project.id, prompt_id, set_key)
    if not asked:
        raise NotFound("Nobody was asked about these completions in this project.", field="set_key")
    if comparisons.set_key(shown) != set_key:
        raise Invalid("Name the completions of this set, each once, in the order shown.", field="completions")
    # An admin may always say why, whatever annotators are asked for.
    protocol = Protocol.model_validate(project.protocol).model_copy(update={"comment": "optional"})
    check(verdict, protocol, len(shown))
    # Read after the lock: another admin may have decided meanwhile.
    standing = session.execute(
        select(Judgment, Comparison)
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .where(
            *_of_set(project.id, prompt_id, set_key),
            Comparison.kind.in_(("regular", "adjudication")),
            Judgment.stands,
        )
    ).all()
    if any(comparison.kind == "adjudication" for _, comparison in standing):
        raise Conflict("This set is adjudicated already; undo that judgment first.", field="set_key")
    comparison = Comparison(
        project_id=project.id,
        prompt_id=prompt_id,
        annotator_id=by,
        completions=list(shown),
        set_key=set_key,
        kind="adjudication",
        policy="adjudication",
        guidelines_version=project.guidelines_version,
        state="judged",
    )
    session.add(comparison)
    session.flush()
    judgment = Judgment(
        id=uuid.uuid4(),
        project_id=project.id,
        prompt_id=comparison.prompt_id,
        comparison_id=comparison.id,
        annotator_id=by,
        ranks=None if verdict.ranks is None else list(verdict.ranks),
        none_acceptable=verdict.none_acceptable,
        strength=verdict.strength,
        comment=verdict.comment,
        guidelines_version=project.guidelines_version,
    )
    session.add(judgment)
    session.flush()
    otherwise = [
        other.id
        for other, told in standing
        if verdict.ranks != (None if other.ranks is None else reorder(other.ranks, told.completions, shown))
    ]
    if set_aside and otherwise:
        voiding = Voiding(
            project_id=project.id,
            adjudication_id=judgment.id,
            reason=verdict.comment or REASON,
            created_by=by,
            created_at=at,
        )
        # The set is decided: nobody else is asked in the place of those set aside.
        voidings.set_aside(session, voiding, otherwise, free_places=False)
    return judgment


def undo(session: Session, judgment: Judgment, *, by: uuid.UUID, at: datetime) -> None:
    """Take an adjudication back; what it set aside stands again. Doing it twice changes nothing more."""
    comparison = session.get_one(Comparison, judgment.comparison_id)
    _locked_set(session, comparison.project_id, comparison.prompt_id, comparison.set_key)
    session.refresh(judgment)
    if judgment.voided_at is not None:
        return
    ratings.number_waiting(session, judgment.project_id)
    session.refresh(judgment)
    judgment.voided_at = at
    judgment.voided_by = by
    ratings.note_change(session, judgment)
    comparison.state = "released"
    session.flush()
    for voiding in session.scalars(select(Voiding).where(Voiding.adjudication_id == judgment.id)).all():
        voidings.restore(session, voiding, by=by, at=at)


def _of_set(project_id: uuid.UUID, prompt_id: uuid.UUID | None, set_key: uuid.UUID) -> tuple[ColumnElement[bool], ...]:
    return Comparison.project_id == project_id, Comparison.prompt_id == prompt_id, Comparison.set_key == set_key


def _locked_set(
    session: Session, project_id: uuid.UUID, prompt_id: uuid.UUID | None, set_key: uuid.UUID
) -> Sequence[uuid.UUID]:
    """All comparisons of a set, locked in the order of ids, so that two admins decide one after the other."""
    return session.scalars(
        select(Comparison.id).where(*_of_set(project_id, prompt_id, set_key)).order_by(Comparison.id).with_for_update()
    ).all()
