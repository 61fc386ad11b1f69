"""Rows for tests: plain functions with defaults, flushed so that ids are there."""

import itertools
import random
import uuid
from typing import Any

from sqlalchemy.orm import Session

from backend.domain.judgments import Protocol, Verdict
from backend.services import comparisons, corpus, judgments, projects
from backend.tables import Completion, Judgment, Model, Project, Prompt, User

_numbers = itertools.count(1)


def make_user(session: Session, *, role: str = "annotator", name: str | None = None, email: str | None = None) -> User:
    """A person who can be asked to judge (no password: use the accounts service to sign in)."""
    n = next(_numbers)
    user = User(name=name or f"Person {n}", email=email or f"person{n}-{uuid.uuid4().hex[:8]}@example.org", role=role)
    session.add(user)
    session.flush()
    return user


def make_project(
    session: Session,
    *,
    overlap: int = 1,
    protocol: Protocol | None = None,
    random_share: float = 0.1,
    repeat_share: float = 0.0,
    lease_minutes: float = 10.0,
    **more: Any,
) -> Project:
    """An empty active project."""
    return projects.create(
        session,
        name=f"Project {next(_numbers)} {uuid.uuid4().hex[:8]}",
        protocol=protocol,
        overlap=overlap,
        random_share=random_share,
        repeat_share=repeat_share,
        lease_minutes=lease_minutes,
        **more,
    )


def make_model(session: Session, name: str | None = None) -> Model:
    """A model known by its answers only."""
    return corpus.register_model(session, name=name or f"imported/model {next(_numbers)}", source={"kind": "imported"})


def make_prompt(session: Session, project: Project, text: str | None = None) -> Prompt:
    """A prompt of one user message."""
    messages = [{"role": "user", "content": text or f"Question {next(_numbers)}?"}]
    ids, _ = corpus.ensure_prompts(session, project.id, [messages])
    return session.get_one(Prompt, ids[0])


def make_completions(session: Session, prompt: Prompt, models: list[Model]) -> list[Completion]:
    """One completion of each model for the prompt."""
    rows = [
        {"prompt_id": prompt.id, "model_id": model.id, "text": f"An answer by number {next(_numbers)}."}
        for model in models
    ]
    ids, _ = corpus.ensure_completions(session, prompt.project_id, rows)
    session.refresh(prompt)
    return [session.get_one(Completion, id) for id in ids]


def make_study(session: Session, *, prompts: int = 2, models: int = 2, **project_options) -> Project:
    """A project whose prompts are all answered by the same models."""
    project = make_project(session, **project_options)
    by = [make_model(session, f"imported/{uuid.uuid4().hex[:12]}") for _ in range(models)]
    for _ in range(prompts):
        make_completions(session, make_prompt(session, project), by)
    return project


def judge_next(
    session: Session, project: Project, annotator: User, ranks: tuple[int, ...] | None = (1, 2)
) -> Judgment | None:
    """Judge the next comparison of this annotator; None when there is none.

    What chance chooses is the same in every run of a test, whichever tests ran before it.
    """
    draws = session.info.setdefault("draws", itertools.count(1))
    held = comparisons.hand_out(session, project, annotator.id, 1, random.Random(next(draws))).items
    if not held:
        return None
    judgment, _ = judgments.cast(
        session,
        id=uuid.uuid4(),
        annotator_id=annotator.id,
        comparison_id=held[0].comparison.id,
        verdict=Verdict(ranks=ranks, none_acceptable=ranks is None),
    )
    return judgment


def make_judgment(
    session: Session, project: Project, annotator: User, ranks: tuple[int, ...] | None = (1, 2)
) -> Judgment:
    """Judge the next comparison of this annotator, which must be there."""
    judgment = judge_next(session, project, annotator, ranks)
    assert judgment is not None, "there is nothing to judge"
    return judgment
