"""All weights of a model sharded among the ranks of a run (FSDP2): each rank holds and steps a piece of every tensor.
Also gathers whole tensors for saving. Knows no loss and no data.

A layer is gathered when it computes, and its gradient is summed over the ranks afterwards. So all ranks must run the
same number of forward and backward passes; one that has nothing left to learn runs them with a weight of 0.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from workers.training.backbone import Backbone
from workers.training.ranks import Ranks

T = TypeVar("T")


class Sharded(nn.Module):
    """The root of a sharded model, which computes only in work that this is called with."""

    def __init__(self, backbone: Backbone, ranks: Ranks, heads: Sequence[nn.Module] = ()) -> None:
        super().__init__()
        self.model = backbone.model
        self.heads = nn.ModuleList(heads)
        backbone.llama = None  # it reads weights past the modules, whose hooks gather them
        mesh = init_device_mesh(backbone.device.type, (ranks.world,))
        self._layers = _layers(backbone)
        # What is in no layer (embeddings, last norm, heads) belongs to the root, so tied weights stay one tensor.
        for module in (*self._layers, self):
            fully_shard(module, mesh=mesh)
        for part in self._parts():  # a sum over ranks: losses are divided by the whole step's count already
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)

    def _parts(self) -> list[FSDPModule]:
        return [part for part in (*self._layers, self) if isinstance(part, FSDPModule)]

    def forward(self, work: Callable[[], T]) -> T:
        """The result of the work."""
        return work()

    def unsharded(self, work: Callable[[], T]) -> T:
        """The result of work without gradient that uses the weights many times; all are gathered meanwhile."""
        *layers, root = self._parts()
        for part in (*layers, root):
            part.set_reshard_after_forward(False, recurse=False)
            part.unshard()
        try:
            result: T = self(work)
        finally:
            for part in (*layers, root):
                part.reshard()
            for part in layers:
                part.set_reshard_after_forward(True, recurse=False)
        return result


def shard(backbone: Backbone, ranks: Ranks, *heads: nn.Module) -> Sharded | None:
    """Shard a model that trains all its weights, and heads on it, among the ranks; None for a single one."""
    return Sharded(backbone, ranks, heads) if ranks.world > 1 else None


def _layers(backbone: Backbone) -> list[nn.Module]:
    """The model's own list of its layers."""
    lists = [one for one in backbone.model.modules() if isinstance(one, nn.ModuleList) and len(one) == backbone.layers]
    return list(lists[0]) if lists else []


def is_sharded(tensor: Tensor) -> bool:
    """Whether this rank has only a piece of it."""
    return isinstance(tensor, DTensor)


def whole(tensor: Tensor) -> Tensor:
    """All of it. Every rank must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def as_held(value: Tensor, parameter: Tensor) -> Tensor:
    """The piece of a whole value that corresponds to this rank's piece of the parameter."""
    if not isinstance(parameter, DTensor):
        return value
    value = value.to(parameter.device, parameter.dtype)
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)


def gathered(tensors: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Tensors, with sharded ones gathered to the CPU one after the other. Every rank must call it; those that do not
    `keep` the result get nothing. A tensor under two names stays one tensor.
    """
    found: dict[str, Tensor] = {}
    complete: dict[int, Tensor] = {}
    for name, tensor in tensors.items():
        if id(tensor) not in complete:
            everything = whole(tensor).detach()
            complete[id(tensor)] = tensor if not keep else everything.cpu() if is_sharded(tensor) else everything
        if keep:
            found[name] = complete[id(tensor)]
    return found
