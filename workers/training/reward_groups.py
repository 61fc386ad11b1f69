"""What a reward model learns from: a prompt's completions as ids with their judgments, and batches of such groups.

A group stays whole: its completions are in one step and each is read once, however many pairs it is in. Knows no model
and no loss.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from backend.domain.training_rows import ChatMessage, PairOutcome, RewardGroup
from workers.training.packing import Document, Packed, compact, pack
from workers.training.scoring import scorer_inputs
from workers.training.tokens import Codec


class Outcome(NamedTuple):
    """What somebody said of two completions: `label` is 1 where `a` won, 0 where `b` did, 1/2 for a tie. A choice is
    one outcome against each completion that was not chosen.
    """

    a: int
    b: int
    label: float
    annotator: str | None


@dataclass(frozen=True)
class Group:
    """A prompt's completions as ids with rewards and judgments of them. Indices are into `documents`."""

    prompt: tuple[ChatMessage, ...]
    ids: list[str]
    documents: list[Document]
    lengths: list[int]
    rewards: list[tuple[int, float, float]]  # completion, reward in log-odds, weight; never a single one
    pairs: list[tuple[int, int, float, float]]  # a, b, label, weight; the weights of one judgment sum to its own
    choices: list[tuple[list[int], float]] = field(default_factory=list)  # the chosen one and those it beat; weight
    outcomes: list[Outcome] = field(default_factory=list)  # all judgments as pairs, for accuracies
    models: list[str | None] = field(default_factory=list)  # the writers of the completions
    strengths: list[float] = field(default_factory=list)  # share of the margin of each pair; empty: all 1

    @property
    def weight(self) -> float:
        """The sum over all judgments."""
        return sum(weight for *_, weight in self.pairs) + sum(weight for _, weight in self.choices)

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
    pair_label: Tensor
    pair_weight: Tensor
    pair_strength: Tensor
    choices: Tensor  # (C, N), the chosen one first, padded with -1
    choice_weight: Tensor
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
    models: list[str | None] = []
    asked = [(row.prompt, one.text, one.finish_reason != "length") for one in row.completions]
    encodings = scorer_inputs(codec, asked, limit)
    for index, (completion, encoded) in enumerate(zip(row.completions, encodings, strict=True)):
        if encoded is None:
            continue
        place[index] = len(documents)
        if completion.reward is not None and completion.weight > 0:
            rewards.append((place[index], completion.reward * row.scale, completion.weight))
        ids.append(completion.id)
        models.append(completion.model)
        documents.append(Document(compact(encoded.ids)))
        lengths.append(encoded.completion_length)
    usable = [o for o in row.outcomes if o.weight > 0 and o.a in place and o.b in place]
    sizes = Counter(outcome.judgment for outcome in row.outcomes)
    judgments: dict[object, list[PairOutcome]] = {}
    for number, outcome in enumerate(usable):
        judgments.setdefault(number if outcome.judgment is None else outcome.judgment, []).append(outcome)
    pairs: list[tuple[int, int, float, float]] = []
    strengths: list[float] = []
    choices: list[tuple[list[int], float]] = []
    outcomes: list[Outcome] = []
    for said in judgments.values():
        told = [(place[o.a], place[o.b], o.score) for o in said]
        best = choices_of(told)
        choices += [(some, said[0].weight / len(best)) for some in best]
        if not best:
            pairs += [(*one, o.weight / len(said)) for one, o in zip(told, said, strict=True)]
            # The strength was asked of a comparison of two: in a ranking it belongs to no pair in particular.
            strengths += [o.strength if o.judgment is None or sizes[o.judgment] == 1 else 1.0 for o in said]
        of_two = [(first, other, 1.0) for first, *others in best for other in others] or told
        outcomes += [Outcome(*one, said[0].annotator) for one in of_two]
    if len(rewards) < 2:
        rewards = []  # only differences within a prompt can be learnt
    group = Group(row.prompt, ids, documents, lengths, rewards, pairs, choices, outcomes, models, strengths)
    return group, len(row.completions) - len(documents)


def choices_of(told: Sequence[tuple[int, int, float]]) -> list[list[int]]:
    """The judgment (a, b, label) as successive choices, if it named only the best: the first among all, the second
    among the rest, and so on.

    Empty if every completion was compared with every other, or if the best ones tie: then its pairs say it all.
    """
    items = {item for a, b, _ in told for item in (a, b)}
    if 2 * len(told) >= len(items) * (len(items) - 1) or any(score not in (0, 1) for *_, score in told):
        return []
    beaten: dict[int, set[int]] = {}
    for a, b, score in told:
        beaten.setdefault(a if score else b, set()).add(b if score else a)
    choices = []
    for best in sorted(beaten, key=lambda item: -len(beaten[item])):
        items.discard(best)
        if beaten[best] != items:
            return []
        choices.append([best, *sorted(items)])
    return choices


def has_signal(group: Group, loss: str) -> bool:
    """Whether this group can teach anything under this loss."""
    return (loss != "elo_regression" and bool(group.outcomes)) or (loss != "bradley_terry" and bool(group.rewards))


def batch_of(groups: Sequence[Group]) -> GroupBatch:
    """Groups side by side; completions are numbered through."""
    documents: list[Document] = []
    group_of: list[int] = []
    pairs: list[tuple[int, int, float, float]] = []
    choices: list[list[int]] = []
    weights: list[float] = []
    strengths: list[float] = []
    rewards: list[tuple[int, float, float]] = []
    for number, group in enumerate(groups):
        start = len(documents)
        documents += group.documents
        group_of += [number] * len(group.documents)
        pairs += [(start + a, start + b, score, weight) for a, b, score, weight in group.pairs]
        strengths += group.strengths or [1.0] * len(group.pairs)
        choices += [[start + one for one in some] for some, _ in group.choices]
        weights += [weight for _, weight in group.choices]
        rewards += [(start + index, reward, weight) for index, reward, weight in group.rewards]
    width = max(map(len, choices), default=0)
    packed = pack([group.documents for group in groups])
    return GroupBatch(
        packed,
        len(groups),
        torch.tensor(group_of),
        torch.tensor([a for a, _, _, _ in pairs], dtype=torch.long),
        torch.tensor([b for _, b, _, _ in pairs], dtype=torch.long),
        torch.tensor([score for _, _, score, _ in pairs], dtype=torch.float32),
        torch.tensor([weight for _, _, _, weight in pairs], dtype=torch.float32),
        torch.tensor(strengths, dtype=torch.float32),
        torch.tensor([some + [-1] * (width - len(some)) for some in choices], dtype=torch.long).view(
            len(choices), width
        ),
        torch.tensor(weights, dtype=torch.float32),
        torch.tensor([index for index, _, _ in rewards], dtype=torch.long),
        torch.tensor([reward for _, reward, _ in rewards], dtype=torch.float32),
        torch.tensor([weight for _, _, weight in rewards], dtype=torch.float32),
    )
