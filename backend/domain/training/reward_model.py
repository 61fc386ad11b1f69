"""What a reward-model run is asked to do."""

from typing import ClassVar, Literal

from pydantic import Field

from backend.domain.training.base import LoraConfig, OptimiserConfig, names


class RewardModelConfig(LoraConfig, OptimiserConfig):
    """A scalar score of a completion, learnt from the comparisons and rewards of a frozen reward set."""

    title: ClassVar[str] = "Reward model"
    description: ClassVar[str] = "Learns to score completions as the annotators ranked them; PPO maximises this score."

    model: str = Field(
        min_length=1,
        description="The backbone: normally the SFT checkpoint that PPO will start from (PPO requires the same one).",
        json_schema_extra=names("model"),
    )
    reward_set: str = Field(
        min_length=1, description="The frozen reward set to learn from.", json_schema_extra=names("reward_set")
    )
    half: Literal["all", "first", "second"] = Field(
        "all",
        description=(
            "Learn from all prompts, or from one half of them (chosen by the prompt's hash): a reward model of the "
            "other half is then an independent judge of what this one teaches a policy."
        ),
    )
    method: Literal["full", "lora"] = Field(
        "lora",
        description=(
            "Train all weights, or a low-rank adapter on the frozen model. With all weights the reward model is a "
            "model of its own: PPO holds it beside the policy, and learning_rate should be some 30 times lower."
        ),
    )
    loss: Literal["bradley_terry", "elo_regression", "mixed"] = Field(
        "bradley_terry",
        description=(
            "bradley_terry: log loss of each comparison (ties are half a win). elo_regression: squared error "
            "to the rewards, centred within the prompt and weighted by precision. mixed: both."
        ),
    )
    regression_share: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="Weight of the squared error in the mixed loss; the rest is the log loss of the comparisons.",
    )
    margin: float = Field(
        0.0,
        ge=0,
        le=10,
        description=(
            "Log-odds by which the winner should lead (bradley_terry); ties have none. Where annotators say how much "
            "better one of two is, the strongest word has all of it and weaker ones their share."
        ),
    )
    centre_coefficient: float = Field(
        0.01,
        ge=0,
        le=10,
        description="Weight of the squared mean score of a prompt's completions, which keeps scores near 0.",
    )
    epochs: float = Field(
        1.0, gt=0, le=100, description="Passes over the prompts. More than one soon learns the set by heart."
    )
    max_steps: int | None = Field(
        None, ge=1, description="End after so many optimiser steps even if the passes are not over."
    )
    prompts_per_step: int = Field(
        16, ge=1, le=100_000, description="Prompts, with all their completions, of one optimiser step."
    )
    learning_rate: float = Field(
        1e-4, gt=0, le=1, description="Highest learning rate of AdamW, reached at the end of the warm-up."
    )
    max_tokens: int | None = Field(
        None,
        ge=8,
        le=1_048_576,
        description=(
            "Longest prompt and completion together. A longer prompt is cut at its start; a completion is "
            "never cut, it is dropped and counted. Empty: the model's limit."
        ),
    )
    normalise_samples: int = Field(
        0,
        ge=0,
        le=100_000,
        description=(
            "After training, gain and offset give scores mean 0 and deviation 1 on so many fresh samples of "
            "the backbone; 0: on the training completions."
        ),
    )
    normalise_max_new_tokens: int = Field(128, ge=1, le=131_072, description="Longest of those samples.")
    bootstrap_rounds: int = Field(
        1000,
        ge=100,
        le=100_000,
        description="Rounds of the bootstrap over prompts behind the interval of the accuracy.",
    )
