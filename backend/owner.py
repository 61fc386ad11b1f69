"""Who works on a data folder: one process at a time, held by a lock that the kernel drops however that process ends.

Files that an earlier, killed start left behind are therefore known to be stale by whoever holds the lock. The API token
with which the folder's owner speaks to the Podium that runs there lies beside it.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backend.errors import Conflict, Unavailable
from backend.settings import Settings

TOKEN_FILE = "token"


class Owned(Conflict):
    """Another process holds the data folder; `owner` is what it wrote about itself."""

    def __init__(self, folder: Path, owner: Mapping[str, Any]) -> None:
        who = f"`{owner.get('what', 'another process')}` (process {owner.get('pid', 'unknown')})"
        where = f", at {owner['url']}" if owner.get("url") else ""
        super().__init__(
            f"{who} already works on the data folder {folder}{where}; stop it first, or set PODIUM_DATA_DIR."
        )
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


def local_token(settings: Settings) -> str | None:
    """The token that the owner's programs on this machine use; only the owner can read its file."""
    try:
        return (settings.data_dir / TOKEN_FILE).read_text(encoding="ascii").strip() or None
    except OSError:
        return None


def keep_local_token(settings: Settings, secret: str) -> None:
    """Put a new one in its place, readable by nobody else."""
    file = settings.data_dir / TOKEN_FILE
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as opened:
        opened.write(secret + "\n")
