"""Who works on a data folder: one process at a time, held by a lock that the kernel drops however that process ends.

Files that an earlier, killed start left behind are therefore known to be stale by whoever holds the lock.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backend.errors import Conflict, Unavailable
from backend.settings import Settings

LONGEST_SOCKET_FOLDER = 70  # a socket's path may have 108 bytes, on macOS 104; its name takes up to 19


class Owned(Conflict):
    """Another process holds the data folder; `owner` is what it wrote about itself."""

    def __init__(self, folder: Path, owner: Mapping[str, Any]) -> None:
        who = f"`{owner.get('what', 'another process')}` (process {owner.get('pid', 'unknown')})"
        super().__init__(f"{who} already works on the data folder {folder}; stop it first, or set PODIUM_DATA_DIR.")
        self.owner = owner


@contextlib.contextmanager
def own(settings: Settings, what: str) -> Iterator[None]:
    """Hold the data folder, made if missing; raises `Owned` when another process does."""
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (folder / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"The data folder {folder} cannot be used: {error.strerror}.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Owned(folder, owner_of(settings) or {}) from None
        file.truncate(0)
        file.write(json.dumps({"what": what, "pid": os.getpid(), "url": settings.local_url}))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def owner_of(settings: Settings) -> dict[str, Any] | None:
    """What the process that holds the data folder wrote about itself; None when nobody does."""
    try:
        with open(settings.data_dir / "lock", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                content = json.loads(file.read() or "{}")
                return content if isinstance(content, dict) else {}
    except (OSError, ValueError):
        pass
    return None


@contextlib.contextmanager
def leave_sockets(folder: Path) -> Iterator[None]:
    """At the end of the block, remove a socket folder whose last server has taken its socket away."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


def socket_folder(data_dir: Path) -> Path:
    """A folder only its owner can enter: in the data folder, or below /tmp where that path is too long for a socket."""
    folder = data_dir / "sockets"
    if len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER:
        name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
        folder = temporary_root() / f"podium-{os.getuid()}-{name}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise Unavailable(f"{folder} belongs to somebody else; remove it, or set a shorter PODIUM_DATA_DIR.")
    folder.chmod(0o700)
    return folder


def temporary_root() -> Path:
    """The shortest folder for temporary files that this machine has."""
    short = Path("/tmp")
    return short if os.access(short, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
