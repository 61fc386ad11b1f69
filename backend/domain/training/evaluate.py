"""What an evaluation is asked to do."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from backend.domain.training.base import SPLIT_HELP, SamplingConfig, Split, names
from backend.domain.training.engine import EngineConfig
from backend.domain.training.scorers import EXAMPLES, ScorerConfig

# What the numbers of an evaluation are called already.
TAKEN = ("reward_model", "score", "length", "kl")


class ServedConfig(EngineConfig):
    """A server of one of the models that are compared."""

    serves: str = Field(min_length=1, description="The model that it serves, as it is called in `models`.")


class EvaluateConfig(SamplingConfig):
    """Several models answer the same prompts and are compared: reward, KL to a reference, win rates, lengths."""

    title: ClassVar[str] = "Evaluate models"
    description: ClassVar[str] = (
        "Compares models on the project's prompts: reward, distance to a reference, win rates, lengths, diversity, "
        "and texts side by side."
    )

    models: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        min_length=1,
        max_length=16,
        description="The models to compare; the first is the baseline of the win rates.",
        json_schema_extra=names("model"),
    )
    reference: str | None = Field(
        None,
        description="The model that KL is measured to. Empty: the first of the models.",
        json_schema_extra=names("model"),
    )
    reward_model: str | None = Field(
        None,
        description="The reward model that scores the completions. Empty: no scores and no win rates.",
        json_schema_extra=names("checkpoint"),
    )
    reward_set: str | None = Field(
        None,
        description="A reward set whose held-out prompts measure the reward model's accuracy. Empty: not measured.",
        json_schema_extra=names("reward_set"),
    )
    scorers: Annotated[tuple[ScorerConfig, ...], Field(strict=False)] = Field(
        (),
        max_length=16,
        description="Further judges: functions on the worker or services, each with win rates of its own.",
        examples=EXAMPLES,
    )
    perplexity_on: Literal["nothing", "demonstrations"] = Field(
        "nothing",
        description="Measure how well each model foresees the project's held-out demonstrations, or do not.",
    )
    max_demonstrations: int = Field(
        256, ge=1, le=1_000_000, description="Demonstrations that perplexity is measured on."
    )
    prompts: Split = Field("held_out", description=SPLIT_HELP)
    max_prompts: int | None = Field(None, ge=1, description="Use only so many prompts of the project. Empty: all.")
    samples_per_prompt: int = Field(1, ge=1, le=64, description="Completions of each model for each prompt.")
    tie_margin: float = Field(0.0, ge=0, le=10, description="Scores closer than this are a tie in the win rate.")
    bootstrap_rounds: int = Field(
        1000, ge=100, le=100_000, description="Rounds of the bootstrap over prompts behind the intervals."
    )
    shown_prompts: int = Field(
        8, ge=0, le=1000, description="Prompts whose completions are kept for people to read side by side."
    )
    engines: Annotated[tuple[ServedConfig, ...], Field(strict=False)] = Field(
        (),
        max_length=16,
        description=(
            "vLLM servers that draw the answers of some of the models, each under its field `model`; the worker "
            "draws all others itself. Their random numbers are not the worker's, so equal models no longer tie."
        ),
        examples=[[{"serves": "org/large", "url": "http://127.0.0.1:8001/v1", "model": "served-name"}]],
    )
    tokens_per_microbatch: int = Field(
        16_384, ge=16, le=2**22, description="Tokens of one forward pass. It bounds memory only."
    )

    @model_validator(mode="after")
    def _accuracy(self) -> Self:
        if self.reward_set and not self.reward_model:
            raise ValueError("reward_model must be named when reward_set is: accuracy is a property of a reward model.")
        called = [scorer.name for scorer in self.scorers]
        if len({*called, *TAKEN}) < len(called) + len(TAKEN):
            raise ValueError(f"scorers must have names of their own, and none may be called {', '.join(TAKEN)}.")
        served = [engine.serves for engine in self.engines]
        if len(set(served)) < len(served) or not {*served} <= {*self.models}:
            raise ValueError("engines must each serve another one of models.")
        if any(engine.model is None for engine in self.engines):
            raise ValueError("engines need their field model: what the server calls the model.")
        return self
