"""The processes of one run, one per device: which of them this is, and how they communicate.

A run on one device is `ALONE`, whose methods do nothing. With more, every rank holds the same data, computes its share
of the rows, and exchanges results before anything is decided, so that all decide alike; ranks differ in who computes
what, never in what is computed. Gradients are summed over all ranks in one flat all-reduce per optimiser step: no
wrapper around the model has to know which adapter is trained.

Knows no method. Ranks are started by `torchrun`, on one machine.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from backend.errors import Conflict, Invalid

TIMEOUT = timedelta(minutes=30)
"""So long a rank waits for the others: they may be reading a large model. One that died is noticed at once."""
PR_SET_PDEATHSIG = 1

T = TypeVar("T")


class Stopped(Exception):
    """This process was asked to stop: what was begun is dropped."""


@dataclass(frozen=True)
class Ranks:
    """This process among `world` of them."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the rank that reports and writes."""
        return self.rank == 0

    def share(self, things: Sequence[T]) -> Sequence[T]:
        """This rank's part: every `world`-th."""
        return things[self.rank :: self.world]

    def joined(self, mine: Sequence[T]) -> list[T]:
        """The opposite: the results of all ranks for their shares, in the order of the whole."""
        parts = self.gather(list(mine))
        whole: list[T] = [thing for part in parts for thing in part]
        for rank, part in enumerate(parts):
            whole[rank :: self.world] = part
        return whole

    def gather(self, mine: T) -> list[T]:
        """What every rank has, by rank."""
        if self.world == 1:
            return [mine]
        found: list[T] = [mine] * self.world
        dist.all_gather_object(found, mine)
        return found

    def any(self, flag: bool) -> bool:
        """Whether it is true of any rank."""
        return self._most(flag) > 0

    def _most(self, mine: int) -> int:
        """The largest number that any rank has."""
        if self.world == 1:
            return mine
        number = torch.tensor([mine])
        dist.all_reduce(number, dist.ReduceOp.MAX)
        return int(number)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Each tensor becomes its sum over all ranks: one all-reduce for all of them, of one type and device."""
        if self.world == 1:
            return
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, part in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.detach().copy_(part.view_as(tensor))

    def add_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Gradients summed over all ranks; a rank without rows contributes zeros."""
        if self.world == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self.add_up([parameter.grad for parameter in parameters if parameter.grad is not None])

    @contextmanager
    def alike(self, *errors: type[Exception]) -> Iterator[None]:
        """For work in which ranks do not communicate: an error of these kinds in one rank is raised in all of them
        afterwards, and Stopped rather than any other.
        """
        mine: Exception | None = None
        heard: tuple[type[Exception], ...] = (Stopped, *errors)
        try:
            yield
        except heard as error:
            if self.world == 1:
                raise
            mine = error
        worst = self._most(0 if mine is None else 2 if isinstance(mine, Stopped) else 1)
        if worst == 2:
            raise Stopped
        if worst == 1:
            raise mine or errors[0]("Another rank met it.")

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Rank 0 does the work first, and the others find its result."""
        if not self.first:
            dist.barrier()
        yield
        if self.first and self.world > 1:
            dist.barrier()

    def check_same(self, digest: str) -> None:
        """Raises Conflict if ranks no longer hold the same weights."""
        if len(set(self.gather(digest))) > 1:
            raise Conflict(f"The {self.world} devices of this run no longer hold the same weights; nothing was saved.")


ALONE = Ranks()


def join(devices: int) -> tuple[Ranks, torch.device]:
    """Join the other ranks that torchrun has started, if any; returns them and this one's device. devices: as asked."""
    world, here = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    cuda = torch.cuda.is_available()
    if cuda and max(devices, world) > torch.cuda.device_count():
        raise Invalid(
            f"devices is {max(devices, world)}, but this machine has {torch.cuda.device_count()}: ask for no more.",
            field="devices",
        )
    device = torch.device("cuda", here) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if world == 1:
        return ALONE, device
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # one machine: its name need not lead anywhere
    # Decisions go over gloo even where tensors go over NCCL: nothing waits for a device to learn of them.
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=TIMEOUT)
    return Ranks(dist.get_rank(), world), device


def leave() -> None:
    """Leave the group; nothing can be exchanged afterwards."""
    if dist.is_initialized():
        dist.destroy_process_group()


def end_with_torchrun() -> None:
    """Have the kernel end this process when torchrun ends: torchrun gives each rank a session of its own."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
