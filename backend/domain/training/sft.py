"""What a run of supervised fine-tuning is asked to do."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from backend.domain.training.base import KEEP_HELP, LoraConfig, OptimiserConfig, names
from backend.domain.training.scorers import EXAMPLES, ScorerConfig


class SFTConfig(LoraConfig, OptimiserConfig):
    """Supervised fine-tuning: the model learns to give the demonstrated completions, and to end them."""

    title: ClassVar[str] = "Supervised fine-tuning"
    description: ClassVar[str] = (
        "Teaches a model to answer as the demonstrations do; its result is the start of the reward model and of PPO."
    )

    model: str = Field(min_length=1, description="The model to train.", json_schema_extra=names("model"))
    demonstrations: Literal["imported", "best_ranked"] = Field(
        "imported",
        description=(
            "imported: the demonstrations that were imported into the project. best_ranked: the completion with the "
            "highest rating of each prompt of the project."
        ),
    )
    min_judgments: int = Field(
        1, ge=1, le=1000, description="best_ranked takes only completions with at least so many judgments."
    )
    method: Literal["full", "lora"] = Field(
        "lora", description="Train all weights, or a low-rank adapter that is merged into the saved model at the end."
    )
    keep: Literal["lowest_loss", "highest_score", "last"] = Field(
        "lowest_loss", description=f"{KEEP_HELP} Or those whose answers the reward model and the scorers like best."
    )
    reward_model: str | None = Field(
        None,
        description=(
            "A reward model that scores the answers to held-out prompts on the way. It may come from any model; with "
            "method lora it takes no more memory where it was trained on this same one. Empty: none."
        ),
        json_schema_extra=names("checkpoint"),
    )
    reward_model_weight: float = Field(
        1.0, ge=0, le=1000, description="The reward model's share of the sum, where there are scorers too."
    )
    scorers: Annotated[tuple[ScorerConfig, ...], Field(strict=False)] = Field(
        (),
        max_length=8,
        description="Functions on the worker, or services, that score these answers too.",
        examples=EXAMPLES,
    )
    train_on_earlier_answers: bool = Field(
        False, description="In dialogues, learn the earlier assistant turns too, not only the last answer."
    )
    epochs: float = Field(2.0, gt=0, le=1000, description="Passes over the demonstrations.")
    max_steps: int | None = Field(
        None, ge=1, description="End after so many optimiser steps even if the passes are not over."
    )
    demonstrations_per_step: int = Field(32, ge=1, le=100_000, description="Demonstrations of one optimiser step.")
    max_tokens: int | None = Field(
        None,
        ge=8,
        le=1_048_576,
        description=(
            "Longest prompt and completion together. A longer prompt is cut at its start; a completion is "
            "never cut, its row is dropped and counted. Empty: the model's limit."
        ),
    )
    held_out_share: float = Field(
        0.05,
        ge=0,
        le=0.5,
        description=(
            "Share of the prompts that is kept out of training to measure the loss (chosen by the prompt's hash)."
        ),
    )
    sample_prompts: int = Field(
        4, ge=0, le=64, description="Held-out prompts answered at each evaluation, for people to read."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if any(scorer.compares or scorer.role == "judge" for scorer in self.scorers):
            raise ValueError("scorers must score single answers here, and none is a judge.")
        called = [scorer.name for scorer in self.scorers]
        if len({*called, "reward_model"}) <= len(called):
            raise ValueError("scorers must have names of their own, and none may be called reward_model.")
        scored = self.scorers or self.reward_model
        if scored and not self.sample_prompts:
            raise ValueError("sample_prompts must be 1 or more where answers are scored.")
        if self.keep == "highest_score" and not scored:
            raise ValueError("keep needs a reward_model or scorers when it is highest_score.")
        return self
