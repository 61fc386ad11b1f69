"""What a sampling run is asked to do."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from backend.domain.training.base import SPLIT_HELP, SamplingConfig, Split, names
from backend.domain.training.engine import EngineConfig


class SampleConfig(SamplingConfig):
    """Models answer the prompts of the project, so that people can compare the completions."""

    title: ClassVar[str] = "Sample completions"
    description: ClassVar[str] = (
        "Lets one or more models answer the project's prompts; the answers become completions to compare."
    )

    models: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        min_length=1, max_length=64, description="The models that answer.", json_schema_extra=names("model")
    )
    completions_per_prompt: int = Field(1, ge=1, le=64, description="Completions of each model for each prompt.")
    prompts: Split = Field("all", description=SPLIT_HELP)
    max_prompts: int | None = Field(
        None,
        ge=1,
        description="Answer only so many prompts of the project, those with the fewest completions first. Empty: all.",
    )
    engine: EngineConfig | None = Field(
        None,
        description=(
            "A vLLM server that serves the one model of this run under engine.model, and draws its answers. Empty: the "
            "worker draws them itself."
        ),
        examples=[{"url": "http://127.0.0.1:8001/v1", "model": "served-name"}],
    )
    tokens_per_microbatch: int = Field(
        16_384,
        ge=16,
        le=2**22,
        description="Tokens (prompt and completion) that are generated side by side. It bounds memory only.",
    )

    @model_validator(mode="after")
    def _one_served(self) -> Self:
        if self.engine and (self.engine.model is None or len(self.models) > 1):
            raise ValueError("engine needs its field model, and serves one model only: name one in models.")
        return self
