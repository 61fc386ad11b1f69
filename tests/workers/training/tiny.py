"""Tiny random models and a word tokenizer, made from configs on the spot; what the training tests stand on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from workers.training.backbone import Backbone

CPU = torch.device("cpu")
FAMILIES = ("llama", "gpt2")


def tokenizer_of(vocabulary: int) -> PreTrainedTokenizerFast:
    """Words w3, w4, ... with <pad> 0, <eos> 1, <unk> 2."""
    words = ["<pad>", "<eos>", "<unk>", *(f"w{i}" for i in range(3, vocabulary))]
    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")


def model_of(
    family: str, *, vocabulary: int = 29, hidden: int = 32, layers: int = 2, positions: int = 96, seed: int = 0
):
    torch.manual_seed(seed)
    if family == "llama":
        config = LlamaConfig(
            vocab_size=vocabulary, hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=layers,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=positions, attention_dropout=0.3,
            initializer_range=0.2, pad_token_id=0, eos_token_id=1, bos_token_id=None, tie_word_embeddings=False,
        )  # fmt: skip
        return LlamaForCausalLM(config)
    config = GPT2Config(
        vocab_size=vocabulary, n_embd=hidden, n_layer=layers, n_head=4, n_positions=positions, attn_pdrop=0.3,
        resid_pdrop=0.3, embd_pdrop=0.3, initializer_range=0.2, pad_token_id=0, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


def folder_of(folder: Path, family: str, **shape: int) -> Path:
    """A saved tiny model with its tokenizer."""
    model = model_of(family, **shape)
    model.save_pretrained(folder)
    tokenizer_of(model.config.vocab_size).save_pretrained(folder)
    return folder


def backbone_of(family: str, **shape: int) -> Backbone:
    model = model_of(family, **shape)
    return Backbone(model, tokenizer_of(model.config.vocab_size))


def shake(backbone: Backbone, name: str, seed: int, size: float = 0.1) -> None:
    """Give an adapter, whose B starts at zero, an effect."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in backbone.parameters_of(name):
            parameter.add_(torch.randn(parameter.shape, generator=draw) * size)


def right_padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids, mask


def left_padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    ids, mask = right_padded([row[::-1] for row in rows])
    return ids.flip(1), mask.flip(1)


@contextmanager
def kept_for_backward() -> Iterator[list[torch.Size]]:
    """The shapes of what the forward passes within keep for their backward passes."""
    shapes: list[torch.Size] = []

    def keep(tensor: Tensor) -> Tensor:
        shapes.append(tensor.shape)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield shapes


def gradient(parameter: Tensor) -> Tensor:
    """Its gradient, which must be there."""
    assert parameter.grad is not None
    return parameter.grad
