"""From ratings to scalar rewards: centred within the prompt, over one global scale, with a weight of how sure we are.

Only differences within a prompt are known from comparisons, so every prompt's rewards have mean zero. One scale for all
prompts keeps the size: a prompt whose completions are all alike stays near zero, where a z-score per prompt would turn
its noise into ±1. Ratings are read in log-odds (Elo's expected score is the logistic function of that difference).
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from backend.domain.elo import POINTS_PER_LOG_ODDS
from backend.errors import Invalid

# The share of prompts that no reward model and no policy is trained on. It never changes: a prompt that was held out
# once stays held out.
HELD_OUT_SHARE = 0.2

# Rewards beyond this many global deviations are outliers that would own the loss.
CLIP = 5.0

# Variance, in squared log-odds, of the part of quality that no reward model can see: it bounds the weight of a
# completion that was judged a thousand times.
UNSEEN_VARIANCE = 0.2

Split = Literal["train", "held_out"]


def split(prompt_digest: str, held_out_share: float = HELD_OUT_SHARE) -> Split:
    """On which side of the split a prompt lies: decided by its content alone, the same for ever and everywhere."""
    draw = int.from_bytes(hashlib.sha256(f"podium split {prompt_digest}".encode()).digest()[:8], "big") / 2**64
    return "held_out" if draw < held_out_share else "train"


@dataclass(frozen=True)
class Rated:
    """A completion with its rating in Elo points; `standard_error` in points where the method gives one."""

    rating: float
    judgments: int
    standard_error: float | None = None


@dataclass(frozen=True)
class Rewarded:
    """`reward` in global deviations, mean zero within the prompt; `weight` has mean one over the set."""

    reward: float
    weight: float


@dataclass(frozen=True)
class Normalised:
    """Rewards in the order of the prompts given (None for a prompt without judgments), and the scale in log-odds."""

    groups: list[list[Rewarded] | None]
    scale: float


def normalise(groups: Sequence[Sequence[Rated]], scale_from: Sequence[bool] | None = None) -> Normalised:
    """Rewards of all prompts: t = (theta - mean of its prompt) / s, clipped; s is the pooled deviation of theta.

    `scale_from` says which prompts the scale is taken from (the training split); all, if left out. A prompt that
    nobody judged carries no information and gets None. One where all tie keeps its zeros: that is information.
    Raises Invalid when no prompt has any judgment.
    """
    counts_for_scale = list(scale_from) if scale_from is not None else [True] * len(groups)
    centred = [_centred(group) if any(item.judgments for item in group) else None for group in groups]
    judged = [(group, used) for group, used in zip(centred, counts_for_scale, strict=True) if group is not None]
    if not judged:
        raise Invalid("There are no judgments yet, so there are no rewards; let people judge first.")
    # The held-out prompts decide only when nothing else was judged.
    pool = [group for group, used in judged if used] or [group for group, _ in judged]
    squares = math.fsum(theta * theta for group in pool for theta in group)
    freedom = sum(len(group) - 1 for group in pool)
    scale = math.sqrt(squares / freedom) if squares > 0 else 1.0

    weights = [
        None if thetas is None else [1.0 / (_variance(item) + UNSEEN_VARIANCE) for item in group]
        for group, thetas in zip(groups, centred, strict=True)
    ]
    mean_weight = math.fsum(w for group in weights if group for w in group) / sum(len(g) for g in weights if g)
    return Normalised(
        [
            None
            if thetas is None or group_weights is None
            else [
                Rewarded(max(-CLIP, min(CLIP, theta / scale)), weight / mean_weight)
                for theta, weight in zip(thetas, group_weights, strict=True)
            ]
            for thetas, group_weights in zip(centred, weights, strict=True)
        ],
        scale,
    )


def _centred(group: Sequence[Rated]) -> list[float]:
    """Log-odds with mean zero."""
    thetas = [item.rating / POINTS_PER_LOG_ODDS for item in group]
    mean = math.fsum(thetas) / len(thetas)
    return [theta - mean for theta in thetas]


def _variance(item: Rated) -> float:
    """Of a rating, in squared log-odds.

    Elo gives none. There, each judgment between equals carries information p(1 - p) = 1/4 about the difference, on top
    of a prior of deviation 1: variance 1 / (1 + n / 4).
    """
    if item.standard_error is not None:
        return (item.standard_error / POINTS_PER_LOG_ODDS) ** 2
    return 1.0 / (1.0 + item.judgments / 4.0)
