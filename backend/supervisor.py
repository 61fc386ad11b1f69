"""The child processes of `podium up`: started, watched, started again when they die, stopped. Knows nothing of what
they do; their output goes to a log each, which `Follower` can print as it grows.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backend import child
from backend.embedded import Server
from backend.errors import Unavailable
from backend.settings import REPOSITORY, Settings, environment

Say = Callable[[str], None]

STOP_TIMEOUT_S = 10.0
LOOK_EVERY_S = 0.2
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_AFTER_S = 60.0
LARGE_LOG_BYTES = 20_000_000

# What each child runs, in the order they are started.
MODULES: dict[str, tuple[str, ...]] = {
    "api": ("backend.cli", "api"),
    "dispatcher": ("workers.dispatcher",),
    "worker": ("workers.worker",),
}


@dataclass
class Process:
    """One child process that is to run until it is stopped."""

    name: str
    command: list[str]
    log: Path
    variables: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    start_at: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        """Start it with its output in its log."""
        _keep_small(self.log)
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                child.command(self.command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(self.variables),
                # A group of its own: Ctrl-C goes to the supervisor, which stops its children in order.
                start_new_session=True,
            )
        self.started_at = time.monotonic()

    def look(self, say: Say) -> None:
        """Start it again, some time after it died; the pause doubles while it does not live long."""
        now = time.monotonic()
        if self.process is not None and (code := self.process.poll()) is not None:
            self.process = None
            self.deaths = 1 if now - self.started_at > STEADY_AFTER_S else self.deaths + 1
            pause = min(FIRST_PAUSE_S * 2 ** (self.deaths - 1), LONGEST_PAUSE_S)
            self.start_at = now + pause
            say(f"the {self.name} ended ({_ending(code)}) and starts again in {pause:.1f} s; see {self.log}")
        if self.process is None and now >= self.start_at:
            self.start()


class Supervisor:
    """Starts the children, looks after them and after the embedded servers from a thread, and stops the children."""

    def __init__(
        self, settings: Settings, servers: Sequence[Server], say: Say, hurry: Callable[[], bool] = lambda: False
    ) -> None:
        settings.logs_dir.mkdir(parents=True, exist_ok=True)
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        variables |= environment(settings)
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
        self.processes = [
            Process(name, [sys.executable, "-m", *module], settings.logs_dir / f"{name}.log", variables)
            for name, module in MODULES.items()
        ]
        self._grace_s = {"worker": settings.run_stop_grace_s + STOP_TIMEOUT_S}
        self._servers = servers
        self._say = say
        self._hurry = hurry
        self._stopping = threading.Event()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """The children run until the block ends."""
        # The kernel ties a child to the thread that started it, so one thread does all of it, as long as they live.
        thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()

    def broken(self) -> Process | None:
        """A child that has died twice or more in a row, if there is one."""
        return next((process for process in self.processes if process.deaths >= 2), None)

    def _watch(self) -> None:
        try:
            while not self._stopping.is_set():
                for server in self._servers:
                    self._revive(server)
                for process in self.processes:
                    process.look(self._say)
                self._stopping.wait(LOOK_EVERY_S)
        finally:
            self._stop()

    def _revive(self, server: Server) -> None:
        if not server.died():
            return
        self._say(f"{server.name} ended by itself and starts again; see {server.log}")
        try:
            server.start()
        except Unavailable as error:
            self._say(error.message)
            self._stopping.wait(LONGEST_PAUSE_S / 10)

    def _stop(self) -> None:
        alive = {
            name: popen for name, popen in ((one.name, one.process) for one in self.processes) if popen is not None
        }
        for popen in alive.values():
            popen.terminate()
        begin = time.monotonic()
        for name, popen in alive.items():
            limit = self._grace_s.get(name, STOP_TIMEOUT_S)
            while popen.poll() is None and time.monotonic() < begin + limit and not self._hurry():
                time.sleep(0.02)
            if popen.poll() is None:
                self._say(f"the {name} is killed after {time.monotonic() - begin:.0f} s")
                popen.kill()
                popen.wait()


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _keep_small(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LARGE_LOG_BYTES:
            log.replace(log.with_name(log.name + ".old"))


class Follower:
    """Prints what is added to logs, each line after the name of its process, until closed."""

    def __init__(self, logs: Mapping[str, Path], write: Say) -> None:
        self._places = {name: (path, path.stat().st_size if path.exists() else 0) for name, path in logs.items()}
        self._write = write
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._width = max(map(len, logs))

    def __enter__(self) -> "Follower":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            last = self._over.wait(LOOK_EVERY_S)
            for name in self._places:
                self._read(name)
            if last:
                return

    def _read(self, name: str) -> None:
        path, place = self._places[name]
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            if path.stat().st_size < place:
                place = 0  # the log was put aside and begun again
            file.seek(place)
            whole, _, _ = file.read().rpartition(b"\n")
            if whole:
                self._places[name] = path, place + len(whole) + 1
                for line in whole.decode("utf-8", "replace").split("\n"):
                    self._write(f"{name:{self._width}} | {line}")
