"""What a trainer has reported, kept in its run's folder until the database surely has it. Knows neither of them.

A worker that is killed takes with it what it had heard and not yet written, while the trainer's saved state may go on
after those steps: nobody would report them again. So a report is written here before it is said, and reaches the disk
before a state that goes on after it; the next attempt first brings into the database what that lacks.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

FILES = ("reported.before.jsonl", "reported.jsonl")
"""The older part and the newer one."""
KEPT = 10_000
"""At least so many of the last reports are kept: more than can be on their way from a trainer into the database, since
a trainer whose worker cannot write is made to wait (`process`, `relay`)."""
TYPES = ("metrics", "sample", "warning", "state")


class Reported:
    """The reports of one attempt, as they are made."""

    def __init__(self, folder: Path) -> None:
        self._before, self._now = (folder / name for name in FILES)
        self._file = open(self._now, "ab", buffering=0)  # noqa: SIM115  (as long as the process)
        self._lines = 0
        self._newest = -1
        if self._file.tell():
            self._file.write(b"\n")  # the last line of an earlier attempt may have been cut short

    def keep(self, message: Mapping[str, Any]) -> None:
        """Write one message down, if it is a report that has to last."""
        if message["type"] not in TYPES:
            return
        # Between two steps only: the parts of a step are one row of the database.
        if self._lines >= KEPT and message["step"] > self._newest:
            self._file.close()
            self._now.replace(self._before)
            self._file = open(self._now, "ab", buffering=0)  # noqa: SIM115
            self._lines = 0
        self._file.write(json.dumps(message, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        self._lines += 1
        self._newest = max(self._newest, message["step"])

    def close(self) -> None:
        """Nothing more will be said."""
        self._file.close()


def sync(folder: Path) -> None:
    """Force what was written down onto the disk."""
    with suppress(FileNotFoundError), open(folder / FILES[-1], "rb") as file:
        os.fsync(file.fileno())


def read(folder: Path) -> Iterator[bytes]:
    """The whole lines, oldest first; one that a kill cut short is left out."""
    for name in FILES:
        with suppress(FileNotFoundError), open(folder / name, "rb") as file:
            yield from (line for line in file if line.endswith(b"}\n"))


def clear(folder: Path) -> None:
    """Forget all of it: the database has it."""
    for name in FILES:
        with suppress(FileNotFoundError):
            os.unlink(folder / name)
