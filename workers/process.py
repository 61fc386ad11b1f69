"""A trainer as a process of its own: started, listened to, told to stop, killed. Knows no run and no database.

It leads a process group, so that whatever it starts dies with it. Its standard input is a pipe that this process holds
open and never writes to: when the worker dies in whatever way, the pipe ends and the trainer ends itself.
"""

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from workers import messages
from workers.messages import Message

LONGEST_MESSAGE = 8 << 20
WAITING_MESSAGES = 1000
TAKEN_AT_ONCE = 1000


class Trainer:
    """One running process and what it says."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        keep_open: Sequence[int] = (),
    ) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
            pass_fds=tuple(keep_open),
        )
        # A full queue makes the readers wait, and then the trainer: it cannot fill the worker's memory.
        self._said: queue.Queue[Message] = queue.Queue(WAITING_MESSAGES)
        self._readers = []
        for pipe, read in ((self.process.stdout, messages.read), (self.process.stderr, messages.log_line)):
            if pipe is not None:
                reader = threading.Thread(target=self._listen, args=(pipe, read), daemon=True)
                reader.start()
                self._readers.append(reader)

    def _listen(self, pipe: IO[bytes], read: Callable[[bytes], Message]) -> None:
        with suppress(OSError, ValueError), pipe:
            for line in _lines(pipe):
                self._said.put(read(line))

    def said(self, timeout_s: float) -> list[Message]:
        """What was said since; waits for a first message at most so long."""
        found: list[Message] = []
        with suppress(queue.Empty):
            found.append(self._said.get(timeout=timeout_s))
            while len(found) < TAKEN_AT_ONCE:
                found.append(self._said.get_nowait())
        return found

    @property
    def ended(self) -> bool:
        """Whether the process is gone and everything it said was taken."""
        return self.process.poll() is not None and self._said.empty() and not self._listening()

    def _listening(self) -> bool:
        return any(reader.is_alive() for reader in self._readers)

    def ask_to_stop(self) -> None:
        """Tell the process to save its state and exit."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the whole group now, and also what outlived its leader."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Leave nothing behind: no process, no open pipe, no waiting thread."""
        self.kill()
        if self.process.stdin is not None:
            with suppress(OSError):
                self.process.stdin.close()
        give_up = time.monotonic() + 5.0
        while self._listening() and time.monotonic() < give_up:
            self.said(0.05)  # a reader may wait for room in the queue


def _lines(pipe: IO[bytes]) -> Iterator[bytes]:
    """Lines of a pipe as soon as they are whole; a line without end comes in pieces."""
    rest = b""
    while piece := os.read(pipe.fileno(), 1 << 16):
        *whole, rest = (rest + piece.replace(b"\r", b"\n")).split(b"\n")
        yield from (line for line in whole if line.strip())
        if len(rest) > LONGEST_MESSAGE:
            yield rest
            rest = b""
    if rest.strip():
        yield rest
