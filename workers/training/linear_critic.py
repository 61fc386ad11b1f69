"""A critic that is a linear function of given hidden states, fitted by ridge regression; knows no models.

Where the states never change, the best linear critic for all answers so far is known in closed form: ridge regression
of returns on states (least squares for value functions: Bradtke, Barto 1996). Trained by gradient steps instead, such a
critic was seen to have negative explained variance for a whole run.
"""

from typing import Any

import torch
from torch import Tensor

RIDGES = (10.0, 1.0, 0.1, 0.01, 0.001)
"""Penalties to choose from, in units of a state's variance: the one whose predictions have been best so far is used."""
AT_ONCE = 4096
"""Tokens whose states are held in double precision at once."""
FADE = 0.9
"""The weight of a round shrinks by this with each later one: as the policy moves on, so do the returns."""


class LinearCritic:
    """Predicts the returns of a round from the rounds before it, and then learns from it."""

    def __init__(self, start: Tensor) -> None:
        """start (d + 1,): weights and bias of a predictor that needs no data, such as a reward head; or zeros."""
        size = start.shape[0]
        made: dict[str, Any] = {"dtype": torch.float64, "device": start.device}
        self.moments, self.products = torch.zeros(size, size, **made), torch.zeros(size, **made)
        self.weights = torch.zeros(1 + len(RIDGES), size, **made)
        """(1 + R, d + 1) of each predictor: the start, and one for each of R ridge penalties"""
        self.weights[0] = start
        self.errors = torch.zeros(len(self.weights), **made)
        """(1 + R,) mean squared errors of each predictor's forecasts, summed over the rounds, faded"""

    @torch.no_grad()
    def __call__(self, states: Tensor, returns: Tensor, half: int) -> Tensor:
        """V (N,) at states (N, d), predicted without their returns (N,), which are learnt afterwards: a value must not
        depend on the return that it is subtracted from. In the first round each half of the answers is predicted from
        the other; the first half has `half` tokens. A round with numbers that are not finite teaches nothing.
        """
        one, other = (_sums(states[part], returns[part]) for part in (slice(half), slice(half, None)))
        if first := not self.moments.any():
            predicted = torch.cat([self._predicted(states[:half], other), self._predicted(states[half:], one)])
        else:
            predicted = self._predicted(states)
        errors = (predicted - returns.double().unsqueeze(1)).square().mean(0)
        best = int((errors if first else self.errors).argmin())
        if not errors.isfinite().all():
            return predicted[:, best].to(returns.dtype)
        self.errors = FADE * self.errors + errors
        self.moments = FADE * self.moments + one[0] + other[0]
        self.products = FADE * self.products + one[1] + other[1]
        self.weights[1:] = _fits(self.moments, self.products)
        return predicted[:, best].to(returns.dtype)

    def _predicted(self, states: Tensor, sums: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """(N, 1 + R): each predictor's values at these states. sums: what the ridges are fitted to (default: all)."""
        weights = self.weights if sums is None else torch.cat((self.weights[:1], _fits(*sums)))
        return torch.cat([_with_one(part) @ weights.t() for part in torch.split(states, AT_ONCE)])

    def state(self) -> dict[str, Tensor]:
        """Tensors from which `restore` goes on bit for bit."""
        return {name: getattr(self, name) for name in ("moments", "products", "weights", "errors")}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """The opposite of `state`."""
        for name, tensor in self.state().items():
            setattr(self, name, tensors[name].to(tensor.device))


def _with_one(states: Tensor) -> Tensor:
    return torch.cat((states.double(), torch.ones_like(states[:, :1], dtype=torch.float64)), 1)


def _sums(states: Tensor, returns: Tensor) -> tuple[Tensor, Tensor]:
    """sum of x x' (d + 1, d + 1) and of x y (d + 1,) over tokens; x is a state followed by 1, y its return."""
    size = states.shape[1] + 1
    moments, products = (states.new_zeros(shape, dtype=torch.float64) for shape in ((size, size), (size,)))
    for part, received in zip(torch.split(states, AT_ONCE), torch.split(returns, AT_ONCE), strict=True):
        x = _with_one(part)
        moments.addmm_(x.t(), x)
        products.addmv_(x.t(), received.double())
    return moments, products


def _fits(moments: Tensor, products: Tensor) -> Tensor:
    """(R, d + 1): weights and bias of a ridge regression for each penalty, from the sums. Each dimension of a state is
    scaled by its deviation, and the bias is not penalised.
    """
    count = moments[-1, -1].clamp(min=1)
    mean, expected = moments[-1, :-1] / count, products[-1] / count
    spread = moments[:-1, :-1] / count - torch.outer(mean, mean)
    along = products[:-1] / count - mean * expected
    deviation = spread.diagonal().clamp(min=0).sqrt()
    # A dimension that never changes tells nothing, and its rounding errors would break the correlation matrix.
    least = torch.maximum(1e-6 * deviation.max(), 1e-5 * (moments.diagonal()[:-1] / count).sqrt())
    unit = torch.where(deviation > least, 1 / deviation, 0)
    correlation, towards = spread * torch.outer(unit, unit), (along * unit).unsqueeze(1)
    fits = []
    for ridge in RIDGES:
        penalised = correlation + ridge * torch.eye(len(unit), dtype=unit.dtype, device=unit.device)
        slopes = torch.cholesky_solve(towards, torch.linalg.cholesky(penalised)).squeeze(1) * unit
        fits.append(torch.cat((slopes, (expected - slopes @ mean).unsqueeze(0))))
    return torch.stack(fits)
