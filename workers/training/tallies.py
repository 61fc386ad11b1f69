"""Running means of what an update sees, kept on the device until they are asked for; knows no models."""

import torch
from torch import Tensor

from backend.domain.training import PPOConfig
from workers.training.ranks import Ranks
from workers.training.rl_math import kl_new_old, kl_old_new


class Tally:
    """Sums and counts by metric name. Token means weigh every token alike, in whatever micro-batches they came."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, float] = {}
        self._highest: dict[str, Tensor] = {}
        self._lowest: dict[str, Tensor] = {}

    def mean_of(self, name: str, total: Tensor, count: float) -> None:
        """Add a sum over `count` things."""
        total = total.detach()
        self._sums[name] = self._sums[name] + total if name in self._sums else total
        self._counts[name] = self._counts.get(name, 0.0) + count

    def count(self, name: str, value: float) -> None:
        """A number that is what it is."""
        self._sums[name], self._counts[name] = torch.tensor(float(value)), 1.0

    def extreme_of(self, name: str, values: Tensor, *, highest: bool) -> None:
        """Keep the largest (or smallest) of all values."""
        kept, value = (self._highest, values.detach().amax()) if highest else (self._lowest, values.detach().amin())
        if name in kept:
            value = torch.maximum(kept[name], value) if highest else torch.minimum(kept[name], value)
        kept[name] = value

    @torch.no_grad()
    def of_policy(self, loss: Tensor, log_ratio: Tensor, config: PPOConfig) -> None:
        """loss and log_ratio (N,) of a micro-batch's tokens."""
        count, ratio = log_ratio.numel(), log_ratio.exp()
        penalised = config.objective == "kl_penalty" and config.kl_step_direction == "new_old"
        kl = kl_new_old(log_ratio) if penalised else kl_old_new(log_ratio)
        self.mean_of("policy/loss", loss.sum(), count)
        self.mean_of("policy/ratio_mean", ratio.sum(), count)
        self.mean_of("policy/clip_fraction", ((ratio - 1.0).abs() > config.clip_range).sum(), count)
        self.mean_of("policy/kl_step_per_token_nats", kl.sum(), count)
        self.extreme_of("policy/ratio_max", ratio, highest=True)
        self.extreme_of("policy/ratio_min", ratio, highest=False)

    @torch.no_grad()
    def of_value(self, loss: Tensor, values: Tensor, old: Tensor, clip_range: float | None) -> None:
        """loss, values, old values (N,) of a micro-batch's tokens."""
        self.mean_of("value/loss", loss.sum(), loss.numel())
        if clip_range is not None:
            self.mean_of("value/clip_fraction", ((values - old).abs() > clip_range).sum(), loss.numel())

    def add(self, other: "Tally") -> None:
        """Take up another one."""
        for name, total in other._sums.items():
            self.mean_of(name, total, other._counts[name])
        for name, value in other._highest.items():
            self.extreme_of(name, value, highest=True)
        for name, value in other._lowest.items():
            self.extreme_of(name, value, highest=False)

    def over(self, ranks: Ranks) -> "Tally":
        """What all ranks have seen together."""
        if ranks.world == 1:
            return self
        plain = [{name: float(value) for name, value in kept.items()} for kept in self._kept]
        whole = Tally()
        for (sums, highest, lowest), counts in ranks.gather((plain, self._counts)):
            for name, total in sums.items():
                whole.mean_of(name, torch.tensor(total, dtype=torch.float64), counts[name])
            for name, value in highest.items():
                whole.extreme_of(name, torch.tensor(value), highest=True)
            for name, value in lowest.items():
                whole.extreme_of(name, torch.tensor(value), highest=False)
        return whole

    @property
    def _kept(self) -> tuple[dict[str, Tensor], ...]:
        return self._sums, self._highest, self._lowest

    def replace(self, name: str, other: "Tally") -> None:
        """Take one mean from another one, instead of what was here."""
        self._sums[name], self._counts[name] = other._sums[name], other._counts[name]

    def mean(self, name: str) -> float:
        return float(self._sums[name]) / self._counts[name]

    def means(self) -> dict[str, float]:
        """All of them as plain numbers."""
        return {
            **{name: self.mean(name) for name in self._sums},
            **{name: float(value) for name, value in (self._highest | self._lowest).items()},
        }
