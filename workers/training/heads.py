"""The scalar head that turns a language model into a reward model or a critic; knows no model and no method."""

import copy
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from backend.errors import NotFound

HEAD_FILE = "reward_head.safetensors"


class ScalarHead(nn.Module):
    """One number from a hidden state: gain * (w h + b) + offset, in float32.

    Initialised with w ~ N(0, 1 / (d + 1)) and b = 0 (Ziegler et al. 2019, arXiv:1909.08593), or with zeros for a
    critic. `gain` and `offset` are set once after training, so that scores have mean 0 and deviation 1, and are saved
    with it.
    """

    weight: nn.Parameter
    bias: nn.Parameter
    gain: Tensor
    offset: Tensor

    def __init__(self, hidden_size: int, *, seed: int = 0, zero: bool = False) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        weight = torch.randn(1, hidden_size, generator=draw) / math.sqrt(hidden_size + 1)
        self.weight = nn.Parameter(torch.zeros_like(weight) if zero else weight)
        self.bias = nn.Parameter(torch.zeros(1))
        self.register_buffer("gain", torch.ones(()))
        self.register_buffer("offset", torch.zeros(()))

    def forward(self, hidden: Tensor) -> Tensor:
        """(..., d) of any precision to (...) in float32."""
        raw = nn.functional.linear(hidden.float(), self.weight, self.bias).squeeze(-1)
        return raw * self.gain + self.offset

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """weights: the whole state of a head of which this rank holds only a part."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        state = weights or self.state_dict()
        save_file({k: v.detach().cpu().contiguous() for k, v in state.items()}, Path(folder) / HEAD_FILE)

    @classmethod
    def load(cls, folder: Path, *, device: torch.device) -> "ScalarHead":
        path = Path(folder) / HEAD_FILE
        if not path.is_file():
            raise NotFound(f"There is no reward model in {folder}: {HEAD_FILE} is missing.")
        tensors = load_file(path)
        head = cls(tensors["weight"].shape[1], zero=True)
        head.load_state_dict(tensors)
        return head.to(device)

    def copy(self) -> "ScalarHead":
        """The same values in tensors of their own."""
        return copy.deepcopy(self)
