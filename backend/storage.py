"""Checkpoint files by URL: a folder of files is written whole or not at all, and read by ranges.

Knows nothing of checkpoints, runs or SQL: a key is a name the caller made up, and what lies under it never changes.
`open_store(url)` gives the store; an object store needs only another class with the same methods.
"""

import errno
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from backend.errors import Invalid, NotFound, Unavailable

CHUNK = 1 << 20
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_HALF_WRITTEN = ".half-written-"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file under a key: its path with forward slashes, its size in bytes and the SHA-256 of its content."""

    path: str
    size: int
    sha256: str


class Store(Protocol):
    """What every place for checkpoint files can do."""

    def put(self, key: str, folder: Path) -> list[StoredFile]:
        """Copy a folder to a new key; either all of it is there afterwards, or nothing."""
        ...

    def local(self, key: str) -> Path:
        """A folder on this machine with the files of a key, only to be read (what a trainer is given)."""
        ...

    def file(self, key: str, path: str) -> Path:
        """One file of a key as a file on this machine, only to be read (what the API serves)."""
        ...

    def read(self, key: str, path: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes of a file from `start` up to, not including, `end`."""
        ...

    def delete(self, key: str) -> None:
        """Remove a key; one that is not there is removed already."""
        ...


def open_store(url: str) -> Store:
    """The store that a folder or a URL names. Raises Invalid for a kind of URL that is not supported."""
    scheme, separator, _ = url.partition("://")
    if not separator:
        return FolderStore(Path(url))
    if scheme == "file":
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost"):
            raise Invalid(f"A file:// URL names a folder of this machine, not of {parts.netloc}.", "storage_url")
        return FolderStore(Path(unquote(parts.path)))
    raise Invalid(
        f"Checkpoint files cannot be kept at {scheme}://: set PODIUM_STORAGE_URL to a folder or a file:// URL "
        "(with several machines, to a folder that all of them mount).",
        "storage_url",
    )


def files_of(folder: Path) -> list[str]:
    """Paths of the regular files in a folder, sorted; links are left out, since they can lead anywhere."""
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not (Path(root) / name).is_symlink()]
        for name in names:
            file = Path(root) / name
            if file.is_file() and not file.is_symlink():
                found.append(file.relative_to(folder).as_posix())
    return sorted(found)


def describe(folder: Path, path: str) -> StoredFile:
    """Size and SHA-256 of one file of a folder."""
    digest = hashlib.sha256()
    size = 0
    with open(folder / path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return StoredFile(path, size, digest.hexdigest())


class FolderStore:
    """A folder of this machine, or one that several machines mount."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root.expanduser()))

    def put(self, key: str, folder: Path) -> list[StoredFile]:
        """Copy to a temporary name, make it durable, rename: the rename is the moment it exists."""
        place = self._place(key)
        if place.exists():
            raise Invalid(f"The store has files under {key} already, and what is stored never changes.")
        half = self.root / f"{_HALF_WRITTEN}{uuid.uuid4().hex}"
        try:
            half.mkdir(parents=True)
            self._remove_half_written()
            files = [_copy(folder / path, half / path, path) for path in files_of(folder)]
            for parent in sorted({(half / file.path).parent for file in files} | {half}):
                _sync_folder(parent)
            os.rename(half, place)
            _sync_folder(self.root)
        except OSError as error:
            with suppress(OSError):
                shutil.rmtree(half)
            raise self._plain(error) from error
        except BaseException:
            with suppress(OSError):
                shutil.rmtree(half)
            raise
        return files

    def local(self, key: str) -> Path:
        """The folder itself."""
        place = self._place(key)
        if not place.is_dir():
            raise NotFound(f"The files of {key} are not in the store {self.root}.")
        return place

    def file(self, key: str, path: str) -> Path:
        """The file itself; a path that leads out of the key's folder is not found."""
        parts = PurePosixPath(path).parts
        found = self._place(key).joinpath(*parts)
        if not parts or path.startswith("/") or ".." in parts or "\0" in path or not found.is_file():
            raise NotFound(f"There is no file {path[:200]!r} under {key}.")
        return found

    def read(self, key: str, path: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Pieces of at most a megabyte."""
        file = self.file(key, path)
        return _pieces(open(file, "rb"), start, end)

    def delete(self, key: str) -> None:
        """Rename away first, so that a reader never sees half of it."""
        half = self.root / f"{_HALF_WRITTEN}{uuid.uuid4().hex}"
        with suppress(FileNotFoundError):
            os.rename(self._place(key), half)
            shutil.rmtree(half, ignore_errors=True)

    def _remove_half_written(self) -> None:
        """What a killed writer left a day ago; a younger one may still be at work."""
        for entry in self.root.glob(f"{_HALF_WRITTEN}*"):
            with suppress(OSError):
                if time.time() - entry.stat().st_mtime > 86_400:
                    shutil.rmtree(entry)

    def _place(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise Invalid(f"{key[:200]!r} cannot be a key of the store.")
        return self.root / key

    def _plain(self, error: OSError) -> Unavailable:
        if error.errno in _FULL:
            free = ""
            with suppress(OSError):
                free = f" ({shutil.disk_usage(self.root).free / 1e6:.0f} MB free)"
            return Unavailable(
                f"The disk of the checkpoint store {self.root} is full{free}: nothing was stored. "
                "Make room, then resume the run."
            )
        return Unavailable(f"The checkpoint store {self.root} cannot be written: {error.strerror or error}.")


def _copy(source: Path, target: Path, path: str) -> StoredFile:
    """Copy one file, read once for its hash, and force it to the disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    size = 0
    with open(source, "rb") as reader, open(target, "xb") as writer:
        while chunk := reader.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return StoredFile(path, size, digest.hexdigest())


def _pieces(file: BinaryIO, start: int, end: int | None) -> Iterator[bytes]:
    with file:
        file.seek(start)
        left = None if end is None else end - start
        while left is None or left > 0:
            piece = file.read(CHUNK if left is None else min(CHUNK, left))
            if not piece:
                return
            left = None if left is None else left - len(piece)
            yield piece


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system offers that."""
    with suppress(PermissionError):  # Windows opens no folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
