"""Exports: what a project knows, row by row, in Podium's own layout; `domain.formats.writers` gives it other shapes.

Rows stream from the database, so the size of a project costs time and not memory.
"""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.domain.judgments import outcomes
from backend.domain.rewards import split
from backend.services import rewards
from backend.tables import Comparison, Completion, CompletionRating, Judgment, Model, Project, Prompt, Reward, User

What = Literal["judgments", "preferences", "rewards", "completions"]
BATCH = 1_000


def rows(
    session: Session, project: Project, what: What, reward_set_id: uuid.UUID | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of one kind of export. `rewards` needs a reward set."""
    match what:
        case "completions":
            return completions(session, project)
        case "judgments":
            return judgments(session, project)
        case "preferences":
            return preferences(session, project)
        case "rewards":
            return rewards_of(session, rewards.of_project(session, project, reward_set_id).id)


def completions(session: Session, project: Project) -> Iterator[dict[str, Any]]:
    """`{"prompt", "model", "completion", "rating", "judgments", ...}`, which can be imported again."""
    statement = (
        select(Completion, Prompt.messages, Model.name, CompletionRating)
        .join(Prompt, Prompt.id == Completion.prompt_id)
        .join(Model, Model.id == Completion.model_id)
        .outerjoin(CompletionRating, CompletionRating.completion_id == Completion.id)
        .where(Completion.project_id == project.id)
        .order_by(Completion.id)
        .execution_options(yield_per=BATCH)
    )
    for completion, messages, model, rating in session.execute(statement):
        yield {
            "id": str(completion.id),
            "prompt": messages,
            "model": model,
            "completion": completion.text,
            "rating": rating and rating.elo,
            "judgments": rating.judgments if rating else 0,
            "finish_reason": completion.finish_reason,
            "created_at": completion.created_at.isoformat(),
        }


def judgments(session: Session, project: Project) -> Iterator[dict[str, Any]]:
    """`{"prompt", "completions": [{"id", "model", "text"}], "ranks", "annotator", ...}` as shown, in order of arrival;
    without what was voided or not counted, and able to be imported again."""
    for judgment, comparison, messages, digest, annotator, shown in _judged(session, project):
        yield {
            "id": str(judgment.id),
            "prompt": messages,
            "completions": shown,
            "ranks": judgment.ranks,
            "none_acceptable": judgment.none_acceptable,
            "strength": judgment.strength,
            "aspects": judgment.aspects,
            "comment": judgment.comment,
            "ideal_answer": judgment.ideal_answer,
            "spans": judgment.spans,
            "gold_right": judgment.gold_right,
            "annotator": annotator,
            "active_ms": judgment.active_ms,
            "kind": comparison.kind,
            "guidelines_version": judgment.guidelines_version,
            "split": split(digest),
            "created_at": judgment.created_at.isoformat(),
        }


def preferences(session: Session, project: Project) -> Iterator[dict[str, Any]]:
    """`{"prompt", "chosen", "rejected", ...}` for every decided pair; ties prefer nothing and are left out."""
    for judgment, comparison, messages, digest, annotator, shown in _judged(session, project):
        if comparison.kind in ("gold", "repeat") or judgment.ranks is None:
            continue
        for outcome in outcomes(judgment.ranks):
            if outcome.score == 0.5:
                continue
            best, worst = (outcome.a, outcome.b) if outcome.score == 1 else (outcome.b, outcome.a)
            yield {
                "judgment": str(judgment.id),
                "prompt": messages,
                "chosen": shown[best]["text"],
                "rejected": shown[worst]["text"],
                "chosen_model": shown[best]["model"],
                "rejected_model": shown[worst]["model"],
                "annotator": annotator,
                "strength": judgment.strength,
                "split": split(digest),
            }


def _judged(
    session: Session, project: Project
) -> Iterator[tuple[Judgment, Comparison, list[dict[str, Any]], str, str, list[dict[str, Any]]]]:
    statement = (
        select(Judgment, Comparison, Prompt.messages, Prompt.digest, User.name)
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .join(Prompt, Prompt.id == Judgment.prompt_id)
        .join(User, User.id == Judgment.annotator_id)
        .where(Judgment.project_id == project.id, Judgment.stands)
        .order_by(Judgment.sequence)
        .execution_options(yield_per=BATCH)
    )
    for batch in session.execute(statement).partitions():
        shown = _shown(session, [row[1] for row in batch])
        for judgment, comparison, messages, digest, annotator in batch:
            answers = [shown[id] for id in comparison.completions]
            yield judgment, comparison, messages, digest, annotator, answers


def _shown(session: Session, comparisons: Sequence[Comparison]) -> dict[uuid.UUID, dict[str, Any]]:
    ids = {id for comparison in comparisons for id in comparison.completions}
    found = session.execute(
        select(Completion.id, Model.name, Completion.text)
        .join(Model, Model.id == Completion.model_id)
        .where(Completion.id.in_(ids))
    )
    return {id: {"id": str(id), "model": model, "text": text} for id, model, text in found}


def rewards_of(session: Session, reward_set_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    """`{"prompt", "model", "completion", "reward", "weight", "rating", "split", ...}` of a frozen reward set."""
    statement = (
        select(Reward, Completion.text, Model.name, Prompt.messages)
        .join(Completion, Completion.id == Reward.completion_id)
        .join(Model, Model.id == Completion.model_id)
        .join(Prompt, Prompt.id == Reward.prompt_id)
        .where(Reward.reward_set_id == reward_set_id)
        .order_by(Reward.prompt_id, Reward.completion_id)
        .execution_options(yield_per=BATCH)
    )
    for reward, text, model, messages in session.execute(statement):
        yield {
            "id": str(reward.completion_id),
            "prompt": messages,
            "model": model,
            "completion": text,
            "reward": reward.reward,
            "weight": reward.weight,
            "rating": reward.rating,
            "standard_error": reward.standard_error,
            "judgments": reward.judgments,
            "split": reward.split,
        }
