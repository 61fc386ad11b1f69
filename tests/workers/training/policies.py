"""Tiny runs of PPO, made on the spot to be looked into."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from backend.domain.training import PPOConfig
from tests.workers.training.tiny import backbone_of, gradient, shake
from workers.training.backbone import Backbone
from workers.training.heads import ScalarHead
from workers.training.ppo import PPO
from workers.training.scoring import RewardModel, Rewards, Scorer, Weighted
from workers.training.tallies import Tally

PROMPTS = [[5, 6, 7], [3, 4, 5, 6, 7, 8, 9], [11], [12, 13, 14], [20, 21]]
TARGET = 9


def config_of(**settings: Any) -> PPOConfig:
    usual: dict[str, Any] = {
        "model": "m", "reward_model": "r", "iterations": 3, "episodes_per_iteration": 16, "max_new_tokens": 10,
        "lora_rank": 4, "lora_alpha": 8.0, "policy_learning_rate": 3e-3, "value_learning_rate": 3e-3,
        # What these policies learn here, to say one token, is what the guard is there to stop.
        "guard": {"action": "warn"},
    }  # fmt: skip
    return PPOConfig(**(usual | settings))


def counts_target(sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]) -> Tensor:
    """The scorer of most tests: the share of the target token in the answer, around 0."""
    shares = [s[p:].count(TARGET) / len(s[p:]) for s, p in zip(map(list, sequences), prompt_lengths, strict=True)]
    return 4.0 * torch.tensor(shares) - 0.5


def reward_model_of(backbone: Backbone, seed: int = 3) -> RewardModel:
    backbone.add_adapter("reward", rank=2, alpha=4, seed=seed)
    shake(backbone, "reward", seed)
    head = ScalarHead(backbone.hidden_size, seed=seed)
    head.gain.fill_(0.5)
    return RewardModel(backbone, head, tokens_per_microbatch=10_000)


def ppo_of(family: str = "llama", scorer: Any = counts_target, *, seed: int = 0, **settings: Any) -> PPO:
    backbone = backbone_of(family)
    if scorer == "reward_model":
        scorer = reward_model_of(backbone)
    return PPO(config_of(**settings), backbone, alone(scorer), PROMPTS, seed=seed)


def alone(scorer: Scorer) -> Rewards:
    """Nothing but this is maximised."""
    return Rewards({"reward_model": Weighted(1.0, scorer)})


def policy_of(ppo: PPO) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in ppo.roles.policy]


def watch_steps(ppo: PPO, look: Callable[[], None]) -> None:
    inner = ppo.roles.optimise

    def optimise(tally: Tally) -> None:
        look()
        inner(tally)

    ppo.roles.optimise = optimise  # type: ignore[method-assign]


def gradients_of(ppo: PPO) -> list[Tensor]:
    """Those of the first step of an iteration."""
    found: list[Tensor] = []

    def look() -> None:
        found.extend(gradient(parameter).clone() for parameter in [*ppo.roles.policy, *ppo.roles.critic])

    watch_steps(ppo, look)
    ppo.iterate()
    return found
