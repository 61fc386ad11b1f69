"""What a reward model learns from: a prompt's completions as ids with what people said of them, and batches of those.

A group stays whole: its completions meet in one step and each is read once, however many pairs it is in. Knows no
model and no loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backend.domain.training_rows import ChatMessage, RewardGroup
from workers.training.packing import Document, Packed, pack
from workers.training.scoring import scorer_input
from workers.training.tokens import Codec


@dataclass(frozen=True)
class Group:
    """A prompt's completions as ids, and what is known of them. Indices are into `documents`."""

    prompt: tuple[ChatMessage, ...]
    ids: list[str]
    documents: list[Document]
    lengths: list[int]
    rewards: list[tuple[int, float, float]]  # completion, reward in log-odds, weight
    pairs: list[tuple[int, int, float, float]]  # a, b, score of a, weight: those of one judgment sum to its weight

    @property
    def tokens(self) -> int:
        return sum(len(document.ids) for document in self.documents)


@dataclass(frozen=True)
class GroupBatch:
    """Whole groups: their completions packed, and their judgments with indices into all of them."""

    packed: Packed
    groups: int
    group_of: Tensor  # of each completion
    pair_a: Tensor
    pair_b: Tensor
    pair_score: Tensor
    pair_weight: Tensor
    rewarded: Tensor
    reward: Tensor
    reward_weight: Tensor


def read_group(codec: Codec, row: RewardGroup, limit: int) -> tuple[Group, int]:
    """The completions that fit, with their judgments; and how many do not."""
    place: dict[int, int] = {}
    ids: list[str] = []
    documents: list[Document] = []
    lengths: list[int] = []
    rewards: list[tuple[int, float, float]] = []
    for index, completion in enumerate(row.completions):
        ended = completion.finish_reason != "length"
        encoded = scorer_input(codec, row.prompt, completion.text, ended=ended, max_tokens=limit)
        if encoded is None:
            continue
        place[index] = len(documents)
        if completion.reward is not None and completion.weight > 0:
            rewards.append((place[index], completion.reward * row.scale, completion.weight))
        ids.append(completion.id)
        documents.append(Document(encoded.ids))
        lengths.append(encoded.completion_length)
    outcomes = [o for o in row.outcomes if o.weight > 0 and o.a in place and o.b in place]
    in_judgment: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.judgment is not None:
            in_judgment[outcome.judgment] = in_judgment.get(outcome.judgment, 0) + 1
    pairs = [
        (place[o.a], place[o.b], o.score, o.weight / (in_judgment[o.judgment] if o.judgment is not None else 1))
        for o in outcomes
    ]
    return Group(row.prompt, ids, documents, lengths, rewards, pairs), len(row.completions) - len(documents)


def has_signal(group: Group, loss: str) -> bool:
    """Whether this group can teach anything under this loss."""
    return (loss != "elo_regression" and bool(group.pairs)) or (loss != "bradley_terry" and len(group.rewards) > 1)


def batch_of(groups: Sequence[Group]) -> GroupBatch:
    """Groups side by side; completions are numbered through."""
    documents: list[Document] = []
    group_of: list[int] = []
    pairs: list[tuple[int, int, float, float]] = []
    rewards: list[tuple[int, float, float]] = []
    for number, group in enumerate(groups):
        start = len(documents)
        documents += group.documents
        group_of += [number] * len(group.documents)
        pairs += [(start + a, start + b, score, weight) for a, b, score, weight in group.pairs]
        if len(group.rewards) > 1:
            rewards += [(start + index, reward, weight) for index, reward, weight in group.rewards]
    packed = pack([group.documents for group in groups])
    return GroupBatch(
        packed,
        len(groups),
        torch.tensor(group_of),
        torch.tensor([a for a, _, _, _ in pairs], dtype=torch.long),
        torch.tensor([b for _, b, _, _ in pairs], dtype=torch.long),
        torch.tensor([score for _, _, score, _ in pairs], dtype=torch.float32),
        torch.tensor([weight for _, _, _, weight in pairs], dtype=torch.float32),
        torch.tensor([index for index, _, _ in rewards], dtype=torch.long),
        torch.tensor([reward for _, reward, _ in rewards], dtype=torch.float32),
        torch.tensor([weight for _, _, weight in rewards], dtype=torch.float32),
    )
