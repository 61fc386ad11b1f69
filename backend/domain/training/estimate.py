"""What a run will take of memory and disk, from its config and the shapes of its models, before anything is loaded.

Pure arithmetic, right to about a third: it is there to tell a run that cannot work from one that can, within seconds.
What is counted, in bytes, with N weights of b bytes each, A weights of an adapter, m = tokens_per_microbatch:

weights        N b; of several models that follow one another the largest
training       16 a trained weight: itself (where it is not counted above), its gradient and two moments, in float32;
               where a CPU's cores each have a micro-batch, 4 more for each of them
activations    what a backward pass over m tokens needs of each layer, and of the vocabulary's chunk
answers        keys and values of all tokens that are written at once, and the logits of their rows
copies         weights with an adapter folded in, while answering on a CPU and while the result is saved and read back;
               for a GPU's model they are made where there is room, in the machine's memory if need be
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.domain.training import (
    EvaluateConfig,
    PPOConfig,
    PretrainConfig,
    RewardModelConfig,
    RunConfig,
    SampleConfig,
    SFTConfig,
)

ANSWERED_AT_ONCE = 16_384
"""Tokens that trainers let a model write side by side (`generation.TOKENS_AT_ONCE`)."""
CHUNK = {"ppo": 2048}
"""Rows of logits that are there at once while training (`logprobs`, `likelihood`)."""
LOGIT_BYTES = {"train": 16, "answer": 32}
"""A place of the vocabulary: logits, their softmax and gradient; while a token is drawn, also sums in float64."""
UNGATED_FACTOR = 6.0
"""Saved values of an ungated feed-forward layer, in its widths: gelu as most models write it keeps several."""
TOKENIZER = 10 << 20


@dataclass(frozen=True)
class Shape:
    """What of a model's config.json the arithmetic needs. `weights` is exact where its files could be looked at."""

    weights: int
    layers: int
    hidden: int
    feed_forward: int
    gated: bool
    queries: int
    """width of all query heads together"""
    keys: int
    """width of all key heads together"""
    vocabulary: int
    positions: int

    @classmethod
    def of(cls, config: Mapping[str, Any], weights: int | None = None) -> "Shape":
        """From config.json. Names differ by family; what is missing is taken as the usual. Raises ValueError for a
        config that tells no width."""
        about = config.get("text_config") or config

        def first(*names: str, usual: int = 0) -> int:
            return next((int(about[name]) for name in names if about.get(name)), usual)

        hidden = first("hidden_size", "n_embd")
        if not hidden:
            raise ValueError("The config has neither hidden_size nor n_embd.")
        layers = first("num_hidden_layers", "n_layer", usual=1)
        heads = first("num_attention_heads", "n_head", usual=1)
        size = first("head_dim", usual=hidden // heads)
        shape = cls(
            weights=0,
            layers=layers,
            hidden=hidden,
            feed_forward=first("intermediate_size", "n_inner", "ffn_dim", usual=4 * hidden),
            gated=about.get("hidden_act", "") in ("silu", "swiglu", "gelu_pytorch_tanh")
            and about.get("model_type") not in ("phi", "gpt_neox", "starcoder2"),
            queries=heads * size,
            keys=first("num_key_value_heads", usual=heads) * size,
            vocabulary=first("vocab_size", usual=1),
            positions=first("max_position_embeddings", "n_positions", usual=2048),
        )
        tied = about.get("tie_word_embeddings", config.get("tie_word_embeddings", True))
        counted = layers * shape.linear + (1 if tied else 2) * shape.vocabulary * hidden
        return cls(**{**shape.__dict__, "weights": weights or counted})

    @property
    def _sides(self) -> list[tuple[int, int]]:
        """Inputs and outputs of a layer's matrices."""
        d, f = self.hidden, self.feed_forward
        attention = [(d, self.queries), (d, self.keys), (d, self.keys), (self.queries, d)]
        return attention + [(d, f)] * (2 if self.gated else 1) + [(f, d)]

    @property
    def linear(self) -> int:
        """Weights of a layer's matrices."""
        return sum(inputs * outputs for inputs, outputs in self._sides)

    def adapter(self, rank: int) -> int:
        """Weights of a LoRA adapter on all of them."""
        return rank * self.layers * sum(inputs + outputs for inputs, outputs in self._sides)

    def activations(self, tokens: int, width: int, rank: int = 0) -> int:
        """Bytes that a backward pass over so many tokens needs, `width` of them a number.

        Of each layer: both norms' inputs, what they scale and give; queries, keys, values and what attention gives,
        twice; the two sides of the gate, the gate itself and their product. With an adapter its inner states.
        """
        inner = (4.0 if self.gated else UNGATED_FACTOR) * self.feed_forward
        each = 6 * self.hidden + 5 * self.queries + inner + rank * len(self._sides)
        return int(tokens * self.layers * each * width)

    def answers(self, tokens: int, rows: int, width: int) -> int:
        """Bytes of the keys and values of so many tokens, and of the logits of the rows that they are in."""
        return tokens * self.layers * 2 * self.keys * width + rows * self.vocabulary * LOGIT_BYTES["answer"]


@dataclass(frozen=True)
class Needs:
    """Bytes of memory by part, of which `peaks` do not come together; of disk in the run's folder and in the store."""

    parts: Mapping[str, int]
    peaks: Mapping[str, int]
    folder: int = 0
    stored: int = 0

    @property
    def memory(self) -> int:
        """All that is there at the worst moment."""
        return sum(self.parts.values()) + max(self.peaks.values(), default=0)

    @property
    def largest(self) -> str:
        """The name of what takes most at that moment."""
        worst = sorted(self.peaks.items(), key=lambda peak: peak[1])[-1:]
        return max([*self.parts.items(), *worst], key=lambda part: part[1])[0]


def needs(config: RunConfig, models: Mapping[str, Shape], *, cuda: bool, devices: int = 1, cores: int = 1) -> Needs:
    """What a run takes on one device. models: by input (`model`; `models/0` ...), those that are not here left out.
    cores: how many compute gradients side by side.
    """
    width = 2 if cuda else 4
    if isinstance(config, PretrainConfig) or (
        isinstance(config, SFTConfig | RewardModelConfig) and config.method == "full"
    ):
        shape = models["model"] if "model" in models else new_shape(config)
        return _full(config, shape, width, devices, cores, _own(models))
    if isinstance(config, SFTConfig | RewardModelConfig):
        return _adapter(config, models["model"], width, _own(models))
    if isinstance(config, PPOConfig):
        own = sum(models[name].weights for name in ("reward_model", "judge") if name in models)
        return _ppo(config, models["model"], width, cuda, own)
    if isinstance(config, SampleConfig | EvaluateConfig) and models:
        return _answering(config, models, width)
    return Needs({}, {})


def new_shape(config: RunConfig) -> Shape:
    """Of the model that a pretraining run makes."""
    assert isinstance(config, PretrainConfig)
    llama = config.architecture == "llama"
    usual = -(-8 * config.hidden_size // 24) * 8 if llama else 4 * config.hidden_size
    return Shape.of(
        {
            "hidden_size": config.hidden_size,
            "num_hidden_layers": config.layers,
            "num_attention_heads": config.heads,
            "intermediate_size": config.feed_forward_size or usual,
            "hidden_act": "silu" if llama else "gelu_new",
            "vocab_size": config.vocabulary_size,
            "tie_word_embeddings": config.tie_embeddings,
            "max_position_embeddings": config.context_tokens,
        }
    )


def _own(models: Mapping[str, Shape]) -> int:
    """Weights that a reward model brings along which looks at fine-tuning."""
    return sum(models[name].weights for name in ("reward_model", "reward_model_backbone") if name in models)


def _logits(shape: Shape, tokens: int, kind: str = "") -> int:
    return min(tokens, CHUNK.get(kind, 4096)) * shape.vocabulary * LOGIT_BYTES["train"]


def _full(
    config: PretrainConfig | SFTConfig | RewardModelConfig,
    shape: Shape,
    width: int,
    devices: int,
    cores: int,
    others: int,
) -> Needs:
    """others: weights that are not trained."""
    m, weights = config.tokens_per_microbatch, shape.weights
    kept = _kept(config)
    here = 0 if width == 2 and devices == 1 else kept
    own_gradients = 4 * cores if cores > 1 and devices == 1 else 0
    peaks = {"activations": shape.activations(m, width)}
    if not isinstance(config, RewardModelConfig):
        peaks["activations"] += _logits(shape, m)
    else:
        peaks["copies"] = 4 * weights
        if config.normalise_samples:  # written by the model as it was
            answers = _answers(shape, config.normalise_samples, config.normalise_max_new_tokens, width)
            peaks["answers"] = weights * width + answers
    trained = (12 + here + own_gradients) * weights
    return Needs(
        {"weights": 4 * weights // devices + width * others, "training": trained // devices},  # parted among them
        peaks,
        folder=2 * (12 + kept) * weights + 4 * weights + TOKENIZER,
        stored=4 * weights + TOKENIZER,
    )


def _kept(config: RunConfig) -> int:
    """Bytes of a trained weight as it was when the model was at its best: in the machine's memory, if not parted."""
    return 0 if getattr(config, "keep", "last") == "last" else 4


def _adapter(config: SFTConfig | RewardModelConfig, shape: Shape, width: int, others: int) -> Needs:
    """others: weights of another model beside this one."""
    m, adapter = config.tokens_per_microbatch, shape.adapter(config.lora_rank)
    peaks = {"activations": shape.activations(m, width, config.lora_rank)}
    merged = 0
    if isinstance(config, SFTConfig):
        peaks["activations"] += _logits(shape, m)
        merged = shape.weights * width
        peaks["copies"] = 0 if width == 2 else merged
    elif config.normalise_samples:
        peaks["answers"] = _answers(shape, config.normalise_samples, config.normalise_max_new_tokens, width)
    output = merged + 4 * adapter + TOKENIZER
    return Needs(
        {"weights": (shape.weights + others) * width, "training": (16 + (width == 4) * _kept(config)) * adapter},
        peaks,
        folder=2 * (12 + _kept(config)) * adapter + output,
        stored=output,
    )


def _ppo(config: PPOConfig, shape: Shape, width: int, cuda: bool, reward_models: int) -> Needs:
    """reward_models: weights of those that are no adapters."""
    m, adapter = config.tokens_per_microbatch, shape.adapter(config.lora_rank)
    critic = config.critic if config.advantage_estimator == "gae" else None
    trained = adapter * (1 + (critic == "separate"))
    reads = critic in ("reward", "shared")
    read = config.episodes_per_iteration * config.max_new_tokens * shape.hidden if reads else 0
    solved = 8 * 5 * shape.hidden**2 if reads else 0  # moments, and what solving takes
    kept = adapter * (1 + bool(config.judge or any(one.role == "judge" for one in config.scorers)))
    merged = shape.weights * width
    answers = _answers(shape, config.episodes_per_iteration, config.max_new_tokens, width)
    output = merged + 4 * adapter + TOKENIZER
    return Needs(
        {
            "weights": merged + reward_models * width,
            "training": 16 * trained + 4 * kept + 4 * adapter * (1 + bool(config.judge)) + width * read + solved,
        },
        {
            "activations": shape.activations(m, width, config.lora_rank) + _logits(shape, m, "ppo"),
            **({} if config.engine else {"answers": answers + (0 if cuda else merged)}),
            "copies": 0 if cuda else merged,
        },
        folder=2 * (12 * trained + 4 * kept) + output,
        stored=output,
    )


def _answering(config: SampleConfig | EvaluateConfig, models: Mapping[str, Shape], width: int) -> Needs:
    largest = max(models.values(), key=lambda shape: shape.weights)
    answers = max(_answers(s, 256, config.max_new_tokens, width, config.tokens_per_microbatch) for s in models.values())
    return Needs({"weights": largest.weights * width}, {"answers": answers})


def _answers(shape: Shape, rows: int, new: int, width: int, at_once: int = ANSWERED_AT_ONCE) -> int:
    """Of that many answers: prompts are taken to be as long as the answers."""
    long = min(2 * new, shape.positions)
    rows = max(1, min(rows, at_once // long))
    return shape.answers(rows * long, rows, width)


def tokens_that_fit(needed: Needs, tokens: int, free: int) -> int | None:
    """A lower tokens_per_microbatch, a power of two, with which the run would fit; None where no such thing helps."""
    activations = needed.peaks.get("activations", 0)
    rest = free - sum(needed.parts.values())
    if not activations or any(size > rest for name, size in needed.peaks.items() if name != "activations"):
        return None
    most = int(tokens * rest / activations)
    return 2 ** int(math.log2(most)) if most >= 64 else None
