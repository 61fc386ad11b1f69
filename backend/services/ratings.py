"""Live ratings: folding judgments into them, and rebuilding them from the facts. `rating_lists` reads them.

The live numbers are a fold in the order of `Judgment.position`, which is given when a judgment is folded. Rebuilding
plays the same judgments in the same order through the same code, so it gives the same digits.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BigInteger, Row, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import UUID, insert
from sqlalchemy.orm import Session

from backend.domain import elo
from backend.domain.judgments import rating_ranks
from backend.services import bulk, disagreements, posteriors
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
# Models are played anew from the last snapshot before a change; with more prompts than these, all prompts are.
SNAPSHOT_EVERY = 1_000
MANY_PROMPTS = 2_000


@dataclass(frozen=True)
class Ranking:
    """A judgment as ratings read it: completions in shown order, their models, their ranks."""

    judgment_id: uuid.UUID
    prompt_id: uuid.UUID
    annotator_id: uuid.UUID
    completions: tuple[uuid.UUID, ...]
    models: tuple[uuid.UUID, ...]
    ranks: tuple[int, ...]
    position: int | None


def fold_pending(session: Session) -> int:
    """Take all waiting judgments of all projects into the ratings; returns how many."""
    waiting = select(Judgment.project_id).where(Judgment.position.is_(None), Judgment.stands)
    changed = select(RatingChange.project_id)
    return sum(fold(session, project_id) for project_id in sorted(session.scalars(waiting.union(changed))))


def fold(session: Session, project_id: uuid.UUID) -> int:
    """Bring a project's ratings up to date: play anew from where something changed, then take in the judgments that
    wait, in the order of their arrival; returns how many."""
    _lock(session, project_id, "fold")
    replayed = _play_changes(session, project_id)
    project = _numbering(session, project_id)
    folded = 0
    touched: dict[uuid.UUID, uuid.UUID] = {}
    more = True
    while more and (rows := _waiting(session, project_id)):
        more = len(rows) == BATCH
        rankings = _rankings(session, rows)
        completions = _Completions.load(session, rankings)
        models = _Models.load(session, project, rankings)
        for position, ranking in enumerate(rankings, start=project.judgments_folded + 1):
            completions.play(ranking)
            models.play(ranking, position)
        completions.save(session, project_id)
        models.save(session, project_id)
        _number(session, project, rows)
        touched.update((row.set_key, row.prompt_id) for row in rows)
        folded += len(rows)
    disagreements.refresh(session, project_id, touched)
    posteriors.refresh(session, project, None if replayed is None else {*replayed, *touched.values()})
    return folded


def change_target(session: Session, project: Project, target_error: float | None) -> None:
    """Ask for another precision (standard error in Elo points; None: as often as the overlap says), and tell anew
    which prompts are settled by it. No fold settles them meanwhile by what was asked for before."""
    if project.target_error != target_error:
        _lock(session, project.id, "fold")
        project.target_error = target_error
        session.flush()
        posteriors.settle(session, project)


def rebuild(session: Session, project_id: uuid.UUID) -> None:
    """Make a project's ratings anew from all its judgments, which gives the same digits."""
    _lock(session, project_id, "fold")
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
        _number(session, project, rows)
        changes = select(Judgment.project_id, Judgment.prompt_id, func.min(Judgment.position))
        _note(session, changes.where(Judgment.id.in_([row.id for row in rows])))


def _lock(session: Session, project_id: uuid.UUID, what: Literal["fold", "number"]) -> None:
    """One fold of a project at a time, and one that gives judgments their place; neither keeps people from judging."""
    key = func.hashtextextended(f"{what}/{project_id}", 0)
    session.execute(select(func.pg_advisory_xact_lock(key)))


def _numbering(session: Session, project_id: uuid.UUID) -> Project:
    """The project, whose judgments nobody else numbers meanwhile."""
    _lock(session, project_id, "number")
    return session.scalars(
        select(Project).where(Project.id == project_id).execution_options(populate_existing=True)
    ).one()


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
    completions = _Completions()
    for ranking in rankings_of(session, project_id, prompts=some):
        completions.play(ranking)
    completions.save(session, project_id)

    first = min(row.position for row in changes)
    snapshots = RatingSnapshot.project_id == project_id
    session.execute(delete(RatingSnapshot).where(snapshots, RatingSnapshot.position >= first))
    before = session.scalar(select(RatingSnapshot).where(snapshots).order_by(RatingSnapshot.position.desc()).limit(1))
    models = _Models.of(before)
    for ranking in rankings_of(session, project_id, after=models.snapshot):
        assert ranking.position is not None  # it is in the ratings
        models.play(ranking, ranking.position)
    # Also where the last judgments no longer stand: the fold goes on from here without looking back.
    models.come_to(session.scalars(select(Project.judgments_folded).where(Project.id == project_id)).one())
    session.execute(delete(ModelRating).where(ModelRating.project_id == project_id))
    models.save(session, project_id)

    if some is None:
        disagreements.refresh(session, project_id)
    else:
        sets = select(Comparison.set_key, Comparison.prompt_id).where(Comparison.prompt_id.in_(some)).distinct()
        disagreements.refresh(session, project_id, dict(session.execute(sets).all()))
    return some


def _waiting(session: Session, project_id: uuid.UUID) -> Sequence[Row[Any]]:
    """Locked, so that one that is voided meanwhile is either left out, or known to be in the ratings."""
    return session.execute(
        _facts()
        .where(
            Judgment.project_id == project_id,
            Judgment.position.is_(None),
            Judgment.stands,
        )
        .order_by(Judgment.sequence)
        .limit(BATCH)
        .with_for_update(of=Judgment, key_share=True)
    ).all()


def _number(session: Session, project: Project, rows: Sequence[Row[Any]]) -> None:
    first = project.judgments_folded + 1
    places = list(range(first, first + len(rows)))
    numbered = bulk.table({"id": (UUID(as_uuid=True), [row.id for row in rows]), "position": (BigInteger(), places)})
    session.execute(
        update(Judgment)
        .where(Judgment.id == numbered.c.id)
        .values(position=numbered.c.position)
        .execution_options(synchronize_session=False)
    )
    project.judgments_folded += len(rows)
    session.flush()


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


def _rankings(session: Session, rows: Iterable[Row[Any]]) -> list[Ranking]:
    rows = list(rows)
    ids = {id for row in rows for id in row.completions}
    found = session.execute(select(Completion.id, Completion.model_id).where(Completion.id.in_(ids)))
    model_of = dict(found.all())
    return [
        Ranking(
            judgment_id=row.id,
            prompt_id=row.prompt_id,
            annotator_id=row.annotator_id,
            completions=tuple(row.completions),
            models=tuple(model_of[id] for id in row.completions),
            ranks=rating_ranks(row.ranks, len(row.completions)),
            position=row.position,
        )
        for row in rows
    ]


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
        yield from _rankings(session, rows)


class _Completions:
    """The state of the fold for completions, each among those of its prompt."""

    def __init__(self) -> None:
        self.ratings: dict[uuid.UUID, float] = {}
        self.judgments: dict[uuid.UUID, int] = {}
        self.prompt_of: dict[uuid.UUID, uuid.UUID] = {}

    @classmethod
    def load(cls, session: Session, rankings: Iterable[Ranking]) -> "_Completions":
        state = cls()
        ids = {id for ranking in rankings for id in ranking.completions}
        columns = (CompletionRating.completion_id, CompletionRating.elo, CompletionRating.judgments)
        for id, rating, judgments in session.execute(select(*columns).where(CompletionRating.completion_id.in_(ids))):
            state.ratings[id] = rating
            state.judgments[id] = judgments
        return state

    def play(self, ranking: Ranking) -> None:
        elo.fold_judgment(self.ratings, ranking.completions, ranking.ranks, elo.K_COMPLETION)
        for id in ranking.completions:
            self.judgments[id] = self.judgments.get(id, 0) + 1
            self.prompt_of[id] = ranking.prompt_id

    def save(self, session: Session, project_id: uuid.UUID) -> None:
        rows = [
            {
                "completion_id": id,
                "prompt_id": self.prompt_of[id],
                "project_id": project_id,
                "elo": rating,
                "judgments": self.judgments[id],
            }
            for id, rating in self.ratings.items()
        ]
        _upsert(session, CompletionRating, rows)


class _Models:
    """The state of the fold for models, with a snapshot of it every so often. `snapshot` is the place of the last."""

    def __init__(self, snapshot: int = 0) -> None:
        self.ratings: dict[uuid.UUID, float] = {}
        self.judgments: dict[uuid.UUID, int] = {}
        self.snapshot = snapshot
        self._taken: list[dict[str, Any]] = []

    @classmethod
    def load(cls, session: Session, project: Project, rankings: Sequence[Ranking]) -> "_Models":
        """Those that take part in judgments to come; all of them, where a snapshot of all falls due on the way."""
        folded = project.judgments_folded
        state = cls(_due(folded))
        query = select(ModelRating.model_id, ModelRating.elo, ModelRating.judgments)
        query = query.where(ModelRating.project_id == project.id)
        if _due(folded + len(rankings)) == state.snapshot:
            query = query.where(ModelRating.model_id.in_({id for ranking in rankings for id in ranking.models}))
        for id, rating, judgments in session.execute(query):
            state.ratings[id] = rating
            state.judgments[id] = judgments
        return state

    @classmethod
    def of(cls, snapshot: RatingSnapshot | None) -> "_Models":
        if snapshot is None:
            return cls()
        state = cls(snapshot.position)
        for model, (rating, judgments) in snapshot.models.items():
            state.ratings[uuid.UUID(model)] = rating
            state.judgments[uuid.UUID(model)] = judgments
        return state

    def play(self, ranking: Ranking, position: int) -> None:
        self.come_to(position)
        elo.fold_judgment(self.ratings, ranking.models, ranking.ranks, elo.K_MODEL)
        for id in set(ranking.models):
            self.judgments[id] = self.judgments.get(id, 0) + 1

    def come_to(self, position: int) -> None:
        """Take the snapshot that is due before the judgment there."""
        due = _due(position)
        if due > self.snapshot:
            self.snapshot = due
            models = {str(id): [rating, self.judgments[id]] for id, rating in self.ratings.items()}
            self._taken.append({"position": due, "models": models})

    def save(self, session: Session, project_id: uuid.UUID) -> None:
        rows = [
            {"project_id": project_id, "model_id": id, "elo": rating, "judgments": self.judgments[id]}
            for id, rating in self.ratings.items()
        ]
        _upsert(session, ModelRating, rows)
        if self._taken:
            session.execute(insert(RatingSnapshot), [{"project_id": project_id, **one} for one in self._taken])


def _due(position: int) -> int:
    """The place of the last snapshot that is taken before the judgment at `position`."""
    return max(position - 1, 0) // SNAPSHOT_EVERY * SNAPSHOT_EVERY


def _upsert(session: Session, table: type[CompletionRating | ModelRating], rows: list[dict[str, Any]]) -> None:
    if rows:
        columns = table.__table__.c
        values = bulk.table({name: (columns[name].type, [row[name] for row in rows]) for name in rows[0]})
        statement = insert(table).from_select(list(rows[0]), select(values))
        statement = statement.on_conflict_do_update(
            index_elements=list(table.__table__.primary_key),
            set_={"elo": statement.excluded.elo, "judgments": statement.excluded.judgments},
        )
        session.execute(statement)
