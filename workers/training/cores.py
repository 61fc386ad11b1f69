"""The cores of a CPU, each working on a micro-batch of its own; knows no models and no method.

If each small operation is split between cores, they wait for one another after every one. So each core computes a whole
micro-batch in a thread of its own, on the same weights. Results are added up in the order of the micro-batches, however
fast each was: the same work gives the same bits.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import torch
from torch import Tensor

MOST = 8
"""With more, micro-batches get too small and gradients too many; each then has several threads instead."""

NAME = "core"
"""How the names of their threads begin."""

T = TypeVar("T")
R = TypeVar("R")


class Cores:
    """`count` of them. With one, work is done in the calling thread, and torch splits operations as it is set to."""

    def __init__(self, count: int = 1, threads: int = 1) -> None:
        """threads: of each."""
        self.count, self._threads = count, threads
        self._pool: ThreadPoolExecutor | None = None

    @classmethod
    def of(cls, device: torch.device) -> "Cores":
        """As many as torch has threads; one where the device is not a CPU."""
        threads = torch.get_num_threads() if device.type == "cpu" else 1
        count = min(threads, MOST)
        return cls(count, threads // count)

    def map(self, work: Callable[[T], R], things: Sequence[T]) -> list[R]:
        """The results of `work` for each thing, in order. Within work, a call of this runs in the calling thread: if it
        waited for a core, all of them might wait.
        """
        if self.count == 1 or len(things) == 1 or threading.current_thread().name.startswith(NAME):
            return [work(thing) for thing in things]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.count, NAME, torch.set_num_threads, (self._threads,))
        gradients, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

        def here(thing: T) -> R:  # a new thread does not inherit these settings
            with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
                return work(thing)

        running = [self._pool.submit(here, thing) for thing in things]
        wait(running)  # also after an error: no thread may go on writing while the error is handled
        return [one.result() for one in running]

    def learn(
        self, work: Callable[[T], tuple[Tensor, R]], things: Sequence[T], parameters: Sequence[torch.nn.Parameter]
    ) -> list[R]:
        """`work` returns a loss and something else for each thing. The gradients of all losses are added to those of
        the parameters; the rest is returned.
        """
        if self.count == 1:
            return [_backward(*work(thing)) for thing in things]

        def gradients(thing: T) -> tuple[tuple[Tensor | None, ...], R]:
            loss, found = work(thing)
            return torch.autograd.grad(loss, parameters, allow_unused=True), found

        rest = []
        for start in range(0, len(things), self.count):  # no more gradients than cores are in memory at once
            for added, found in self.map(gradients, things[start : start + self.count]):
                for parameter, gradient in zip(parameters, added, strict=True):
                    if gradient is not None:
                        parameter.grad = gradient.clone() if parameter.grad is None else parameter.grad.add_(gradient)
                rest.append(found)
        return rest


def _backward(loss: Tensor, found: R) -> R:
    torch.autograd.backward(loss)
    return found
