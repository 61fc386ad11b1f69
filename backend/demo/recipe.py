"""The settings of the demo's runs: models and data small enough that the whole loop takes minutes on two cores.

Plain data in the words of `backend.domain.training`. A small model wants far larger learning rates than those that
suit billions of parameters, and every stage is as short as it can be with a clear result on every seed tried.
"""

from dataclasses import dataclass
from typing import Any

TEMPERATURE = 0.9
MAX_NEW_TOKENS = 64

JUDGED_PROMPTS = 900
"""Prompts of the first project. A fifth of them, by their hash, is kept from the reward model and from PPO."""
JUDGMENTS = 1000
HELD_OUT_JUDGMENTS = 160
"""Judgments of the second project, whose prompts no training has seen; PPO's answers are among them."""

COMPARISON_SIZE = 4


@dataclass(frozen=True)
class Names:
    """What a seed's things are called: the default seed has the plain names."""

    seed: int
    default_seed: int = 1

    @property
    def namespace(self) -> str:
        return "demo" if self.seed == self.default_seed else f"demo-{self.seed}"

    @property
    def _suffix(self) -> str:
        return "" if self.seed == self.default_seed else f" (seed {self.seed})"

    @property
    def project(self) -> str:
        return f"Everyday advice{self._suffix}"

    @property
    def after_project(self) -> str:
        return f"Before and after PPO{self._suffix}"

    def model(self, name: str) -> str:
        return f"{self.namespace}/{name}"


def pretrain(names: Names) -> dict[str, Any]:
    """A language model of 0.8 million parameters that knows the world's sentences, and nothing of answering."""
    return {
        "output_name": names.model("base"),
        "seed": names.seed,
        "hidden_size": 128,
        "layers": 3,
        "heads": 4,
        "feed_forward_size": 384,
        "vocabulary_size": 1280,
        "context_tokens": 128,
        "epochs": 1.4,
        "texts_per_step": 56,
        "learning_rate": 4e-3,
        "warmup_share": 0.05,
        "evaluate_every_steps": 100,
    }


def sft(names: Names, *, early: bool = False) -> dict[str, Any]:
    """It learns to answer as people do, well or badly. `early` stops long before that: one more model to judge."""
    return {
        "output_name": names.model("sft-early" if early else "sft"),
        "seed": names.seed,
        "model": names.model("base"),
        "demonstrations": "imported",
        "method": "full",
        "epochs": 0.25 if early else 2.0,
        "demonstrations_per_step": 32,
        "learning_rate": 2e-3,
        "warmup_share": 0.05,
        "held_out_share": 0.02,
        "evaluate_every_steps": 100,
    }


def sample(names: Names, models: tuple[str, ...], *, each: int = 1) -> dict[str, Any]:
    """Answers of some models to every prompt of a project."""
    return {
        "seed": names.seed,
        "models": [names.model(model) for model in models],
        "completions_per_prompt": each,
        "temperature": TEMPERATURE,
        "max_new_tokens": MAX_NEW_TOKENS,
    }


def reward_model(names: Names, reward_set: str) -> dict[str, Any]:
    """A score of answers, from the judgments alone."""
    return {
        "output_name": names.model("reward-model"),
        "seed": names.seed,
        "model": names.model("sft"),
        "reward_set": reward_set,
        "lora_rank": 32,
        "lora_alpha": 64.0,
        "epochs": 1.0,
        "prompts_per_step": 8,
        "learning_rate": 2e-3,
        "warmup_share": 0.05,
        "evaluate_every_steps": 50,
        "normalise_samples": 256,
        "normalise_max_new_tokens": MAX_NEW_TOKENS,
    }


def ppo(names: Names) -> dict[str, Any]:
    """The policy is held near a few nats from the SFT model: near enough that its texts stay readable and varied."""
    return {
        "output_name": names.model("ppo"),
        "seed": names.seed,
        "model": names.model("sft"),
        "reward_model": names.model("reward-model"),
        "iterations": 20,
        "episodes_per_iteration": 128,
        "epochs": 2,
        "minibatches": 2,
        "lora_rank": 32,
        "lora_alpha": 64.0,
        "critic": "reward",
        "policy_learning_rate": 1e-3,
        "kl_base_coefficient": 0.15,
        "kl_controller": "leash",
        "kl_target_per_seq_nats": 5.0,
        "kl_horizon_episodes": 1000.0,
        "temperature": TEMPERATURE,
        "max_new_tokens": MAX_NEW_TOKENS,
    }


def evaluate(names: Names, *, prompts: int) -> dict[str, Any]:
    """Base, SFT and PPO on prompts that no training has seen, side by side."""
    return {
        "seed": names.seed,
        "models": [names.model("sft"), names.model("base"), names.model("ppo")],
        "reference": names.model("sft"),
        "reward_model": names.model("reward-model"),
        "prompts": "all",
        "shown_prompts": prompts,
        "temperature": TEMPERATURE,
        "max_new_tokens": MAX_NEW_TOKENS,
    }
