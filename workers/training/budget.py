"""How many tokens go through a model at once, and what happens if memory runs out: half as many, once in a run.

Micro-batches bound memory and change nothing else, so work that is repeated in smaller ones gives the same result.
Knows no method: callers pass `attempt` something that can be done twice.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import torch

from workers.training.events import Warned
from workers.training.memory import is_out_of_memory

T = TypeVar("T")
RULE = "memory"
OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError, RuntimeError)
"""What it is among, on a device or a CPU: where one rank meets it, all of them do their part again."""
FILE = "tokens_at_once"
"""Where a state that is made of files says how many tokens are left."""


class TokenBudget:
    """The `tokens` of a micro-batch: as many as were asked for, or half after memory ran out."""

    def __init__(self, asked: int) -> None:
        self.asked = self.tokens = asked
        self._most = 0
        self.can_repeat = True
        """Whether work may be repeated: not while other ranks are in the middle of the same."""
        self._to_say = False

    @property
    def halved(self) -> bool:
        """Whether memory ran out already."""
        return self.tokens < self.asked

    def share_of(self, tokens: int) -> int:
        """Another number of tokens, halved if this budget was."""
        return tokens // 2 if self.halved else tokens

    def note(self, tokens: int) -> None:
        """A micro-batch had so many: if no step fills the budget, the largest of these is halved instead."""
        self._most = max(self._most, tokens)

    def attempt(self, work: Callable[[], T], before_again: Callable[[], object] = lambda: None) -> T:
        """The result of `work`, which uses `tokens`. If memory runs out for the first time, tokens are halved,
        `before_again` undoes what work has changed, and work is repeated; a second time is an error.
        """
        try:
            return work()
        except (MemoryError, RuntimeError) as error:
            if self.halved or not self.can_repeat or not is_out_of_memory(error):
                raise
        # Outside of `except`, because the error keeps alive what the failed work had in memory.
        self.tokens = max(1, min(self.tokens, self._most or self.tokens) // 2)
        self._to_say = True
        gc.collect()
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.empty_cache()
        before_again()
        return work()

    def remember(self, file: Path) -> None:
        """Write down what is left, for a state that is made of files; nothing while all of it is."""
        if self.halved:
            partial = file.with_name(file.name + ".partial")
            partial.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(str(self.tokens), encoding="utf-8")
            partial.replace(file)

    def recall(self, file: Path) -> None:
        """The opposite."""
        with suppress(FileNotFoundError, ValueError):
            self.tokens = int(file.read_text(encoding="utf-8"))

    def warnings(self, step: int) -> Iterator[Warned]:
        """What a person should know of it, said once."""
        if self._to_say:
            self._to_say = False
            yield Warned(
                step,
                RULE,
                f"Memory ran out at step {step}: from here on {self.tokens} tokens are computed at once instead of "
                f"{self.asked}. The step was done again; this costs time and changes no result.",
            )
