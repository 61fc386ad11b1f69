"""Reading judgments as an admin does: lists with filters, and one with all that happened to it."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from backend.domain.judgments import reorder
from backend.errors import NotFound
from backend.tables import Comparison, Completion, Disagreement, Flag, Judgment, Model, Project, User, Voiding

Kind = Literal["regular", "gold", "repeat", "adjudication"]
OTHERS_SHOWN = 200


@dataclass(frozen=True)
class Told:
    """A judgment with its comparison and its annotator's name; ranks (and those of aspects) are told in `shown`."""

    judgment: Judgment
    comparison: Comparison
    name: str
    shown: Sequence[uuid.UUID]
    ranks: list[int] | None
    aspects: dict[str, list[int]] | None


@dataclass(frozen=True)
class Event:
    """Something that happened to a judgment; `at` is None where the time was not kept."""

    what: str
    at: datetime | None
    by: tuple[uuid.UUID, str] | None
    reason: str | None


def of_project(
    project: Project,
    *,
    annotator: uuid.UUID | None = None,
    prompt: uuid.UUID | None = None,
    kind: Kind | None = None,
    voided: bool | None = None,
    disagreeing: bool | None = None,
) -> Select[Judgment, Comparison, str]:
    """Judgments with their comparisons and names; `disagreeing`: of sets that annotators ranked in opposite ways."""
    query = _told().where(Judgment.project_id == project.id)
    if annotator is not None:
        query = query.where(Judgment.annotator_id == annotator)
    if prompt is not None:
        query = query.where(Judgment.prompt_id == prompt)
    if kind is not None:
        query = query.where(Comparison.kind == kind)
    if voided is not None:
        query = query.where(Judgment.voided_at.is_not(None) if voided else Judgment.voided_at.is_(None))
    if disagreeing is not None:
        disputed = (
            select(Disagreement.set_key)
            .where(Disagreement.project_id == project.id, Disagreement.set_key == Comparison.set_key)
            .exists()
        )
        query = query.where(disputed if disagreeing else ~disputed)
    return query


def _told() -> Select[Judgment, Comparison, str]:
    return (
        select(Judgment, Comparison, User.name)
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .join(User, User.id == Judgment.annotator_id)
    )


def told(judgment: Judgment, comparison: Comparison, name: str, shown: Sequence[uuid.UUID] | None = None) -> Told:
    """A judgment in the order it was shown in, or in another order of the same completions."""
    order = comparison.completions if shown is None else shown

    def turned(ranks: Sequence[int]) -> list[int]:
        return list(reorder(ranks, comparison.completions, order))

    return Told(
        judgment,
        comparison,
        name,
        order,
        None if judgment.ranks is None else turned(judgment.ranks),
        judgment.aspects and {aspect: turned(ranks) for aspect, ranks in judgment.aspects.items()},
    )


def find(session: Session, id: uuid.UUID) -> Told:
    """The judgment. Raises NotFound."""
    row = session.execute(_told().where(Judgment.id == id)).one_or_none()
    if row is None:
        raise NotFound("There is no such judgment.")
    return told(row[0], row[1], row[2])


def others(session: Session, one: Told) -> list[Told]:
    """All other judgments of the same set, in the order of arrival, told in the order of this one."""
    rows = session.execute(
        _told()
        .where(
            Comparison.project_id == one.comparison.project_id,
            Comparison.prompt_id == one.comparison.prompt_id,
            Comparison.set_key == one.comparison.set_key,
            Judgment.id != one.judgment.id,
        )
        .order_by(Judgment.sequence)
        .limit(OTHERS_SHOWN)
    )
    return [told(judgment, comparison, name, one.shown) for judgment, comparison, name in rows]


def models_of(session: Session, completions: Collection[uuid.UUID]) -> dict[uuid.UUID, tuple[uuid.UUID, str]]:
    """Id and name of the model behind each completion."""
    rows = session.execute(
        select(Completion.id, Model.id, Model.name)
        .join(Model, Model.id == Completion.model_id)
        .where(Completion.id.in_(completions))
    )
    return {id: (model_id, name) for id, model_id, name in rows}


def texts_of(session: Session, completions: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The texts of completions."""
    return dict(session.execute(select(Completion.id, Completion.text).where(Completion.id.in_(completions))).all())


def history(session: Session, one: Told) -> list[Event]:
    """What happened to a judgment, from being handed out on."""
    judgment, comparison = one.judgment, one.comparison
    voidings = session.scalars(
        select(Voiding)
        .where(
            Voiding.project_id == judgment.project_id,
            or_(
                Voiding.id == judgment.voiding_id,
                # Those of the person's judgments that stood then; one that was set aside again names the last only.
                (Voiding.annotator_id == judgment.annotator_id) & (Voiding.created_at > judgment.created_at),
            ),
        )
        .order_by(Voiding.created_at)
    ).all()
    alone = judgment.voided_at
    if any(voiding.id == judgment.voiding_id and voiding.undone_at is None for voiding in voidings):
        alone = None  # it was set aside with the others, not alone
    flags = session.scalars(
        select(Flag).where(Flag.comparison_id == comparison.id, Flag.annotator_id == judgment.annotator_id)
    ).all()
    happened: list[tuple[str, datetime | None, uuid.UUID | None, str | None]] = []
    if comparison.kind != "adjudication":
        happened.append(("handed_out", comparison.created_at, judgment.annotator_id, None))
    happened.append(("judged", judgment.created_at, judgment.annotator_id, judgment.uncounted_reason))
    for flag in flags:
        happened.append(("flagged", flag.created_at, flag.annotator_id, flag.reason))
        if flag.resolved_at is not None:
            happened.append(("resolved", flag.resolved_at, flag.resolved_by, flag.resolution))
    for voiding in voidings:
        if alone is not None and voiding.created_at > alone:
            continue
        happened.append(("voided", voiding.created_at, voiding.created_by, voiding.reason))
        if voiding.undone_at is not None:
            happened.append(("restored", voiding.undone_at, voiding.undone_by, None))
    if alone is not None:
        what = "taken_back" if judgment.voided_by == judgment.annotator_id else "voided"
        happened.append((what, alone, judgment.voided_by, None))
    happened.sort(key=lambda event: event[1] or judgment.created_at)
    if judgment.position:
        place = [event[0] for event in happened].index("judged") + 1
        happened.insert(place, ("folded", None, None, f"Number {judgment.position} in the ratings."))
    people = {by for _, _, by, _ in happened if by is not None}
    names = dict(session.execute(select(User.id, User.name).where(User.id.in_(people))).all())
    return [Event(what, at, None if by is None else (by, names[by]), reason) for what, at, by, reason in happened]
