"""Holding a comparison for some minutes: extending, giving back, ending, and counting the places they take.

Which comparison is handed to whom is `comparisons`' business.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.orm import Session

from backend.database import uuid7
from backend.errors import Conflict, NotFound
from backend.tables import Comparison, Project, Prompt
from backend.tables.comparisons import OPEN


def now() -> datetime:
    """The time of leases; one clock for all of them."""
    return datetime.now(UTC)


def end_of_new(project: Project) -> datetime:
    """When a lease that begins now ends."""
    return now() + timedelta(minutes=project.lease_minutes)


def lease_again(session: Session, project: Project, comparison: Comparison) -> Comparison:
    """Put the comparison on a fresh lease for its annotator."""
    comparison.state = "leased"
    comparison.lease_id = uuid7()
    comparison.lease_expires_at = end_of_new(project)
    session.add(comparison)
    session.flush()
    return comparison


# Written once: to put a statement together takes longer than the database does to answer it.
_OWN = (
    select(Comparison, Project)
    .join(Project, Project.id == Comparison.project_id)
    .where(Comparison.id == bindparam("id"), Comparison.annotator_id == bindparam("annotator"))
    .with_for_update(of=Comparison)
    .execution_options(populate_existing=True)
)


def own(session: Session, comparison_id: uuid.UUID, annotator_id: uuid.UUID) -> tuple[Comparison, Project]:
    """The annotator's comparison, locked, and its project. Somebody else's does not exist for them (NotFound)."""
    row = session.execute(_OWN, {"id": comparison_id, "annotator": annotator_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such comparison among those handed to you.", field="comparison")
    return row[0], row[1]


def renew(session: Session, lease_id: uuid.UUID, annotator_id: uuid.UUID) -> Comparison:
    """Hold on to a comparison for as long again. Raises NotFound, or Conflict when the lease has ended."""
    comparison, project = _leased(session, lease_id, annotator_id)
    if comparison.state != "leased":
        raise Conflict("This lease has ended; ask for the next comparison.")
    comparison.lease_expires_at = end_of_new(project)
    session.flush()
    return comparison


def give_back(session: Session, lease_id: uuid.UUID, annotator_id: uuid.UUID, after_s: int = 0) -> None:
    """End a lease early, as a closing page does; does nothing when it has ended.

    For `after_s` seconds it still is this person's, so that a page that was only reloaded goes on where it was.
    """
    comparison, _ = _leased(session, lease_id, annotator_id)
    if comparison.state != "leased":
        return
    if after_s > 0:
        assert comparison.lease_expires_at is not None  # as for every comparison on lease
        comparison.lease_expires_at = min(comparison.lease_expires_at, now() + timedelta(seconds=after_s))
        session.flush()
    else:
        release(session, [comparison])


def _leased(session: Session, lease_id: uuid.UUID, annotator_id: uuid.UUID) -> tuple[Comparison, Project]:
    row = session.execute(
        select(Comparison, Project)
        .join(Project, Project.id == Comparison.project_id)
        .where(Comparison.lease_id == lease_id, Comparison.annotator_id == annotator_id)
        .with_for_update(of=Comparison)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such lease among yours.")
    return row[0], row[1]


def end_leases(session: Session, limit: int = 1000) -> int:
    """Take back comparisons whose lease has ended; returns how many."""
    ended = list(
        session.scalars(
            select(Comparison)
            .where(Comparison.state == "leased", Comparison.lease_expires_at < now())
            .order_by(Comparison.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )
    release(session, ended)
    return len(ended)


def end_all_of(session: Session, project: Project, annotator_id: uuid.UUID) -> None:
    """Take back all that this person holds in the project."""
    held = session.scalars(
        select(Comparison)
        .where(
            Comparison.annotator_id == annotator_id,
            Comparison.project_id == project.id,
            Comparison.state == "leased",
        )
        .order_by(Comparison.id)
        .with_for_update()
    )
    release(session, list(held))


def release(session: Session, comparisons: Sequence[Comparison]) -> None:
    """Free the places of comparisons on lease, which must be locked."""
    free_place(session, comparisons)
    for comparison in comparisons:
        comparison.state = "released"
    session.flush()


def free_place(session: Session, comparisons: Sequence[Comparison], change: int = -1) -> None:
    """Count these out of (or, with +1, into) what their prompts have handed out."""
    per_prompt: dict[uuid.UUID, int] = {}
    for comparison in comparisons:
        if comparison.kind == "regular":
            per_prompt[comparison.prompt_id] = per_prompt.get(comparison.prompt_id, 0) + change
    # In the order of ids, so that two at once cannot wait for each other.
    for prompt_id in sorted(per_prompt):
        session.execute(
            update(Prompt).where(Prompt.id == prompt_id).values(handed_out=Prompt.handed_out + per_prompt[prompt_id])
        )


def has_room(session: Session, comparison: Comparison, project: Project) -> bool:
    """Whether another judgment of these completions is still asked for; locks the prompt."""
    lock_prompt(session, comparison.prompt_id)
    taken = session.scalar(
        select(func.count()).where(
            Comparison.prompt_id == comparison.prompt_id,
            Comparison.set_key == comparison.set_key,
            Comparison.kind == "regular",
            text(OPEN),
        )
    )
    return (taken or 0) < project.overlap


def lock_prompt(session: Session, prompt_id: uuid.UUID) -> None:
    """Let nobody else hand out this prompt's completions until the transaction ends."""
    session.scalar(select(Prompt.id).where(Prompt.id == prompt_id).with_for_update(key_share=True))
