"""The queue of a project: the prompt that was told least about (handed out least, where all annotators tell the same)
and still has a set of completions for this person.

One statement finds the prompt, locks it and takes a place; others pass over it meanwhile.
"""

import time
import uuid
from collections import Counter, defaultdict
from functools import cache, reduce
from operator import mul
from random import Random
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Numeric,
    Result,
    Select,
    all_,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased
from sqlalchemy.sql.dml import ReturningUpdate

from backend.domain import annotators, elo, pairing
from backend.domain.judgments import Protocol
from backend.services.sides import Sides
from backend.tables import (
    AnnotatorFit,
    AnnotatorSlope,
    Comparison,
    Completion,
    CompletionRating,
    CompletionScore,
    Project,
    Prompt,
)

PAUSE_S, PAUSES = 0.005, 50

_Prompt = aliased(Prompt, name="candidate")


def pick(
    session: Session,
    project: Project,
    annotator_id: uuid.UUID,
    rng: Random,
    sides: Sides,
    exhausted: set[uuid.UUID],
    *,
    may_wait: bool,
) -> tuple[Comparison, list[dict[str, Any]]] | None:
    """A new comparison and the messages of its prompt, or None when there is nothing for this person.

    `exhausted` are prompts that turned out to have nothing left; they stay locked until the request ends. With
    `may_wait`, and holding no lock, it waits for prompts that others have locked for an instant.
    """
    protocol = Protocol.model_validate(project.protocol)
    asking = {
        "project": project.id,
        "annotator": annotator_id,
        "overlap": project.overlap,
        "enough": project.skips_to_retire,
    }
    pauses = 0
    while True:
        statements = _look(protocol.size, project.skips_to_retire is not None)
        taken = _place(session.execute(statements.take, {**asking, "exhausted": list(exhausted)}))
        if taken is None:
            if not may_wait or pauses == PAUSES:
                return None
            # All that is left may be locked by others. They are waited for by their id, as long as nobody can be
            # waiting for this request meanwhile; with a lock in hand it looks again a little later instead.
            id = session.scalar(statements.find, {**asking, "exhausted": list(exhausted)})
            if id is None:
                return None
            if exhausted:
                time.sleep(PAUSE_S)
                pauses += 1
                continue
            taken = _place(session.execute(statements.take_this, {"waited_for": id, "overlap": project.overlap}))
            if taken is None:
                continue
        prompt_id, messages = taken
        choice = _choose(session, project, protocol, prompt_id, annotator_id, rng, sides)
        if choice is not None:
            comparison = Comparison(
                project_id=project.id,
                prompt_id=prompt_id,
                annotator_id=annotator_id,
                completions=list(choice.completions),
                set_key=pairing.set_key(choice.completions),
                kind="regular",
                policy=choice.policy,
                probability=choice.probability,
                guidelines_version=project.guidelines_version,
            )
            return comparison, messages
        # Others took the last set between the look and the lock.
        _count(session, prompt_id, -1)
        exhausted.add(prompt_id)


def _place(result: Result[uuid.UUID, list[dict[str, Any]]]) -> tuple[uuid.UUID, list[dict[str, Any]]] | None:
    row = result.one_or_none()
    return None if row is None else (row[0], row[1])


def _count(session: Session, prompt_id: uuid.UUID, change: int) -> None:
    session.execute(
        update(Prompt)
        .where(Prompt.id == prompt_id)
        .values(handed_out=Prompt.handed_out + change)
        .execution_options(synchronize_session=False)
    )


class _Look(NamedTuple):
    """The statements that find the next prompt, take a place of it, or take one of a prompt that was waited for."""

    find: Select[uuid.UUID]
    take: ReturningUpdate[uuid.UUID, list[dict[str, Any]]]
    take_this: ReturningUpdate[uuid.UUID, list[dict[str, Any]]]


@cache
def _look(size: int, retires: bool) -> _Look:
    """Written once: to put them together takes longer than the database does to answer them."""
    n, overlap = _Prompt.completions, bindparam("overlap", type_=BigInteger)
    sets = sets_of(n, size)
    find = select(_Prompt.id).where(
        _Prompt.project_id == bindparam("project"),
        n >= 2,
        ~_Prompt.settled,
        n >= size,
        _Prompt.handed_out < sets * overlap,
        _Prompt.sets_retired < sets,
        _closed(retires) < _combinations(n, size),
        _Prompt.id != all_(bindparam("exhausted", type_=ARRAY(UUID()))),
    )
    if size > 2:
        # More sets can be made than are needed to see every pair once; nobody is asked for more than those.
        mine = (
            select(func.count())
            .where(
                Comparison.prompt_id == _Prompt.id,
                Comparison.annotator_id == bindparam("annotator"),
                Comparison.kind == "regular",
                Comparison.state != "released",
            )
            .correlate(_Prompt)
            .scalar_subquery()
        )
        find = find.where(mine < sets)
    find = find.order_by(_Prompt.handed_out - _Prompt.missing, _Prompt.id).limit(1)
    unlocked = find.with_for_update(skip_locked=True, key_share=True, of=_Prompt).scalar_subquery()

    def take(*which: ColumnElement[bool]) -> ReturningUpdate[uuid.UUID, list[dict[str, Any]]]:
        return (
            update(Prompt)
            .where(*which)
            .values(handed_out=Prompt.handed_out + 1)
            .returning(Prompt.id, Prompt.messages)
            .execution_options(synchronize_session=False)
        )

    still = ~Prompt.settled & (Prompt.handed_out < sets_of(Prompt.completions, size) * overlap)
    return _Look(find, take(Prompt.id == unlocked), take(Prompt.id == bindparam("waited_for"), still))


def sets_of(completions: ColumnElement[int] | InstrumentedAttribute[int], size: int) -> ColumnElement[int]:
    """`comparisons.sets_wanted` of a column."""
    pairs = size * (size - 1)
    return cast(func.div(completions * (completions - 1) + (pairs - 1), pairs), Integer)


def _combinations(n: Any, size: int) -> ColumnElement[Any]:
    """How many sets of `size` can be made of `n`."""
    if size == 2:
        return cast(func.div(n * (n - 1), 2), Integer)
    product = reduce(mul, [cast(n - i, Numeric) for i in range(size)])
    return func.div(product, reduce(mul, range(1, size + 1)))


def _closed(retires: bool) -> Any:
    """How many sets of a prompt this person cannot be asked for: seen by them, asked often enough, or retired."""
    regular, mine = Comparison.kind == "regular", Comparison.annotator_id == bindparam("annotator")
    asked = func.count().filter(regular, Comparison.state != "skipped")
    reasons = [func.bool_or(mine), asked >= bindparam("overlap", type_=BigInteger)]
    if retires:
        skipped = (regular, Comparison.state == "skipped", Comparison.skip_settled_at.is_(None))
        people = func.count(Comparison.annotator_id.distinct()).filter(*skipped)
        reasons.append(people >= bindparam("enough", type_=BigInteger))
    sets = (
        select(Comparison.set_key)
        .where(Comparison.prompt_id == _Prompt.id, Comparison.state != "released", or_(regular, mine))
        .group_by(Comparison.set_key)
        .having(or_(*reasons))
        .correlate(_Prompt)
        .subquery()
    )
    return select(func.count()).select_from(sets).scalar_subquery()


_CANDIDATES = (
    select(
        Completion.id,
        Completion.model_id,
        CompletionRating.bradley_terry,
        CompletionRating.judgments,
        CompletionScore.score,
    )
    .outerjoin(CompletionRating, CompletionRating.completion_id == Completion.id)
    .outerjoin(CompletionScore, CompletionScore.completion_id == Completion.id)
    .where(Completion.prompt_id == bindparam("prompt"))
    .order_by(Completion.id)
)
_NEWEST_FIT = (
    select(AnnotatorFit.id)
    .where(AnnotatorFit.project_id == bindparam("project"))
    .order_by(AnnotatorFit.number.desc())
    .limit(1)
    .scalar_subquery()
)
_HISTORY = (
    select(
        Comparison.completions,
        Comparison.annotator_id,
        Comparison.kind,
        Comparison.state,
        Comparison.skip_settled_at,
        AnnotatorSlope.slope,
    )
    .outerjoin(
        AnnotatorSlope,
        and_(AnnotatorSlope.annotator_id == Comparison.annotator_id, AnnotatorSlope.fit_id == _NEWEST_FIT),
    )
    .where(
        Comparison.prompt_id == bindparam("prompt"),
        Comparison.state != "released",
        or_(Comparison.kind == "regular", Comparison.annotator_id == bindparam("annotator")),
    )
)


def _choose(
    session: Session,
    project: Project,
    protocol: Protocol,
    prompt_id: uuid.UUID,
    annotator_id: uuid.UUID,
    rng: Random,
    sides: Sides,
) -> pairing.Choice[uuid.UUID] | None:
    rows = session.execute(_CANDIDATES, {"prompt": prompt_id}).all()
    # A completion that was never judged is at the mean of its prompt.
    candidates = [
        pairing.Candidate(id, elo.START + (rating or 0.0), judgments or 0, score)
        for id, _, rating, judgments, score in rows
    ]
    model_of = {id: model for id, model, *_ in rows}
    asked: Counter[frozenset[uuid.UUID]] = Counter()
    told: dict[frozenset[uuid.UUID], float] = defaultdict(float)
    closed: set[frozenset[uuid.UUID]] = set()
    skipped: dict[frozenset[uuid.UUID], set[uuid.UUID]] = defaultdict(set)
    history = session.execute(_HISTORY, {"project": project.id, "prompt": prompt_id, "annotator": annotator_id})
    for completions, who, kind, state, settled, slope in history:
        key = frozenset(completions)
        if who == annotator_id:
            closed.add(key)
        if kind == "regular" and state != "skipped":
            asked[key] += 1
            told[key] += annotators.told(1.0 if slope is None else slope)
        elif kind == "regular" and settled is None:
            skipped[key].add(who)
    if project.skips_to_retire is not None:
        closed |= {key for key, people in skipped.items() if len(people) >= project.skips_to_retire}
    choice = pairing.choose(
        candidates,
        asked,
        closed,
        overlap=project.overlap,
        size=protocol.size,
        random_share=project.random_share,
        rng=rng,
        left_lead=lambda a, b: sides.lead(model_of[a], model_of[b]),
        told=told,
    )
    if choice is not None:
        sides.note(choice.completions, model_of)
    return choice
