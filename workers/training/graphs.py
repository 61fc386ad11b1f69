"""Steps that a GPU is told of once and takes again and again, as CUDA graphs. Knows no models, no roles and no method.

A token of a small model takes hundreds of small operations, and to tell a GPU of each takes longer than what it then
does. So a step is captured and then replayed by one call. It must be a function that reads and writes memory which
stays where it is, and that asks for no number which only the GPU knows: nothing but its operations and their addresses
is kept.

What a capture that fails leaves behind, as torch 2.13 is: the stream it was on stays the current one (`capture` sees
to that), and memory that was reserved for it stays so until the process ends. So before it is captured a step is taken
once where torch refuses to wait for the GPU, and after a failure nothing more is captured.
"""

import sys
from collections.abc import Callable, Iterator
from functools import cached_property

import torch

from workers.training.events import Warned

Step = Callable[[], object]


class GaveUp(Exception):
    """Steps could not be replayed, or not rightly; what they wrote is worth nothing."""


class Graphs:
    """Those of one device, where there is one that knows them."""

    def __init__(self, device: torch.device) -> None:
        self.used = False
        """Whether steps were replayed when they were last asked for."""
        self.why_not = ""
        """What spoke against it, once something did."""
        self._to_say = False
        self._device = device

    @classmethod
    def of(cls, device: torch.device) -> "Graphs | None":
        return cls(device) if device.type == "cuda" else None

    @cached_property
    def _stream(self) -> torch.cuda.Stream:
        """Always the same one: libraries keep a workspace for each stream that they have seen."""
        return torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]

    def aside(self, step: Step) -> None:
        """Take a step as it is, on the stream that it will be captured on: what libraries set up when they are first
        asked cannot be captured. Raises where it would wait for the GPU.
        """
        here, before = torch.cuda.current_stream(), torch.cuda.get_sync_debug_mode()
        self._stream.wait_stream(here)
        torch.cuda.set_sync_debug_mode("error")
        try:
            with torch.cuda.stream(self._stream):
                step()
        finally:
            torch.cuda.set_sync_debug_mode(before)
            here.wait_stream(self._stream)

    def capture(self, step: Step) -> torch.cuda.CUDAGraph:
        """The graph of a step, which is not taken."""
        graph = torch.cuda.CUDAGraph()
        # The outer one, because after an error `torch.cuda.graph` does not go back to the stream that was current.
        # Other threads may do to the GPU what they like: none of them knows this stream.
        with torch.cuda.stream(self._stream):
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                step()
        return graph

    def give_up(self, why: str) -> None:
        """From now on steps are taken as they are; say so in the run's log."""
        self.used, self.why_not, self._to_say = False, why, True
        print(self._sentence, file=sys.stderr, flush=True)

    def warnings(self, step: int) -> Iterator[Warned]:
        """What a person should know of it, said once."""
        if self._to_say:
            self._to_say = False
            yield Warned(step, "graphs", self._sentence)

    @property
    def _sentence(self) -> str:
        return (
            "Answers are drawn without CUDA graphs, which takes longer, most of all for small models, and changes "
            f"nothing else: {self.why_not}."
        )


class Replays:
    """One step, again and again."""

    def __init__(self, graphs: Graphs) -> None:
        self.graphs = graphs
        self._graph: torch.cuda.CUDAGraph | None = None

    def take(self, step: Step, *, anew: bool) -> bool:
        """Take it; whether that was a replay. `anew`: something in it is no longer what it was (which memory, how many
        rows). Then it is taken as it is, and captured the next time.
        """
        if anew:
            self._graph = None  # before memory is asked for: a graph keeps its own as long as it lives
            self.graphs.aside(step)
            return False
        if self._graph is None:
            self._graph = self.graphs.capture(step)
        self._graph.replay()
        self.graphs.used = True
        return True
