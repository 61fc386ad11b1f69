"""When a policy is suspected of cheating its reward, and what is done then."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class GuardConfig(BaseModel):
    """The rules that watch a policy while it learns; each holds the last rounds against the first one."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    action: Literal["stop", "warn"] = Field(
        "stop",
        description=(
            "What happens when a rule about cheating is broken. stop: the run ends and keeps the policy of before. "
            "warn: the run goes on, and its page says so."
        ),
    )
    patience_iterations: int = Field(
        3, ge=1, le=1000, description="The means of so many last rounds are held against the first one."
    )
    length_factor: float = Field(
        2.0,
        gt=1,
        le=100,
        description=(
            "Broken when answers are so many times longer or shorter on average than at first, beyond chance; those "
            "that were cut may learn to end."
        ),
    )
    liked_length_factor: float = Field(
        1.25,
        gt=1,
        le=100,
        description="The same in the direction that the reward likes, where its scores are seen to be little else.",
    )
    truncated_share_rise: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Broken when the share of answers cut before their end has risen by more, beyond chance.",
    )
    entropy_share: float = Field(
        0.3, ge=0, lt=1, description="Broken when the entropy of the tokens falls below this share of the first."
    )
    distinct4_share: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="Broken when the share of different runs of four tokens falls below this share of the first.",
    )
    commonest_token_rise: float = Field(
        0.2, gt=0, le=1, description="Broken when one token's share of all tokens has risen by more than this."
    )
    clip_fraction: float = Field(
        0.4, gt=0, le=1, description="Warned of when more than this share of tokens is clipped: the steps are too long."
    )
    warm_up_iterations: int = Field(
        10, ge=0, le=100_000, description="Rounds before a critic that explains nothing is warned of."
    )
