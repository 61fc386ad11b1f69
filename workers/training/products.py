"""Products with a matrix on a CPU, by whoever is faster at them; knows no models."""

import torch
from torch import Tensor
from torch.nn import functional as F

_LEAST_ROWS = 128
_LEAST_WEIGHTS = 2**16
"""For less oneDNN gains nothing, and it has to prepare for each number of rows that it has not seen before."""
_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")  # type: ignore[no-untyped-call]


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None, added: Tensor | None = None) -> Tensor:
    """x (n, in) weight' + bias + added (n, out) for weight (out, in); torch keeps no gradient of it. While all cores
    multiply, oneDNN is a tenth faster than MKL, which torch asks for such products in float32.
    """
    large = len(x) >= _LEAST_ROWS and weight.numel() >= _LEAST_WEIGHTS
    if _ONEDNN and large and x.device.type == "cpu" and x.dtype == torch.float32:
        of = torch.ops.mkldnn._linear_pointwise
        x = x.contiguous()
        return of(x, weight, bias, "none", [], "") if added is None else of.binary(x, added, weight, bias, "add")  # type: ignore[no-any-return]
    y = F.linear(x, weight, bias)
    return y if added is None else y.add_(added)
