"""What the judgments of a prompt say of its completions: Bradley-Terry with a fixed prior, kept beside live Elo by the
fold; and which prompts are settled by it, so that nobody is asked about them any more."""

import uuid
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

import numpy as np
from sqlalchemy import ColumnElement, and_, false, func, select, text, update
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Session

from backend.domain.bradley_terry import GroupsFit
from backend.domain.elo import POINTS_PER_LOG_ODDS
from backend.domain.judgments import Protocol, rating_ranks
from backend.domain.plackett_luce import Rankings, fit_rankings
from backend.services import bulk, turns
from backend.tables import CompletionRating, Project, Prompt

# The width of the prior in log-odds. It is not learnt: a judgment elsewhere must not move the ratings of this prompt.
PRIOR_DEVIATION = 1.0
PROMPTS_AT_ONCE = 1_000

# All completions of each prompt, at position 0; then what was said of some of them, in the order of the ratings.
_SAID = text("""
SELECT prompt_id, array_agg(id ORDER BY id) AS completions, CAST(NULL AS bigint[]) AS ranks, 0 AS position
FROM completions WHERE prompt_id = ANY(CAST(:prompts AS uuid[])) GROUP BY prompt_id
UNION ALL
SELECT j.prompt_id, c.completions, j.ranks, j.position FROM judgments j JOIN comparisons c ON c.id = j.comparison_id
WHERE j.prompt_id = ANY(CAST(:prompts AS uuid[])) AND j.position > 0
  AND j.voided_at IS NULL AND j.uncounted_reason IS NULL
ORDER BY position
""")
# Into the rows that Elo has made: a completion that nobody judged has none.
_STORE = text("""
UPDATE completion_ratings r SET bradley_terry = told.bradley_terry, standard_error = told.standard_error,
                                best = told.best, component = told.component
FROM unnest(CAST(:ids AS uuid[]), CAST(:bradley_terry AS float8[]), CAST(:standard_error AS float8[]),
            CAST(:best AS float8[]), CAST(:component AS bigint[]))
     AS told (id, bradley_terry, standard_error, best, component)
WHERE r.completion_id = told.id
""")


def refresh(session: Session, project: Project, prompts: Collection[uuid.UUID] | None = None) -> None:
    """Fit these prompts (all that have ratings, if left out) anew, and tell when it is their turn, and whether they are
    settled.

    A prompt's numbers depend on its own judgments alone, to the digit, whichever prompts are fitted with it.
    """
    if prompts is None:
        rated = select(CompletionRating.prompt_id).where(CompletionRating.project_id == project.id)
        prompts = session.scalars(rated.distinct()).all()
    partial = Protocol.model_validate(project.protocol).top is not None
    rest = iter(sorted(prompts))
    while some := list(islice(rest, PROMPTS_AT_ONCE)):
        _fit(session, some, partial)
        turns.refresh(session, project, some)
        if project.target_error is not None:
            settle(session, project, some)


def settle(session: Session, project: Project, prompts: Sequence[uuid.UUID] | None = None) -> None:
    """Tell anew which of these prompts (all, if left out) are settled: all completions were compared with each other,
    directly or through others, and no standard error is above the target."""
    precise: ColumnElement[bool] = false()  # nothing is settled without a target
    if project.target_error is not None:
        known = select(func.count()).where(
            CompletionRating.prompt_id == Prompt.id,
            CompletionRating.component == 0,
            CompletionRating.standard_error <= project.target_error,
        )
        precise = and_(Prompt.completions >= 2, Prompt.completions == known.correlate(Prompt).scalar_subquery())
    here = Prompt.project_id == project.id if prompts is None else Prompt.id.in_(prompts)
    changes: ColumnElement[bool] = and_(here, Prompt.settled != precise)
    # Locked in the order of ids, as everybody does who locks several; what holds is told after all are locked.
    lock = select(Prompt.id).where(changes).order_by(Prompt.id).with_for_update(key_share=True)
    if ids := session.scalars(lock).all():
        changed = bulk.table({"id": (UUID(as_uuid=True), ids)})
        session.execute(
            update(Prompt)
            .where(Prompt.id == changed.c.id)
            .values(settled=precise)
            .execution_options(synchronize_session=False)
        )


def _fit(session: Session, prompts: Sequence[uuid.UUID], partial: bool) -> None:
    members: dict[uuid.UUID, list[uuid.UUID]] = {}
    said: dict[uuid.UUID, list[tuple[list[uuid.UUID], tuple[int, ...]]]] = {}
    for prompt, completions, ranks, position in session.connection().execute(_SAID, {"prompts": list(prompts)}):
        if position == 0:
            members[prompt] = completions
        else:
            said.setdefault(prompt, []).append((completions, rating_ranks(ranks, len(completions))))
    # Pairs alone and rankings of several are solved in different ways, whose last digits differ: each by its own.
    several = {prompt for prompt, told in said.items() if any(len(shown) > 2 for shown, _ in told)}
    for chosen in (sorted(said.keys() - several), sorted(several)):
        if not chosen:
            continue
        ids = [id for prompt in chosen for id in members[prompt]]
        group_of = np.repeat(np.arange(len(chosen)), [len(members[prompt]) for prompt in chosen])
        number = {id: place for place, id in enumerate(ids)}
        rankings = list(_columns((told for prompt in chosen for told in said[prompt]), number, partial))
        fit = fit_rankings(group_of, rankings, prior_deviation=PRIOR_DEVIATION, groups=len(chosen), best=True)
        _store(session, ids, fit)


def _columns(
    said: Iterator[tuple[list[uuid.UUID], tuple[int, ...]]], number: dict[uuid.UUID, int], partial: bool
) -> Iterator[Rankings]:
    """One entry for each size of comparison."""
    by_size: dict[int, tuple[list[list[int]], list[tuple[int, ...]]]] = {}
    for shown, ranks in said:
        columns = by_size.setdefault(len(shown), ([], []))
        columns[0].append([number[id] for id in shown])
        columns[1].append(ranks)
    for _, (shown_of, ranks_of) in sorted(by_size.items()):
        yield Rankings(np.array(shown_of, np.intp), np.array(ranks_of, np.intp), np.ones(len(ranks_of)), partial)


def _store(session: Session, ids: Sequence[uuid.UUID], fit: GroupsFit) -> None:
    """Into the rows that Elo has made: a completion that nobody judged has none."""
    assert fit.best is not None
    session.connection().execute(
        _STORE,
        {
            "ids": list(ids),
            "bradley_terry": (POINTS_PER_LOG_ODDS * fit.log_odds).tolist(),
            "standard_error": (POINTS_PER_LOG_ODDS * fit.standard_deviation).tolist(),
            "best": fit.best.tolist(),
            "component": fit.component.tolist(),
        },
    )
