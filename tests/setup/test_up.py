"""`podium up` as its owner meets it: a process, its children, signals, and the commands that speak to it."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx2
import psutil
import pytest

from backend.settings import PREFIX, REPOSITORY, Settings, environment


@pytest.fixture
def settings() -> Iterator[Settings]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="podium-") as folder:
        # No pages: they have tests of their own, and building them takes long.
        yield Settings(
            data_dir=Path(folder) / "data",
            port=port,
            database_url=None,
            redis_url=None,
            log_level="info",
        )


def variables(settings: Settings) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    return kept | environment(settings) | {"PYTHONPATH": path}


def podium(settings: Settings, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A command, run to its end."""
    command = [sys.executable, "-m", "backend.cli", *arguments]
    return subprocess.run(
        command,
        env=variables(settings),
        cwd=settings.data_dir.parent,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


UP = """
import sys
from backend import frontend
from backend.cli import main
frontend.build = lambda say: False
main(sys.argv[1:])
"""


@contextlib.contextmanager
def up(settings: Settings) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`podium up` in a process of its own, once it is ready; what it printed by then."""
    command = [sys.executable, "-c", UP, "up"]
    with subprocess.Popen(
        command,
        env=variables(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Tests that a shell runs in the background would hand on that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        printed = ""
        try:
            for line in process.stdout:
                printed += line
                if "Stop      Ctrl-C" in line:
                    break
            assert "] ready" in printed, printed
            yield process, printed
        finally:
            process.kill()


def children(process: subprocess.Popen[str]) -> dict[str, psutil.Process]:
    """The processes of a Podium by what they are."""
    names = {"backend.cli": "api", "workers.dispatcher": "dispatcher", "workers.worker": "worker"}
    found = {}
    for one in psutil.Process(process.pid).children():
        with contextlib.suppress(psutil.Error):
            line = one.cmdline()
            found[next((names[word] for word in line if word in names), one.name())] = one
    return found


def has_another(process: subprocess.Popen[str], name: str, pid: int) -> bool:
    now = children(process).get(name)
    return now is not None and now.pid != pid


def gone(processes: list[psutil.Process], seconds: float) -> bool:
    _, alive = psutil.wait_procs(processes, seconds)
    return not alive


def soon(holds: Callable[[], object], seconds: float = 60.0) -> bool:
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.1)
    return True


def ready(settings: Settings) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return httpx2.get(f"{settings.local_url}/readyz").status_code == 200
    return False


def test_the_life_of_a_podium(settings: Settings) -> None:
    """One start costs seconds, so one test goes through a day of it."""
    with up(settings) as (process, printed):
        assert ready(settings)
        assert set(children(process)) == {"postgres", "valkey-server", "api", "dispatcher", "worker"}

        # The first start says once how to sign in, and it works.
        email, password = re.search(r"Sign in +(\S+)\n +Password +(\S+)", printed).groups()  # type: ignore[union-attr]
        answer = httpx2.post(f"{settings.local_url}/api/v1/session", json={"email": email, "password": password})
        assert answer.status_code == 201
        assert answer.json()["user"]["role"] == "admin"

        # The owner's programs need neither address nor token; nobody else can read the token.
        assert (settings.data_dir / "token").stat().st_mode & 0o777 == 0o600
        file = settings.data_dir / "pairs.jsonl"
        file.write_text(json.dumps({"prompt": "Why?", "chosen": "Because.", "rejected": "No."}) + "\n{}\n")
        done = podium(settings, "import", str(file), "--project", "First study")
        assert done.returncode == 0, done.stderr
        assert "1 judgments" in done.stdout
        assert "line 2" in done.stderr
        exported = podium(settings, "export", "--project", "First study", "--what", "preferences")
        assert json.loads(exported.stdout)["chosen"] == "Because."
        made = podium(settings, "token", "create", "--user", email, "--scope", "read")
        assert re.fullmatch(r"podium_\S+\n", made.stdout)
        added = podium(
            settings,
            "user",
            "add",
            "ann@example.org",
            "--role",
            "annotator",
            "--password-stdin",
            stdin="long-enough-1\n",
        )
        assert added.stdout == "Added ann@example.org (annotator).\n"

        # A second start on the same folder, or on the same port, is told why it cannot be.
        second = podium(settings, "up")
        assert second.returncode == 1
        assert f"already works on the data folder {settings.data_dir}" in second.stderr
        assert settings.local_url in second.stderr

        # What dies is started again, the servers as well.
        for name in ("api", "worker", "dispatcher", "valkey-server", "postgres"):
            before = children(process)[name]
            before.kill()
            assert soon(partial(has_another, process, name, before.pid)), name
        assert soon(lambda: ready(settings))
        assert podium(settings, "project", "list").stdout.startswith("first-study")

        # One signal stops all of it, in order and soon.
        running = list(children(process).values())
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert gone(running, 5)
        assert (
            "database system is shut down" in (settings.data_dir / "logs" / "postgres.log").read_text().splitlines()[-1]
        )


def test_nothing_is_left_when_it_is_killed_and_the_next_start_is_quiet_about_the_password(
    settings: Settings, started_before: Callable[[Settings], Settings]
) -> None:
    started_before(settings)
    with up(settings) as (process, printed):
        assert "Password" in printed
        running = list(children(process).values())
        process.kill()
        assert gone(running, 30)
    with up(settings) as (process, printed):
        assert "Password" not in printed
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_a_taken_port_is_said_at_once(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.port))
        taken.listen()
        done = podium(settings, "up")
    assert done.returncode == 1
    assert f"port {settings.port}" in done.stderr
    assert "--port" in done.stderr
    assert not (settings.data_dir / "postgres").exists()


def test_programs_are_told_what_is_missing(settings: Settings) -> None:
    nothing_runs = podium(settings, "project", "list")
    assert nothing_runs.returncode == 1
    assert "podium up" in nothing_runs.stderr
    elsewhere = podium(settings.model_copy(update={"url": f"http://127.0.0.1:{settings.port}"}), "project", "list")
    assert "PODIUM_TOKEN is not set" in elsewhere.stderr
    with_token = settings.model_copy(update={"url": f"http://127.0.0.1:{settings.port}", "token": "x"})
    assert "does not answer" in podium(with_token, "project", "list").stderr
