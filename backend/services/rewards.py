"""Frozen reward sets: taking ratings as they stand now, and handing them to a training run."""

import uuid
from collections.abc import Iterator
from typing import Any, Literal

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from backend.domain import elo
from backend.domain.judgments import outcomes
from backend.domain.rewards import HELD_OUT_SHARE, UNSEEN_VARIANCE, Rated, normalise, split
from backend.errors import NotFound
from backend.services import ratings
from backend.tables import Completion, Project, Prompt, Reward, RewardOutcome, RewardSet

Normalisation = Literal["centred_global"]
BATCH = 5_000


def freeze(
    session: Session,
    project: Project,
    *,
    name: str | None = None,
    method: ratings.Method = "elo",
    normalisation: Normalisation = "centred_global",
    created_by: uuid.UUID | None = None,
) -> RewardSet:
    """Turn the ratings of all judged completions into rewards, and keep them with the outcomes behind them.

    Judgments that wait are folded first. Raises Invalid when nobody has judged anything yet.
    """
    ratings.fold(session, project.id)
    pools = ratings.completions_by_prompt(session, project, method)
    prompts = list(pools)
    digests: dict[uuid.UUID, str] = {}
    for id, digest in session.execute(select(Prompt.id, Prompt.digest).where(Prompt.project_id == project.id)):
        digests[id] = digest
    sides = {id: split(digests[id]) for id in prompts}
    rated = [[Rated(item.rating, item.judgments, item.standard_error) for item in pools[prompt]] for prompt in prompts]
    result = normalise(rated, [sides[prompt] == "train" for prompt in prompts])
    kept = {
        prompt: list(zip(pools[prompt], group, strict=True))
        for prompt, group in zip(prompts, result.groups, strict=True)
        if group is not None
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
            "held_out_share": HELD_OUT_SHARE,
            "unseen_variance": UNSEEN_VARIANCE,
        },
        scale=result.scale,
        position=project.judgments_folded,
        prompts=len(kept),
        held_out_prompts=sum(sides[prompt] == "held_out" for prompt in kept),
        skipped_prompts=len(digests) - len(kept),
        completions=sum(len(group) for group in kept.values()),
        judgments=0,
        created_by=created_by,
    )
    session.add(reward_set)
    session.flush()
    rows = [
        {
            "reward_set_id": reward_set.id,
            "completion_id": item.id,
            "prompt_id": prompt,
            "split": sides[prompt],
            "rating": item.rating,
            "standard_error": item.standard_error,
            "reward": rewarded.reward,
            "weight": rewarded.weight,
            "judgments": item.judgments,
        }
        for prompt, group in kept.items()
        for item, rewarded in group
    ]
    session.execute(insert(Reward), rows)
    reward_set.judgments = _keep_outcomes(session, project, reward_set)
    session.flush()
    return reward_set


def _keep_outcomes(session: Session, project: Project, reward_set: RewardSet) -> int:
    """Copy every pair of every judgment behind the set; returns the number of judgments."""
    judgments = 0
    batch: list[dict[str, Any]] = []
    for ranking in ratings.rankings_of(session, project.id, up_to=reward_set.position):
        judgments += 1
        for outcome in outcomes(ranking.ranks):
            batch.append(
                {
                    "reward_set_id": reward_set.id,
                    "judgment_id": ranking.judgment_id,
                    "prompt_id": ranking.prompt_id,
                    "a": ranking.completions[outcome.a],
                    "b": ranking.completions[outcome.b],
                    "score": outcome.score,
                    "weight": 1.0,
                }
            )
        if len(batch) >= BATCH:
            session.execute(insert(RewardOutcome), batch)
            batch = []
    if batch:
        session.execute(insert(RewardOutcome), batch)
    return judgments


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
    for start in range(0, len(prompt_ids), 500):
        for group in _groups(session, reward_set_id, list(prompt_ids[start : start + 500])):
            yield group | {"scale": scale}


def _groups(session: Session, reward_set_id: uuid.UUID, prompt_ids: list[uuid.UUID]) -> Iterator[dict[str, Any]]:
    made: dict[uuid.UUID, dict[str, Any]] = {}
    place: dict[uuid.UUID, int] = {}
    rows = session.execute(
        select(Reward, Completion.text, Completion.finish_reason, Prompt.messages)
        .join(Completion, Completion.id == Reward.completion_id)
        .join(Prompt, Prompt.id == Reward.prompt_id)
        .where(Reward.reward_set_id == reward_set_id, Reward.prompt_id.in_(prompt_ids))
        .order_by(Reward.prompt_id, Reward.completion_id)
    )
    for reward, text, finish_reason, messages in rows:
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
                "finish_reason": finish_reason,
                "reward": reward.reward,
                "weight": reward.weight,
                "judgments": reward.judgments,
            }
        )
    found = session.scalars(
        select(RewardOutcome)
        .where(RewardOutcome.reward_set_id == reward_set_id, RewardOutcome.prompt_id.in_(prompt_ids))
        .order_by(RewardOutcome.id)
    )
    for outcome in found:
        made[outcome.prompt_id]["outcomes"].append(
            {
                "a": place[outcome.a],
                "b": place[outcome.b],
                "score": outcome.score,
                "weight": outcome.weight,
                "judgment": str(outcome.judgment_id),
            }
        )
    yield from made.values()
