"""One round of answers with everything known about each of their tokens; knows no objective and no optimiser.

Tensors are (B, T) unless noted: B answers of up to T tokens, `mask` true on real tokens. `flat(layout)` are the indices
of a micro-batch's answer tokens in such a tensor laid flat, row by row: the order of what `logprobs` returns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from workers.training.backbone import Backbone
from workers.training.batches import Layout, microbatches
from workers.training.generation import Answer
from workers.training.ranks import Ranks


@dataclass
class Rollouts:
    """Filled from top to bottom in the course of an iteration."""

    source: list[int]
    """(B,) the index of each answer's prompt in the stream"""
    prompts: list[list[int]]
    answers: list[Answer]
    device: torch.device
    sequences: list[list[int]] = field(init=False)
    prompt_lengths: list[int] = field(init=False)
    mask: Tensor = field(init=False)
    behaviour_logprobs: Tensor = field(init=False)
    """log-probabilities as the sampler computed them"""
    old_logprobs: Tensor = field(init=False)
    """log pi_k by the training forward, before the first optimiser step"""
    reference_logprobs: Tensor = field(init=False)
    """log pi_base"""
    entropy: Tensor = field(init=False)
    values: Tensor = field(init=False)
    """V(s_t), before each token"""
    critic_states: Tensor | None = field(init=False, default=None)
    """(B T, d) the hidden state before each token that a linear critic reads"""
    raw_scores: Tensor = field(init=False)
    """(B,) the weighted sum of the scorers' scores"""
    score_parts: dict[str, Tensor] = field(init=False)
    """(B,) of each scorer by name, unweighted"""
    scores: Tensor = field(init=False)
    """(B,) clipped, less the penalty for answers that were cut"""
    rewards: Tensor = field(init=False)
    returns: Tensor = field(init=False)
    raw_advantages: Tensor = field(init=False)
    advantages: Tensor = field(init=False)
    """`raw_advantages`, whitened if the config says so, times `weights` if there are any"""
    weights: Tensor | None = field(init=False, default=None)
    """truncated importance weights of tokens that a server drew"""
    learnt: bool = field(init=False, default=False)
    """whether the policy was updated from this round: only then is everything above filled"""

    def __post_init__(self) -> None:
        self.sequences = [[*prompt, *answer.ids] for prompt, answer in zip(self.prompts, self.answers, strict=True)]
        self.prompt_lengths = [len(prompt) for prompt in self.prompts]
        lengths = torch.tensor([len(answer.ids) for answer in self.answers])
        mask = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
        behaviour = torch.zeros(mask.shape)
        behaviour[mask] = torch.tensor([logprob for answer in self.answers for logprob in answer.logprobs])
        self.mask, self.behaviour_logprobs = mask.to(self.device), behaviour.to(self.device)
        self.old_logprobs, self.reference_logprobs, self.entropy, self.values = (
            torch.zeros_like(self.behaviour_logprobs) for _ in range(4)
        )

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def kl(self) -> Tensor:
        """log pi_old - log pi_base of each token."""
        return self.old_logprobs - self.reference_logprobs

    @property
    def cut(self) -> Tensor:
        """(B,) true where an answer reached the token limit before it ended."""
        return torch.tensor([answer.finish_reason == "length" for answer in self.answers], device=self.device)

    def flat(self, layout: Layout) -> Tensor:
        """(N,): indices of a micro-batch's answer tokens in a (B, T) tensor laid flat."""
        assert layout.answers is not None
        return layout.answers

    def _laid_out(self, rows: list[int], pad_id: int) -> Layout:
        layout = Layout.of(rows, self.sequences, self.prompt_lengths, pad_id=pad_id, device=self.device)
        starts = [(row * self.mask.shape[1], len(self.answers[row].ids)) for row in rows]
        places = torch.cat([torch.arange(start, start + count) for start, count in starts])
        return replace(layout, answers=places.to(self.device))

    def tokens(self, rows: Sequence[int]) -> int:
        """How many answer tokens these rows have."""
        return sum(len(self.answers[row].ids) for row in rows)

    def minibatches(
        self, backbone: Backbone, *, count: int, budget: int, seed: Sequence[int], ranks: Ranks
    ) -> list[list[Layout]]:
        """The rows at random in `count` minibatches of equal size: this rank's share of each, whose lengths are like
        those of the other ranks, as micro-batches within the token budget.
        """
        order = np.random.default_rng(list(seed)).permutation(len(self))
        lengths = [len(sequence) for sequence in self.sequences]
        return [
            [
                self._laid_out(rows, backbone.pad_id)
                for rows in microbatches(
                    lengths, ranks.share(sorted(part.tolist(), key=lengths.__getitem__)), budget, backbone
                )
            ]
            for part in np.array_split(order, count)
        ]


class PromptStream:
    """An endless stream: pass after pass over all prompts, each in a random order of its own. The caller says which
    part of it is wanted, so there is no position to save.
    """

    def __init__(self, prompts: Sequence[list[int]], seed: int) -> None:
        self.prompts, self.seed = prompts, seed
        self._orders: dict[int, list[int]] = {}

    def take(self, start: int, count: int) -> Iterator[int]:
        """The indices of prompts at places [start, start + count) of the stream."""
        for place in range(start, start + count):
            turn, within = divmod(place, len(self.prompts))
            if turn not in self._orders:
                order = np.random.default_rng([self.seed, 1, turn]).permutation(len(self.prompts))
                self._orders = {t: o for t, o in self._orders.items() if t == turn - 1} | {turn: order.tolist()}
            yield self._orders[turn][within]
