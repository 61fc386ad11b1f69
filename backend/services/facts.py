"""The judgments of a project in columns of numbers, for fits over all of them; and the ratings of completions by each
method. Knows nothing of how ratings are kept or shown.

A million judgments are a few dozen megabytes this way, read in batches.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from backend.domain import elo
from backend.domain.annotators import AnnotatorsFit, enough, fit_annotators
from backend.domain.bradley_terry import Floats, GroupsFit, Ints
from backend.domain.judgments import Protocol, outcomes, rating_ranks
from backend.domain.plackett_luce import Rankings, fit_rankings
from backend.domain.rewards import Question
from backend.errors import Invalid
from backend.tables import Comparison, Completion, Judgment, Project, Prompt

Method = Literal["elo", "bradley_terry", "crowd_bradley_terry"]
"""Elo in the order of judgments; Bradley-Terry (Plackett-Luce for rankings of several) with a learnt prior; and
Bradley-Terry with each annotator's slope and lean."""

BATCH = 20_000


@dataclass(frozen=True)
class Said:
    """Judgments of comparisons of one size, in columns: completions by number (n, k), ranks (n, k), annotators by
    number (n,), the place in the order of judgments (n,), and their ids."""

    shown: Ints
    ranks: Ints
    annotator: Ints
    order: Ints
    ids: list[uuid.UUID]


@dataclass(frozen=True)
class Facts:
    """Completions by number with the numbers of their prompt and their model, and what was said of them."""

    prompts: list[uuid.UUID]
    completions: list[uuid.UUID]
    group_of: Ints
    models: list[uuid.UUID]
    model_of: Ints
    annotators: list[uuid.UUID]
    said: list[Said]
    partial: bool

    @property
    def judgments(self) -> int:
        return sum(len(part.ids) for part in self.said)


@dataclass(frozen=True)
class Rated:
    """Ratings of all completions in Elo points, by number; `standard_error` where the method gives one."""

    rating: Floats
    standard_error: Floats | None
    judgments: Ints
    prior_deviation: float | None = None
    crowd: AnnotatorsFit | None = None


def load(
    session: Session,
    project: Project,
    question: Question | None = None,
    *,
    prompt_id: uuid.UUID | None = None,
) -> Facts:
    """The judgments in the ratings that answer `question` (all, if left out), of prompts with two or more answers."""
    query = (
        select(Completion.prompt_id, Completion.id, Completion.model_id)
        .join(Prompt, Prompt.id == Completion.prompt_id)
        .where(Completion.project_id == project.id, Prompt.completions >= 2)
        .order_by(Completion.prompt_id, Completion.id)
    )
    if prompt_id is not None:
        query = query.where(Completion.prompt_id == prompt_id)
    rows = session.execute(query).all()
    prompts: dict[uuid.UUID, int] = {}
    models: dict[uuid.UUID, int] = {}
    group_of = np.array([prompts.setdefault(row.prompt_id, len(prompts)) for row in rows], dtype=np.intp)
    model_of = np.array([models.setdefault(row.model_id, len(models)) for row in rows], dtype=np.intp)
    number = {row.id: i for i, row in enumerate(rows)}
    annotators: dict[uuid.UUID, int] = {}
    columns: dict[int, list[Said]] = {}
    for batch in _judgments(session, project, question or Question(), prompt_id):
        for size in {len(completions) for _, _, _, completions, _ in batch}:
            here = [row for row in batch if len(row[3]) == size]
            columns.setdefault(size, []).append(
                Said(
                    shown=np.array([[number[id] for id in row[3]] for row in here], dtype=np.intp),
                    ranks=np.array([rating_ranks(row[2], size) for row in here], dtype=np.intp),
                    annotator=np.array([annotators.setdefault(row[1], len(annotators)) for row in here], np.intp),
                    order=np.array([row[4] for row in here], dtype=np.intp),
                    ids=[row[0] for row in here],
                )
            )
    said = [_joined(parts) for _, parts in sorted(columns.items())]
    partial = Protocol.model_validate(project.protocol).top is not None
    ids = [row.id for row in rows]
    return Facts(list(prompts), ids, group_of, list(models), model_of, list(annotators), said, partial)


def _judgments(
    session: Session, project: Project, question: Question, prompt_id: uuid.UUID | None
) -> Iterator[list[tuple[uuid.UUID, uuid.UUID, list[int] | None, list[uuid.UUID], int]]]:
    statement = (
        select(Judgment.id, Judgment.annotator_id, Judgment.ranks, Comparison.completions, Judgment.position)
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .where(
            Judgment.project_id == project.id,
            Judgment.position > 0,
            Judgment.stands,
        )
    )
    if prompt_id is not None:
        statement = statement.where(Judgment.prompt_id == prompt_id)
    if question.without_annotators:
        statement = statement.where(Judgment.annotator_id.not_in(question.without_annotators))
    if question.before is not None:
        statement = statement.where(Judgment.created_at < question.before)
    if question.guidelines_versions:
        statement = statement.where(Judgment.guidelines_version.in_(question.guidelines_versions))
    if question.min_gold_share is not None:
        passed = (
            select(Judgment.annotator_id)
            .where(Judgment.project_id == project.id, Judgment.gold_right.is_not(None), Judgment.voided_at.is_(None))
            .group_by(Judgment.annotator_id)
            .having(func.avg(cast(Judgment.gold_right, Integer)) >= question.min_gold_share)
        )
        statement = statement.where(Judgment.annotator_id.in_(passed))
    result = session.execute(statement.order_by(Judgment.position).execution_options(yield_per=BATCH))
    for rows in result.partitions():
        yield [(row[0], row[1], row[2], row[3], row[4] or 0) for row in rows]


def _joined(parts: list[Said]) -> Said:
    return Said(
        np.concatenate([part.shown for part in parts]),
        np.concatenate([part.ranks for part in parts]),
        np.concatenate([part.annotator for part in parts]),
        np.concatenate([part.order for part in parts]),
        [id for part in parts for id in part.ids],
    )


def rate(facts: Facts, method: Method) -> Rated:
    """Rate every completion among those of its prompt.

    Raises Invalid for `crowd_bradley_terry` while there is too little to tell annotators apart.
    """
    if method == "elo":
        return Rated(_elo(facts), None, _judged(facts))
    if method == "bradley_terry":
        rankings = [Rankings(part.shown, part.ranks, np.ones(len(part.ids)), facts.partial) for part in facts.said]
        fit = fit_rankings(facts.group_of, rankings, groups=len(facts.prompts))
        crowd = None
    else:
        left, right, score, annotator = pairs(facts)
        if not enough(facts.group_of, left, annotator):
            raise Invalid(
                "There are too few judgments to tell annotators apart: half of them must come from people with 30 or "
                "more, and prompts need 4 on average. Use Bradley-Terry until then.",
                "method",
            )
        crowd = fit_annotators(
            facts.group_of,
            left,
            right,
            score,
            annotator,
            annotators=len(facts.annotators),
            groups=len(facts.prompts),
        )
        fit = crowd.ratings
    return rated(facts, fit, crowd)


def rated(facts: Facts, fit: GroupsFit, crowd: AnnotatorsFit | None = None) -> Rated:
    """A fit in log-odds on the Elo scale."""
    return Rated(
        elo.START + elo.POINTS_PER_LOG_ODDS * fit.log_odds,
        elo.POINTS_PER_LOG_ODDS * fit.standard_deviation,
        _judged(facts),
        fit.prior_deviation,
        crowd,
    )


def _judged(facts: Facts) -> Ints:
    """In how many judgments each completion took part."""
    judged = np.zeros(len(facts.completions), dtype=np.intp)
    for part in facts.said:
        np.add.at(judged, part.shown.ravel(), 1)
    return judged


def _elo(facts: Facts) -> Floats:
    """The same fold as that of the live ratings, over these judgments alone."""
    ratings: dict[int, float] = {}
    rows = [(part, i) for part in facts.said for i in range(len(part.ids))]
    rows.sort(key=lambda row: row[0].order[row[1]])
    for part, i in rows:
        elo.fold_judgment(ratings, part.shown[i].tolist(), part.ranks[i].tolist(), elo.K_COMPLETION)
    return np.array([ratings.get(item, elo.START) for item in range(len(facts.completions))])


def pairs(facts: Facts) -> tuple[Ints, Ints, Floats, Ints]:
    """All pairs of all judgments in columns: who was shown first, the other, the score of the first, the annotator."""
    left, right, score, annotator = [], [], [], []
    for part in facts.said:
        size = part.shown.shape[1]
        for a, b, _ in outcomes(range(size)):
            left.append(part.shown[:, a])
            right.append(part.shown[:, b])
            before, after = part.ranks[:, a], part.ranks[:, b]
            score.append(np.where(before == after, 0.5, (before < after).astype(float)))
            annotator.append(part.annotator)
    if not left:
        nobody = np.zeros(0, np.intp)
        return nobody, nobody, np.zeros(0), nobody
    return np.concatenate(left), np.concatenate(right), np.concatenate(score), np.concatenate(annotator)
