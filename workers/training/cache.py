"""Keys and values of what a model has read, in memory taken once, where a growing cache would copy itself at each
token. Knows no sampling.
"""

from typing import Any

from torch import Tensor
from transformers.cache_utils import DynamicLayer


class Layer(DynamicLayer):  # type: ignore[misc]
    """Those of one layer, (B, heads, capacity, size). Where the next ones go is a number, `length`; or between
    `fix` and `free` a tensor, so that one step is like the other to the last number.
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
        """From now on keys go to the place that is in `at` (1,), and all up to `end` are read: of those from `start` on
        as many as there are, which must be hidden by a mask. They are zeros, as anything might be in fresh memory, and
        what is hidden is multiplied by 0, which of a NaN makes a NaN.
        """
        self.at, self.length = at, end
        for held in (self.keys, self.values):
            assert held is not None
            held[:, :, start:end] = 0

    def free(self, length: int) -> None:
        """From now on they go behind the first `length` ones."""
        self.at, self.length = None, length

    def keep(self, rows: Tensor) -> None:
        """Only these rows go on."""
        for name in ("keys", "values"):
            held: Tensor = getattr(self, name)
            fresh = held.new_empty(rows.shape[0], *held.shape[1:])
            fresh[:, :, : self.length] = held[rows, :, : self.length]
            setattr(self, name, fresh)
