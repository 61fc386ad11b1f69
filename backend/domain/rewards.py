"""From ratings to scalar rewards: centred within the prompt, over one global scale, with a weight of how sure we are.

Only differences within a prompt are known from comparisons, so every prompt's rewards have mean zero. One scale for all
prompts keeps the size: a prompt whose completions are all alike stays near zero, where a z-score per prompt would turn
its noise into ±1. Ratings are read in log-odds (Elo's expected score is the logistic function of that difference).
"""

import hashlib
import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.domain.elo import POINTS_PER_LOG_ODDS, START
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

Normalisation = Literal["centred_global", "linear_global", "prompt_z", "prompt_min_max", "logistic"]
"""centred_global: log-odds centred in the prompt over one scale, the only one that keeps both size and evidence.
linear_global: log-odds around the start over one scale, not centred. prompt_z: mean 0 and deviation 1 in each prompt.
prompt_min_max: 0 to 1 in each prompt. logistic: the chance of being preferred to an answer at the start rating.
"""


class Question(BaseModel):
    """Which judgments a reward set is made from. What is left out does not restrict."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    without_annotators: Annotated[
        frozenset[uuid.UUID], Field(strict=False, max_length=1000, description="as if these had never judged")
    ] = frozenset()
    before: Annotated[datetime | None, Field(strict=False, description="judgments made before this moment")] = None
    guidelines_versions: Annotated[
        frozenset[int], Field(strict=False, max_length=1000, description="judgments made under these versions")
    ] = frozenset()
    min_gold_share: Annotated[
        float | None, Field(ge=0, le=1, description="annotators who got at least this share of gold comparisons right")
    ] = None


def split(prompt_digest: str, held_out_share: float = HELD_OUT_SHARE, *, draw: str = "split") -> Split:
    """On which side of the split a prompt lies: decided by its content alone, the same for ever and everywhere.

    A second split within one side needs a draw of another name: by the same one it would find no smaller numbers left.
    """
    return "held_out" if _draw(draw, prompt_digest) < held_out_share else "train"


def half(prompt_digest: str) -> Literal["first", "second"]:
    """One of two halves, decided in the same way: a reward model of one can judge what that of the other teaches."""
    return "first" if _draw("half", prompt_digest) < 0.5 else "second"


def _draw(what: str, prompt_digest: str) -> float:
    """A number from 0 to 1 that hangs on the content alone."""
    return int.from_bytes(hashlib.sha256(f"podium {what} {prompt_digest}".encode()).digest()[:8], "big") / 2**64


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


def normalise(
    groups: Sequence[Sequence[Rated]],
    scale_from: Sequence[bool] | None = None,
    normalisation: Normalisation = "centred_global",
) -> Normalised:
    """Rewards of all prompts, by default t = (theta - mean of its prompt) / s, clipped; s is the pooled deviation.

    `scale_from` says which prompts the scale is taken from (the training split); all, if left out. A prompt that
    nobody judged carries no information and gets None. One where all tie keeps its zeros: that is information.
    Raises Invalid when no prompt has any judgment.
    """
    counts_for_scale = list(scale_from) if scale_from is not None else [True] * len(groups)
    judged = [any(item.judgments for item in group) for group in groups]
    if not any(judged):
        raise Invalid("There are no judgments yet, so there are no rewards; let people judge first.")
    shape = _SHAPES[normalisation]
    shaped = [shape(group) if said else None for group, said in zip(groups, judged, strict=True)]
    scale = 1.0
    if normalisation in ("centred_global", "linear_global"):
        # The held-out prompts decide only when nothing else was judged.
        told = [values for values, used in zip(shaped, counts_for_scale, strict=True) if values is not None and used]
        pool = told or [values for values in shaped if values is not None]
        free = 1 if normalisation == "centred_global" else 0
        squares = math.fsum(theta * theta for values in pool for theta in values)
        scale = math.sqrt(squares / sum(len(values) - free for values in pool)) if squares > 0 else 1.0

    weights = [
        None if values is None else [1.0 / (_variance(item) + UNSEEN_VARIANCE) for item in group]
        for group, values in zip(groups, shaped, strict=True)
    ]
    mean_weight = math.fsum(w for group in weights if group for w in group) / sum(len(g) for g in weights if g)
    return Normalised(
        [
            None
            if values is None or group_weights is None
            else [
                Rewarded(max(-CLIP, min(CLIP, value / scale)), weight / mean_weight)
                for value, weight in zip(values, group_weights, strict=True)
            ]
            for values, group_weights in zip(shaped, weights, strict=True)
        ],
        scale,
    )


def _centred(group: Sequence[Rated]) -> list[float]:
    """Log-odds with mean zero."""
    thetas = [item.rating / POINTS_PER_LOG_ODDS for item in group]
    mean = math.fsum(thetas) / len(thetas)
    return [theta - mean for theta in thetas]


def _from_start(group: Sequence[Rated]) -> list[float]:
    return [(item.rating - START) / POINTS_PER_LOG_ODDS for item in group]


def _z_score(group: Sequence[Rated]) -> list[float]:
    centred = _centred(group)
    deviation = math.sqrt(math.fsum(theta * theta for theta in centred) / len(centred))
    return [theta / deviation if deviation > 0 else 0.0 for theta in centred]


def _min_max(group: Sequence[Rated]) -> list[float]:
    ratings = [item.rating for item in group]
    low, high = min(ratings), max(ratings)
    return [(rating - low) / (high - low) if high > low else 0.5 for rating in ratings]


def _logistic(group: Sequence[Rated]) -> list[float]:
    return [0.5 + 0.5 * math.tanh(theta / 2.0) for theta in _from_start(group)]


_SHAPES: dict[Normalisation, Callable[[Sequence[Rated]], list[float]]] = {
    "centred_global": _centred,
    "linear_global": _from_start,
    "prompt_z": _z_score,
    "prompt_min_max": _min_max,
    "logistic": _logistic,
}


def _variance(item: Rated) -> float:
    """Of a rating, in squared log-odds.

    Elo gives none. There, each judgment between equals carries information p(1 - p) = 1/4 about the difference, on top
    of a prior of deviation 1: variance 1 / (1 + n / 4).
    """
    if item.standard_error is not None:
        return (item.standard_error / POINTS_PER_LOG_ODDS) ** 2
    return 1.0 / (1.0 + item.judgments / 4.0)
