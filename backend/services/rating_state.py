"""The state of the fold: what it knows of the completions and models that judgments are about, out of the database
and back into it."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, text
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from backend.domain import elo
from backend.domain.judgments import rating_ranks
from backend.tables import ModelRating, Project, RatingSnapshot

# Models are played anew from the last snapshot before a change.
SNAPSHOT_EVERY = 1_000

# A judgment waits for its ratings as long as the statements of the fold take: so they are few, and built once.
_STATE = text("""
SELECT c.id, c.model_id, r.elo, r.judgments, m.elo AS model_elo, m.judgments AS model_judgments
FROM completions c
LEFT JOIN completion_ratings r ON r.completion_id = c.id
LEFT JOIN model_ratings m ON m.project_id = :project AND m.model_id = c.model_id
WHERE c.id = ANY(CAST(:completions AS uuid[]))
""")
_SAVE = text("""
WITH completion AS (
    INSERT INTO completion_ratings (completion_id, prompt_id, project_id, elo, judgments)
    SELECT id, prompt_id, :project, elo, judgments
    FROM unnest(CAST(:completions AS uuid[]), CAST(:prompts AS uuid[]), CAST(:elos AS float8[]),
                CAST(:judgments AS bigint[])) AS told (id, prompt_id, elo, judgments)
    ON CONFLICT (completion_id) DO UPDATE SET elo = excluded.elo, judgments = excluded.judgments
), model AS (
    INSERT INTO model_ratings (project_id, model_id, elo, judgments)
    SELECT :project, id, elo, judgments
    FROM unnest(CAST(:models AS uuid[]), CAST(:model_elos AS float8[]), CAST(:model_judgments AS bigint[]))
         AS told (id, elo, judgments)
    ON CONFLICT (project_id, model_id) DO UPDATE SET elo = excluded.elo, judgments = excluded.judgments
), numbered AS (
    UPDATE judgments SET position = :folded + told.place
    FROM unnest(CAST(:numbered AS uuid[])) WITH ORDINALITY AS told (id, place) WHERE judgments.id = told.id
)
UPDATE projects SET judgments_folded = :folded + cardinality(CAST(:numbered AS uuid[])) WHERE id = :project
""")


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


class Completions:
    """The state of the fold for completions, each among those of its prompt."""

    def __init__(self) -> None:
        self.ratings: dict[uuid.UUID, float] = {}
        self.judgments: dict[uuid.UUID, int] = {}
        self.prompt_of: dict[uuid.UUID, uuid.UUID] = {}

    def play(self, ranking: Ranking) -> None:
        elo.fold_judgment(self.ratings, ranking.completions, ranking.ranks, elo.K_COMPLETION)
        for id in ranking.completions:
            self.judgments[id] = self.judgments.get(id, 0) + 1
            self.prompt_of[id] = ranking.prompt_id


class Models:
    """The state of the fold for models, with a snapshot of it every so often. `snapshot` is the place of the last."""

    def __init__(self, snapshot: int = 0) -> None:
        self.ratings: dict[uuid.UUID, float] = {}
        self.judgments: dict[uuid.UUID, int] = {}
        self.snapshot = snapshot
        self.taken: list[dict[str, Any]] = []

    def load_all(self, session: Session, project_id: uuid.UUID) -> None:
        """All models, where a snapshot of all falls due on the way."""
        known = select(ModelRating.model_id, ModelRating.elo, ModelRating.judgments)
        for id, rating, judgments in session.execute(known.where(ModelRating.project_id == project_id)):
            self.ratings[id], self.judgments[id] = rating, judgments

    @classmethod
    def of(cls, snapshot: RatingSnapshot | None) -> "Models":
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
            self.taken.append({"position": due, "models": models})


def _due(position: int) -> int:
    """The place of the last snapshot that is taken before the judgment at `position`."""
    return max(position - 1, 0) // SNAPSHOT_EVERY * SNAPSHOT_EVERY


def load(session: Session, project: Project, rows: Sequence[Row[Any]]) -> tuple[list[Ranking], Completions, Models]:
    """These judgments as ratings read them, and the fold's state of what takes part in them."""
    ids = list({id for row in rows for id in row.completions})
    completions, models, model_of = Completions(), Models(_due(project.judgments_folded)), {}
    for one in session.connection().execute(_STATE, {"project": project.id, "completions": ids}):
        model_of[one.id] = one.model_id
        if one.elo is not None:
            completions.ratings[one.id], completions.judgments[one.id] = one.elo, one.judgments
        if one.model_elo is not None:
            models.ratings[one.model_id], models.judgments[one.model_id] = one.model_elo, one.model_judgments
    if _due(project.judgments_folded + len(rows)) != models.snapshot:
        models.load_all(session, project.id)
    return rankings(rows, model_of), completions, models


def save(
    session: Session,
    project: Project,
    completions: Completions,
    models: Models,
    numbered: Sequence[Row[Any]],
) -> None:
    """Keep the state of the fold, and give these judgments the next places in the order."""
    session.connection().execute(
        _SAVE,
        {
            "project": project.id,
            "completions": list(completions.ratings),
            "prompts": [completions.prompt_of[id] for id in completions.ratings],
            "elos": list(completions.ratings.values()),
            "judgments": [completions.judgments[id] for id in completions.ratings],
            "models": list(models.ratings),
            "model_elos": list(models.ratings.values()),
            "model_judgments": [models.judgments[id] for id in models.ratings],
            "numbered": [row.id for row in numbered],
            "folded": project.judgments_folded,
        },
    )
    set_committed_value(project, "judgments_folded", project.judgments_folded + len(numbered))
    if models.taken:
        session.execute(insert(RatingSnapshot), [{"project_id": project.id, **one} for one in models.taken])


def rankings(rows: Iterable[Row[Any]], model_of: Mapping[uuid.UUID, uuid.UUID]) -> list[Ranking]:
    """Judgments with their comparisons, as ratings read them."""
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
