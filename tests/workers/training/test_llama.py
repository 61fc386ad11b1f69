"""The layers written out against transformers' own."""

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OlmoConfig,
    OlmoForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    SmolLM3Config,
    SmolLM3ForCausalLM,
)

from tests.workers.training.tiny import backbone_of, gradient, shake, tokenizer_of
from workers.training.backbone import Backbone
from workers.training.llama import _Gated, _Products
from workers.training.packing import Document, pack

SHAPE: dict[str, Any] = {
    "vocab_size": 29, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 96, "initializer_range": 0.2, "pad_token_id": 0,
    "eos_token_id": 1, "bos_token_id": None,
}  # fmt: skip


def some(*shape: int) -> Tensor:
    draw = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=draw, dtype=torch.float64).requires_grad_(True)


def test_each_piece_has_the_gradient_of_its_formula() -> None:
    x, weight, bias, a, b, other = some(5, 4), some(3, 4), some(3), some(2, 4), some(3, 2), some(6, 4)
    parts: list[Any] = [weight, bias, a, b, other, None, None, None]
    first, second = _Products.apply(x, None, None, 0.5, *parts)
    torch.testing.assert_close(first, x @ (weight + 0.5 * b @ a).t() + bias)
    torch.testing.assert_close(second, x @ other.t())
    assert torch.autograd.gradcheck(lambda x, *parts: _Products.apply(x, None, None, 0.5, *parts), (x, *parts))

    residual = some(5, 3)
    torch.testing.assert_close(_Products.apply(x, residual, None, 0.5, *parts[:4])[0], residual + first)
    assert torch.autograd.gradcheck(
        lambda *given: _Products.apply(*given[:2], None, 0.5, *given[2:]), (x, residual, *parts[:4])
    )

    gate, up = some(5, 3), some(3, 5).detach().t().requires_grad_(True)
    torch.testing.assert_close(_Gated.apply(gate, up), torch.sigmoid(gate) * gate * up)
    assert torch.autograd.gradcheck(_Gated.apply, (gate, up))


def test_queries_and_keys_are_turned_by_their_positions() -> None:
    """Two heads of four; the products of queries and keys are those of transformers' order within a head."""
    x, angle = some(5, 4), some(5, 1, 2).detach()
    parts = [some(*shape) for shape in [(8, 4), (8,), (2, 4), (8, 2)] * 3]
    parts = [(part.detach() * (1 + 0.1 * place)).requires_grad_(True) for place, part in enumerate(parts)]
    waves = torch.polar(torch.ones_like(angle), angle)
    q, k, v = _Products.apply(x, None, waves, 0.5, *parts)

    def plain(first: int, turned: bool) -> Tensor:
        weight, bias, a, b = parts[first : first + 4]
        heads = (x @ (weight + 0.5 * b @ a).t() + bias).view(5, 2, 4)
        if not turned:
            return heads
        one, other = heads.chunk(2, -1)
        cos, sin = angle.cos(), angle.sin()
        return torch.cat((one * cos - other * sin, other * cos + one * sin), -1)

    torch.testing.assert_close(
        torch.einsum("nhs,mhs->nmh", q.view(5, 2, 4), k.view(5, 2, 4)),
        torch.einsum("nhs,mhs->nmh", plain(0, True), plain(4, True)),
    )
    torch.testing.assert_close(v.view(5, 2, 4), plain(8, False))
    assert torch.autograd.gradcheck(lambda x, *parts: _Products.apply(x, None, waves, 0.5, *parts), (x, *parts))


def qwen2() -> Backbone:
    model = Qwen2ForCausalLM(Qwen2Config(**SHAPE))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    return Backbone(model, tokenizer_of(29))


@pytest.mark.parametrize("family", ["llama", "qwen2"])
@pytest.mark.parametrize("role", ["policy", None])
def test_states_and_gradients_are_those_of_the_model(family: str, role: str | None) -> None:
    backbone = qwen2() if family == "qwen2" else backbone_of(family)
    assert backbone.llama is not None
    backbone.add_adapter("policy", rank=3, alpha=4.0, seed=0)
    shake(backbone, "policy", 1)
    backbone.model.requires_grad_(role is None)
    learnt = backbone.parameters_of(role) if role else list(backbone.model.base_model.parameters())
    documents = [[5, 6, 7, 8, 9], [10, 11, 12], [13, 14, 15, 16]]
    batch = pack([[Document(ids)] for ids in documents])
    at = torch.tensor([2, 3, 4, 6, 7, 10])
    weights = torch.randn(len(at), 32, generator=torch.Generator().manual_seed(1))

    def found(states: Tensor) -> list[Tensor]:
        for parameter in learnt:
            parameter.grad = None
        (states * weights).sum().backward()
        return [states.detach(), *(gradient(parameter).clone() for parameter in learnt)]

    with backbone.role(role):
        ours = found(backbone.packed_hidden_states(batch, at))
        rows = [torch.tensor([ids]) for ids in documents]
        theirs = found(torch.cat([backbone.hidden_states(r, torch.ones_like(r))[0] for r in rows]).index_select(0, at))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-5)


def test_models_that_are_built_otherwise_are_left_alone() -> None:
    windowed = MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=5))
    normed = Qwen3ForCausalLM(Qwen3Config(**SHAPE))
    # Weights so small that a numeric comparison would not tell.
    small = SHAPE | {"initializer_range": 0.02}
    scaled = GraniteForCausalLM(GraniteConfig(**small, attention_multiplier=0.35))
    clipped = OlmoForCausalLM(OlmoConfig(**small, clip_qkv=0.5))
    fainter = SHAPE | {"initializer_range": 0.005}
    gated = LlamaForCausalLM(LlamaConfig(**fainter, hidden_act="gelu"))
    unturned = SmolLM3ForCausalLM(SmolLM3Config(**fainter, no_rope_layers=[1, 0]))
    for model in (windowed, normed, scaled, clipped, gated, unturned):
        assert Backbone(model, tokenizer_of(29)).llama is None
    assert backbone_of("gpt2").llama is None
