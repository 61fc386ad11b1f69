"""What the configs of all kinds of run share, and the settings that several kinds have in common.

Fields that name something registered carry `x-podium` in their schema, which tells the form what to offer:
`model` (a registry name `namespace/name`), `checkpoint`, `reward_set`, `output_name` (a new name to give).
"""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[A-Za-z0-9][A-Za-z0-9._-]{0,94}$"

ADDRESS = r"^https?://"

# Only a variable that is there to be sent to a service may be named as a key: whoever chooses where it is sent could
# otherwise read any secret of the machine.
KEY_VARIABLE = r"^([A-Z][A-Z0-9_]*_API_KEY|API_KEY|HF_TOKEN)$"
KEY_VARIABLE_HELP = "such as OPENAI_API_KEY; the name ends in API_KEY, or is HF_TOKEN"

Split = Literal["all", "train", "held_out"]
SPLIT_HELP = (
    "Which prompts of the project: all, those that training may use, or those held out from the training of reward "
    "models and policies (a fixed share, chosen by the prompt's hash, the same for ever)."
)


def names(what: str) -> dict[str, Any]:
    """The schema mark that tells the form which registered things to offer for a field."""
    return {"x-podium": what}


def _form_order(schema: dict[str, Any], config: type[BaseModel]) -> None:
    """A form asks first for what it must know, then for the kind's own settings, then for the general ones."""
    general = OptimiserConfig.model_fields.keys() | LoraConfig.model_fields.keys() | SamplingConfig.model_fields.keys()
    required = schema.get("required", [])
    properties = schema["properties"]
    order = sorted(properties, key=lambda name: (name not in required, name in general))  # stable inside each part
    schema["properties"] = {name: properties[name] for name in order}


class RunConfig(BaseModel):
    """What all kinds of run share: rejects unknown fields, never changes once made, and draws its own form."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, json_schema_extra=_form_order
    )

    title: ClassVar[str] = ""
    description: ClassVar[str] = ""

    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        description="Seed of every random draw: the same inputs on the same machine give the same bits.",
    )


class OutputConfig(RunConfig):
    """A run that makes a checkpoint."""

    output_name: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        description=(
            "Name (namespace/name) of the checkpoint that the run makes; it must be new. Empty: named after the run."
        ),
        json_schema_extra=names("output_name"),
    )
    devices: int = Field(
        1,
        ge=1,
        le=64,
        description=(
            "GPUs of the worker's machine to train on, with the result of one. Without a GPU: processes on its "
            "processor."
        ),
    )


class OptimiserConfig(OutputConfig):
    """The optimiser settings of the supervised trainers (pretrain, sft, reward_model)."""

    learning_rate: float = Field(
        2e-4, gt=0, le=1, description="Highest learning rate of AdamW, reached at the end of the warm-up."
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="How the learning rate falls after the warm-up."
    )
    warmup_share: float = Field(
        0.03, ge=0, le=0.5, description="Share of all optimiser steps during which the learning rate rises from 0."
    )
    final_learning_rate_share: float = Field(
        0.0, ge=0, le=1, description="Share of the learning rate that is left at the last step."
    )
    weight_decay: float = Field(
        0.0, ge=0, le=1, description="Decoupled weight decay of matrices; biases, norms and embeddings have none."
    )
    gradient_clip_norm: float = Field(1.0, gt=0, description="Gradients longer than this are scaled down to it.")
    tokens_per_microbatch: int = Field(
        4096,
        ge=16,
        le=2**20,
        description=(
            "Tokens of one forward and backward pass. It bounds memory and changes nothing else: the loss is "
            "divided by the whole step's count."
        ),
    )
    max_bad_steps: int = Field(
        10,
        ge=1,
        le=10_000,
        description="The run stops with an error after so many skipped steps (loss or gradient not finite) in a row.",
    )
    evaluate_every_steps: int = Field(
        50, ge=1, description="Held-out numbers are taken before the first step, each so many steps, and at the end."
    )
    save_every_s: float = Field(
        60.0,
        ge=0,
        description="Seconds between saves of a state from which the run can resume; 0 saves after each step.",
    )


KEEP_HELP = (
    "Which weights are saved: those of the evaluation with the lowest held-out loss, or those after the last step "
    "(also where nothing is held out)."
)


class LoraConfig(BaseModel):
    """Mixed into the configs that can train a low-rank adapter."""

    lora_rank: int = Field(16, ge=1, le=1024, description="Rank of the LoRA adapter on all linear layers.")
    lora_alpha: float = Field(32.0, gt=0, description="The adapter's output is multiplied by alpha / rank.")


class SamplingConfig(RunConfig):
    """How completions are drawn. Nothing is taken from a model's own generation settings."""

    temperature: float = Field(
        1.0,
        ge=0,
        le=10,
        description="Logits are divided by it before a token is drawn; 0 always takes the likeliest token.",
    )
    max_new_tokens: int = Field(
        128,
        ge=1,
        le=131_072,
        description="Longest completion; a completion that does not end by then is cut and marked `length`.",
    )
