"""A vLLM server that draws answers instead of the worker's own sampler."""

from pydantic import BaseModel, ConfigDict, Field

from backend.domain.training.base import ADDRESS, KEY_VARIABLE, KEY_VARIABLE_HELP

EXAMPLES = [{"url": "http://127.0.0.1:8001/v1"}]


class EngineConfig(BaseModel):
    """Where it is, and how far it may be off. Only the worker speaks to it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    url: str = Field(
        pattern=ADDRESS, max_length=2000, description="Its API as the worker reaches it, mostly ending in /v1."
    )
    model: str | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="What it calls the model itself. PPO does without: it always names the adapter of the round.",
    )
    api_key_env: str | None = Field(
        None,
        pattern=KEY_VARIABLE,
        max_length=100,
        description=f"The worker's environment variable that holds the key, {KEY_VARIABLE_HELP}.",
    )
    requests_at_once: int = Field(64, ge=1, le=100, description="Answers that it is asked for side by side.")
    canary_every_iterations: int = Field(
        1,
        ge=1,
        le=100_000,
        description="Rounds between two looks at whether it computes with the weights that are trained.",
    )
    mean_gap_nats: float = Field(
        0.05,
        gt=0,
        le=10,
        description="The run stops when its log-probabilities of known tokens are off by more than this on average.",
    )
    weight_cap: float = Field(
        2.0,
        ge=1,
        le=100,
        description=(
            "A token counts as much more or less as the policy would have drawn it more or less often than the server "
            "did, but not above this."
        ),
    )
    max_gap_nats: float = Field(
        1.0, gt=0, le=100, description="The run stops when one of those log-probabilities is off by more than this."
    )
