"""The folder of a run on this machine: one attempt at a time in it, cleaned before and after. Knows no database.

<runs>/<run id>/         job.json, inputs/, state/, output/ (see `backend.services.run_inputs` and the trainers)
<runs>/<run id>.lock     held by the attempt and by its trainer: whoever gets it knows that both are gone
"""

import fcntl
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from backend.errors import Conflict

WAIT_S = 15.0
KILL_AFTER_S = 5.0


@contextmanager
def locked(folder: Path, check: Callable[[], None]) -> Iterator[int]:
    """Hold a run's folder; the file descriptor of the lock, for the trainer to hold it as well.

    A trainer of an attempt that was lost may still live (its worker was stopped, not killed). It is given some
    seconds, then it is ended.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        started, killed = time.monotonic(), False
        while not _try(lock):
            check()
            waited = time.monotonic() - started
            if waited > KILL_AFTER_S and not killed:
                killed = True
                _end_holder(lock, folder)
            if waited > WAIT_S:
                raise Conflict(
                    f"Another process still works in the run's folder {folder}. If no worker is at it, remove "
                    f"{folder}.lock; then resume the run."
                )
            time.sleep(0.1)
        yield lock
    finally:
        os.close(lock)


def note_holder(lock: int, process: int) -> None:
    """Write down who holds the lock besides us."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(process).encode(), 0)


def has_state(folder: Path) -> bool:
    """Whether an earlier attempt saved anything to go on from."""
    state = folder / "state"
    return state.is_dir() and any(state.iterdir())


def prepare(folder: Path, *, keep: bool) -> None:
    """An empty folder, or with `keep` the inputs and the state of an earlier attempt. Output never outlives one."""
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "output", ignore_errors=True)
    for name in ("inputs", "state", "output"):
        (folder / name).mkdir(exist_ok=True)


def tidy(folder: Path) -> None:
    """After an attempt that did not succeed: what a next attempt can use stays, for some days."""
    try:
        useful = has_state(folder)
    except OSError:
        useful = False
    if useful:
        shutil.rmtree(folder / "output", ignore_errors=True)
    else:
        # The lock stays: somebody may be waiting for it.
        shutil.rmtree(folder, ignore_errors=True)


def remove(folder: Path) -> None:
    """The folder and its lock."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(FileNotFoundError):
        os.unlink(f"{folder}.lock")


def all_in(runs: Path) -> list[Path]:
    """The folders of runs on this machine."""
    return [folder for folder in runs.iterdir() if folder.is_dir()] if runs.is_dir() else []


def older_than(runs: Path, days: float) -> list[Path]:
    """Those in which nothing happened for so long."""
    limit = time.time() - days * 86_400
    return [folder for folder in all_in(runs) if _newest(folder) < limit]


def _newest(folder: Path) -> float:
    times = [folder.stat().st_mtime]
    for name in ("state", "inputs", "job.json"):
        with suppress(FileNotFoundError):
            times.append((folder / name).stat().st_mtime)
    return max(times)


def _try(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end_holder(lock: int, folder: Path) -> None:
    """End the trainer that the lock's file names, if it is one: its command line names the folder."""
    with suppress(ValueError, psutil.Error, ProcessLookupError, PermissionError):
        process = psutil.Process(int(os.pread(lock, 32, 0)))
        if str(folder) in process.cmdline():
            os.killpg(process.pid, signal.SIGKILL)
