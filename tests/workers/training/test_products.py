"""What `products` multiplies is what mathematics gives, whoever does it."""

import pytest
import torch
from torch import Tensor

from workers.training import products
from workers.training.products import product


@pytest.mark.parametrize("rows", [3, 200])
@pytest.mark.parametrize("onednn", [True, False])
def test_a_product_is_the_same_whoever_computes_it(rows: int, onednn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_ONEDNN", onednn and products._ONEDNN)
    draw = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw)

    for x, weight in (
        (normal(rows, 256), normal(300, 256)),
        (normal(256, rows).t(), normal(256, 300).t()),  # neither lies in memory row by row
        (normal(2, rows, 256)[:, ::2].flatten(0, 1), normal(300, 256)),
    ):
        bias, added = normal(300), normal(len(x), 300)
        kept = added.clone()
        exact = x.double() @ weight.double().t()
        torch.testing.assert_close(product(x, weight).double(), exact, rtol=1e-5, atol=1e-4)
        whole = product(x, weight, bias, added).double()
        torch.testing.assert_close(whole, exact + bias.double() + added.double(), rtol=1e-5, atol=1e-4)
        assert torch.equal(added, kept)
