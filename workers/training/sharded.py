"""All weights of a model parted among the ranks of a run (FSDP2), each rank holding and stepping a piece of every
tensor; and the whole of a parted tensor, for those who save. Knows no loss and no data.

A layer is put together when it computes, and its gradient is summed over the ranks when it was computed. So all ranks
go through the layers together: as many times forward and backward, whoever has nothing to learn with a weight of 0.
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
    """The root of a parted model: the model computes only in work that this is called with."""

    def __init__(self, backbone: Backbone, ranks: Ranks, heads: Sequence[nn.Module] = ()) -> None:
        super().__init__()
        self.model = backbone.model
        self.heads = nn.ModuleList(heads)
        backbone.llama = None  # which reads the weights past the model's modules, who put their pieces together
        mesh = init_device_mesh(backbone.device.type, (ranks.world,))
        self._layers = _layers(backbone)
        # What is in no layer (embeddings, last norm, heads) stays with the root, where tied weights are one.
        for module in (*self._layers, self):
            fully_shard(module, mesh=mesh)
        for part in self._parts():  # a sum over ranks, since losses are divided by the whole step's count
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)

    def _parts(self) -> list[FSDPModule]:
        return [part for part in (*self._layers, self) if isinstance(part, FSDPModule)]

    def forward(self, work: Callable[[], T]) -> T:
        """The result of the work."""
        return work()

    def put_together(self, work: Callable[[], T]) -> T:
        """The same for work without gradient that reads the weights many times: all of them are whole meanwhile."""
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
    """Part a model that trains all its weights among the ranks, with heads of ours on it; nothing to do for one."""
    return Sharded(backbone, ranks, heads) if ranks.world > 1 else None


def _layers(backbone: Backbone) -> list[nn.Module]:
    """The model's own list of its layers."""
    lists = [one for one in backbone.model.modules() if isinstance(one, nn.ModuleList) and len(one) == backbone.layers]
    return list(lists[0]) if lists else []


def is_parted(tensor: Tensor) -> bool:
    """Whether this rank has only a piece of it."""
    return isinstance(tensor, DTensor)


def whole(tensor: Tensor) -> Tensor:
    """All of it. Every rank must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def as_held(value: Tensor, parameter: Tensor) -> Tensor:
    """Of a whole value the piece that this rank has of the parameter."""
    if not isinstance(parameter, DTensor):
        return value
    value = value.to(parameter.device, parameter.dtype)
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)


def gathered(tensors: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Tensors of which some may be parted, as wholes on the CPU then. Every rank must ask, and gets them if it wants to
    `keep` them, one after the other. What is one tensor under two names still is.
    """
    found: dict[str, Tensor] = {}
    complete: dict[int, Tensor] = {}
    for name, tensor in tensors.items():
        if id(tensor) not in complete:
            everything = whole(tensor).detach()
            complete[id(tensor)] = tensor if not keep else everything.cpu() if is_parted(tensor) else everything
        if keep:
            found[name] = complete[id(tensor)]
    return found
