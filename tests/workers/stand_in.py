"""Sets up a worker's bench and real worker processes whose trainer is the stand-in; used by the tests beside it."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend.database import SessionFactory, make_engine, make_session_factory
from backend.services import runs
from backend.settings import Settings
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
    def ledger(self) -> list[tuple[int, int]]:
        """(attempt, step) of each step that was really done."""
        file = self.folder / "ledger"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(int(attempt), int(step)) for attempt, step in (line.split() for line in lines)]


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
