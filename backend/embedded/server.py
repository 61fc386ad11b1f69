"""Starting, waiting for and stopping a server program that the data folder's owner runs. Knows no particular one."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import psutil

from backend import child
from backend.errors import Unavailable

Arguments = Sequence[str | os.PathLike[str]]
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0


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


def wait_until(answers: Callable[[], bool], process: subprocess.Popen[bytes], name: str, log: Path) -> None:
    """Return once the server answers; a plain sentence with the end of its log when it ended or is silent."""
    give_up = time.monotonic() + START_TIMEOUT_S
    while not answers():
        if process.poll() is not None:
            raise Unavailable(f"{name} did not start: {last_words(log)}")
        if time.monotonic() > give_up:
            raise Unavailable(f"{name} did not answer within {START_TIMEOUT_S:.0f} s: {last_words(log)}")
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """Ask the server to end, and insist when it does not."""
    process.send_signal(how)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


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
