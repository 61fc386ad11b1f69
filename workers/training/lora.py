"""Low-rank adapters by name on the linear layers of one frozen model; knows nothing of roles, losses or data.

Hu et al. 2021 (arXiv:2106.09685): y = W x + (alpha / r) B A x, with B = 0 at the start, so a new adapter changes
nothing.

The files are peft's (`adapter_config.json`, `adapter_model.safetensors`) and load there; the arithmetic is our own, for
three reasons. The active adapter is one attribute: switching never touches `requires_grad`, so no role loses its
gradient when another one is used. The model's modules keep their names, so all of `model.state_dict()` is frozen. And
one autograd function for W and the adapter together saves elementwise passes, which dominate on small models.
"""

import json
import math
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.pytorch_utils import Conv1D

from backend.errors import Conflict, Invalid, NotFound

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
_KEY_PREFIX = "base_model.model."
_HEADER = "podium"


class _LinearWithLora(torch.autograd.Function):
    """y = x W' + b + scale (x A') B' on rows of x; the frozen W gets no gradient, and no copy of y is made."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        # A and B are trained in float32 and used in the precision of the activations, as with autocast.
        a_used, b_used = a.to(x.dtype), b.to(x.dtype)
        inner = rows @ a_used.t()
        y = F.linear(rows, weight, bias)
        y.addmm_(inner, b_used.t(), alpha=scale)
        ctx.save_for_backward(rows, inner, weight, a_used, b_used)
        ctx.scale, ctx.parameter_dtype = scale, a.dtype
        # Autograd forbids adding in place to a view from a function like this, as Falcon's layers do.
        return torch.ops.aten._unsafe_view(y, [*x.shape[:-1], y.shape[-1]])  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        rows, inner, weight, a, b = ctx.saved_tensors
        lead = grads[0].shape[:-1]
        dy = grads[0].reshape(-1, grads[0].shape[-1])
        d_inner = (dy @ b).mul_(ctx.scale)
        dx = None
        if ctx.needs_input_grad[0]:
            dx = (dy @ weight).addmm_(d_inner, a).view(*lead, rows.shape[-1])
        da = (d_inner.t() @ rows).to(ctx.parameter_dtype)
        db = (dy.t() @ inner).mul_(ctx.scale).to(ctx.parameter_dtype)
        return dx, None, None, da, db, None


def _plain_weight(module: nn.Module) -> Tensor | None:
    """The (out, in) weight where the layer is an ordinary matrix product; None for layers with their own forward
    (quantised ones).
    """
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or not weight.is_floating_point():
        return None
    kind: Any = type(module)
    if kind is nn.Linear or (isinstance(module, nn.Linear) and _multiplies(kind)):
        return weight
    return weight.t() if isinstance(module, Conv1D) else None


@cache
def _multiplies(kind: Any) -> bool:
    """Whether a subclass of nn.Linear with a forward of its own computes x W' + b all the same, as Falcon's does: tried
    out on a small one.
    """
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            one, x = kind(3, 2), torch.tensor([[1.0, -2.0, 3.0]])
            return bool(torch.allclose(one(x), F.linear(x, one.weight, one.bias)))
    except Exception:  # a class of another library may need other arguments
        return False


def _sizes(module: nn.Module) -> tuple[int, int]:
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    assert isinstance(module, Conv1D)
    return module.nx, module.nf


class Factors(NamedTuple):
    """The tensors of an ordinary layer: y = x (weight + scale b a)' + bias."""

    weight: Tensor
    bias: Tensor | None
    a: Tensor | None
    b: Tensor | None
    scale: float


@dataclass(frozen=True)
class Adapter:
    """One named adapter: (A, B) for each layer it touches, in the order of the model."""

    rank: int
    alpha: float
    pairs: dict[str, tuple[nn.Parameter, nn.Parameter]]

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    def parameters(self) -> list[nn.Parameter]:
        return [parameter for pair in self.pairs.values() for parameter in pair]

    def tensors(self) -> dict[str, Tensor]:
        """By the names that peft gives them in its file."""
        out = {}
        for path, (a, b) in self.pairs.items():
            out[f"{_KEY_PREFIX}{path}.lora_A.weight"] = a.detach()
            out[f"{_KEY_PREFIX}{path}.lora_B.weight"] = b.detach()
        return out


class LoraModel:
    """The adapters of one model, and which of them is on in each thread. The model itself is frozen."""

    def __init__(self, model: nn.Module, *, never: Iterable[nn.Module | None] = ()) -> None:
        """never: layers that get no adapter (the projection to the vocabulary)."""
        model.requires_grad_(False)
        left_out = {id(module) for module in never if module is not None}
        self._layers: dict[str, nn.Module] = {
            path: module
            for path, module in model.named_modules()
            if isinstance(module, (nn.Linear, Conv1D)) and id(module) not in left_out
        }
        self._paths = {id(module): path for path, module in self._layers.items()}
        self._device = next(model.parameters()).device
        self._adapters: dict[str, Adapter] = {}
        self._wrapped: set[str] = set()
        self._switched = threading.local()  # each thread has its own adapter on
        self._merged: dict[str, Tensor] | None = None

    @property
    def _active(self) -> Adapter | None:
        return getattr(self._switched, "adapter", None)

    def __contains__(self, name: str) -> bool:
        return name in self._adapters

    def __getitem__(self, name: str) -> Adapter:
        try:
            return self._adapters[name]
        except KeyError:
            raise NotFound(
                f"There is no adapter named {name!r}; there are {', '.join(self._adapters) or 'none'}."
            ) from None

    # -- making ---------------------------------------------------------------------------------------------------

    def add(self, name: str, *, rank: int, alpha: float, seed: int) -> Adapter:
        """A new adapter on all linear layers, which changes nothing yet. The same seed gives the same weights on every
        device.
        """
        if rank < 1 or alpha <= 0:
            raise Invalid(f"An adapter needs a rank of 1 or more and a positive alpha, not {rank} and {alpha}.")
        draw = torch.Generator().manual_seed(seed)
        pairs = {}
        for path, layer in self._layers.items():
            inputs, outputs = _sizes(layer)
            bound = 1.0 / math.sqrt(inputs)  # uniform He initialisation with a = sqrt(5), as peft's
            a = torch.empty(rank, inputs).uniform_(-bound, bound, generator=draw)
            pairs[path] = (self._parameter(a), self._parameter(torch.zeros(outputs, rank)))
        return self._register(name, Adapter(rank, float(alpha), pairs))

    def _parameter(self, values: Tensor) -> nn.Parameter:
        return nn.Parameter(values.to(device=self._device, dtype=torch.float32))

    def _register(self, name: str, adapter: Adapter) -> Adapter:
        if name in self._adapters:
            raise Conflict(f"There is already an adapter named {name!r}.")
        for path in adapter.pairs:
            if path not in self._wrapped:
                layer = self._layers[path]
                layer.forward = self._forward_of(path, layer)
                self._wrapped.add(path)
        self._adapters[name] = adapter
        return adapter

    def _forward_of(self, path: str, layer: nn.Module) -> Callable[[Tensor], Tensor]:
        own_forward: Callable[[Tensor], Tensor] = layer.forward
        weight, bias = _plain_weight(layer), getattr(layer, "bias", None)

        def forward(x: Tensor) -> Tensor:
            if self._merged is not None and path in self._merged:
                return F.linear(x, self._merged[path], bias)
            active = self._active
            if active is None or path not in active.pairs:
                return own_forward(x)
            a, b = active.pairs[path]
            if weight is None:
                return own_forward(x) + active.scale * F.linear(F.linear(x, a.to(x.dtype)), b.to(x.dtype))
            return _LinearWithLora.apply(x, weight, bias, a, b, active.scale)  # type: ignore[no-any-return,no-untyped-call]

        return forward

    def factors(self, layer: nn.Module) -> Factors:
        """The factors of one of the model's layers, under the adapter that is on."""
        path, weight, active = self._paths[id(layer)], _plain_weight(layer), self._active
        if weight is None:
            raise TypeError(f"{path} is no ordinary matrix product")
        bias: Tensor | None = getattr(layer, "bias", None)
        if self._merged is not None and path in self._merged:
            return Factors(self._merged[path], bias, None, None, 1.0)
        a, b = active.pairs.get(path, (None, None)) if active else (None, None)
        return Factors(weight, bias, a, b, active.scale if active else 1.0)

    def copy(self, source: str, target: str) -> Adapter:
        """A copy of one adapter under another name; the two share no tensors."""
        given = self[source]
        pairs = {
            p: (self._parameter(a.detach().clone()), self._parameter(b.detach().clone()))
            for p, (a, b) in given.pairs.items()
        }
        return self._register(target, Adapter(given.rank, given.alpha, pairs))

    # -- switching ------------------------------------------------------------------------------------------------

    @contextmanager
    def on(self, name: str | None) -> Iterator[None]:
        """Within: this adapter only, or with None the model without any. Afterwards, also after an error, what was on
        before.
        """
        before = self._active
        self._switched.adapter = None if name is None else self[name]
        try:
            yield
        finally:
            self._switched.adapter = before

    @contextmanager
    def merged(self, name: str) -> Iterator[None]:
        """Within: the adapter folded into copies of the weights, for many small forward passes without gradient, in all
        threads. The weights themselves are not touched.
        """
        before = self._merged
        self._merged = dict(self.merged_weights(name))
        try:
            with self.on(None):
                yield
        finally:
            self._merged = before

    @torch.no_grad()
    def merged_weights(self, name: str) -> Iterator[tuple[str, Tensor]]:
        """(path, W + scale B A) as (out, in), one after the other."""
        adapter = self[name]
        for path, (a, b) in adapter.pairs.items():
            weight = _plain_weight(self._layers[path])
            if weight is None:
                raise Invalid(f"The layer {path} is quantised: an adapter cannot be merged into it.")
            yield (path, torch.addmm(weight.float(), b, a, alpha=adapter.scale).to(weight.dtype))

    def merged_bytes(self, name: str) -> int:
        """The memory that `merged` takes."""
        layers = [self._layers[path] for path in self[name].pairs]
        return sum(
            weight.numel() * weight.element_size() for weight in map(_plain_weight, layers) if weight is not None
        )

    def is_transposed(self, path: str) -> bool:
        """Whether the layer stores its weight as (in, out)."""
        return isinstance(self._layers[path], Conv1D)

    # -- files ----------------------------------------------------------------------------------------------------

    def save(self, name: str, folder: Path, *, about: dict[str, str], base: str | None) -> None:
        """about: goes into the header of the weights, which `load` checks. base: the parent model's name, for peft."""
        adapter = self[name]
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {key: tensor.cpu().contiguous() for key, tensor in adapter.tensors().items()}
        # One entry, because safetensors writes several in random order, and the same run should give the same file.
        save_file(tensors, folder / WEIGHTS_FILE, metadata={_HEADER: json.dumps(about, sort_keys=True)})
        leaves = {path.rsplit(".", 1)[-1] for path in adapter.pairs}
        by_leaf = {path for path in self._layers if path.rsplit(".", 1)[-1] in leaves} == set(adapter.pairs)
        alpha = int(adapter.alpha) if adapter.alpha.is_integer() else adapter.alpha
        config = {
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base, "inference_mode": True,
            "r": adapter.rank, "lora_alpha": alpha, "lora_dropout": 0.0, "bias": "none",
            "use_rslora": False, "use_dora": False,
            "init_lora_weights": True, "fan_in_fan_out": all(self.is_transposed(path) for path in adapter.pairs),
            "target_modules": sorted(leaves) if by_leaf else sorted(adapter.pairs),
        }  # fmt: skip
        (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    def load(self, name: str, folder: Path, *, expect: dict[str, str]) -> Adapter:
        """Refuses an adapter whose header does not contain what is expected: one made for another model would run and
        give wrong results.
        """
        try:
            config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
            with safe_open(folder / WEIGHTS_FILE, framework="pt") as file:
                about = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except FileNotFoundError as error:
            raise NotFound(f"There is no adapter in {folder}: {error.filename or CONFIG_FILE} is missing.") from None
        for key, value in expect.items():
            if about.get(key) != value:
                raise Conflict(
                    f"The adapter in {folder} is of another model ({key} is {about.get(key)}, here it is {value})."
                )
        unknown = [
            k for k in ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "modules_to_save") if config.get(k)
        ]
        if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none" or unknown:
            raise Invalid(
                f"The adapter in {folder} is no plain LoRA adapter ({', '.join(unknown) or config.get('peft_type')})."
            )
        paths = {key.removeprefix(_KEY_PREFIX).rsplit(".lora_", 1)[0] for key in tensors}
        if not paths or not paths <= self._layers.keys():
            raise Conflict(
                f"The adapter in {folder} changes layers that are not here: {sorted(paths - self._layers.keys())[:3]}."
            )
        pairs = {}
        for path in (p for p in self._layers if p in paths):
            a, b = (tensors[f"{_KEY_PREFIX}{path}.lora_{x}.weight"] for x in "AB")
            inputs, outputs = _sizes(self._layers[path])
            if a.shape != (config["r"], inputs) or b.shape != (outputs, config["r"]):
                raise Conflict(f"The adapter in {folder} does not fit the layer {path}.")
            pairs[path] = (self._parameter(a), self._parameter(b))
        return self._register(name, Adapter(config["r"], float(config["lora_alpha"]), pairs))
