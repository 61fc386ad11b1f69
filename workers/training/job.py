"""What a trainer is called with: its settings, its inputs as paths, and how it learns that it should stop.

A trainer is a generator `train(job)` that yields events (`events.py`). Between two units of work it looks at
`job.should_stop()`; when that is true it saves its state, yields `StateSaved` and returns without a `Result`. Within a
long one it calls `job.look_up()`, which raises `Stopped`: what was begun is dropped, and what was saved before holds.
"""

import math
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError

from backend.domain.training import RunConfig
from backend.domain.training_rows import Row
from backend.errors import Invalid, NotFound
from workers.training.events import Progress
from workers.training.ranks import ALONE, Ranks, Stopped

SomeRow = TypeVar("SomeRow", bound=Row)
Some = TypeVar("Some")
Made = TypeVar("Made")

TELL_EVERY_S = 1.0
AT_ONCE = 256

CPU = torch.device("cpu")


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Job:
    """One attempt at one run. `inputs` are as in `job.json`, with every path absolute."""

    folder: Path
    kind: str
    config: RunConfig
    inputs: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    run: str = ""
    model_name: str | None = None
    """What the model that training starts from is called in the registry: a path would only hold on this machine."""
    store: Path | None = None
    """The folder that the output will be copied to, where it is one of this machine."""
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32
    should_stop: Callable[[], bool] = _never
    """Of this process: where there are others, they are asked too before anybody stops."""
    ranks: Ranks = ALONE

    @property
    def state(self) -> Path:
        """Where the resumable state is kept."""
        return self.folder / "state"

    @property
    def output(self) -> Path:
        """What becomes the checkpoint."""
        return self.folder / "output"

    def look_up(self) -> None:
        """From the midst of work. Where there are ranks, within `alike`."""
        if self.should_stop():
            raise Stopped

    def path(self, name: str) -> Path:
        """The file or folder of an input that must be there."""
        value = self.inputs.get(name)
        if not value:
            raise NotFound(f"This run needs the input {name}, and was given none.")
        path = Path(value)
        if not path.exists():
            raise NotFound(f"The input {name} of this run is missing: there is nothing at {path}.")
        return path

    def optional_path(self, name: str) -> Path | None:
        """The same for an input that may be left out."""
        return self.path(name) if self.inputs.get(name) else None

    def rows(self, name: str, kind: type[SomeRow]) -> list[SomeRow]:
        """The rows of a JSON-lines input; a row that is not one is named by its line."""
        return list(read_rows(self.path(name), kind))

    def each(
        self,
        things: Sequence[Some],
        work: Callable[[Sequence[Some]], Sequence[Made]],
        phase: str,
        *,
        step: int = 0,
    ) -> Generator[Progress, None, list[Made]]:
        """What `work` makes of things, some at once: of many that takes minutes, in which people see how far it is.
        Where the run is asked to stop, what was made is lost. step: how many have been trained, of as many.
        """
        yield Progress(step, step or None, phase)
        made: list[Made] = []
        told = time.monotonic()
        for start in range(0, len(things), AT_ONCE):
            if self.ranks.any(self.should_stop()):
                raise Stopped
            made += work(things[start : start + AT_ONCE])
            if (now := time.monotonic()) - told >= TELL_EVERY_S:
                yield Progress(step, step or None, f"{phase}, {min(1.0, (start + AT_ONCE) / len(things)):.0%}")
                told = now
        return made


def spread(things: Sequence[Some], most: int) -> Sequence[Some]:
    """At most so many of them, from all over: what stands side by side in a file is often alike."""
    return things[:: math.ceil(len(things) / most) or 1]


def read_rows(path: Path, kind: type[SomeRow]) -> Iterator[SomeRow]:
    """The rows of a JSON-lines file; empty lines are passed over."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield kind.model_validate_json(line)
            except ValidationError as error:
                fault = error.errors(include_url=False)[0]
                place = ".".join(str(part) for part in fault["loc"])
                raise Invalid(
                    f"Line {number} of {path.name} cannot be read: {place or 'the row'}: {fault['msg']}."
                ) from None


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write a JSON-lines file whole or not at all."""
    _write(path, (row.model_dump_json() for row in rows))


def keep_rows(path: Path, rows: Sequence[Row]) -> None:
    """The same as a part of a state: the last line says how many they are."""
    _write(path, [*(row.model_dump_json() for row in rows), str(len(rows))])


def kept_rows(path: Path, kind: type[SomeRow]) -> list[SomeRow] | None:
    """What `keep_rows` kept. None where it is not there, or no longer whole: then it is to be made again."""
    with suppress(OSError, ValueError):
        *rows, count = path.read_bytes().splitlines()
        if int(count) == len(rows):
            return [kind.model_validate_json(row) for row in rows]
    return None


def _write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())  # else a machine that loses power may have the name and not what it stands for
    partial.replace(path)
