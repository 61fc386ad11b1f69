"""The two adaptive KL coefficients, which measure different things and share no state; knows no models.

lambda is the price of diverging from the reference. It is adapted to the KL divergence of whole responses from the
reference (Ziegler's controller, here called the leash). beta is the price of the step that one iteration takes. It is
adapted to the mean KL divergence per token between the policies before and after the iteration (Schulman's rule).
"""

import math
from dataclasses import dataclass
from typing import Protocol


class LeashController(Protocol):
    """Gives lambda_KL of the next iteration."""

    coefficient: float

    def update(self, kl_base_per_seq_nats: float, episodes: int) -> None: ...

    def state_dict(self) -> dict[str, float]: ...

    def load_state_dict(self, state: dict[str, float]) -> None: ...


class _Coefficient:
    coefficient: float

    def state_dict(self) -> dict[str, float]:
        return {"coefficient": self.coefficient}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.coefficient = float(state["coefficient"])


@dataclass
class FixedKL(_Coefficient):
    """lambda_KL stays as given."""

    coefficient: float

    def update(self, kl_base_per_seq_nats: float, episodes: int) -> None:
        """Nothing to do."""


@dataclass
class ZieglerLeash(_Coefficient):
    """Holds the divergence from the reference near a target (Ziegler et al. 2019, arXiv:1909.08593, section 2.2).

    e = clip(KL / target - 1, -0.2, 0.2); lambda *= 1 + e n / H, with n the episodes of the iteration and KL in nats
    per response. Over a horizon of H episodes lambda moves by a factor of at most e^0.2 = 1.22. The paper's K_beta is
    n / H = 0.1. Called once an iteration, with the KL of that iteration's rollouts.
    """

    coefficient: float
    target_per_seq_nats: float
    horizon_episodes: float

    def __post_init__(self) -> None:
        if self.target_per_seq_nats <= 0 or self.horizon_episodes <= 0:
            raise ValueError("The leash needs a positive target and a positive horizon.")

    def update(self, kl_base_per_seq_nats: float, episodes: int) -> None:
        if math.isnan(kl_base_per_seq_nats):  # no step was taken on such answers, and lambda would stay NaN
            return
        error = min(max(kl_base_per_seq_nats / self.target_per_seq_nats - 1.0, -0.2), 0.2)
        self.coefficient *= 1.0 + error * episodes / self.horizon_episodes


@dataclass
class SchulmanStep(_Coefficient):
    """Holds the step of an iteration near a target (Schulman et al. 2017, arXiv:1707.06347, section 4).

    With d the KL divergence of the step and delta its target, d >= 1.5 delta doubles beta and d <= delta / 1.5 halves
    it, for the next iteration. Called once an iteration, after its last optimiser step: before the first one d is 0 and
    beta would be halved every time. As the learning rate falls to 0 so does d, hence the bounds on beta.
    """

    coefficient: float
    target_per_token_nats: float
    lowest: float = 1e-4
    highest: float = 1e3
    clamped: int = 0

    def __post_init__(self) -> None:
        if self.target_per_token_nats <= 0:
            raise ValueError("The step controller needs a positive target.")

    def update(self, kl_step_per_token_nats: float) -> None:
        wished = self.coefficient
        if kl_step_per_token_nats >= 1.5 * self.target_per_token_nats:
            wished *= 2.0
        elif kl_step_per_token_nats <= self.target_per_token_nats / 1.5:
            wished /= 2.0
        self.coefficient = min(max(wished, self.lowest), self.highest)
        self.clamped += int(self.coefficient != wished)

    def state_dict(self) -> dict[str, float]:
        return {"coefficient": self.coefficient, "clamped": float(self.clamped)}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.coefficient, self.clamped = float(state["coefficient"]), int(state["clamped"])
