"""Every check of Podium in one go, for `podium test`: style, types, imports, the pages, the tests. Knows none of them
more closely than its command.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend import frontend
from backend.errors import Unavailable
from backend.settings import PREFIX, REPOSITORY, Settings, variable

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM_ON_MACOS = ("Google Chrome.app/Contents/MacOS/Google Chrome", "Chromium.app/Contents/MacOS/Chromium")
FETCH_TIMEOUT_S = 300
MOST_PROCESSES = 8

Say = Callable[[str], None]


@dataclass(frozen=True)
class Check:
    """A name and a command, run in the repository; `script` is found beside this Python."""

    name: str
    script: str
    arguments: tuple[str, ...] = ()

    def run(self) -> int:
        program = Path(sys.executable).parent / self.script
        return subprocess.run(
            [str(program), *self.arguments], cwd=REPOSITORY, env=_environment(), check=False
        ).returncode


CHECKS = (
    Check("style", "ruff", ("check", ".")),
    Check("format", "ruff", ("format", "--check", ".")),
    Check("types", "mypy"),
    Check("imports", "lint-imports", ("--no-logo",)),
)


def run_all(say: Say) -> int:
    """Everything, also after a failure; pytest last, so that its summary stands at the end. The exit status."""
    _need_packages()
    failed = []
    for check in CHECKS:
        say(f"{check.name}: {check.script} {' '.join(check.arguments)}")
        if check.run() != 0:
            failed.append(check.name)
    failed += check_pages(say)
    without = "" if fetch_chromium(say) else _NO_BROWSER
    say("tests: pytest")
    tests = run_pytest(["-m", "not browser"] if without else [])
    if without:
        say(without)
    if failed:
        say(f"failed before the tests: {', '.join(failed)}")
    return 1 if failed else tests


def run_pytest(arguments: Sequence[str]) -> int:
    """pytest with these arguments; in several processes when it runs everything."""
    _need_packages()
    processes = min(os.cpu_count() or 1, MOST_PROCESSES)
    everything = not any(
        not argument.startswith("-") and Path(argument.split("::")[0]).exists() for argument in arguments
    )
    # A file stays in one process: its tests share what is costly to start. tests/conftest.py says which comes first.
    spread = ["-n", str(processes), "--dist", "loadfile", "--no-loadscope-reorder"]
    spread = spread if everything and processes > 1 else []
    command = [sys.executable, "-m", "pytest", "-q", *spread, *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=_environment(), stdin=subprocess.DEVNULL, check=False).returncode


def check_pages(say: Say) -> list[str]:
    """Types, style and tests of the pages, and their build; the names of what failed."""
    if not (frontend.FRONTEND / "package.json").exists():
        say("pages: there are none yet, so they are not checked")
        return []
    try:
        node = frontend.install(say)
        failed = []
        for script in ("check", "test"):
            say(f"pages: npm run {script}")
            if node.run("run", script, folder=frontend.FRONTEND) != 0:
                failed.append(f"pages ({script})")
        frontend.build(say)
    except Unavailable as error:
        say(error.message)
        return ["pages"]
    return failed


def chromium() -> str | None:
    """A Chromium or Chrome: the one that was named, else the machine's own, else the one that Playwright fetched."""
    if (named := Settings().chromium) is not None:
        return str(named)
    for name in CHROMIUM_NAMES:
        found = shutil.which(name)
        if found is not None:
            return found
    for place in CHROMIUM_ON_MACOS:
        if os.access(path := f"/Applications/{place}", os.X_OK):
            return path
    script = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    asked = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    fetched = asked.stdout.strip()
    return fetched if asked.returncode == 0 and os.access(fetched, os.X_OK) else None


def fetch_chromium(say: Say) -> str | None:
    """A Chromium, fetched by Playwright when there is none; None when it cannot be had."""
    found = chromium()
    if found is not None:
        return found
    say("this machine has no Chromium or Chrome; fetching Playwright's")
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=FETCH_TIMEOUT_S, check=True)
    except (subprocess.SubprocessError, OSError):
        return None
    return chromium()


_NO_BROWSER = (
    "NOT RUN: the tests in tests/browser. They need Chromium or Chrome; there is none here and Playwright could not "
    "fetch its own. (On Debian and Ubuntu: apt-get install chromium)"
)


def _need_packages() -> None:
    missing = [name for name in ("pytest", "ruff", "mypy", "importlinter") if importlib.util.find_spec(name) is None]
    if missing:
        raise Unavailable(f"The packages of the checks are not installed ({', '.join(missing)}); run ./podium test.")


def _environment() -> dict[str, str]:
    """The tests decide about settings themselves, and one thread each is the fastest where several processes run."""
    browser = variable("chromium")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) or name == browser}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    kept.setdefault("OMP_NUM_THREADS", "1")
    return kept


def clock() -> Say:
    """Prints a line with the seconds since now, on standard output, in order with what the checks print."""
    begin = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - begin:6.1f} s] {line}", flush=True)

    return say
