"""Blind contests: the same prompts, the newest answer of each model, and nothing else of the study it comes from."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.domain.judgments import Protocol
from backend.domain.rewards import split
from backend.errors import Invalid
from backend.services import contests, corpus, projects
from backend.tables import Completion, Model, Project, Prompt


@pytest.fixture
def source(session: Session) -> Project:
    project = projects.create(
        session, name="Tea", guidelines="Be kind.", protocol=Protocol(size=4, allow_tie=False), overlap=3
    )
    messages = [[{"role": "user", "content": f"question {number}"}] for number in range(40)]
    prompts, _ = corpus.ensure_prompts(session, project.id, messages)
    models, _ = corpus.ensure_imported_models(session, ["imported/a", "imported/b", "imported/c"])
    rows = [
        {"prompt_id": prompt, "model_id": models[f"imported/{name}"], "text": f"{name} says {number}"}
        for number, prompt in enumerate(prompts)
        for name in "abc"
        if name != "b" or number % 2 == 0  # b left every other prompt unanswered
    ]
    corpus.ensure_completions(session, project.id, rows)
    again = {"prompt_id": prompts[0], "model_id": models["imported/a"], "text": "a says it better"}
    corpus.ensure_completions(session, project.id, [again])
    return project


def answers(session: Session, project: Project) -> dict[str, dict[str, str]]:
    rows = session.execute(
        select(Prompt.messages, Model.name, Completion.text)
        .join(Completion, Completion.prompt_id == Prompt.id)
        .join(Model, Model.id == Completion.model_id)
        .where(Prompt.project_id == project.id)
    )
    found: dict[str, dict[str, str]] = {}
    for messages, model, text in rows:
        found.setdefault(messages[0]["content"], {})[model] = text
    return found


def test_prompts_that_all_have_answered_with_the_newest_answer_of_each(session: Session, source: Project) -> None:
    contest = contests.open_contest(session, source, models=["imported/a", "imported/b"], prompts="all")
    found = answers(session, contest)
    assert len(found) == 20 and all(one.keys() == {"imported/a", "imported/b"} for one in found.values())
    assert found["question 0"] == {"imported/a": "a says it better", "imported/b": "b says 0"}
    assert (contest.name, contest.guidelines, contest.overlap) == ("Tea: blind", "Be kind.", 3)
    assert (contest.protocol["size"], contest.protocol["allow_tie"]) == (2, False)
    again = contests.open_contest(session, source, models=["imported/a", "imported/b"], prompts="all", max_prompts=5)
    assert again.name == "Tea: blind 2" and len(answers(session, again)) == 5


def test_one_side_of_the_split_alone(session: Session, source: Project) -> None:
    contest = contests.open_contest(session, source, models=["imported/a", "imported/c"])
    held_out = session.scalars(select(Prompt).where(Prompt.project_id == source.id)).all()
    wanted = {one.messages[0]["content"] for one in held_out if split(one.digest) == "held_out"}
    assert wanted and answers(session, contest).keys() == wanted


def test_what_cannot_be_compared_is_refused(session: Session, source: Project) -> None:
    corpus.ensure_imported_models(session, ["imported/silent"])
    with pytest.raises(Invalid, match="no prompt here that all"):
        contests.open_contest(session, source, models=["imported/a", "imported/silent"])
    with pytest.raises(Invalid, match="two models"):
        contests.open_contest(session, source, models=["imported/a", "imported/a"])
