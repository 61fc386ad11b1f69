"""The norm written out against the one it stands for."""

import pytest
import torch

from tests.workers.training.tiny import model_of
from workers.training import fused
from workers.training.fused import _RMSNorm, fuse


def test_norm_and_its_gradients_are_those_of_the_formula() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 5, generator=draw, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, generator=draw, dtype=torch.float64, requires_grad=True)
    by_hand = weight * x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(_RMSNorm.apply(x, weight, 1e-6), by_hand)
    assert torch.autograd.gradcheck(lambda x, weight: _RMSNorm.apply(x, weight, 1e-6), (x, weight))


def test_all_norms_of_a_llama_are_replaced_and_its_gradients_stay() -> None:
    ids = torch.arange(3, 23).view(2, 10)
    found = []
    for replace in (False, True):
        model = model_of("llama").eval()
        if replace:
            fuse(model)
            replaced = [name for name, module in model.named_modules() if "forward" in vars(module)]
            assert len(replaced) == 2 * 2 + 1
        loss = model(input_ids=ids).logits.square().mean()
        loss.backward()
        found.append([loss.detach(), *(p.grad for p in model.parameters())])
    for own, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, own, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("change", ["shifted", "low precision"])
def test_a_norm_that_computes_something_else_is_left_alone(change: str) -> None:
    model = model_of("llama")
    norm = model.model.norm
    if change == "shifted":  # as Gemma's, which multiplies by 1 + weight
        own = type(norm).forward
        norm.forward = lambda x: own(norm, x) + x
    else:
        model.to(torch.bfloat16)
    before = norm.forward
    fuse(model)
    assert norm.forward == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_where_torch_has_a_norm_of_its_own_it_is_used(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "NATIVE", {"cpu"})
    monkeypatch.setattr(_RMSNorm, "apply", None)
    ids = torch.arange(3, 23).view(2, 10)
    found = []
    for native in (False, True):
        model = model_of("llama").eval().to(dtype)
        if native:
            fuse(model)
            assert len([name for name, module in model.named_modules() if "forward" in vars(module)]) == 2 * 2 + 1
        loss = model(input_ids=ids).logits.float().square().mean()
        loss.backward()
        found.append([loss.detach(), *(p.grad for p in model.parameters())])
    near = {torch.float32: 1e-5, torch.bfloat16: 2e-2}[dtype]
    for own, ours in zip(*found, strict=True):
        assert float((ours - own).abs().max()) <= near * float(own.abs().max())
