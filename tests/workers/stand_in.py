"""Sets up a worker's bench and real worker processes whose trainer is the stand-in; used by the tests beside it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import sql
from sqlalchemy.orm import Session

from backend.database import SessionFactory, make_engine, make_session_factory
from backend.embedded import Cluster
from backend.services import runs
from backend.settings import REPOSITORY, Settings
from backend.storage import FolderStore
from backend.tables import Project, Run
from tests.services.training_project import launch, make_project
from workers.attempt import Bench

TRAINER = Path(__file__).with_name("stand_in_trainer.py")


def settings_for(folder: Path, database_url: str, redis_url: str | None = None, **others: Any) -> Settings:
    """Settings of a small, quick installation."""
    quick: dict[str, Any] = {"run_heartbeat_s": 0.1, "run_lost_after_s": 1.5, "run_stop_grace_s": 5.0}
    quick |= {"dispatch_interval_s": 0.1, "log_level": "info"}
    return Settings(data_dir=folder, database_url=database_url, redis_url=redis_url, **quick | others)


def command(folder: Path, behaviour: dict[str, Any]) -> list[str]:
    """What starts the stand-in instead of a trainer."""
    return [sys.executable, "-S", str(TRAINER), str(folder), json.dumps(behaviour)]


@dataclass
class Installation:
    """A database, a folder, a project, and what the stand-in is told to do."""

    settings: Settings
    sessions: SessionFactory
    project: Project
    behaviour: dict[str, Any]

    @property
    def folder(self) -> Path:
        return self.settings.data_dir

    @property
    def store(self) -> FolderStore:
        return FolderStore(Path(self.settings.storage))

    def bench(self, name: str = "test") -> Bench:
        """A worker's bench in this process."""
        return Bench(self.settings, self.sessions, self.store, name, lambda folder: command(folder, self.behaviour))

    def launch(self, kind: str = "pretrain", **config: Any) -> Run:
        """A queued run, committed."""
        with self.sessions.begin() as session:
            return launch(session, self.project, kind, **config)

    def do(self, work: Callable[[Session], Any]) -> Any:
        """Something in a transaction of its own."""
        with self.sessions.begin() as session:
            return work(session)

    def find(self, run: Run) -> Run:
        """The run as it is now."""
        with self.sessions() as session:
            return runs.find(session, run.id)

    def wait(self, run: Run, until: Callable[[Run], bool], timeout_s: float = 20.0) -> Run:
        """The run as soon as something is true of it."""
        give_up = time.monotonic() + timeout_s
        while not until(found := self.find(run)):
            if time.monotonic() > give_up:
                raise AssertionError(f"waited {timeout_s} s in vain: {found.state}, {found.progress}, {found.message}")
            time.sleep(0.02)
        return found

    @property
    def ledger_of_runs(self) -> list[tuple[str, int, int]]:
        """(run, attempt, step) of each step that was really done."""
        file = self.folder / "ledger"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(run, int(attempt), int(step)) for run, attempt, step in (line.split() for line in lines)]

    @property
    def ledger(self) -> list[tuple[int, int]]:
        """The same where there is one run."""
        return [(attempt, step) for _, attempt, step in self.ledger_of_runs]


def environment_for(settings: Settings) -> dict[str, str]:
    """The variables that give a process these settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PODIUM_")}
    changed = {name: getattr(settings, name) for name in settings.model_fields_set}
    return kept | {f"PODIUM_{name.upper()}": str(value) for name, value in changed.items() if value is not None}


@contextmanager
def process(settings: Settings, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours, whose log is beside the data; killed at the end if it still lives."""
    with open(settings.data_dir / f"{module}.log", "ab") as log:
        command = [sys.executable, "-m", module, *arguments]
        started = subprocess.Popen(command, env=environment_for(settings), cwd=REPOSITORY, stdout=log, stderr=log)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


@contextmanager
def database_away(cluster: Cluster, name: str) -> Iterator[None]:
    """A database that takes no connections and has lost those it had, until the block ends."""
    with cluster.connect() as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    try:
        yield
    finally:
        with cluster.connect() as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))


@contextmanager
def installation(
    folder: Path, database_url: str, redis_url: str | None = None, **others: Any
) -> Iterator[Installation]:
    """An installation with a project that has something of everything."""
    engine = make_engine(database_url)
    sessions = make_session_factory(engine)
    with sessions.begin() as session:
        project = make_project(session)
    behaviour = {"ledger": str(folder / "ledger"), "steps": 5}
    yield Installation(settings_for(folder, database_url, redis_url, **others), sessions, project, behaviour)
    engine.dispose()
