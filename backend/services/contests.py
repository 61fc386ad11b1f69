"""Blind contests: people compare what some models said to the same prompts, in a project of its own, so that neither
the judgments nor the ratings of another study mix with it. Nobody who judges sees a model's name anyway.
"""

import uuid
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased

from backend.domain.judgments import Protocol
from backend.domain.rewards import split
from backend.errors import Invalid
from backend.services import corpus, projects
from backend.tables import Completion, Project, Prompt

BATCH = 500

# The messages of a prompt, and what the models said to it.
Answered = tuple[list[dict[str, Any]], list[Completion]]


def open_contest(
    session: Session,
    source: Project,
    *,
    models: Sequence[str],
    name: str | None = None,
    prompts: Literal["all", "train", "held_out"] = "held_out",
    max_prompts: int | None = None,
    created_by: uuid.UUID | None = None,
) -> Project:
    """A new project with the prompts that all of these models (names or ids) have answered, and the newest answer of
    each; asked and explained as the source is, without gold and practice.

    Raises Invalid when there are fewer than two models, or no such prompt.
    """
    ids = [corpus.resolve_model(session, model, "models").id for model in models]
    if len(set(ids)) < 2:
        raise Invalid("A contest needs two models or more.", "models")
    answered = _answered(session, source, ids, prompts, max_prompts)
    first = next(answered, None)
    if first is None:
        raise Invalid(
            "There is no prompt here that all of these models have answered; let them answer the same prompts first.",
            "models",
        )
    contest = projects.create(
        session,
        name=name or _free_name(session, f"{source.name}: blind"),
        guidelines=source.guidelines,
        protocol=Protocol.model_validate(source.protocol | {"size": 2, "top": None}),
        overlap=source.overlap,
        repeat_share=source.repeat_share,
        masks=source.masks,
        created_by=created_by,
    )
    for part in chain([first], answered):
        new, _ = corpus.ensure_prompts(session, contest.id, [messages for messages, _ in part])
        rows = [
            {
                "prompt_id": prompt,
                "model_id": answer.model_id,
                "text": answer.text,
                "finish_reason": answer.finish_reason,
            }
            for prompt, (_, answers) in zip(new, part, strict=True)
            for answer in answers
        ]
        corpus.ensure_completions(session, contest.id, rows)
    return contest


def _answered(
    session: Session, source: Project, models: Sequence[uuid.UUID], side: str, most: int | None
) -> Iterator[list[Answered]]:
    """The prompts that all of the models answered, with the newest answer of each, oldest prompt first: some at a time,
    so that their number costs no memory."""
    answer = aliased(Completion)
    full = (
        select(answer.prompt_id)
        .where(answer.project_id == source.id, answer.model_id.in_(models))
        .group_by(answer.prompt_id)
        .having(func.count(answer.model_id.distinct()) == len(set(models)))
    )
    query = select(Prompt.id, Prompt.digest).where(Prompt.id.in_(full)).order_by(Prompt.id)
    chosen = (id for id, digest in session.execute(query).all() if side in ("all", split(digest)))
    rest = islice(chosen, most)
    while some := list(islice(rest, BATCH)):
        newest = (
            select(Prompt.messages, Completion)
            .ext(distinct_on(Completion.prompt_id, Completion.model_id))
            .join(Completion, Completion.prompt_id == Prompt.id)
            .where(Completion.prompt_id.in_(some), Completion.model_id.in_(models))
            .order_by(Completion.prompt_id, Completion.model_id, Completion.id.desc())
        )
        found: dict[uuid.UUID, Answered] = {}
        for messages, one in session.execute(newest):
            found.setdefault(one.prompt_id, (messages, []))[1].append(one)
        yield list(found.values())


def _free_name(session: Session, wanted: str) -> str:
    """The name, or the first of `name 2`, `name 3`, ... that no project has."""
    name, number = wanted, 1
    while session.scalar(select(Project.id).where(Project.slug == projects.slugify(name))):
        number += 1
        name = f"{wanted} {number}"
    return name
