"""Handing out comparisons: what this person does next, which comparison, and how it is shown.

A comparison is made when it is handed out. The row of its prompt is locked meanwhile, so no two people can be given
the last place of the same pair; prompts that are locked by others are passed over, so nobody waits. This is the hot
path of annotating: statements are few, and none of them grows with what was judged before.
"""

import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, any_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from backend.domain.pairing import set_key as set_key
from backend.services import gold, leases, queue, standings
from backend.services.sides import Sides
from backend.services.standings import WORK, Course, Stage
from backend.tables import Comparison, Completion, Judgment, Project, Prompt, Standing

# A repeat tests whether a person agrees with themself, so it must not follow at once.
REPEAT_AFTER_JUDGMENTS = 10


class PromptText(NamedTuple):
    """A prompt, as far as it is shown."""

    id: uuid.UUID
    messages: list[dict[str, Any]]


class CompletionText(NamedTuple):
    """A completion, as far as it is shown."""

    id: uuid.UUID
    text: str


@dataclass(frozen=True)
class Shown:
    """A comparison as an annotator may see it: no model, nothing that others said. After `practice` they hear what was
    right."""

    comparison: Comparison
    prompt: PromptText
    completions: list[CompletionText]
    project: Project
    practice: bool


@dataclass(frozen=True)
class Handed:
    """What to judge now, and the stage it belongs to."""

    items: list[Shown]
    stage: Stage


def sets_wanted(completions: int, size: int) -> int:
    """How many comparisons of `size` cover every pair of a prompt's completions about once."""
    return -(-comb(completions, 2) // comb(size, 2))


def hand_out(session: Session, project: Project, annotator_id: uuid.UUID, count: int, rng: random.Random) -> Handed:
    """The comparisons this annotator holds, filled up to `count`; no items when there is nothing to judge now.

    Those already on lease come first, with their lease renewed, so a reloaded page goes on where it was and asking
    twice hands out nothing twice.
    """
    if project.state != "active":
        return Handed([], standings.course(session, project, annotator_id).stage)
    course = _course(session, project, annotator_id)
    if course.stage.name == "failed":
        return Handed([], course.stage)
    held, prompts = _held(session, project, annotator_id, count, course)
    if course.stage != WORK and len(held) < len(course.left):
        # What was on lease may have been answered between the two questions, and must not be asked again. What is held
        # now is locked, so that from here on nothing changes.
        course = standings.course(session, project, annotator_id)
        if course.stage.name == "failed":
            return Handed([], course.stage)
        held, prompts = _held(session, project, annotator_id, count, course)
    if course.stage.name == "practice":
        count = 1
    if len(held) < count:
        new = _tests(project, annotator_id, course, held, rng)
        if course.stage == WORK:
            new = _work(session, project, annotator_id, rng, prompts, may_wait=not held)
        for comparison in new:
            held.append(leases.lease_again(session, project, comparison))
            if len(held) == count:
                break
    practice = course.stage.name == "practice"
    return Handed(show(session, project, held, prompts=prompts, practice=practice), course.stage)


# Written once: to put a statement together takes longer than the database does to answer it.
_BEGIN = select(
    func.pg_advisory_xact_lock(func.hashtextextended(bindparam("both"), 0)),
    select(Standing.state)
    .where(Standing.project_id == bindparam("project"), Standing.annotator_id == bindparam("annotator"))
    .scalar_subquery(),
    standings.has_tests(bindparam("project")),
)


def _renewal(*which: ColumnElement[bool]) -> ReturningUpdate[Comparison, list[dict[str, Any]]]:
    mine = (
        select(Comparison.id)
        .where(
            Comparison.annotator_id == bindparam("annotator"),
            Comparison.project_id == bindparam("project"),
            Comparison.state == "leased",
            *which,
        )
        .order_by(Comparison.id)
        .limit(bindparam("most"))
        .with_for_update()
    )
    return (
        update(Comparison)
        .where(Comparison.id.in_(mine), Prompt.id == Comparison.prompt_id)
        .values(lease_expires_at=bindparam("until"))
        .returning(Comparison, Prompt.messages)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


_RENEW = _renewal()
_TEXTS = select(Completion.id, Completion.text).where(Completion.id == any_(bindparam("ids", type_=ARRAY(UUID()))))


def _course(session: Session, project: Project, annotator_id: uuid.UUID) -> Course:
    """Where the person stands. From here on they have one request at a time: two tabs must not be given one place."""
    who = {"project": project.id, "annotator": annotator_id, "both": f"{project.id}/{annotator_id}"}
    _, state, tested = session.execute(_BEGIN, who).one()
    if state == "qualified" or (state is None and not tested):
        return Course(WORK)
    return standings.course(session, project, annotator_id)


def _held(
    session: Session, project: Project, annotator_id: uuid.UUID, count: int, course: Course
) -> tuple[list[Comparison], dict[uuid.UUID, PromptText]]:
    """What the person has on lease, renewed, and its prompts."""
    renew = _RENEW
    if course.stage != WORK:
        # Of another attempt, or of real work, is nothing to go on with now.
        here = [one.id for one in course.left[: 1 if course.stage.name == "practice" else None]]
        renew = _renewal(Comparison.gold_id.in_(here), Comparison.created_at >= course.since)
    who = {"project": project.id, "annotator": annotator_id, "most": count, "until": leases.end_of_new(project)}
    rows = session.execute(renew, who).all()
    prompts = {comparison.prompt_id: PromptText(comparison.prompt_id, messages) for comparison, messages in rows}
    return sorted((row[0] for row in rows), key=lambda comparison: comparison.id), prompts


def _tests(
    project: Project, annotator_id: uuid.UUID, course: Course, held: Sequence[Comparison], rng: random.Random
) -> Iterator[Comparison]:
    """Practice in its order, a qualification in a random one."""
    taken = {comparison.gold_id for comparison in held}
    left = [one for one in course.left if one.id not in taken]
    if course.stage.name == "qualification":
        rng.shuffle(left)
    for one in left:
        yield gold.comparison_of(one, project, annotator_id, rng)


def _work(
    session: Session,
    project: Project,
    annotator_id: uuid.UUID,
    rng: random.Random,
    prompts: dict[uuid.UUID, PromptText],
    *,
    may_wait: bool,
) -> Iterator[Comparison]:
    """Real work: mostly what is asked for, now and then gold that looks like it, or a repeat."""
    sides = Sides.recent(session, project, annotator_id)
    exhausted: set[uuid.UUID] = set()
    gold_is_last = sides.last_kind == "gold"
    while True:
        new: Comparison | None = None
        # Gold never follows gold, so after anything else it comes more often: g / (1 - g) then is a share of g in all.
        rest = 1.0 - project.gold_share
        if project.gold_share and not gold_is_last and rng.random() * rest < project.gold_share:
            check = gold.next_check(session, project, annotator_id)
            if check is not None:
                new = gold.comparison_of(check, project, annotator_id, rng)
        if new is None and project.repeat_share and rng.random() * rest < project.repeat_share:
            new = _repeat(session, project, annotator_id)
        if new is None:
            picked = queue.pick(session, project, annotator_id, rng, sides, exhausted, may_wait=may_wait)
            if picked is None:
                return
            new, messages = picked
            prompts[new.prompt_id] = PromptText(new.prompt_id, messages)
        gold_is_last = new.kind == "gold"
        may_wait = False
        yield new


def _repeat(session: Session, project: Project, annotator_id: uuid.UUID) -> Comparison | None:
    """Something this person judged a while ago, in the opposite order."""
    recent = (
        select(Judgment.comparison_id)
        .where(Judgment.annotator_id == annotator_id, Judgment.project_id == project.id)
        .order_by(Judgment.sequence.desc())
        .limit(REPEAT_AFTER_JUDGMENTS)
    )
    repeated = select(Comparison.repeat_of).where(
        Comparison.annotator_id == annotator_id, Comparison.repeat_of.is_not(None)
    )
    first = session.scalar(
        select(Comparison)
        .where(
            Comparison.annotator_id == annotator_id,
            Comparison.project_id == project.id,
            Comparison.kind == "regular",
            Comparison.state == "judged",
            Comparison.id.not_in(recent),
            Comparison.id.not_in(repeated),
        )
        .order_by(func.random())
        .limit(1)
    )
    if first is None:
        return None
    return Comparison(
        project_id=project.id,
        prompt_id=first.prompt_id,
        annotator_id=annotator_id,
        completions=list(reversed(first.completions)),
        set_key=first.set_key,
        kind="repeat",
        repeat_of=first.id,
        policy="repeat",
        probability=None,
        guidelines_version=project.guidelines_version,
    )


def show(
    session: Session,
    project: Project,
    comparisons: Sequence[Comparison],
    *,
    prompts: Mapping[uuid.UUID, PromptText] | None = None,
    practice: bool = False,
) -> list[Shown]:
    """The texts of these comparisons, in their recorded order; prompts that are known already are not read again."""
    known = dict(prompts or {})
    if missing := {comparison.prompt_id for comparison in comparisons} - known.keys():
        found = session.execute(select(Prompt.id, Prompt.messages).where(Prompt.id.in_(missing)))
        known |= {id: PromptText(id, messages) for id, messages in found}
    if not comparisons:
        return []
    wanted = {id for comparison in comparisons for id in comparison.completions}
    texts = dict(session.execute(_TEXTS, {"ids": list(wanted)}).all())
    return [
        Shown(
            comparison,
            known[comparison.prompt_id],
            [CompletionText(id, texts[id]) for id in comparison.completions],
            project,
            practice,
        )
        for comparison in comparisons
    ]


def show_again(session: Session, comparison: Comparison) -> Shown:
    """A comparison that its annotator has taken back."""
    project = session.get_one(Project, comparison.project_id)
    known = gold.of_comparison(session, comparison)
    return show(session, project, [comparison], practice=known is not None and known.use == "practice")[0]
