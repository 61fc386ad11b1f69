"""Exports: what a project knows, row by row, in Podium's own layout; `domain.formats.writers` gives it other shapes.

Rows stream from the database, so the size of a project costs time and not memory.
"""

import uuid
from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from typing import Any, Literal

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Session

from backend.domain.formats import writers
from backend.domain.judgments import outcomes
from backend.domain.rewards import split
from backend.errors import Invalid
from backend.services import bulk, rewards
from backend.tables import Comparison, Completion, CompletionRating, Judgment, Model, Project, Prompt, Reward, User

What = Literal["judgments", "preferences", "rewards", "completions"]
BATCH = 1_000
LAYOUT_OF: dict[writers.Layout, What] = {"trl": "preferences", "hh-rlhf": "preferences", "arena": "judgments"}
# Answers to what is known or was asked before: facts about people, not about completions.
UNRATED = ("gold", "repeat")


def rows(
    session: Session,
    project: Project,
    what: What,
    layout: writers.Layout = "podium",
    reward_set_id: uuid.UUID | None = None,
) -> Iterator[Mapping[str, Any]]:
    """The rows of one kind of export, in a layout that it has (Invalid otherwise). `rewards` needs a reward set."""
    if layout != "podium" and what != LAYOUT_OF[layout]:
        raise Invalid(f"The layout {layout} is one of {LAYOUT_OF[layout]}; {what} do not have it.", field="layout")
    if layout == "arena":
        return writers.lay_out(battles(session, project), layout)
    if layout != "podium":
        return writers.lay_out(preferences(session, project), layout)
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
    for judgment, shown in _judged(session, project):
        yield {
            "id": str(judgment.id),
            "prompt": judgment.messages,
            "completions": shown,
            "ranks": judgment.ranks,
            "none_acceptable": judgment.none_acceptable,
            "strength": judgment.strength,
            "aspects": judgment.aspects,
            "comment": judgment.comment,
            "ideal_answer": judgment.ideal_answer,
            "spans": judgment.spans,
            "gold_right": judgment.gold_right,
            "annotator": judgment.annotator,
            "active_ms": judgment.active_ms,
            "kind": judgment.kind,
            "guidelines_version": judgment.guidelines_version,
            "split": split(judgment.digest),
            "created_at": judgment.created_at.isoformat(),
        }


def preferences(session: Session, project: Project) -> Iterator[dict[str, Any]]:
    """`{"prompt", "chosen", "rejected", ...}` for every decided pair; ties prefer nothing and are left out."""
    for judgment, shown in _judged(session, project):
        if judgment.kind in UNRATED or judgment.ranks is None:
            continue
        for outcome in outcomes(judgment.ranks):
            if outcome.score == 0.5:
                continue
            best, worst = (outcome.a, outcome.b) if outcome.score == 1 else (outcome.b, outcome.a)
            yield {
                "judgment": str(judgment.id),
                "prompt": judgment.messages,
                "chosen": shown[best]["text"],
                "rejected": shown[worst]["text"],
                "chosen_model": shown[best]["model"],
                "rejected_model": shown[worst]["model"],
                "annotator": judgment.annotator,
                "strength": judgment.strength,
                "split": split(judgment.digest),
            }


def battles(session: Session, project: Project) -> Iterator[dict[str, Any]]:
    """Every pair out of every judgment, ties too; `score` is 1 where a won, 0 where b did, null where none was
    acceptable."""
    for judgment, shown in _judged(session, project):
        if judgment.kind in UNRATED:
            continue
        found: list[tuple[int, int, float | None]]
        if judgment.ranks is None:
            found = [(a, b, None) for a, b in combinations(range(len(shown)), 2)]
        else:
            found = [(outcome.a, outcome.b, outcome.score) for outcome in outcomes(judgment.ranks)]
        for a, b, score in found:
            yield {
                "judgment": str(judgment.id),
                "prompt_id": str(judgment.prompt_id),
                "prompt": judgment.messages,
                "model_a": shown[a]["model"],
                "model_b": shown[b]["model"],
                "answer_a": shown[a]["text"],
                "answer_b": shown[b]["text"],
                "score": score,
                "annotator": judgment.annotator,
                "tstamp": judgment.created_at.timestamp(),
                "split": split(judgment.digest),
            }


def _judged(session: Session, project: Project) -> Iterator[tuple[Row[Any], list[dict[str, Any]]]]:
    """What was said, and the completions as they were shown."""
    statement = (
        select(
            Judgment.id,
            Judgment.prompt_id,
            Judgment.ranks,
            Judgment.none_acceptable,
            Judgment.strength,
            Judgment.aspects,
            Judgment.comment,
            Judgment.ideal_answer,
            Judgment.spans,
            Judgment.gold_right,
            Judgment.active_ms,
            Judgment.guidelines_version,
            Judgment.created_at,
            Comparison.completions,
            Comparison.kind,
            Prompt.messages,
            Prompt.digest,
            User.name.label("annotator"),
        )
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .join(Prompt, Prompt.id == Judgment.prompt_id)
        .join(User, User.id == Judgment.annotator_id)
        .where(Judgment.project_id == project.id, Judgment.stands)
        .order_by(Judgment.sequence)
        .execution_options(yield_per=BATCH)
    )
    for batch in session.execute(statement).partitions():
        shown = _shown(session, {id for row in batch for id in row.completions})
        for row in batch:
            yield row, [shown[id] for id in row.completions]


def _shown(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[str, Any]]:
    listed = bulk.table({"id": (UUID(as_uuid=True), list(ids))})
    found = session.execute(
        select(Completion.id, Model.name, Completion.text)
        .join(Model, Model.id == Completion.model_id)
        .join(listed, listed.c.id == Completion.id)
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
