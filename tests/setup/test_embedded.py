"""The embedded services: kept data, one owner a folder, and starts after everything was killed."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from backend import embedded
from backend.embedded.sockets import socket_folder
from backend.owner import Owned, owner_of
from backend.settings import Settings

OWNER = """
import sys, time
from pathlib import Path
from backend import embedded
from backend.settings import Settings
with embedded.services(Settings(data_dir=Path(sys.argv[1]))) as services:
    print(services.database_url, services.redis_url, flush=True)
    time.sleep(300)
"""


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    for name in ("PODIUM_DATABASE_URL", "PODIUM_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    with tempfile.TemporaryDirectory(prefix="podium-") as folder:  # short enough for sockets
        yield Settings(data_dir=Path(folder) / "data")


@pytest.fixture
def started(settings: Settings, started_before: Callable[[Settings], Settings]) -> Settings:
    """The same, where PostgreSQL has been before."""
    return started_before(settings)


@contextlib.contextmanager
def owner_process(settings: Settings) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Another process that owns the data folder and runs both services."""
    arguments = [sys.executable, "-c", textwrap.dedent(OWNER), str(settings.data_dir)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            database_url, redis_url = process.stdout.readline().split()
            yield process, database_url, redis_url
        finally:
            process.kill()


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def servers_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd().startswith(str(folder)) and process.name() in ("postgres", "valkey-server"):
                found.append(process)
    return found


def soon(holds: Callable[[], object], seconds: float = 20.0) -> bool:
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True


def test_what_was_written_is_there_after_a_restart(settings: Settings) -> None:
    with embedded.services(settings) as first:
        query(first.database_url, "CREATE TABLE kept AS SELECT 7 AS n")
        assert query(first.database_url, "SHOW fsync") == [("on",)]
        with redis.Redis(unix_socket_path=str(socket_folder(settings.data_dir) / "valkey.sock")) as connection:
            connection.set("bell", "rung")
        assert owner_of(settings) is not None
    assert owner_of(settings) is None
    assert servers_in(settings.data_dir) == []
    with embedded.services(settings) as second:
        assert (second.database_url, second.redis_url) == (first.database_url, first.redis_url)
        assert query(second.database_url, "SELECT n FROM kept") == [(7,)]
        with redis.Redis(unix_socket_path=str(socket_folder(settings.data_dir) / "valkey.sock")) as connection:
            assert connection.get("bell") == b"rung"


def test_a_killed_owner_takes_its_servers_along_and_the_next_start_works(started: Settings) -> None:
    with owner_process(started) as (process, database_url, _):
        query(database_url, "CREATE TABLE kept AS SELECT 7 AS n")
        assert len(servers_in(started.data_dir)) >= 2
        process.kill()
        process.wait()
    assert soon(lambda: not servers_in(started.data_dir))
    with embedded.services(started) as services:
        assert query(services.database_url, "SELECT n FROM kept") == [(7,)]


def test_a_start_after_everything_was_killed_at_once(started: Settings) -> None:
    with owner_process(started) as (process, database_url, _):
        query(database_url, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        os.kill(process.pid, signal.SIGKILL)
        for victim in servers_in(started.data_dir):
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.send_signal(signal.SIGKILL)
        process.wait()
        # A number of a living process that is not PostgreSQL, as it happens when a container is started again.
        lines = (started.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
        lines[0] = str(os.getppid())
        (started.data_dir / "postgres" / "postmaster.pid").write_text("\n".join(lines) + "\n")
        with embedded.services(started) as services:
            assert query(services.database_url, "SELECT count(*) FROM kept") == [(1000,)]


def test_a_start_killed_while_the_data_folder_was_made_is_made_good(settings: Settings) -> None:
    half = settings.data_dir / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with embedded.services(settings) as services:
        assert query(services.database_url, "SELECT 1") == [(1,)]
    assert not half.exists()


def test_a_second_owner_is_told_who_the_first_is_and_a_short_command_joins(started: Settings) -> None:
    with owner_process(started) as (process, database_url, _):
        with pytest.raises(Owned, match=rf"podium up.*process {process.pid}.*PODIUM_DATA_DIR"):
            with embedded.services(started):
                pass
        with embedded.database(started, "podium user add") as joined:
            assert joined == database_url
            assert query(joined, "SELECT 1") == [(1,)]
        assert process.poll() is None
        assert query(database_url, "SELECT 1") == [(1,)]


def test_a_short_command_starts_the_database_itself_when_nothing_runs(settings: Settings) -> None:
    with embedded.database(settings, "podium user add") as url:
        assert query(url, "SELECT 1") == [(1,)]
    assert servers_in(settings.data_dir) == []


def test_a_given_database_is_used_and_nothing_is_started(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", database_url="postgresql://a@b/c")
    with embedded.database(settings, "test") as url:
        assert url == "postgresql+psycopg://a@b/c"
    assert not settings.data_dir.exists()


def test_a_deep_data_folder_gets_its_sockets_elsewhere(
    tmp_path: Path, started_before: Callable[[Settings], Settings]
) -> None:
    deep = tmp_path / ("deep" * 20)
    deep.mkdir()
    settings = started_before(Settings(data_dir=deep / "data"))
    with embedded.services(settings) as services:
        folder = socket_folder(settings.data_dir)
        assert folder.is_dir()
        assert not folder.is_relative_to(settings.data_dir)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert query(services.database_url, "SELECT 1") == [(1,)]
    assert not folder.exists()


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    data = tmp_path / ("deep" * 20)
    folder = socket_folder(data)
    folder.rmdir()
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(Exception, match="belongs to somebody else"):
            socket_folder(data)
    finally:
        folder.unlink()
