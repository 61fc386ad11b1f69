"""Handing out comparisons: which one next, to whom, for how long; and taking them back.

A comparison is made when it is handed out. The row of its prompt is locked meanwhile, so no two people can be given
the last place of the same pair; prompts that are locked by others are passed over, so nobody waits.
"""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from sqlalchemy import ColumnElement, Integer, cast, func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from backend.domain import elo, pairing
from backend.domain.judgments import Protocol
from backend.services import leases, skips
from backend.tables import Comparison, Completion, CompletionRating, Judgment, Project, Prompt

# A repeat tests whether a person agrees with themself, so it must not follow at once.
REPEAT_AFTER_JUDGMENTS = 10


@dataclass(frozen=True)
class Shown:
    """A comparison as an annotator may see it: no model, nothing that others said."""

    comparison: Comparison
    prompt: Prompt
    completions: list[Completion]
    project: Project


def set_key(completions: Sequence[uuid.UUID]) -> uuid.UUID:
    """The same key for the same completions in any order."""
    return uuid.uuid5(uuid.NAMESPACE_OID, ",".join(sorted(str(id) for id in completions)))


def sets_wanted(completions: int, size: int) -> int:
    """How many comparisons of `size` cover every pair of a prompt's completions about once."""
    return -(-comb(completions, 2) // comb(size, 2))


def sets_of(completions: ColumnElement[int] | InstrumentedAttribute[int], size: int) -> ColumnElement[int]:
    """The same of a column."""
    pairs = size * (size - 1)
    return cast(func.div(completions * (completions - 1) + (pairs - 1), pairs), Integer)


def hand_out(
    session: Session, project: Project, annotator_id: uuid.UUID, count: int, rng: random.Random
) -> list[Shown]:
    """The comparisons this annotator holds, filled up to `count`; an empty list when there is nothing to judge now.

    Those already on lease come first, with their lease renewed, so a reloaded page goes on where it was and asking
    twice hands out nothing twice.
    """
    if project.state != "active":
        return []
    _lock_annotator(session, project, annotator_id)
    held = list(
        session.scalars(
            select(Comparison)
            .where(
                Comparison.annotator_id == annotator_id,
                Comparison.project_id == project.id,
                Comparison.state == "leased",
            )
            .order_by(Comparison.id)
            .limit(count)
            .with_for_update()
        )
    )
    for comparison in held:
        comparison.lease_expires_at = leases.end_of_new(project)
    exhausted: set[uuid.UUID] = set()
    while len(held) < count:
        new = _repeat(session, project, annotator_id, rng) or _pick(
            session, project, annotator_id, rng, exhausted, may_wait=not held
        )
        if new is None:
            break
        held.append(new)
    return show(session, project, held)


def _lock_annotator(session: Session, project: Project, annotator_id: uuid.UUID) -> None:
    """One request of a person at a time: two tabs must not be given the same place."""
    key = f"{project.id}/{annotator_id}"
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


def _pick(
    session: Session,
    project: Project,
    annotator_id: uuid.UUID,
    rng: random.Random,
    exhausted: set[uuid.UUID],
    *,
    may_wait: bool,
) -> Comparison | None:
    """A new comparison of the prompt that was handed out least, or None."""
    protocol = Protocol.model_validate(project.protocol)
    n = Prompt.completions
    sets = sets_of(n, protocol.size)
    mine = (
        select(func.count())
        .where(
            Comparison.prompt_id == Prompt.id,
            Comparison.annotator_id == annotator_id,
            Comparison.kind == "regular",
            Comparison.state != "released",
        )
        .scalar_subquery()
    )
    while True:
        candidates = (
            select(Prompt)
            .where(
                Prompt.project_id == project.id,
                n >= 2,
                n >= protocol.size,
                Prompt.handed_out < sets * project.overlap,
                Prompt.sets_retired < sets,
                mine < sets,
                Prompt.id.not_in(exhausted),
            )
            .order_by(Prompt.handed_out, Prompt.id)
            .limit(1)
        )
        # A lock against other hand-outs only: foreign keys that point at the prompt may still be checked.
        savepoint = session.begin_nested()
        prompt = session.scalar(candidates.with_for_update(skip_locked=True, key_share=True, of=Prompt))
        if prompt is None:
            savepoint.rollback()
            if not may_wait:
                return None
            # All that is left may be locked for an instant by others. Wait for one row, by its id and holding no
            # other prompt, so that nobody can wait for this request meanwhile; then look again.
            prompt = session.scalar(candidates)
            if prompt is None:
                return None
            savepoint = session.begin_nested()
            session.refresh(prompt, with_for_update={"key_share": True})
            if prompt.handed_out >= sets_wanted(prompt.completions, protocol.size) * project.overlap:
                savepoint.rollback()
                continue
        session.refresh(prompt)
        choice = _choose(session, project, protocol, prompt, annotator_id, rng)
        if choice is None:
            exhausted.add(prompt.id)
            savepoint.rollback()  # and with it the lock
            continue
        savepoint.commit()
        prompt.handed_out += 1
        return leases.lease_again(
            session,
            project,
            Comparison(
                project_id=project.id,
                prompt_id=prompt.id,
                annotator_id=annotator_id,
                completions=list(choice.completions),
                set_key=set_key(choice.completions),
                kind="regular",
                policy=choice.policy,
                probability=choice.probability,
                guidelines_version=project.guidelines_version,
            ),
        )


def _choose(
    session: Session,
    project: Project,
    protocol: Protocol,
    prompt: Prompt,
    annotator_id: uuid.UUID,
    rng: random.Random,
) -> pairing.Choice[uuid.UUID] | None:
    rows = session.execute(
        select(Completion.id, CompletionRating.elo, CompletionRating.judgments)
        .outerjoin(CompletionRating, CompletionRating.completion_id == Completion.id)
        .where(Completion.prompt_id == prompt.id)
        .order_by(Completion.id)
    )
    candidates = [pairing.Candidate(id, elo.START if rating is None else rating, n or 0) for id, rating, n in rows]
    asked: dict[frozenset[uuid.UUID], int] = {}
    seen: set[frozenset[uuid.UUID]] = set()
    history = session.execute(
        select(Comparison.completions, Comparison.annotator_id, Comparison.state).where(
            Comparison.prompt_id == prompt.id, Comparison.kind == "regular", Comparison.state != "released"
        )
    )
    for completions, who, state in history:
        key = frozenset(completions)
        if state != "skipped":
            asked[key] = asked.get(key, 0) + 1
        if who == annotator_id:
            seen.add(key)
    closed = seen | _retired(session, project, prompt)
    return pairing.choose(
        candidates,
        asked,
        closed,
        overlap=project.overlap,
        size=protocol.size,
        random_share=project.random_share,
        rng=rng,
    )


def _retired(session: Session, project: Project, prompt: Prompt) -> set[frozenset[uuid.UUID]]:
    """Sets of the prompt that too many people skipped."""
    if not prompt.sets_retired:
        return set()
    keys = skips.retired_sets(project).where(Comparison.prompt_id == prompt.id)
    rows = session.scalars(
        select(Comparison.completions).where(Comparison.prompt_id == prompt.id, Comparison.set_key.in_(keys))
    )
    return {frozenset(completions) for completions in rows}


def _repeat(session: Session, project: Project, annotator_id: uuid.UUID, rng: random.Random) -> Comparison | None:
    """With the project's share, something this person judged a while ago, in the opposite order."""
    if rng.random() >= project.repeat_share:
        return None
    recent = (
        select(Judgment.comparison_id)
        .where(Judgment.annotator_id == annotator_id, Judgment.project_id == project.id)
        .order_by(Judgment.sequence.desc())
        .limit(REPEAT_AFTER_JUDGMENTS)
    )
    repeated = select(Comparison.repeat_of).where(
        Comparison.annotator_id == annotator_id, Comparison.repeat_of.is_not(None)
    )
    first = session.scalar(
        select(Comparison)
        .where(
            Comparison.annotator_id == annotator_id,
            Comparison.project_id == project.id,
            Comparison.kind == "regular",
            Comparison.state == "judged",
            Comparison.id.not_in(recent),
            Comparison.id.not_in(repeated),
        )
        .order_by(func.random())
        .limit(1)
    )
    if first is None:
        return None
    return leases.lease_again(
        session,
        project,
        Comparison(
            project_id=project.id,
            prompt_id=first.prompt_id,
            annotator_id=annotator_id,
            completions=list(reversed(first.completions)),
            set_key=first.set_key,
            kind="repeat",
            repeat_of=first.id,
            policy="repeat",
            probability=None,
            guidelines_version=project.guidelines_version,
        ),
    )


def show(session: Session, project: Project, comparisons: Sequence[Comparison]) -> list[Shown]:
    """The texts of these comparisons, in their recorded order."""
    prompts = {
        prompt.id: prompt
        for prompt in session.scalars(select(Prompt).where(Prompt.id.in_({c.prompt_id for c in comparisons})))
    }
    wanted = {id for comparison in comparisons for id in comparison.completions}
    completions = {
        completion.id: completion for completion in session.scalars(select(Completion).where(Completion.id.in_(wanted)))
    }
    return [
        Shown(comparison, prompts[comparison.prompt_id], [completions[id] for id in comparison.completions], project)
        for comparison in comparisons
    ]
