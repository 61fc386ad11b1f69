"""The least time that a phase of training can take: the operations for its real tokens, over the rate at which this
machine multiplies matrices. What wall time exceeds it by is the cost of padding, launches and memory.

A forward pass over n tokens with logits at h of them takes 2 N n + 2 L d_q n (n + 1) + 2 V d h operations: N weights
that are multiplied (without embeddings and head; the last layer counts as a whole, though a CPU computes it only where
its states are needed), L layers whose causal attention has d_q dimensions over all heads, a vocabulary of V tokens, d
dimensions. The backward pass costs the same again where weights are frozen, and twice that where they are trained.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from workers.training.backbone import Backbone

SIDE = {"cpu": 1024, "cuda": 8192}
MEASURED_S = 0.2


@dataclass(frozen=True)
class Work:
    """What a forward pass of one model costs, in operations."""

    weights: int
    """multiplied with each token"""
    attention: int
    """L d_q"""
    head: int
    """V d"""

    @classmethod
    def of(cls, backbone: Backbone) -> "Work":
        """Of a backbone as it is, without adapters."""
        config = backbone.model.config.get_text_config()
        heads = config.num_attention_heads
        width = getattr(config, "head_dim", None) or backbone.hidden_size // heads
        return cls(
            weights=sum(weight.numel() for weight in _multiplied(backbone.model.base_model)),
            attention=backbone.layers * heads * width,
            head=backbone.vocabulary_size * backbone.hidden_size,
        )

    def forward(self, lengths: Sequence[int], at_head: int = 0, *, adapter: int = 0) -> float:
        """Of rows of these lengths, with logits at `at_head` tokens and an adapter of `adapter` weights."""
        pairs = sum(n * (n + 1) for n in lengths)
        return 2.0 * (self.weights + adapter) * sum(lengths) + 2.0 * self.attention * pairs + 2.0 * self.head * at_head


def _multiplied(model: nn.Module) -> Iterable[torch.Tensor]:
    """The matrices that every token is multiplied with."""
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, nn.Parameter) and weight.ndim == 2 and not isinstance(module, nn.Embedding):
            yield weight


@cache
def rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second of a matrix product here, the best of several: measured once a process."""
    side = SIDE.get(device.type, 1024)
    draw = torch.Generator(device).manual_seed(0)  # a GPU multiplies ones faster: they take less power
    a, b = (torch.randn(side, side, device=device, dtype=dtype, generator=draw) for _ in range(2))

    def product() -> float:
        wait(device)
        began = time.perf_counter()
        a @ b
        wait(device)
        return time.perf_counter() - began

    product()
    best, until = float("inf"), time.perf_counter() + MEASURED_S
    while time.perf_counter() < until:
        best = min(best, product())
    return 2.0 * side**3 / best


def wait(device: torch.device) -> None:
    """Until the device has finished its work, before a clock is read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@dataclass(frozen=True)
class Floor:
    """The least seconds of each phase of an iteration of PPO with a LoRA policy."""

    rollout: float
    scoring: float
    update: float

    @classmethod
    def of(
        cls,
        work: Work,
        rate: float,
        prompts: Sequence[int],
        answers: Sequence[int],
        *,
        adapter: int,
        critic_adapter: int | None,
        reward_models: Sequence[Work],
        epochs: float,
    ) -> "Floor":
        """prompts, answers: lengths of each episode. critic_adapter: weights of a critic with a trunk of its own."""
        whole, said = [p + a for p, a in zip(prompts, answers, strict=True)], sum(answers)
        policy = work.forward(whole, said, adapter=adapter)
        critic = 0.0 if critic_adapter is None else work.forward(whole, adapter=critic_adapter)
        return cls(
            # The last token is drawn, but nothing is computed from it; the adapter is folded into the weights.
            rollout=work.forward([n - 1 for n in whole], said) / rate,
            scoring=(policy + work.forward(whole, said) + critic + sum(one.forward(whole) for one in reward_models))
            / rate,
            update=2.0 * epochs * (policy + critic) / rate,
        )
