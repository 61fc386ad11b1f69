"""What to ask next, seen by an admin: how precise ratings are, how far it is to the precision asked for, and whether
pairs that were chosen taught more than pairs by chance."""

import uuid
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sqlalchemy import Integer, Select, Text, case, cast, func, select
from sqlalchemy.orm import Session

from backend.domain import asking
from backend.domain.asking import Advantage, Step
from backend.domain.elo import POINTS_PER_LOG_ODDS
from backend.domain.judgments import Protocol, outcomes, rating_ranks
from backend.services.queue import sets_of
from backend.tables import Comparison, Completion, CompletionRating, Judgment, Project, Prompt

# Whether choosing pays is told from so many judgments of so many prompts, in an order that says nothing of them.
MOST_PROMPTS, MOST_JUDGMENTS = 2_000, 20_000
# How far it is to the precision asked for is told from so many prompts, or from all where there are no more.
SOME_PROMPTS = 2_000
POLICIES = ("informative", "random")
# The table of errors has so many lines at most; errors are told apart by so many Elo points.
MOST_LINES = 24
BIN = 2


@dataclass(frozen=True)
class Errors:
    """Prompts with `judgments` to `upto` judgments, and the median of their largest standard errors, Elo points."""

    judgments: int
    upto: int
    prompts: int
    median_error: float


@dataclass(frozen=True)
class Bin:
    """Prompts whose largest standard error is `low` or more and below `high`, Elo points."""

    low: int
    high: int
    prompts: int


@dataclass(frozen=True)
class Gain:
    """What judgments taught that were chosen, and that chance chose."""

    informative: list[Step]
    random: list[Step]
    advantage: Advantage


@dataclass(frozen=True)
class Asking:
    """`prompts` are those with two completions or more; `typical_error` is the median over judged completions."""

    target_error: float | None
    prompts: int
    settled: int
    typical_error: float | None
    errors: list[Errors]
    distribution: list[Bin]
    gain: Gain


def of_project(session: Session, project: Project) -> Asking:
    """All of it; reads every rating of the project."""
    size = Protocol.model_validate(project.protocol).size
    mine = (Prompt.project_id == project.id, Prompt.completions >= size)
    prompts, settled = session.execute(select(func.count(), func.count().filter(Prompt.settled)).where(*mine)).one()
    typical = session.scalar(
        select(func.percentile_cont(0.5).within_group(CompletionRating.standard_error)).where(
            CompletionRating.project_id == project.id
        )
    )
    known = _precision(session, project, size)
    gain = _gain(session, project)
    return Asking(project.target_error, prompts, settled, typical, _errors(known), _distribution(known), gain)


def judgments_left(session: Session, project: Project, unsettled: int) -> int | None:
    """How many judgments until all prompts are settled, of which so many are not; None without a target, or while
    nothing was judged.

    Of a large project a part is read, which chance has chosen: what a judgment teaches, and how many a prompt needs, is
    then told from that part. `unsettled` beyond that part scales it to all.
    """
    if project.target_error is None:
        return None
    size = Protocol.model_validate(project.protocol).size
    here = select(Prompt.id).where(Prompt.project_id == project.id, Prompt.completions >= size)
    # The digests of prompts are in an order that says nothing of them, and have an index.
    known = _precision(session, project, size, here.order_by(Prompt.digest).limit(SOME_PROMPTS))
    open_ones = [one for one in known if not one.settled]
    if unsettled <= SOME_PROMPTS:
        # Few among many: these have an index as well.
        open_ones = _precision(session, project, size, here.where(~Prompt.settled, Prompt.completions >= 2))
    left = asking.judgments_left(
        _variances(known), _variances(open_ones), (project.target_error / POINTS_PER_LOG_ODDS) ** 2
    )
    read = sum(one.prompts for one in open_ones)
    return left if left is None or read == 0 else round(left * unsettled / read)


def _variances(known: "list[_Alike]") -> list[asking.Alike]:
    return [
        asking.Alike(one.size, one.judgments, (max(one.error, 1.0) / POINTS_PER_LOG_ODDS) ** 2, one.free, one.prompts)
        for one in known
    ]


class _Alike(NamedTuple):
    """So many `prompts` of so many completions with as many judgments, the same largest standard error (whole Elo
    points) and as many places left; `settled` is the same for all of them."""

    size: int
    judgments: int
    error: float
    free: int
    settled: bool
    prompts: int


def _precision(session: Session, project: Project, size: int, these: Select[uuid.UUID] | None = None) -> list[_Alike]:
    """Of these prompts; left out: of all that can be asked about."""
    ratings, prompts = CompletionRating.project_id == project.id, Prompt.project_id == project.id
    if these is not None:
        chosen = these.cte("chosen")
        ratings &= CompletionRating.prompt_id.in_(select(chosen.c.id))
        prompts &= Prompt.id.in_(select(chosen.c.id))
    rated = (
        select(
            CompletionRating.prompt_id,
            func.max(CompletionRating.standard_error).label("error"),
            func.count(CompletionRating.standard_error).label("completions"),
            func.sum(CompletionRating.judgments).label("shown"),
        )
        .where(ratings)
        .group_by(CompletionRating.prompt_id)
        .subquery()
    )
    # What the prior alone says, where a completion was never judged.
    prior = POINTS_PER_LOG_ODDS * func.sqrt(1.0 - 1.0 / Prompt.completions)
    free = (sets_of(Prompt.completions, size) - Prompt.sets_retired) * project.overlap - Prompt.handed_out
    columns = (
        Prompt.completions,
        cast(func.round(func.coalesce(rated.c.shown, 0) / size), Integer),
        func.round(case((rated.c.completions == Prompt.completions, rated.c.error), else_=prior)),
        func.greatest(free, 0),
        Prompt.settled,
    )
    rows = session.execute(
        select(*columns, func.count())
        .outerjoin(rated, rated.c.prompt_id == Prompt.id)
        .where(prompts, Prompt.completions >= size)
        .group_by(*columns)
    )
    return [_Alike(*row) for row in rows]


def _errors(known: list[_Alike]) -> list[Errors]:
    """By number of judgments, in steps wide enough that there are few lines."""
    judged = [one for one in known if one.judgments > 0]
    width = -(-max((one.judgments for one in judged), default=1) // MOST_LINES)
    lines = []
    for first in range(1, max((one.judgments for one in judged), default=0) + 1, width):
        here = [one for one in judged if first <= one.judgments < first + width]
        if here:
            errors = np.repeat([one.error for one in here], [one.prompts for one in here])
            lines.append(Errors(first, first + width - 1, len(errors), float(np.median(errors))))
    return lines


def _distribution(known: list[_Alike]) -> list[Bin]:
    """Over all prompts that were judged, without gaps."""
    bins = Counter[int]()
    for one in known:
        if one.judgments > 0:
            bins[int(one.error // BIN)] += one.prompts
    return [Bin(BIN * at, BIN * (at + 1), bins[at]) for at in range(min(bins), max(bins) + 1)] if bins else []


def _gain(session: Session, project: Project) -> Gain:
    """From prompts that people were asked about here."""
    chosen = (
        select(Comparison.prompt_id)
        .where(Comparison.project_id == project.id, Comparison.state == "judged", Comparison.policy.in_(POLICIES))
        .group_by(Comparison.prompt_id)
        .order_by(func.md5(cast(Comparison.prompt_id, Text)))
        .limit(MOST_PROMPTS)
        .subquery()
    )
    statement = (
        select(Judgment.prompt_id, Comparison.completions, Judgment.ranks, Comparison.policy)
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .where(Judgment.prompt_id.in_(select(chosen.c.prompt_id)), Judgment.position > 0, Judgment.stands)
        .order_by(func.md5(cast(Judgment.prompt_id, Text)), Judgment.position)
        .limit(MOST_JUDGMENTS)
    )
    rows = session.execute(statement).all()
    members: dict[uuid.UUID, list[uuid.UUID]] = {}
    prompts = {row.prompt_id for row in rows}
    for prompt, id in session.execute(
        select(Completion.prompt_id, Completion.id).where(Completion.prompt_id.in_(prompts)).order_by(Completion.id)
    ):
        members.setdefault(prompt, []).append(id)
    number = {id: i for i, id in enumerate(id for ids in members.values() for id in ids)}
    group_of = np.repeat(np.arange(len(members)), [len(ids) for ids in members.values()])
    pairs = [
        (number[row.completions[a]], number[row.completions[b]], score, i)
        for i, row in enumerate(rows)
        for a, b, score in outcomes(rating_ranks(row.ranks, len(row.completions)))
    ]
    left, right, score, judgment = np.array(pairs, dtype=float).reshape(-1, 4).T
    policy = np.array([row.policy for row in rows], dtype=object)
    found = asking.taught(
        group_of,
        left.astype(np.intp),
        right.astype(np.intp),
        score,
        judgment.astype(np.intp),
        np.isin(policy, POLICIES),
    )
    informative, random = (asking.curve(found, policy == name) for name in POLICIES)
    return Gain(informative, random, asking.advantage(informative, random))
