"""The one Celery task: a run's id arrives, and an attempt at it is made. Everything else is in `workers.attempt`."""

import logging
import os
import socket
import uuid
from pathlib import Path
from typing import Any

from celery import Celery, signals
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from backend import storage
from backend.database import make_engine, make_session_factory
from backend.domain.runs import LIVE
from backend.errors import Unavailable
from backend.settings import Settings
from backend.tables import Run
from workers import attempt, folders
from workers.attempt import Bench, Launch
from workers.celery_app import TASK

log = logging.getLogger("podium.worker")


def make_bench(settings: Settings, launch: Launch) -> Bench:
    """What this worker works with: one engine, one store."""
    if settings.database_url is None:
        raise Unavailable("PODIUM_DATABASE_URL is not set, and a worker does not start a database by itself.")
    # Each run needs a connection for its heart and one for its news.
    pool = 2 * settings.worker_concurrency + 2
    engine = make_engine(settings.database_url, pool_size=pool, application="podium-worker")
    name = f"{socket.gethostname()}-{os.getpid()}"
    return Bench(settings, make_session_factory(engine), storage.open_store(settings.storage), name, launch)


def register(app: Celery, bench: Bench) -> None:
    """Give the task to a worker's application, and let the end of the worker reach its runs."""

    @app.task(name=TASK, ignore_result=True)  # type: ignore[untyped-decorator]
    def execute_run(run_id: str) -> None:
        attempt.execute(bench, uuid.UUID(run_id))
        sweep(bench)

    def stop(**_: Any) -> None:
        bench.stopping.set()

    # Weak references would let the function go at once.
    signals.worker_shutting_down.connect(stop, weak=False)


def sweep(bench: Bench) -> None:
    """Remove folders of runs that nobody will go on with: those that succeeded, and old ones that ended otherwise."""
    runs_dir = bench.settings.runs_dir
    found = {id: folder for folder in folders.all_in(runs_dir) if (id := _id(folder)) is not None}
    if not found:
        return
    old = set(folders.older_than(runs_dir, bench.settings.run_keep_days))
    try:
        with bench.sessions() as session:
            states = dict(session.execute(select(Run.id, Run.state).where(Run.id.in_(found))).all())
    except DBAPIError as error:
        log.warning("the runs' folders are not swept: %s", error.orig)
        return
    for id, folder in found.items():
        state = states.get(id)
        if state == "succeeded" or (state not in LIVE and folder in old):
            folders.remove(folder)


def _id(folder: Path) -> uuid.UUID | None:
    try:
        return uuid.UUID(folder.name)
    except ValueError:
        return None
