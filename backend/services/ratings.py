"""Live ratings: folding judgments into them, and rebuilding them from the facts. `rating_lists` reads them.

The live numbers are a fold in the order of `Judgment.position`, which is given when a judgment is folded. Rebuilding
plays the same judgments in the same order through the same code, so it gives the same digits.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Row, Text, Uuid, bindparam, cast, delete, exists, false, func, select, true, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from backend.services import disagreements, posteriors, rating_state
from backend.services.rating_state import Completions, Models, Ranking, rankings
from backend.tables import (
    Comparison,
    Completion,
    CompletionRating,
    Judgment,
    ModelRating,
    Project,
    RatingChange,
    RatingSnapshot,
)

BATCH = 2_000
# Where more prompts than these have changed, all are played anew.
MANY_PROMPTS = 2_000
# A fold that others wait for, or watch, takes in no more than these before it is committed.
AT_MOST = 20_000


def _locked(project_id: Any) -> Any:
    key = func.concat("fold/", cast(project_id, Text))
    return func.pg_advisory_xact_lock(func.hashtextextended(key, 0))


_LOCK = select(_locked(bindparam("project", type_=Uuid())))


def _pending() -> Any:
    """Projects with something to do, locked in the order of their ids, and whether something changed in what their
    ratings hold."""
    waiting = select(Judgment.project_id, false().label("changed"))
    waiting = waiting.where(Judgment.position.is_(None), Judgment.stands).distinct()
    some = union_all(waiting, select(RatingChange.project_id, true()).distinct()).subquery()
    one = select(some.c.project_id, func.bool_or(some.c.changed).label("changed")).group_by(some.c.project_id)
    found = one.order_by(some.c.project_id).subquery()
    return select(found, _locked(found.c.project_id))


def _facts() -> Any:
    return select(
        Judgment.id,
        Judgment.prompt_id,
        Judgment.annotator_id,
        Judgment.ranks,
        Judgment.position,
        Comparison.completions,
        Comparison.set_key,
    ).join(Comparison, Comparison.id == Judgment.comparison_id)


_PENDING = _pending()
_NUMBERING = (
    select(Project)
    .where(Project.id == bindparam("project"))
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)
# Locked, so that one that is voided meanwhile is either left out, or known to be in the ratings.
_WAITING = (
    _facts()
    .where(Judgment.project_id == bindparam("project"), Judgment.position.is_(None), Judgment.stands)
    .order_by(Judgment.sequence)
    .limit(BATCH)
    .with_for_update(of=Judgment, key_share=True)
)
_WAITING_PROMPTS = (
    select(Judgment.prompt_id)
    .where(Judgment.project_id == bindparam("project"), Judgment.position.is_(None), Judgment.stands)
    .distinct()
)


def fold_pending(session: Session, at_most: int | None = None) -> int:
    """Take all waiting judgments of all projects into the ratings (or about so many of each); returns how many."""
    session.flush()
    pending = session.connection().execute(_PENDING).all()
    return sum(_fold(session, row.project_id, changed=row.changed, at_most=at_most) for row in pending)


def fold(
    session: Session, project_id: uuid.UUID, at_most: int | None = None, put_off: set[uuid.UUID] | None = None
) -> int:
    """Bring a project's ratings up to date: play anew from where something changed, then take in the judgments that
    wait (or about so many of them), in the order of their arrival; returns how many.

    Who folds a large import step by step gives the same `put_off` to each step. Prompts that have more to come are
    noted there and fitted with the step that brings the last of it, not with each.
    """
    _lock(session, project_id)
    return _fold(session, project_id, changed=True, at_most=at_most, put_off=put_off)


def _fold(
    session: Session,
    project_id: uuid.UUID,
    *,
    changed: bool,
    at_most: int | None = None,
    put_off: set[uuid.UUID] | None = None,
) -> int:
    replayed = _play_changes(session, project_id) if changed else set()
    project = _numbering(session, project_id)
    folded = 0
    touched: dict[uuid.UUID, uuid.UUID] = {}
    more = True
    while more and (at_most is None or folded < at_most) and (rows := _waiting(session, project_id)):
        more = len(rows) == BATCH
        coming, completions, models = rating_state.load(session, project, rows)
        for position, ranking in enumerate(coming, start=project.judgments_folded + 1):
            completions.play(ranking)
            models.play(ranking, position)
        rating_state.save(session, project, completions, models, rows)
        touched.update((row.set_key, row.prompt_id) for row in rows)
        folded += len(rows)
    told = {*touched.values(), *(put_off or ())}
    if more and folded:
        sets = iter(touched.items())
        while some := dict(islice(sets, disagreements.MANY_SETS)):
            disagreements.refresh(session, project_id, some)
        if put_off is not None:
            put_off.clear()
            put_off |= told & set(session.scalars(_WAITING_PROMPTS, {"project": project_id}))
            told -= put_off
    else:
        disagreements.refresh(session, project_id, touched)
    posteriors.refresh(session, project, None if replayed is None else {*replayed, *told})
    return folded


def change_target(session: Session, project: Project, target_error: float | None) -> None:
    """Ask for another precision (standard error in Elo points; None: as often as the overlap says), and tell anew
    which prompts are settled by it. No fold settles them meanwhile by what was asked for before."""
    if project.target_error != target_error:
        _lock(session, project.id)
        project.target_error = target_error
        session.flush()
        posteriors.settle(session, project)


def rebuild(session: Session, project_id: uuid.UUID) -> None:
    """Make a project's ratings anew from all its judgments, which gives the same digits."""
    _lock(session, project_id)
    session.execute(delete(RatingSnapshot).where(RatingSnapshot.project_id == project_id))
    changes = select(Judgment.project_id, Judgment.prompt_id, func.min(Judgment.position))
    _note(session, changes.where(Judgment.project_id == project_id))
    fold(session, project_id)


def is_up_to_date(session: Session, project_id: uuid.UUID) -> bool:
    """Whether nothing that the ratings hold has changed since they were made."""
    return not session.scalar(select(exists().where(RatingChange.project_id == project_id)))


def reach(session: Session, project: Project, number: int) -> bool:
    """Whether a project has as many judgments as this, those that wait for the fold included."""
    left = number - project.judgments_folded
    if left <= 0:
        return True
    waiting = select(Judgment.id).where(Judgment.project_id == project.id, Judgment.position.is_(None), Judgment.stands)
    return len(session.scalars(waiting.limit(left)).all()) == left


def waiting(session: Session, project_id: uuid.UUID) -> int:
    """How many judgments the ratings do not hold yet."""
    here = (Judgment.project_id == project_id, Judgment.position.is_(None), Judgment.stands)
    return session.scalar(select(func.count()).where(*here)) or 0


def note_change(session: Session, judgment: Judgment) -> None:
    """A judgment was voided or stands again: the next fold plays the ratings anew from it. Never waits for a fold."""
    if judgment.position:
        changes = select(Judgment.project_id, Judgment.prompt_id, func.min(Judgment.position))
        _note(session, changes.where(Judgment.id == judgment.id))


def note_voiding(session: Session, voiding_id: uuid.UUID) -> None:
    """The same for all judgments of a voiding."""
    changes = select(Judgment.project_id, Judgment.prompt_id, func.min(Judgment.position))
    _note(session, changes.where(Judgment.voiding_id == voiding_id))


def _note(session: Session, changes: Any) -> None:
    grouped = changes.where(Judgment.position > 0).group_by(Judgment.project_id, Judgment.prompt_id)
    session.execute(insert(RatingChange).from_select(["project_id", "prompt_id", "position"], grouped))


def number_waiting(session: Session, project_id: uuid.UUID) -> None:
    """Give the judgments that wait their place in the order, so that setting them aside and back changes no digit."""
    project = _numbering(session, project_id)
    while rows := _waiting(session, project_id):
        rating_state.save(session, project, Completions(), Models(), rows)
        changes = select(Judgment.project_id, Judgment.prompt_id, func.min(Judgment.position))
        _note(session, changes.where(Judgment.id.in_([row.id for row in rows])))


def _lock(session: Session, project_id: uuid.UUID) -> None:
    """One fold of a project at a time; it keeps nobody from judging."""
    session.flush()
    session.connection().execute(_LOCK, {"project": project_id})


def _numbering(session: Session, project_id: uuid.UUID) -> Project:
    """The project, whose judgments nobody else numbers meanwhile; that, too, keeps nobody from judging."""
    return session.scalars(_NUMBERING, {"project": project_id}).one()


def _play_changes(session: Session, project_id: uuid.UUID) -> Collection[uuid.UUID] | None:
    """Play the prompts that changed from their beginning, and the models from the last snapshot before; returns those
    prompts, or None for all."""
    changes = session.execute(
        delete(RatingChange)
        .where(RatingChange.project_id == project_id)
        .returning(RatingChange.prompt_id, RatingChange.position)
    ).all()
    if not changes:
        return set()
    prompts = {row.prompt_id for row in changes}
    some = prompts if len(prompts) <= MANY_PROMPTS else None
    stored = delete(CompletionRating).where(CompletionRating.project_id == project_id)
    session.execute(stored if some is None else stored.where(CompletionRating.prompt_id.in_(some)))
    completions = Completions()
    for ranking in rankings_of(session, project_id, prompts=some):
        completions.play(ranking)

    first = min(row.position for row in changes)
    snapshots = RatingSnapshot.project_id == project_id
    session.execute(delete(RatingSnapshot).where(snapshots, RatingSnapshot.position >= first))
    before = session.scalar(select(RatingSnapshot).where(snapshots).order_by(RatingSnapshot.position.desc()).limit(1))
    models = Models.of(before)
    for ranking in rankings_of(session, project_id, after=models.snapshot):
        assert ranking.position is not None  # it is in the ratings
        models.play(ranking, ranking.position)
    # Also where the last judgments no longer stand: the fold goes on from here without looking back.
    project = _numbering(session, project_id)
    models.come_to(project.judgments_folded)
    session.execute(delete(ModelRating).where(ModelRating.project_id == project_id))
    rating_state.save(session, project, completions, models, [])

    if some is None:
        disagreements.refresh(session, project_id)
    else:
        sets = select(Comparison.set_key, Comparison.prompt_id).where(Comparison.prompt_id.in_(some)).distinct()
        disagreements.refresh(session, project_id, dict(session.execute(sets).all()))
    return some


def _waiting(session: Session, project_id: uuid.UUID) -> Sequence[Row[Any]]:
    return session.connection().execute(_WAITING, {"project": project_id}).all()


def rankings_of(
    session: Session, project_id: uuid.UUID, *, prompts: Collection[uuid.UUID] | None = None, after: int = 0
) -> Iterable[Ranking]:
    """The judgments that the ratings hold, of some prompts or all, behind a place or all, in the order of the fold."""
    statement = _facts().where(
        Judgment.project_id == project_id,
        Judgment.position > after,
        Judgment.stands,
    )
    if prompts is not None:
        statement = statement.where(Judgment.prompt_id.in_(prompts))
    result = session.execute(statement.order_by(Judgment.position).execution_options(yield_per=BATCH))
    for rows in result.partitions():
        ids = {id for row in rows for id in row.completions}
        models = session.execute(select(Completion.id, Completion.model_id).where(Completion.id.in_(ids)))
        yield from rankings(rows, dict(models.all()))
