"""Frozen reward sets: taking ratings as they stand now, and handing them to a training run."""

import statistics
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from backend.domain import elo
from backend.domain.judgments import outcomes
from backend.domain.rewards import (
    HELD_OUT_SHARE,
    UNSEEN_VARIANCE,
    Normalisation,
    Question,
    Rated,
    Rewarded,
    normalise,
    split,
)
from backend.errors import Invalid, NotFound
from backend.services import bulk, facts, ratings
from backend.tables import Completion, Judgment, Model, Project, Prompt, Reward, RewardOutcome, RewardSet

OUTCOMES_AT_ONCE = 200_000


def freeze(
    session: Session,
    project: Project,
    *,
    name: str | None = None,
    method: facts.Method = "elo",
    normalisation: Normalisation = "centred_global",
    question: Question | None = None,
    created_by: uuid.UUID | None = None,
) -> RewardSet:
    """Turn the judgments that answer `question` (all, if left out) into rewards, and keep them with their outcomes.

    Judgments that wait are folded first. Raises Invalid when no such judgment was made yet.
    """
    ratings.fold(session, project.id)
    question = question or Question()
    known = facts.load(session, project, question)
    if not known.judgments:
        what = "of the kind asked for, " if question != Question() else "yet, "
        raise Invalid(f"There are no judgments {what}so there are no rewards; let people judge first.")
    rated = facts.rate(known, method)
    digests: dict[uuid.UUID, str] = {}
    for id, digest in session.execute(select(Prompt.id, Prompt.digest).where(Prompt.project_id == project.id)):
        digests[id] = digest
    sides = {id: split(digests[id]) for id in known.prompts}
    errors = [None] * len(known.completions) if rated.standard_error is None else rated.standard_error.tolist()
    items = [
        Rated(rating, judgments, error)
        for rating, judgments, error in zip(rated.rating.tolist(), rated.judgments.tolist(), errors, strict=True)
    ]
    groups: list[list[int]] = [[] for _ in known.prompts]
    for item, group in enumerate(known.group_of.tolist()):
        groups[group].append(item)
    result = normalise(
        [[items[item] for item in group] for group in groups],
        [sides[prompt] == "train" for prompt in known.prompts],
        normalisation,
    )
    kept = {
        prompt: list(zip(group, values, strict=True))
        for prompt, group, values in zip(known.prompts, groups, result.groups, strict=True)
        if values is not None
    }
    number = 1 + (session.scalar(select(func.max(RewardSet.number)).where(RewardSet.project_id == project.id)) or 0)
    reward_set = RewardSet(
        project_id=project.id,
        number=number,
        name=name or f"Rewards {number}",
        method=method,
        normalisation=normalisation,
        parameters={
            "k": elo.K_COMPLETION if method == "elo" else None,
            "prior_deviation": rated.prior_deviation,
            "held_out_share": HELD_OUT_SHARE,
            "unseen_variance": UNSEEN_VARIANCE,
            "question": question.model_dump(mode="json", exclude_defaults=True),
            "annotators": _crowd(known, rated),
        },
        scale=result.scale,
        position=project.judgments_folded,
        prompts=len(kept),
        held_out_prompts=sum(sides[prompt] == "held_out" for prompt in kept),
        skipped_prompts=len(digests) - len(kept),
        completions=sum(len(group) for group in kept.values()),
        judgments=known.judgments,
        created_by=created_by,
    )
    session.add(reward_set)
    session.flush()
    _keep_rewards(session, known, rated, reward_set, kept, sides)
    _keep_outcomes(session, known, rated, reward_set)
    session.flush()
    return reward_set


def _keep_rewards(
    session: Session,
    known: facts.Facts,
    rated: facts.Rated,
    reward_set: RewardSet,
    kept: Mapping[uuid.UUID, Sequence[tuple[int, Rewarded]]],
    sides: Mapping[uuid.UUID, str],
) -> None:
    for side in ("train", "held_out"):
        rows = [row for prompt, group in kept.items() if sides[prompt] == side for row in group]
        if not rows:
            continue
        item = np.array([item for item, _ in rows])
        reward: dict[str, bulk.Column] = {
            "reward_set_id": reward_set.id,
            "completion_id": known.completions.halves[item],
            "prompt_id": known.prompts.halves[known.group_of[item]],
            "split": side,
            "rating": rated.rating[item],
            "reward": np.array([rewarded.reward for _, rewarded in rows]),
            "weight": np.array([rewarded.weight for _, rewarded in rows]),
            "judgments": rated.judgments[item],
        }
        if rated.standard_error is not None:
            reward["standard_error"] = rated.standard_error[item]
        bulk.write(session, Reward, reward)


def _crowd(known: facts.Facts, rated: facts.Rated) -> list[dict[str, Any]] | None:
    """The slope and lean that each annotator was counted with."""
    if rated.crowd is None:
        return None
    crowd = rated.crowd
    columns = (crowd.slope, crowd.slope_error, crowd.lean, crowd.lean_error)
    return [
        {"annotator": str(id), "slope": slope, "slope_error": slope_error, "lean": lean, "lean_error": lean_error}
        for id, slope, slope_error, lean, lean_error in zip(
            known.annotators, *(column.tolist() for column in columns), strict=True
        )
    ]


def _keep_outcomes(session: Session, known: facts.Facts, rated: facts.Rated, reward_set: RewardSet) -> None:
    """Copy every pair of every judgment behind the set, in the order of judgments; a pair's weight is its annotator's
    slope (contrary people weigh nothing) where slopes were told, and 1 else."""
    slope = np.ones(len(known.annotators)) if rated.crowd is None else rated.crowd.slope.clip(0.0)
    parts = []
    for part in known.said:
        last = part.ranks.max(axis=1)
        for a, b, _ in outcomes(range(part.ranks.shape[1])):
            before, after = part.ranks[:, a], part.ranks[:, b]
            # What a protocol did not ask to be ordered is no tie.
            told = np.flatnonzero((before != after) | (before < last) | (not known.partial))
            columns: bulk.Columns = {
                "judgment": part.ids.halves,
                "order": part.order,
                "a": part.shown[:, a],
                "b": part.shown[:, b],
                "score": facts.scores(before, after),
                "weight": slope[part.annotator],
            }
            parts.append({name: column[told] for name, column in columns.items()})
    pairs = bulk.whole(parts)
    # Stable: the pairs of one judgment stay in their order.
    order = np.argsort(pairs["order"], kind="stable")
    for start in range(0, len(order), OUTCOMES_AT_ONCE):
        rows = {name: column[order[start : start + OUTCOMES_AT_ONCE]] for name, column in pairs.items()}
        outcome: dict[str, bulk.Column] = {
            "reward_set_id": reward_set.id,
            "judgment_id": rows["judgment"],
            "prompt_id": known.prompts.halves[known.group_of[rows["a"]]],
            "a": known.completions.halves[rows["a"]],
            "b": known.completions.halves[rows["b"]],
            "score": rows["score"],
            "weight": rows["weight"],
        }
        bulk.write(session, RewardOutcome, outcome)


@dataclass(frozen=True)
class Compared:
    """Two reward sets over the completions in both: how alike the rewards are (Pearson, over all), in how many prompts
    the best differs, and how many pairs within prompts change their order."""

    completions: int
    prompts: int
    correlation: float | None
    best_differs: int
    pairs: int
    pairs_turned: int


def compare(session: Session, one: uuid.UUID, other: uuid.UUID) -> Compared:
    """How much another question changes the rewards."""
    first, second = aliased(Reward), aliased(Reward)
    rows = session.execute(
        select(first.prompt_id, first.reward, second.reward)
        .join(second, second.completion_id == first.completion_id)
        .where(first.reward_set_id == one, second.reward_set_id == other)
        .order_by(first.prompt_id)
    ).all()
    groups: dict[uuid.UUID, list[tuple[float, float]]] = {}
    for prompt, a, b in rows:
        groups.setdefault(prompt, []).append((a, b))
    best_differs = pairs = turned = 0
    for group in groups.values():
        best_differs += max(range(len(group)), key=lambda i: group[i][0]) != max(
            range(len(group)), key=lambda i: group[i][1]
        )
        for i in range(len(group)):
            for j in range(i):
                before, after = group[i][0] - group[j][0], group[i][1] - group[j][1]
                pairs += 1
                turned += before * after < 0
    values = [row[1:] for row in rows]
    alike = _correlation([a for a, _ in values], [b for _, b in values])
    return Compared(len(rows), len(groups), alike, best_differs, pairs, turned)


def _correlation(a: list[float], b: list[float]) -> float | None:
    try:
        return statistics.correlation(a, b)
    except statistics.StatisticsError:
        return None


def find(session: Session, reward_set_id: uuid.UUID, field: str | None = None) -> RewardSet:
    """The reward set with this id. Raises NotFound."""
    reward_set = session.get(RewardSet, reward_set_id)
    if reward_set is None:
        raise NotFound("There is no such reward set.", field=field)
    return reward_set


def of_project(session: Session, project: Project, reward_set_id: uuid.UUID | None) -> RewardSet:
    """This reward set of the project, or its newest. Raises NotFound."""
    query = select(RewardSet).where(RewardSet.project_id == project.id)
    if reward_set_id is not None:
        query = query.where(RewardSet.id == reward_set_id)
    reward_set = session.scalar(query.order_by(RewardSet.number.desc()).limit(1))
    if reward_set is None:
        raise NotFound("This project has no such reward set yet.", field="reward_set")
    return reward_set


def groups(session: Session, reward_set_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    """What a reward-model run reads: one row a prompt, its completions with rewards, its outcomes by index."""
    prompt_ids = session.scalars(
        select(Reward.prompt_id).where(Reward.reward_set_id == reward_set_id).distinct().order_by(Reward.prompt_id)
    ).all()
    scale = session.scalars(select(RewardSet.scale).where(RewardSet.id == reward_set_id)).one()
    strongest = session.scalar(
        select(func.max(Judgment.strength))
        .join(RewardOutcome, RewardOutcome.judgment_id == Judgment.id)
        .where(RewardOutcome.reward_set_id == reward_set_id)
    )
    for start in range(0, len(prompt_ids), 500):
        for group in _groups(session, reward_set_id, list(prompt_ids[start : start + 500]), strongest or 1):
            yield group | {"scale": scale}


def _groups(
    session: Session, reward_set_id: uuid.UUID, prompt_ids: list[uuid.UUID], strongest: int
) -> Iterator[dict[str, Any]]:
    """strongest: the highest strength that any of the set's judgments tells."""
    made: dict[uuid.UUID, dict[str, Any]] = {}
    place: dict[uuid.UUID, int] = {}
    rows = session.execute(
        select(Reward, Completion.text, Completion.finish_reason, Model.name, Prompt.messages)
        .join(Completion, Completion.id == Reward.completion_id)
        .join(Model, Model.id == Completion.model_id)
        .join(Prompt, Prompt.id == Reward.prompt_id)
        .where(Reward.reward_set_id == reward_set_id, Reward.prompt_id.in_(prompt_ids))
        .order_by(Reward.prompt_id, Reward.completion_id)
    )
    for reward, text, finish_reason, model, messages in rows:
        group = made.setdefault(
            reward.prompt_id,
            {
                "prompt_id": str(reward.prompt_id),
                "prompt": messages,
                "split": reward.split,
                "completions": [],
                "outcomes": [],
            },
        )
        place[reward.completion_id] = len(group["completions"])
        group["completions"].append(
            {
                "id": str(reward.completion_id),
                "text": text,
                "model": model,
                "finish_reason": finish_reason,
                "reward": reward.reward,
                "weight": reward.weight,
                "judgments": reward.judgments,
            }
        )
    found = session.execute(
        select(RewardOutcome, Judgment.annotator_id, Judgment.strength)
        .join(Judgment, Judgment.id == RewardOutcome.judgment_id)
        .where(RewardOutcome.reward_set_id == reward_set_id, RewardOutcome.prompt_id.in_(prompt_ids))
        .order_by(RewardOutcome.id)
    )
    for outcome, annotator, strength in found:
        made[outcome.prompt_id]["outcomes"].append(
            {
                "a": place[outcome.a],
                "b": place[outcome.b],
                "score": outcome.score,
                "weight": outcome.weight,
                "strength": (strength or strongest) / strongest,
                "judgment": str(outcome.judgment_id),
                "annotator": str(annotator),
            }
        )
    yield from made.values()
