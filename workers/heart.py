"""The heartbeat of one attempt: a thread that says the attempt lives, even while its trainer is silent, and hears
whether a person asked it to stop or somebody else owns the run by now."""

import logging
import threading
import uuid

from sqlalchemy.exc import DBAPIError

from backend.database import SessionFactory
from backend.services import runs

log = logging.getLogger("podium.worker")


class Heart(threading.Thread):
    """Beats until `rest()`; the two events say what it heard."""

    def __init__(self, sessions: SessionFactory, run_id: uuid.UUID, attempt: int, interval_s: float) -> None:
        super().__init__(name=f"heart-{run_id}", daemon=True)
        self.sessions = sessions
        self.run_id = run_id
        self.attempt = attempt
        self.interval_s = interval_s
        self.cancelled = threading.Event()
        self.superseded = threading.Event()
        self._resting = threading.Event()

    def run(self) -> None:
        """Beat at the interval; a database that is away is only missed, for the trainer works on without it."""
        away = False
        while not self._resting.wait(self.interval_s):
            try:
                with self.sessions.begin() as session:
                    if runs.beat(session, self.run_id, self.attempt):
                        self.cancelled.set()
                if away:
                    log.info("run %s: the database answers again", self.run_id)
                away = False
            except runs.Superseded:
                self.superseded.set()
                return
            except DBAPIError as error:
                if not away:
                    log.warning("run %s: no heartbeat, the database does not answer: %s", self.run_id, error.orig)
                away = True

    def rest(self) -> None:
        """Stop beating."""
        self._resting.set()
        if self.is_alive():
            self.join(timeout=10.0)
