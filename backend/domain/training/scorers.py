"""A scorer other than a reward model: a function on the worker, or a service that is asked over HTTP."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.domain.training.base import ADDRESS, KEY_VARIABLE, KEY_VARIABLE_HELP

SCORER_NAME = r"^[a-z][a-z0-9_]{0,39}$"
FUNCTION = r"^[A-Za-z_][A-Za-z0-9_]*\.py:[A-Za-z_][A-Za-z0-9_]*$"

EXAMPLES = [[{"name": "polite", "python": "tone.py:score", "weight": 0.5}]]


class ScorerConfig(BaseModel):
    """One scorer. It is given prompts as messages and completions as texts, and gives a number for each."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: str = Field(pattern=SCORER_NAME, description="What the run's curves call it.")
    role: Literal["reward", "judge"] = Field(
        "reward",
        description="reward: part of what is maximised. judge: only looks on, and decides which policy is kept.",
    )
    weight: float = Field(1.0, ge=-1000, le=1000, description="Its share of the sum that is maximised.")
    python: str | None = Field(
        None,
        pattern=FUNCTION,
        description="`file.py:function` in the worker's folder of scorers (PODIUM_SCORERS_DIR).",
    )
    url: str | None = Field(
        None,
        pattern=ADDRESS,
        max_length=2000,
        description="Where `{prompts, completions}` is posted to, and answered by `{scores}`.",
    )
    compares: bool = Field(
        False,
        description=(
            "Evaluations only: it is asked about two completions (`completions` and `others`) and says for each pair "
            "how likely the first is the better one. It is asked both ways round."
        ),
    )
    api_key_env: str | None = Field(
        None,
        pattern=KEY_VARIABLE,
        max_length=100,
        description=f"The worker's environment variable that holds the key, {KEY_VARIABLE_HELP}.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.python is None) == (self.url is None):
            raise ValueError(f"scorers: “{self.name}” needs either python or url, and not both.")
        if self.api_key_env and not self.url:
            raise ValueError(f"scorers: “{self.name}” needs no key, since it is no service.")
        return self
