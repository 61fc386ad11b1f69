"""Comparisons whose answer is known: making and changing them, how they were answered, and which comes next.

Who is let in to real work because of them is `standings`' business.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from backend.domain import gold as rules
from backend.domain.judgments import Protocol, Verdict, check_ranks, reorder
from backend.domain.pairing import set_key
from backend.errors import Invalid, NotFound
from backend.services import leases
from backend.tables import Comparison, Completion, Gold, Judgment, Model, Project

Use = Literal["check", "practice", "qualification"]


def create(
    session: Session,
    project: Project,
    *,
    ranks: Sequence[int] | None,
    use: Use,
    completions: Sequence[uuid.UUID] = (),
    comparison_id: uuid.UUID | None = None,
    prompt_id: uuid.UUID | None = None,
    explanation: str = "",
    by: uuid.UUID | None = None,
) -> Gold:
    """Keep a known answer to these completions of one prompt, or to those of a comparison that was handed out."""
    if (comparison_id is None) == (not completions):
        raise Invalid("name either completions or a comparison to take them from", "completions")
    if comparison_id is not None:
        comparison = session.get(Comparison, comparison_id)
        if comparison is None or comparison.project_id != project.id:
            raise NotFound("There is no such comparison in this project.", field="comparison")
        completions = comparison.completions
    found = dict(
        session.execute(
            select(Completion.id, Completion.prompt_id).where(
                Completion.id.in_(completions), Completion.project_id == project.id
            )
        ).all()
    )
    if len(found) != len(set(completions)):
        raise NotFound("One of the completions is not in this project.", field="completions")
    if len(set(completions)) != len(completions):
        raise Invalid("a completion is named twice", "completions")
    prompts = set(found.values())
    if len(prompts) != 1 or prompt_id not in (None, *prompts):
        raise Invalid("the completions are not answers to one prompt", "completions")
    # Another number than usual would tell at once that this one is gold.
    size = Protocol.model_validate(project.protocol).size
    if len(completions) != size:
        raise Invalid(f"this project compares {size} completions at a time", "completions")
    _check_known(ranks, size)
    gold = Gold(
        project_id=project.id,
        prompt_id=prompts.pop(),
        completions=list(completions),
        ranks=None if ranks is None else list(ranks),
        use=use,
        explanation=explanation,
        created_by=by,
    )
    session.add(gold)
    session.flush()
    return gold


def _check_known(ranks: Sequence[int] | None, size: int) -> None:
    if ranks is None:
        return
    check_ranks(ranks, size, True, "ranks")
    if len(set(ranks)) == 1:
        raise Invalid("a known answer prefers something, or says that none is acceptable", "ranks")


def change(session: Session, id: uuid.UUID, changes: dict[str, Any]) -> Gold:
    """Apply the given fields (`ranks`, `use`, `explanation`, `retired`).

    When the known answer is put right, answers given before are right or wrong by the new one. What a qualification
    has decided stays decided.
    """
    gold = session.scalar(select(Gold).where(Gold.id == id).with_for_update())
    if gold is None:
        raise NotFound("There is no such gold comparison.")
    if "ranks" in changes:
        ranks = changes["ranks"]
        _check_known(ranks, len(gold.completions))
        gold.ranks = None if ranks is None else list(ranks)
        _mark_again(session, gold)
    gold.use = changes.get("use", gold.use)
    gold.explanation = changes.get("explanation", gold.explanation)
    if "retired" in changes:
        gold.retired_at = (gold.retired_at or leases.now()) if changes["retired"] else None
    session.flush()
    return gold


def _mark_again(session: Session, gold: Gold) -> None:
    project = session.get_one(Project, gold.project_id)
    top = Protocol.model_validate(project.protocol).top
    answers = session.execute(
        select(Judgment, Comparison)
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .where(Comparison.gold_id == gold.id)
        .order_by(Judgment.id)
        .with_for_update(of=Judgment)
    )
    for judgment, comparison in answers:
        judgment.gold_right = rules.is_right(known_ranks(gold, comparison), judgment.ranks, top)


def of_comparison(session: Session, comparison: Comparison) -> Gold | None:
    """The gold that was handed out as this comparison, if it was one."""
    return None if comparison.gold_id is None else session.get(Gold, comparison.gold_id)


def is_right(gold: Gold, comparison: Comparison, protocol: Protocol, verdict: Verdict) -> bool:
    """Whether a verdict on this comparison says what is known."""
    return rules.is_right(known_ranks(gold, comparison), verdict.ranks, protocol.top)


def known_ranks(gold: Gold, comparison: Comparison) -> tuple[int, ...] | None:
    """The known ranks in the order in which the completions were shown."""
    return None if gold.ranks is None else reorder(gold.ranks, gold.completions, comparison.completions)


# --- handing out ----------------------------------------------------------------------------------------------------


def comparison_of(gold: Gold, project: Project, annotator_id: uuid.UUID, rng: Random) -> Comparison:
    """A comparison of this gold for one annotator, its sides shuffled."""
    shown = list(gold.completions)
    rng.shuffle(shown)
    return Comparison(
        project_id=project.id,
        prompt_id=gold.prompt_id,
        annotator_id=annotator_id,
        completions=shown,
        set_key=set_key(shown),
        kind="gold",
        gold_id=gold.id,
        policy="gold",
        probability=None,
        guidelines_version=project.guidelines_version,
    )


def next_check(session: Session, project: Project, annotator_id: uuid.UUID) -> Gold | None:
    """A check, drawn from those that this person has seen neither as gold nor as anything else."""
    seen = exists().where(
        Comparison.annotator_id == annotator_id,
        Comparison.project_id == project.id,
        Comparison.state != "released",
        or_(
            Comparison.gold_id == Gold.id,
            Comparison.completions.contains(Gold.completions) & Comparison.completions.contained_by(Gold.completions),
        ),
    )
    return session.scalar(
        select(Gold)
        .where(
            Gold.project_id == project.id,
            Gold.use == "check",
            Gold.retired_at.is_(None),
            func.cardinality(Gold.completions) == Protocol.model_validate(project.protocol).size,
            ~seen,
        )
        .order_by(func.random())
        .limit(1)
    )


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """A completion of a gold comparison, for an admin."""

    id: uuid.UUID
    model_id: uuid.UUID
    model: str
    text: str


@dataclass(frozen=True)
class Answers:
    """How a gold comparison was answered; the share is None when it never was."""

    answers: int
    right_share: float | None


def listed(project: Project, use: str | None) -> Select[Gold]:
    """The gold of a project."""
    query = select(Gold).where(Gold.project_id == project.id)
    return query if use is None else query.where(Gold.use == use)


def answers(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Answers]:
    """How often each was answered and how often right, by those whose answer stands."""
    rows = session.execute(
        select(Comparison.gold_id, func.count(), func.count().filter(Judgment.gold_right.is_(True)))
        .join(Judgment, Judgment.comparison_id == Comparison.id)
        .where(Comparison.gold_id.in_(ids), Judgment.stands)
        .group_by(Comparison.gold_id)
    )
    counted = {id: Answers(given, right / given) for id, given, right in rows if id is not None}
    return {id: counted.get(id, Answers(0, None)) for id in ids}


def completions(session: Session, gold: Sequence[Gold]) -> dict[uuid.UUID, Shown]:
    """The completions of these, by id."""
    ids = {id for one in gold for id in one.completions}
    rows = session.execute(
        select(Completion.id, Model.id, Model.name, Completion.text)
        .join(Model, Model.id == Completion.model_id)
        .where(Completion.id.in_(ids))
    )
    return {row[0]: Shown(*row) for row in rows}
