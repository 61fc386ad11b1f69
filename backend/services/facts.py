"""The judgments of a project in columns of numbers, for fits over all of them; and the ratings of completions by each
method. Knows nothing of how ratings are kept or shown.

A million judgments are some fifty megabytes this way, and no object is made for any of them.
"""

import heapq
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sqlalchemy import Integer, Select, cast, func, select
from sqlalchemy.orm import Session

from backend.domain import elo
from backend.domain.annotators import NEEDED, AnnotatorsFit, enough, fit_annotators
from backend.domain.bradley_terry import Floats, GroupsFit, Ints
from backend.domain.judgments import Protocol, outcomes
from backend.domain.plackett_luce import Rankings, fit_rankings
from backend.domain.rewards import Question
from backend.errors import Invalid
from backend.services import bulk
from backend.services.bulk import Ids
from backend.tables import Comparison, Completion, Judgment, Project, Prompt

Method = Literal["elo", "bradley_terry", "crowd_bradley_terry"]
"""Elo in the order of judgments; Bradley-Terry (Plackett-Luce for rankings of several) with a learnt prior; and
Bradley-Terry with each annotator's slope and lean."""

BATCH = 20_000


@dataclass(frozen=True)
class Said:
    """Judgments of comparisons of one size in their order, in columns: completions by number (n, k), ranks (n, k),
    annotators by number (n,), the place in the order of judgments (n,), and their ids."""

    shown: Ints
    ranks: Ints
    annotator: Ints
    order: Ints
    ids: Ids


@dataclass(frozen=True)
class Facts:
    """Completions by number with the numbers of their prompt and their model, and what was said of them.

    Prompts and completions are numbered in the order of their ids, models and annotators as they first appear.
    """

    prompts: Ids
    completions: Ids
    group_of: Ints
    models: Ids
    model_of: Ints
    annotators: Ids
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
    # What people add and the fold takes in meanwhile comes too late: it may speak of completions not read here.
    last = session.scalars(select(func.max(Judgment.position)).where(Judgment.project_id == project.id)).one() or 0
    query = (
        select(Completion.prompt_id, Completion.id, Completion.model_id)
        .join(Prompt, Prompt.id == Completion.prompt_id)
        .where(Completion.project_id == project.id, Prompt.completions >= 2)
        .order_by(Completion.prompt_id, Completion.id)
    )
    if prompt_id is not None:
        query = query.where(Completion.prompt_id == prompt_id)
    found = bulk.read(session, query, ("prompt", "completion", "model"))
    prompts, group_of = Ids.numbered(found["prompt"])
    models, model_of = Ids.numbered(found["model"])
    completions = Ids(found["completion"])
    judgments = behind(project, question or Question(), prompt_id).where(Judgment.position <= last)
    size = func.cardinality(Comparison.completions)
    sizes = sorted(session.scalars(judgments.with_only_columns(size).distinct()))
    columns = [_columns(session, judgments.where(size == k), k, completions) for k in sizes]
    annotators, annotator = _annotators(columns)
    said = [
        Said(part["shown"], part["ranks"], who, part["order"], Ids(part["id"]))
        for part, who in zip(columns, annotator, strict=True)
    ]
    partial = Protocol.model_validate(project.protocol).top is not None
    return Facts(prompts, completions, group_of, models, model_of, annotators, said, partial)


def behind(project: Project, question: Question, prompt_id: uuid.UUID | None = None) -> Select[Any]:
    """The judgments in the ratings that answer `question`, with their comparisons; pick the columns."""
    statement = (
        select(Judgment.id)
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
    return statement


def _columns(session: Session, judgments: Select[Any], size: int, completions: Ids) -> bulk.Columns:
    """What was said of comparisons of one size, in the order of judgments; `people` are the annotators' ids."""
    places = range(1, size + 1)
    statement = judgments.with_only_columns(
        Judgment.id,
        Judgment.annotator_id,
        Judgment.position,
        *(Comparison.completions[place] for place in places),
        # As in `rating_ranks`: none is acceptable, all are equal.
        *(func.coalesce(Judgment.ranks[place], 1) for place in places),
    )
    shown, ranks = [f"shown {place}" for place in places], [f"rank {place}" for place in places]
    own = ("id", "people", "order")

    def told(piece: bulk.Columns) -> bulk.Columns:
        return {name: piece[name] for name in own} | {
            "shown": np.column_stack([completions.find(piece[name]) for name in shown]),
            "ranks": np.column_stack([piece[name] for name in ranks]),
        }

    found = bulk.read(session, statement, (*own, *shown, *ranks), told)
    order = np.argsort(found["order"])
    return {name: column[order] for name, column in found.items()}


def _annotators(columns: list[bulk.Columns]) -> tuple[Ids, list[Ints]]:
    """All who said something, and their numbers in each part."""
    if not columns:
        return Ids.none(), []
    order = np.argsort(np.concatenate([part["order"] for part in columns]))
    annotators, number = Ids.numbered(np.concatenate([part["people"] for part in columns])[order])
    numbers = np.empty_like(number)
    numbers[order] = number
    return annotators, np.split(numbers, np.cumsum([len(part["order"]) for part in columns])[:-1])


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
                f"There are too few judgments to tell annotators apart. {NEEDED} Use Bradley-Terry until then.",
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
        judged += np.bincount(part.shown.ravel(), minlength=len(judged))
    return judged


def _elo(facts: Facts) -> Floats:
    """The same fold as that of the live ratings, over these judgments alone."""
    ratings = dict.fromkeys(range(len(facts.completions)), elo.START)
    for _, shown, ranks in heapq.merge(*map(_in_order, facts.said)):
        if len(shown) == 2:
            # The same to the last bit, and quicker.
            a, b = shown
            score = 0.5 if ranks[0] == ranks[1] else float(ranks[0] < ranks[1])
            ratings[a], ratings[b] = elo.update(ratings[a], ratings[b], score, elo.K_COMPLETION)
        else:
            elo.fold_judgment(ratings, shown, ranks, elo.K_COMPLETION)
    return np.array(list(ratings.values()))


def _in_order(part: Said) -> Iterator[tuple[int, list[int], list[int]]]:
    for start in range(0, len(part.ids), BATCH):
        rows = slice(start, start + BATCH)
        yield from zip(part.order[rows].tolist(), part.shown[rows].tolist(), part.ranks[rows].tolist(), strict=True)


def pairs(facts: Facts) -> tuple[Ints, Ints, Floats, Ints]:
    """All pairs of all judgments in columns: who was shown first, the other, the score of the first, the annotator."""
    left, right, score, annotator = [], [], [], []
    for part in facts.said:
        size = part.shown.shape[1]
        for a, b, _ in outcomes(range(size)):
            left.append(part.shown[:, a])
            right.append(part.shown[:, b])
            score.append(scores(part.ranks[:, a], part.ranks[:, b]))
            annotator.append(part.annotator)
    if not left:
        nobody = np.zeros(0, np.intp)
        return nobody, nobody, np.zeros(0), nobody
    return np.concatenate(left), np.concatenate(right), np.concatenate(score), np.concatenate(annotator)


def scores(before: Ints, after: Ints) -> Floats:
    """1, 0.5 or 0 for those of these ranks against those."""
    return np.where(before == after, 0.5, (before < after).astype(float))
