"""How much a run does, told from its config and the number of rows that it reads: the steps that its page will count,
and the work by which the time of one run foretells that of another. Pure."""

import math
from dataclasses import dataclass
from typing import Literal

from backend.domain.rewards import HELD_OUT_SHARE
from backend.domain.training import (
    EvaluateConfig,
    PPOConfig,
    PretrainConfig,
    RewardModelConfig,
    RunConfig,
    SampleConfig,
    SFTConfig,
)

Unit = Literal["optimiser step", "round", "answer"]

# Settings that change how long a piece of work takes; runs that differ in one of them say nothing of each other.
_PACE = (
    "architecture", "hidden_size", "layers", "feed_forward_size", "context_tokens", "vocabulary_size",
    "devices", "method", "lora_rank", "max_tokens", "max_new_tokens", "normalise_samples",
    "reward_model", "scorers", "judge", "engine", "engines", "critic", "advantage_estimator", "perplexity_on",
)  # fmt: skip


@dataclass(frozen=True)
class Workload:
    """Steps in their unit, about: some rows are left out only when they are read. `work`: rows learnt, or answers."""

    steps: int
    unit: Unit
    work: int


def workload(config: RunConfig, rows: int) -> Workload:
    """rows: texts, demonstrations or prompts that are there to be read."""
    match config:
        case PPOConfig():
            return Workload(config.iterations, "round", config.iterations * config.episodes_per_iteration)
        case SampleConfig():
            answers = rows * config.completions_per_prompt * len(config.models)
            return Workload(answers, "answer", answers)
        case EvaluateConfig():
            answers = rows * config.samples_per_prompt * len(config.models)
            return Workload(answers, "answer", answers)
        case PretrainConfig():
            return _passes(config, rows * (1 - config.held_out_share), config.texts_per_step)
        case SFTConfig():
            return _passes(config, rows * (1 - config.held_out_share), config.demonstrations_per_step)
        case RewardModelConfig():
            return _passes(config, rows * (1 - HELD_OUT_SHARE), config.prompts_per_step)
    raise TypeError(type(config))


def _passes(config: PretrainConfig | SFTConfig | RewardModelConfig, rows: float, each: int) -> Workload:
    steps = max(1, math.ceil(config.epochs * rows / each))
    steps = min(steps, config.max_steps or steps)
    return Workload(steps, "optimiser step", steps * each)


def same_pace(one: RunConfig, other: RunConfig) -> bool:
    """Whether the same work takes both as long, on the same models."""
    passes = isinstance(one, PPOConfig) and isinstance(other, PPOConfig) and one.epochs != other.epochs
    return not passes and all(getattr(one, name, None) == getattr(other, name, None) for name in _PACE)
