"""A critic that is linear in states which others compute, and is solved instead of stepped; knows no models.

Where states do not change, the best linear critic of all answers so far is known in closed form: ridge regression of
returns on states (least squares for value functions: Bradtke, Barto 1996). Gradient steps on them were seen to mislead
for a whole run.
"""

from typing import Any

import torch
from torch import Tensor

RIDGES = (10.0, 1.0, 0.1, 0.01, 0.001)
"""Strengths of the penalty, in variances of a state: which one serves shows by what it would have foreseen."""
AT_ONCE = 4096
"""Tokens whose states are there in double precision."""
FADE = 0.9
"""What an earlier round still counts after one more: the policy, and so what is to be received, moves on."""


class LinearCritic:
    """Expects of each token of a round what the rounds before told, and learns from the round then."""

    def __init__(self, start: Tensor) -> None:
        """start (d + 1,): weights and offset that may foresee something before anything was seen, or zeros."""
        size = start.shape[0]
        made: dict[str, Any] = {"dtype": torch.float64, "device": start.device}
        self.moments, self.products = torch.zeros(size, size, **made), torch.zeros(size, **made)
        self.weights = torch.zeros(1 + len(RIDGES), size, **made)
        """of those who foresee: the start, and one for each ridge"""
        self.weights[0] = start
        self.errors = torch.zeros(len(self.weights), **made)
        """squared ones of each, over the rounds, faded"""

    @torch.no_grad()
    def __call__(self, states: Tensor, returns: Tensor, half: int) -> Tensor:
        """(N,): what was to be expected at states (N, d) of whose returns (N,) nothing was known; they are learnt after
        that. In the first round each half of the answers is foreseen from the other; `half` tokens are in the first.
        From a round with numbers that are none nothing is learnt.
        """
        one, other = (_sums(states[part], returns[part]) for part in (slice(half), slice(half, None)))
        if first := not self.moments.any():
            foreseen = torch.cat([self._foreseen(states[:half], other), self._foreseen(states[half:], one)])
        else:
            foreseen = self._foreseen(states)
        errors = (foreseen - returns.double().unsqueeze(1)).square().mean(0)
        best = int((errors if first else self.errors).argmin())
        if not errors.isfinite().all():
            return foreseen[:, best].to(returns.dtype)
        self.errors = FADE * self.errors + errors
        self.moments = FADE * self.moments + one[0] + other[0]
        self.products = FADE * self.products + one[1] + other[1]
        self.weights[1:] = _fits(self.moments, self.products)
        return foreseen[:, best].to(returns.dtype)

    def _foreseen(self, states: Tensor, sums: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """(N, 1 + R): what each expects at these states; sums: of what the ridges have learnt, if not of everything."""
        weights = self.weights if sums is None else torch.cat((self.weights[:1], _fits(*sums)))
        return torch.cat([_with_one(part) @ weights.t() for part in torch.split(states, AT_ONCE)])

    def state(self) -> dict[str, Tensor]:
        """All that it knows."""
        return {name: getattr(self, name) for name in ("moments", "products", "weights", "errors")}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """The opposite."""
        for name, tensor in self.state().items():
            setattr(self, name, tensors[name].to(tensor.device))


def _with_one(states: Tensor) -> Tensor:
    return torch.cat((states.double(), torch.ones_like(states[:, :1], dtype=torch.float64)), 1)


def _sums(states: Tensor, returns: Tensor) -> tuple[Tensor, Tensor]:
    """Those of x x' and of x y over tokens, where x is a state and a 1."""
    size = states.shape[1] + 1
    moments, products = (states.new_zeros(shape, dtype=torch.float64) for shape in ((size, size), (size,)))
    for part, received in zip(torch.split(states, AT_ONCE), torch.split(returns, AT_ONCE), strict=True):
        x = _with_one(part)
        moments.addmm_(x.t(), x)
        products.addmv_(x.t(), received.double())
    return moments, products


def _fits(moments: Tensor, products: Tensor) -> Tensor:
    """Weights and offset (R, d + 1) of the ridge regressions with these sums. Each state is taken in units of its
    deviation, and the offset costs nothing.
    """
    count = moments[-1, -1].clamp(min=1)
    mean, expected = moments[-1, :-1] / count, products[-1] / count
    spread = moments[:-1, :-1] / count - torch.outer(mean, mean)
    along = products[:-1] / count - mean * expected
    deviation = spread.diagonal().clamp(min=0).sqrt()
    # What never changes tells nothing; what is left of it by rounding would even make no matrix of correlations.
    least = torch.maximum(1e-6 * deviation.max(), 1e-5 * (moments.diagonal()[:-1] / count).sqrt())
    unit = torch.where(deviation > least, 1 / deviation, 0)
    correlation, towards = spread * torch.outer(unit, unit), (along * unit).unsqueeze(1)
    fits = []
    for ridge in RIDGES:
        penalised = correlation + ridge * torch.eye(len(unit), dtype=unit.dtype, device=unit.device)
        slopes = torch.cholesky_solve(towards, torch.linalg.cholesky(penalised)).squeeze(1) * unit
        fits.append(torch.cat((slopes, (expected - slopes @ mean).unsqueeze(0))))
    return torch.stack(fits)
