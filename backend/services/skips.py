"""Skipping a comparison, taking that back, and keeping from others what too many people skipped.

A set of completions that `skips_to_retire` different people skipped is retired: nobody else gets it until an admin has
settled these skips. Each prompt counts its retired sets, so that handing out need not look for them.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, false, func, or_, select, update
from sqlalchemy.orm import Session

from backend.errors import Conflict, NotFound
from backend.services import leases, pages, standings
from backend.tables import Comparison, Project, Prompt, User


def unsettled() -> tuple[ColumnElement[bool], ...]:
    """Which comparisons count as skipped."""
    return Comparison.state == "skipped", Comparison.skip_settled_at.is_(None)


def skip(session: Session, comparison_id: uuid.UUID, annotator_id: uuid.UUID, reason: str | None) -> None:
    """Give a comparison back on purpose: others get its place, this person does not see it again.

    Skipping it again only sets the reason, so that it can be told later, or not at all.
    """
    comparison, project = leases.own(session, comparison_id, annotator_id)
    if comparison.state == "judged":
        raise Conflict("You have judged this comparison; undo the judgment to skip it.")
    if reason is not None:
        comparison.skip_reason = reason
    if comparison.state != "skipped":
        if comparison.state == "leased":
            leases.free_place(session, [comparison])
        comparison.state = "skipped"
        comparison.skipped_at = leases.now()
        comparison.skip_settled_at = None
        session.flush()
        recount(session, project, comparison)
    session.flush()


def unskip(session: Session, comparison_id: uuid.UUID, annotator_id: uuid.UUID) -> Comparison | None:
    """Take a skip back: the comparison is its annotator's again, unless others have taken its place since."""
    comparison, project = leases.own(session, comparison_id, annotator_id)
    if comparison.state == "skipped":
        regular = comparison.kind == "regular"
        if regular and (
            standings.is_turned_away(session, project, annotator_id)
            or not leases.has_room(session, comparison, project)
        ):
            return None
        leases.free_place(session, [comparison], change=+1)
        comparison.skip_reason = comparison.skipped_at = comparison.skip_settled_at = None
        leases.lease_again(session, project, comparison)
        recount(session, project, comparison)
    return comparison if comparison.state == "leased" else None


def settle(session: Session, project: Project, set_key: uuid.UUID) -> None:
    """Let others have a set again. Raises NotFound when nobody skipped it."""
    skipped = session.scalars(
        select(Comparison)
        .where(Comparison.project_id == project.id, Comparison.set_key == set_key, Comparison.state == "skipped")
        .order_by(Comparison.id)
        .with_for_update()
    ).all()
    if not skipped:
        raise NotFound("Nobody skipped these completions in this project.")
    for comparison in skipped:
        comparison.skip_settled_at = comparison.skip_settled_at or leases.now()
    session.flush()
    recount(session, project, skipped[0])


def recount(session: Session, project: Project, comparison: Comparison) -> None:
    """Count the retired sets of this comparison's prompt anew, after it was skipped or is no longer."""
    if comparison.kind != "regular" or project.skips_to_retire is None:
        return
    # Locked first, and counted in a statement of its own: it sees the skips of those who had the lock before.
    leases.lock_prompt(session, comparison.prompt_id)
    count_retired(session, project, Prompt.id == comparison.prompt_id)


def count_retired(session: Session, project: Project, *prompts: ColumnElement[bool]) -> None:
    """Count the retired sets of a project's prompts anew."""
    retired = retired_sets(project).where(Comparison.prompt_id == Prompt.id).correlate(Prompt).subquery()
    many = select(func.count()).select_from(retired).scalar_subquery()
    skipped = select(Comparison.prompt_id).where(Comparison.project_id == project.id, Comparison.state == "skipped")
    session.execute(
        update(Prompt)
        .where(Prompt.project_id == project.id, *prompts, or_(Prompt.sets_retired > 0, Prompt.id.in_(skipped)))
        .values(sets_retired=many)
        .execution_options(synchronize_session=False)
    )


def retired_sets(project: Project) -> Any:
    """The keys of sets that too many people skipped."""
    enough = project.skips_to_retire
    people = func.count(Comparison.annotator_id.distinct())
    return (
        select(Comparison.set_key)
        .where(Comparison.kind == "regular", *unsettled())
        .group_by(Comparison.set_key)
        .having(people >= enough if enough is not None else false())
    )


@dataclass(frozen=True)
class Skip:
    """Who skipped, why, and when."""

    annotator_id: uuid.UUID
    name: str
    reason: str | None
    at: datetime


@dataclass(frozen=True)
class SkippedSet:
    """Completions that somebody skipped, with all their unsettled skips."""

    set_key: uuid.UUID
    prompt: Prompt
    completions: list[uuid.UUID]
    skips: list[Skip]
    retired: bool


def skipped_sets(
    session: Session, project: Project, after: str | None, limit: int
) -> tuple[list[SkippedSet], str | None]:
    """Sets with unsettled skips, the one skipped last first, and the cursor of the next page."""
    of_project = (Comparison.project_id == project.id, *unsettled())
    latest = func.max(cast(Comparison.id, Text))
    groups = select(Comparison.set_key, latest.label("last")).where(*of_project).group_by(Comparison.set_key)
    if after is not None:
        groups = groups.having(latest < str(pages.decode_cursor(after, uuid.UUID)))
    found = session.execute(groups.order_by(latest.desc()).limit(limit + 1)).all()
    keys = [row.set_key for row in found[:limit]]
    rows = session.execute(
        select(Comparison, Prompt, User.name)
        .join(Prompt, Prompt.id == Comparison.prompt_id)
        .join(User, User.id == Comparison.annotator_id)
        .where(*of_project, Comparison.set_key.in_(keys))
        .order_by(Comparison.skipped_at, Comparison.id)
    )
    by_key: dict[uuid.UUID, list[tuple[Comparison, Prompt, str]]] = {key: [] for key in keys}
    for comparison, prompt, name in rows:
        by_key[comparison.set_key].append((comparison, prompt, name))
    cursor = pages.encode_cursor(uuid.UUID(found[limit - 1].last)) if len(found) > limit else None
    return [_set(project, key, by_key[key]) for key in keys], cursor


def _set(project: Project, key: uuid.UUID, rows: Sequence[tuple[Comparison, Prompt, str]]) -> SkippedSet:
    people = {comparison.annotator_id for comparison, _, _ in rows if comparison.kind == "regular"}
    return SkippedSet(
        set_key=key,
        prompt=rows[0][1],
        completions=sorted(rows[0][0].completions),
        skips=[
            Skip(comparison.annotator_id, name, comparison.skip_reason, comparison.skipped_at or comparison.created_at)
            for comparison, _, name in rows
        ],
        retired=project.skips_to_retire is not None and len(people) >= project.skips_to_retire,
    )
