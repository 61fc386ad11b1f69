"""Davidson's model of ties, which gives them a parameter of their own instead of counting them half [Davidson 1970]."""

import math
from dataclasses import dataclass

import numpy as np

from backend.domain.bradley_terry import LONGEST_STEP, NEWTON_STEPS, TOLERANCE, Floats, reachable
from backend.errors import Invalid


@dataclass(frozen=True, slots=True)
class Davidson:
    """Utilities with mean zero, and v: a tie between equals is v / (1 + v) as likely as a decision."""

    utility: Floats
    v: float
    steps: int


def fit_davidson(wins: Floats, ties: Floats) -> Davidson:
    """Davidson's model of ties: win : tie : loss = e^(d/2) : 2v : e^(-d/2), d the gap in log-odds [Davidson 1970].

    `wins[i, j]` counts decisions for i against j, `ties` (symmetric) the ties. Its utilities lie on a wider scale than
    those of half-counted ties and must not be mixed with them. Raises Invalid when the votes do not hold all models.
    """
    count = len(wins)
    if not reachable(((wins + ties) > 0)[None]).all() or not ties.any():
        raise Invalid("these votes do not connect all models both ways, or hold no tie: use Bradley-Terry with a ridge")
    games = wins + wins.T + ties
    pulled = (wins - wins.T).sum(axis=1) / 2.0
    tied = ties.sum() / 2.0
    utility, log_v = np.zeros(count), 0.0
    gauge = games.sum() / count**2
    diagonal = np.arange(count)
    for step_number in range(1, NEWTON_STEPS + 1):
        up = np.exp((utility[:, None] - utility[None, :]) / 2.0)
        whole = up + up.T + 2.0 * math.exp(log_v)
        tie = 2.0 * math.exp(log_v) / whole
        lead = (up - up.T) / whole
        gradient = np.r_[pulled - (games * lead).sum(axis=1) / 2.0, tied - (games * tie).sum() / 2.0]
        known = games * (1.0 - tie - lead**2) / 4.0
        hessian = np.zeros((count + 1, count + 1))
        hessian[:count, :count] = -known + gauge
        hessian[diagonal, diagonal] += known.sum(axis=1)
        hessian[:count, count] = hessian[count, :count] = -(games * lead * tie).sum(axis=1) / 2.0
        hessian[count, count] = (games * tie * (1.0 - tie)).sum() / 2.0
        step = np.linalg.solve(hessian, gradient)
        length = float(np.abs(step).max())
        step *= min(1.0, LONGEST_STEP / max(length, LONGEST_STEP))
        utility, log_v = utility + step[:count], log_v + float(step[count])
        if length < TOLERANCE:
            return Davidson(utility - utility.mean(), math.exp(log_v), step_number)
    raise ArithmeticError(f"Davidson's model did not converge in {NEWTON_STEPS} steps")
