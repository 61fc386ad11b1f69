"""What a sampling run is asked to do."""

from typing import Annotated, ClassVar

from pydantic import Field

from backend.domain.training.base import SPLIT_HELP, SamplingConfig, Split, names


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
    tokens_per_microbatch: int = Field(
        16_384,
        ge=16,
        le=2**22,
        description="Tokens (prompt and completion) that are generated side by side. It bounds memory only.",
    )
