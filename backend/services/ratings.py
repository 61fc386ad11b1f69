"""Ratings: folding judgments into live Elo, rebuilding it from the facts, and reading leaderboards.

The live numbers are a fold in the order of `Judgment.position`, which is given when a judgment is folded. Rebuilding
plays the same judgments in the same order through the same code, so it gives the same digits.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BigInteger, Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import UUID, insert
from sqlalchemy.orm import Session

from backend.domain import elo
from backend.domain.judgments import Verdict
from backend.errors import Invalid
from backend.services import bulk, disagreements, facts, leaderboards
from backend.tables import Comparison, Completion, CompletionRating, Judgment, Model, ModelRating, Project

BATCH = 2_000

Of = Literal["models", "completions"]
Method = Literal["elo", "bradley_terry"]


@dataclass(frozen=True)
class Rating:
    """One line of a leaderboard, in Elo points; `standard_error` is null where the method gives none."""

    id: uuid.UUID
    name: str
    rating: float
    standard_error: float | None
    judgments: int


@dataclass(frozen=True)
class Ranking:
    """A judgment as ratings read it: completions in shown order, their models, their ranks."""

    judgment_id: uuid.UUID
    prompt_id: uuid.UUID
    annotator_id: uuid.UUID
    completions: tuple[uuid.UUID, ...]
    models: tuple[uuid.UUID, ...]
    ranks: tuple[int, ...]


# --- the fold -------------------------------------------------------------------------------------------------------


def fold_pending(session: Session) -> int:
    """Take all waiting judgments of all projects into the ratings; returns how many."""
    waiting = select(Judgment.project_id).where(
        Judgment.position.is_(None), Judgment.voided_at.is_(None), Judgment.uncounted_reason.is_(None)
    )
    stale = select(Project.id).where(Project.ratings_stale)
    return sum(fold(session, project_id) for project_id in sorted(session.scalars(waiting.union(stale))))


def fold(session: Session, project_id: uuid.UUID) -> int:
    """Take a project's waiting judgments into its ratings, in the order of their arrival; returns how many."""
    project = _locked(session, project_id)
    if project.ratings_stale:
        return rebuild(session, project_id)
    folded = 0
    touched: dict[uuid.UUID, uuid.UUID] = {}
    while rows := _waiting(session, project_id):
        rankings = _rankings(session, rows)
        state = _Elo.load(session, project_id, rankings)
        for ranking in rankings:
            state.play(ranking)
        state.save(session, project_id)
        _number(session, project, rows)
        touched.update((row.set_key, row.prompt_id) for row in rows)
        folded += len(rows)
    disagreements.refresh(session, project_id, touched)
    return folded


def rebuild(session: Session, project_id: uuid.UUID) -> int:
    """Make a project's ratings anew from its judgments; returns how many judgments they hold."""
    project = _locked(session, project_id)
    while rows := _waiting(session, project_id):
        _number(session, project, rows)
    session.execute(delete(CompletionRating).where(CompletionRating.project_id == project_id))
    session.execute(delete(ModelRating).where(ModelRating.project_id == project_id))
    state = _Elo()
    count = 0
    for ranking in rankings_of(session, project_id):
        state.play(ranking)
        count += 1
    state.save(session, project_id)
    disagreements.refresh(session, project_id)
    project.ratings_stale = False
    session.flush()
    return count


def make_stale(session: Session, project_id: uuid.UUID) -> None:
    """Have a project's ratings made anew at the next fold, since judgments are set aside or stand again.

    Those that wait get their place in the order first, so that setting them aside and back changes no digit.
    """
    project = _locked(session, project_id)
    while rows := _waiting(session, project_id):
        _number(session, project, rows)
    project.ratings_stale = True
    session.flush()


def _locked(session: Session, project_id: uuid.UUID) -> Project:
    """The project row, locked against another fold but not against people judging."""
    return session.scalars(
        select(Project)
        .where(Project.id == project_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()


def _waiting(session: Session, project_id: uuid.UUID) -> Sequence[Row[Any]]:
    """Locked, so that one that is voided meanwhile is either left out, or known to be in the ratings."""
    return session.execute(
        _facts()
        .where(
            Judgment.project_id == project_id,
            Judgment.position.is_(None),
            Judgment.voided_at.is_(None),
            Judgment.uncounted_reason.is_(None),
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
            ranks=_rating_ranks(row.ranks, len(row.completions)),
        )
        for row in rows
    ]


def _rating_ranks(ranks: list[int] | None, size: int) -> tuple[int, ...]:
    verdict = Verdict(ranks=None if ranks is None else tuple(ranks), none_acceptable=ranks is None)
    return verdict.rating_ranks(size)


def rankings_of(
    session: Session, project_id: uuid.UUID, *, prompt_id: uuid.UUID | None = None, up_to: int | None = None
) -> Iterable[Ranking]:
    """The judgments that the ratings hold, in the order of the fold."""
    statement = _facts().where(
        Judgment.project_id == project_id,
        Judgment.position > 0,
        Judgment.voided_at.is_(None),
        Judgment.uncounted_reason.is_(None),
    )
    if prompt_id is not None:
        statement = statement.where(Judgment.prompt_id == prompt_id)
    if up_to is not None:
        statement = statement.where(Judgment.position <= up_to)
    result = session.execute(statement.order_by(Judgment.position).execution_options(yield_per=BATCH))
    for rows in result.partitions():
        yield from _rankings(session, rows)


class _Elo:
    """The state of the fold: ratings and judgment counts of completions and of models."""

    def __init__(self) -> None:
        self.completions: dict[uuid.UUID, float] = {}
        self.models: dict[uuid.UUID, float] = {}
        self.judgments: dict[uuid.UUID, int] = {}
        self.prompt_of: dict[uuid.UUID, uuid.UUID] = {}

    @classmethod
    def load(cls, session: Session, project_id: uuid.UUID, rankings: Iterable[Ranking]) -> "_Elo":
        state = cls()
        completions = {id for ranking in rankings for id in ranking.completions}
        models = {id for ranking in rankings for id in ranking.models}
        for row in session.scalars(select(CompletionRating).where(CompletionRating.completion_id.in_(completions))):
            state.completions[row.completion_id] = row.elo
            state.judgments[row.completion_id] = row.judgments
            state.prompt_of[row.completion_id] = row.prompt_id
        for model in session.scalars(
            select(ModelRating).where(ModelRating.project_id == project_id, ModelRating.model_id.in_(models))
        ):
            state.models[model.model_id] = model.elo
            state.judgments[model.model_id] = model.judgments
        return state

    def play(self, ranking: Ranking) -> None:
        elo.fold_judgment(self.completions, ranking.completions, ranking.ranks, elo.K_COMPLETION)
        elo.fold_judgment(self.models, ranking.models, ranking.ranks, elo.K_MODEL)
        for id in (*ranking.completions, *set(ranking.models)):
            self.judgments[id] = self.judgments.get(id, 0) + 1
        for id in ranking.completions:
            self.prompt_of[id] = ranking.prompt_id

    def save(self, session: Session, project_id: uuid.UUID) -> None:
        completions = [
            {
                "completion_id": id,
                "prompt_id": self.prompt_of[id],
                "project_id": project_id,
                "elo": rating,
                "judgments": self.judgments[id],
            }
            for id, rating in self.completions.items()
        ]
        models = [
            {"project_id": project_id, "model_id": id, "elo": rating, "judgments": self.judgments[id]}
            for id, rating in self.models.items()
        ]
        for table, rows in ((CompletionRating, completions), (ModelRating, models)):
            if rows:
                statement = insert(table)
                statement = statement.on_conflict_do_update(
                    index_elements=list(table.__table__.primary_key),
                    set_={"elo": statement.excluded.elo, "judgments": statement.excluded.judgments},
                )
                session.execute(statement, rows)


# --- reading --------------------------------------------------------------------------------------------------------


def k_used(of: Of, method: Method, k: float | None) -> float | None:
    """The K that a leaderboard asked for in this way is made with."""
    if method != "elo":
        return None
    return k if k is not None else elo.K_COMPLETION if of == "completions" else elo.K_MODEL


def leaderboard(
    session: Session,
    project: Project,
    *,
    of: Of,
    method: Method = "elo",
    k: float | None = None,
    prompt_id: uuid.UUID | None = None,
) -> tuple[list[Rating], int]:
    """Ratings, best first, and the number of judgments behind them.

    Elo with the usual K is read as it stands; another K, or models rated on one prompt alone, is played again from
    the judgments. `prompt_id` is needed for completions: each prompt's completions are a pool of their own.
    """
    if of == "completions" and prompt_id is None:
        raise Invalid("Completions are rated within their prompt; say which prompt.", field="prompt")
    if k is not None and method != "elo":
        raise Invalid("K belongs to Elo; Bradley-Terry has none.", field="k")
    if method == "bradley_terry":
        return _bradley_terry(session, project, of, prompt_id)
    usual = elo.K_COMPLETION if of == "completions" else elo.K_MODEL
    if k in (None, usual) and (of == "completions" or prompt_id is None):
        return _stored(session, project, of, prompt_id)
    ratings: dict[uuid.UUID, float] = {}
    rankings = list(rankings_of(session, project.id, prompt_id=prompt_id))
    for ranking in rankings:
        shown = ranking.completions if of == "completions" else ranking.models
        elo.fold_judgment(ratings, shown, ranking.ranks, k or usual)
    values = {id: (rating, None) for id, rating in ratings.items()}
    return _named(session, of, {**values}, _judged(rankings, of)), len(rankings)


def _bradley_terry(session: Session, project: Project, of: Of, prompt_id: uuid.UUID | None) -> tuple[list[Rating], int]:
    """Fitted anew from the judgments; errors of models are clustered by prompt."""
    if of == "models":
        board = leaderboards.board(session, project, prompt_id=prompt_id)
        lines = [
            Rating(line.id, line.name, line.raw.rating, line.raw.standard_error, line.judgments) for line in board.lines
        ]
        return lines, board.judgments
    known = facts.load(session, project, prompt_id=prompt_id)
    rated = facts.rate(known, "bradley_terry")
    errors = rated.standard_error.tolist() if rated.standard_error is not None else []
    values = dict(zip(known.completions, zip(rated.rating.tolist(), errors, strict=True), strict=True))
    judged = dict(zip(known.completions, rated.judgments.tolist(), strict=True))
    return _named(session, of, {**values}, judged), known.judgments


def _judged(rankings: Iterable[Ranking], of: Of) -> dict[uuid.UUID, int]:
    """In how many judgments each took part."""
    judged: dict[uuid.UUID, int] = {}
    for ranking in rankings:
        for id in set(ranking.completions if of == "completions" else ranking.models):
            judged[id] = judged.get(id, 0) + 1
    return judged


def _stored(session: Session, project: Project, of: Of, prompt_id: uuid.UUID | None) -> tuple[list[Rating], int]:
    if of == "models":
        rows = session.scalars(select(ModelRating).where(ModelRating.project_id == project.id)).all()
        values: dict[uuid.UUID, tuple[float, float | None]] = {row.model_id: (row.elo, None) for row in rows}
        judged = {row.model_id: row.judgments for row in rows}
    else:
        pool = session.scalars(select(CompletionRating).where(CompletionRating.prompt_id == prompt_id)).all()
        values = {row.completion_id: (row.elo, None) for row in pool}
        judged = {row.completion_id: row.judgments for row in pool}
    held = select(func.count()).where(
        Judgment.project_id == project.id,
        Judgment.position > 0,
        Judgment.voided_at.is_(None),
        Judgment.uncounted_reason.is_(None),
    )
    if prompt_id is not None:
        held = held.where(Judgment.prompt_id == prompt_id)
    return _named(session, of, values, judged), session.scalar(held) or 0


def _named(
    session: Session,
    of: Of,
    values: dict[uuid.UUID, tuple[float, float | None]],
    judged: dict[uuid.UUID, int],
) -> list[Rating]:
    if of == "models":
        names = session.execute(select(Model.id, Model.name).where(Model.id.in_(values)))
    else:
        names = session.execute(
            select(Completion.id, Model.name)
            .join(Model, Model.id == Completion.model_id)
            .where(Completion.id.in_(values))
        )
    items = [Rating(id, name, *values[id], judged.get(id, 0)) for id, name in names]
    return sorted(items, key=lambda item: (-item.rating, item.name, item.id))
