"""A real PostgreSQL for the tests: one throwaway server a test process, migrated once.

`session` is a session whose commits are savepoints and which is rolled back after the test; `database_url` is a
database of its own for a test that needs real commits, other processes or several connections.
"""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from backend.database import make_engine, make_session_factory
from backend.embedded import Cluster, throwaway
from backend.embedded.postgres import _initialise, _programs
from backend.migrate import migrate
from backend.settings import Settings
from tests.databases import Databases

# A busy machine is no reason for a property to fail.
hypothesis.settings.register_profile("podium", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("podium")

# What takes longest begins first, so that in the end no process works alone. The browser's tests come in one piece:
# their Podium and their browser are there only for them.
LONGEST = (
    "test_loop.py",
    "browser/test_every_page.py",
    "browser/",
    "workers/training/test_ranks.py",
    "workers/test_attempt.py",
    "setup/test_up.py",
    "workers/",
    "setup/",
    "api/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in this order; the tests of a file stay in theirs."""

    def turn(item: pytest.Item) -> int:
        name = item.path.relative_to(Path(__file__).parent).as_posix()
        return next((number for number, start in enumerate(LONGEST) if name.startswith(start)), len(LONGEST))

    items.sort(key=turn)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The server, started when the first test asks for it."""
    with throwaway() as running:
        yield running


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """The name of a migrated, empty database to copy."""
    return cluster.template("migrated", migrate)


@pytest.fixture(scope="session")
def databases(cluster: Cluster, template: str) -> Databases:
    """Lends databases."""
    return Databases(cluster, template)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A migrated, empty database of this test's own."""
    url = databases.lend()
    yield url
    databases.take_back(url)


@pytest.fixture(scope="session")
def shared_engine(cluster: Cluster, template: str) -> Iterator[Engine]:
    """The engine behind `session`; nothing is ever committed through it."""
    engine = make_engine(cluster.create_database("shared", template))
    yield engine
    engine.dispose()


@pytest.fixture
def session(shared_engine: Engine) -> Iterator[Session]:
    """A session on an empty database; what the test commits is undone after it."""
    with shared_engine.connect() as connection, connection.begin() as outer:
        factory = make_session_factory(shared_engine)
        # Savepoints instead of commits, so that a rollback inside the test undoes only what came after its last commit.
        options: dict[str, Any] = {"join_transaction_mode": "create_savepoint"}
        with factory(bind=connection, **options) as open_session:
            yield open_session
        outer.rollback()


@pytest.fixture(scope="session")
def started_before(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Settings], Settings]:
    """Puts what the first start of PostgreSQL leaves into a data folder: to make it, and to wait until a disk has it,
    is what takes longest in a start."""
    made = tmp_path_factory.mktemp("first-start")
    _initialise(_programs(Settings()), made / "postgres", made / "log", "--no-sync")

    def put(settings: Settings) -> Settings:
        settings.data_dir.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", made / "postgres", settings.data_dir], check=True)
        return settings

    return put
