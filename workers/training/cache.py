"""A key-value cache in memory that is allocated once: one that grows is copied at each token. Knows no sampling."""

from typing import Any

from torch import Tensor
from transformers.cache_utils import DynamicLayer


class Layer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, (B, heads, capacity, size). The place of the next ones is a number, `length`, or
    between `fix` and `free` a tensor, so that a captured step can be replayed at any place.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity, self.length = capacity, 0
        self.keys: Tensor | None = None
        self.values: Tensor | None = None
        self.at: Tensor | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if self.keys is None or self.values is None:
            batch, heads, _, size = key_states.shape
            self.dtype, self.device = key_states.dtype, key_states.device
            self.keys = key_states.new_empty(batch, heads, self.capacity, size)
            self.values = value_states.new_empty(batch, heads, self.capacity, value_states.shape[-1])
            self.is_initialized = True
        if self.at is not None:
            self.keys.index_copy_(2, self.at, key_states)
            self.values.index_copy_(2, self.at, value_states)
            return self.keys[:, :, : self.length], self.values[:, :, : self.length]
        end = self.length + key_states.shape[-2]
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        return self.length

    def fix(self, at: Tensor, start: int, end: int) -> None:
        """From now on the next keys go to the place in `at` (1,), and all up to `end` are read; a mask must hide those
        not yet written. These are set to 0 from `start` on: fresh memory may hold NaN, and NaN times 0 is NaN.
        """
        self.at, self.length = at, end
        for held in (self.keys, self.values):
            assert held is not None
            held[:, :, start:end] = 0

    def free(self, length: int) -> None:
        """From now on the next keys follow the first `length`."""
        self.at, self.length = None, length

    def keep(self, rows: Tensor) -> None:
        """Keep only these rows."""
        for name in ("keys", "values"):
            held: Tensor = getattr(self, name)
            fresh = held.new_empty(rows.shape[0], *held.shape[1:])
            fresh[:, :, : self.length] = held[rows, :, : self.length]
            setattr(self, name, fresh)
