"""The rows of data that trainers read and write, one JSON object a line of a file in the run's folder.

Pure data: knows nothing of torch, of SQL or of where the files lie.
"""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Row(BaseModel):
    """A line of an input file. Unknown keys are left out, so that a newer writer does not stop an older trainer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ChatMessage(Row):
    role: str
    content: str


class TextRow(Row):
    """pretrain: one document."""

    text: str


class DemonstrationRow(Row):
    """sft: a prompt and the completion to learn."""

    prompt: tuple[ChatMessage, ...] = Field(min_length=1)
    completion: str


class PromptRow(Row):
    """sample, ppo, evaluate: a prompt to answer."""

    id: str
    prompt: tuple[ChatMessage, ...] = Field(min_length=1)


class RewardedCompletion(Row):
    """One completion of a reward group: `reward` is log-odds centred within the prompt over one global scale."""

    id: str
    text: str
    reward: float | None = None
    weight: float = Field(1.0, ge=0)
    judgments: int = Field(0, ge=0)
    finish_reason: str | None = None
    model: str | None = None


class PairOutcome(Row):
    """One pair out of a judgment: `score` is 1 when completion `a` won, 0 when `b` did, 0.5 for a tie, or between.

    `annotator` is an id: no name leaves the database for a file.
    """

    a: int = Field(ge=0)
    b: int = Field(ge=0)
    score: float = Field(ge=0, le=1)
    weight: float = Field(1.0, ge=0)
    strength: float = Field(1.0, gt=0, le=1)
    """how much better the winner was said to be, as a share of the most that was said; 1 where nobody was asked"""
    judgment: str | None = None
    annotator: str | None = None


class RewardGroup(Row):
    """reward_model: a prompt with all its completions; rankings stay whole, a prompt lies on one side of the split.

    `scale` is the reward set's: rewards times it are log-odds.
    """

    prompt_id: str
    prompt: tuple[ChatMessage, ...] = Field(min_length=1)
    split: Literal["train", "held_out"] = "train"
    completions: tuple[RewardedCompletion, ...] = Field(min_length=1)
    outcomes: tuple[PairOutcome, ...] = ()
    scale: float = Field(1.0, gt=0)

    @model_validator(mode="after")
    def _indices(self) -> Self:
        for outcome in self.outcomes:
            if max(outcome.a, outcome.b) >= len(self.completions):
                raise ValueError(
                    f"an outcome of prompt {self.prompt_id} names completion {max(outcome.a, outcome.b)}, "
                    f"but there are {len(self.completions)}."
                )
            if outcome.a == outcome.b:
                raise ValueError(f"an outcome of prompt {self.prompt_id} compares completion {outcome.a} with itself.")
        return self


class ScoredCompletion(Row):
    """What a reward_model run writes of each completion it read: the score in log-odds, before gain and offset."""

    completion: str
    score: float


class SampledCompletion(Row):
    """What a sample run writes: a completion of a model; token ids and log-probabilities only where we generated it."""

    prompt: str
    model: str
    text: str
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    finish_reason: str
    sampling: dict[str, Any]
