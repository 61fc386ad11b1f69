"""Checkpoint files: whole or not at all, ranges, and a disk that is full."""

import errno
import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from backend.errors import Invalid, NotFound, Unavailable
from backend.storage import FolderStore, files_of, open_store


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    (folder / "adapter").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "adapter" / "weights.bin").write_bytes(bytes(range(256)) * 5000)
    (folder / "empty").touch()
    return folder


def test_what_is_put_is_there_with_its_hashes(tmp_path: Path, made: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    files = {file.path: file for file in store.put("one", made)}
    assert sorted(files) == ["adapter/weights.bin", "config.json", "empty"]
    content = (made / "adapter/weights.bin").read_bytes()
    assert files["adapter/weights.bin"].sha256 == hashlib.sha256(content).hexdigest()
    assert files["adapter/weights.bin"].size == len(content) and files["empty"].size == 0
    assert (store.local("one") / "adapter/weights.bin").read_bytes() == content
    assert b"".join(store.read("one", "adapter/weights.bin")) == content
    assert b"".join(store.read("one", "adapter/weights.bin", 300, 1_100_000)) == content[300:1_100_000]
    assert b"".join(store.read("one", "adapter/weights.bin", len(content) - 3)) == content[-3:]


def test_what_is_stored_never_changes(tmp_path: Path, made: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store.put("one", made)
    (made / "config.json").write_text("other")
    assert (store.local("one") / "config.json").read_text() == "{}"
    with pytest.raises(Invalid):
        store.put("one", made)
    assert os.listdir(tmp_path / "store") == ["one"]


def test_a_deleted_key_is_gone_and_may_be_deleted_again(tmp_path: Path, made: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store.put("one", made)
    store.delete("one")
    store.delete("one")
    assert os.listdir(tmp_path / "store") == []
    with pytest.raises(NotFound):
        store.local("one")


@pytest.mark.parametrize("path", ["../one/config.json", "/etc/passwd", "adapter/../config.json", "adapter", "", "no"])
def test_a_path_cannot_lead_out_of_its_key(tmp_path: Path, made: Path, path: str) -> None:
    store = FolderStore(tmp_path / "store")
    store.put("one", made)
    with pytest.raises(NotFound):
        store.file("one", path)


@pytest.mark.parametrize("key", ["../x", "a/b", "", ".hidden", "a\0b"])
def test_a_key_is_a_plain_name(tmp_path: Path, made: Path, key: str) -> None:
    with pytest.raises(Invalid):
        FolderStore(tmp_path / "store").put(key, made)


def test_links_are_left_out(tmp_path: Path, made: Path) -> None:
    (made / "passwd").symlink_to("/etc/passwd")
    (made / "etc").symlink_to("/etc")
    assert files_of(made) == ["adapter/weights.bin", "config.json", "empty"]


def test_an_unknown_kind_of_store_is_a_plain_error() -> None:
    with pytest.raises(Invalid, match="s3://"):
        open_store("s3://bucket/prefix")
    assert isinstance(open_store("file:///tmp/some%20where"), FolderStore)


def test_a_failed_write_leaves_nothing(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = FolderStore(tmp_path / "store")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(Unavailable, match="full"):
            store.put("one", made)
    assert os.listdir(tmp_path / "store") == []
    store.put("one", made)


def test_a_really_full_disk(tmp_path: Path, made: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        store = FolderStore(disk)
        with pytest.raises(Unavailable, match="full"):
            store.put("one", made)
        assert os.listdir(disk) == []
    finally:
        subprocess.run(["umount", disk], check=True)
