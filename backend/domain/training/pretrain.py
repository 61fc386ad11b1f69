"""What a pretraining run is asked to do."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from backend.domain.training.base import KEEP_HELP, OptimiserConfig, names


class PretrainConfig(OptimiserConfig):
    """A causal language model from the project's documents: tokenizer first, then the weights."""

    title: ClassVar[str] = "Pretrain a language model"
    description: ClassVar[str] = (
        "Learns a tokenizer and a small causal language model from the project's documents, or trains a given model "
        "further."
    )

    model: str | None = Field(
        None,
        description=(
            "Train this model further, with its own tokenizer and shape. Empty: make a new one of the shape below."
        ),
        json_schema_extra=names("model"),
    )
    keep: Literal["lowest_loss", "last"] = Field("lowest_loss", description=KEEP_HELP)
    architecture: Literal["llama", "gpt2"] = Field("llama", description="Family of a new model.")
    hidden_size: int = Field(128, ge=8, le=16_384, description="Width of a new model.")
    layers: int = Field(4, ge=1, le=256, description="Layers of a new model.")
    heads: int = Field(
        4, ge=1, le=256, description="Attention heads of a new model; hidden_size must be a multiple of them."
    )
    feed_forward_size: int | None = Field(
        None,
        ge=8,
        le=131_072,
        description="Inner width of the feed-forward layers. Empty: 8/3 of hidden_size for llama, 4 times for gpt2.",
    )
    vocabulary_size: int = Field(
        1024,
        ge=300,
        le=1_000_000,
        description=(
            "Size of a new model's vocabulary (byte-level BPE, special tokens included); fewer when the texts "
            "hold no more merges."
        ),
    )
    context_tokens: int = Field(
        256,
        ge=8,
        le=1_048_576,
        description="Longest sequence of a new model. Longer texts are cut into pieces of this length.",
    )
    tie_embeddings: bool = Field(True, description="A new model uses one matrix for its input and output embeddings.")
    chat_template: bool = Field(
        True,
        description=(
            "Save a chat template with a new tokenizer, so that prompts are encoded as messages; otherwise "
            "prompts are plain text to be continued."
        ),
    )
    epochs: float = Field(1.0, gt=0, le=10_000, description="Passes over the texts.")
    max_steps: int | None = Field(
        None, ge=1, description="End after so many optimiser steps even if the passes are not over."
    )
    texts_per_step: int = Field(32, ge=1, le=1_000_000, description="Texts of one optimiser step.")
    learning_rate: float = Field(
        3e-3, gt=0, le=1, description="Highest learning rate of AdamW, reached at the end of the warm-up."
    )
    weight_decay: float = Field(
        0.01, ge=0, le=1, description="Decoupled weight decay of matrices; biases, norms and embeddings have none."
    )
    held_out_share: float = Field(
        0.02,
        ge=0,
        le=0.5,
        description="Share of the texts that is kept out of training to measure the loss (chosen by the text's hash).",
    )

    @model_validator(mode="after")
    def _shape(self) -> Self:
        if self.hidden_size % self.heads:
            raise ValueError(
                f"hidden_size must be a multiple of heads, but {self.hidden_size} is not one of {self.heads}."
            )
        if self.architecture == "llama" and (self.hidden_size // self.heads) % 2:
            raise ValueError(
                "hidden_size divided by heads must be even for a llama (rotary positions turn pairs of numbers)."
            )
        return self
