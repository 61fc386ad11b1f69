"""Starting, watching and stopping a server program that the data folder's owner runs. Knows no particular one."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from backend import child
from backend.errors import Unavailable

Arguments = Sequence[str | os.PathLike[str]]
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0


@dataclass
class Server:
    """One server: how it is started, asked and stopped. `tidy` removes what an earlier, killed one left behind."""

    name: str
    arguments: Arguments
    log: Path
    answers: Callable[[], bool]
    tidy: Callable[[], None]
    how_to_stop: signal.Signals
    account: tuple[int, int] | None = None
    process: subprocess.Popen[bytes] | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Started, until the block ends."""
        try:
            self.start()
            yield
        finally:
            self.stop()

    def start(self) -> None:
        """Start and wait until it answers; a plain sentence with the end of its log when it does not."""
        self.tidy()
        with open(self.log, "ab") as output:
            self.process = spawn(self.arguments, output, self.how_to_stop, self.account)
        give_up = time.monotonic() + START_TIMEOUT_S
        while not self.answers():
            if self.process.poll() is not None:
                raise Unavailable(f"{self.name} did not start: {last_words(self.log)}")
            if time.monotonic() > give_up:
                raise Unavailable(f"{self.name} did not answer in {START_TIMEOUT_S:.0f} s: {last_words(self.log)}")
            time.sleep(0.02)

    def died(self) -> bool:
        """Whether it ended although nobody stopped it."""
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> None:
        """Ask it to end, insist when it does not, and tidy up."""
        if self.process is None:
            return
        self.process.send_signal(self.how_to_stop)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.tidy()


def spawn(
    arguments: Arguments, output: IO[bytes], death_signal: signal.Signals, account: tuple[int, int] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that ends with this process. Ctrl-C does not reach it: its owner stops it in order."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return subprocess.Popen(
        child.command(arguments, death_signal=death_signal, account=account),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=environment | {"LC_ALL": "C"},
        start_new_session=True,
    )


def end_leftovers(program: str, folder: Path, how: signal.Signals) -> None:
    """End what an owner that was killed left running: processes of that name which work in that folder."""
    left = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error):
            if process.info["name"] == program and process.cwd() == os.path.realpath(folder):
                process.send_signal(how)
                left.append(process)
    _, left = psutil.wait_procs(left, STOP_TIMEOUT_S)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, STOP_TIMEOUT_S)


def last_words(log: Path, lines: int = 3) -> str:
    """The end of a log, on one line."""
    with contextlib.suppress(OSError):
        return " | ".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-lines:])
    return "it left no log"
