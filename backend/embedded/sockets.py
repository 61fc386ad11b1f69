"""Where the sockets of the embedded servers lie: paths to sockets must be short, and nobody else may get at them."""

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from backend.errors import Unavailable

LONGEST_FOLDER = 70  # a socket's path may have 108 bytes, on macOS 104; its name takes up to 19


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
    if len(os.fsencode(folder)) > LONGEST_FOLDER:
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
