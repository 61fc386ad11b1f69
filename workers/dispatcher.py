"""The dispatcher: every half second it rings for queued runs, brings back lost ones, folds new judgments into the
ratings, ends leases and has annotators fitted. Everything it does is in the database, so two of them do no harm and
none is missed for long.

    python -m workers.dispatcher
"""

import logging
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from backend.aside import Aside
from backend.database import SessionFactory, make_engine, make_session_factory, may_pass
from backend.errors import PodiumError, Unavailable
from backend.logs import configure_logging
from backend.services import leases, ratings, runs
from backend.settings import Settings
from workers.celery_app import Bell
from workers.fitting import Fitting

LONGEST_PAUSE_S = 15.0
DUTY_PAUSE_S = 60.0
SLICE_S = 0.1

log = logging.getLogger("podium.dispatcher")


@dataclass
class Duty:
    """One thing to do each round, in a transaction of its own; one that raises is left alone for a while."""

    name: str
    work: Callable[[Session], object]
    pause_s: float = 0.0
    not_before: float = 0.0


class Dispatcher:
    """The loop. `round()` does everything once; `run()` repeats it until told to stop."""

    def __init__(
        self,
        settings: Settings,
        sessions: SessionFactory,
        ring: Callable[..., bool],
        fitting: Fitting | None = None,
    ) -> None:
        self.settings = settings
        self.sessions = sessions
        self.ring = ring
        # A plain flag: setting a lock-guarded one inside a signal handler can wait for itself.
        self.told_to_stop = False
        self._requeue_from = 0.0
        self._pause_s = 0.0
        self.duties = [
            Duty("requeue lost runs", self._requeue_lost),
            Duty("fold judgments", partial(ratings.fold_pending, at_most=ratings.AT_MOST)),
            Duty("end leases", leases.end_leases),
        ]
        if fitting is not None:
            self.duties.append(Duty("have annotators fitted", fitting.submit))

    def run(self) -> None:
        """Until told to stop; survives a database that goes away, with growing pauses."""
        while not self.told_to_stop:
            started = time.monotonic()
            if self.round():
                pause = max(self.settings.dispatch_interval_s - (time.monotonic() - started), 0.05)
            else:
                pause = self._pause_s
            wake = time.monotonic() + pause
            while not self.told_to_stop and (left := wake - time.monotonic()) > 0:
                time.sleep(min(left, SLICE_S))

    def round(self) -> bool:
        """Everything once; False when the database is away."""
        try:
            self._ring_queued()
            self._note_answer()
            for duty in self.duties:
                if self.told_to_stop:
                    break
                self._do(duty)
        except DBAPIError as error:
            if not may_pass(error):
                raise
            if not self._pause_s:
                log.warning("the database does not answer: %s", error.orig)
            self._pause_s = min(max(2 * self._pause_s, self.settings.dispatch_interval_s), LONGEST_PAUSE_S)
            return False
        return True

    def _note_answer(self) -> None:
        """After an absence no worker could beat either: each gets the time to do so before it counts as lost."""
        if self._pause_s:
            log.info("the database answers again")
            self._requeue_from = time.monotonic() + self.settings.run_lost_after_s
        self._pause_s = 0.0

    def _ring_queued(self) -> None:
        # Rung after the commit, so that the worker finds the row; a bell that does not reach it rings again later.
        with self.sessions.begin() as session:
            due = runs.to_ring(session)
        for run_id in due:
            if not self.ring(run_id):
                break

    def _requeue_lost(self, session: Session) -> None:
        if time.monotonic() < self._requeue_from:
            return
        settings = self.settings
        lost = runs.requeue_lost(session, lost_after_s=settings.run_lost_after_s, attempts=settings.run_attempts)
        for run in lost:
            log.warning("run %s: its worker was lost; it is %s now", run.id, run.state)

    def _do(self, duty: Duty) -> None:
        if time.monotonic() < duty.not_before:
            return
        try:
            with self.sessions.begin() as session:
                duty.work(session)
        except Exception as error:
            if isinstance(error, DBAPIError) and may_pass(error):
                raise
            # The other duties go on. What fails this way needs a person, so it is said each time it is tried.
            duty.pause_s = min(max(2 * duty.pause_s, 1.0), DUTY_PAUSE_S)
            duty.not_before = time.monotonic() + duty.pause_s
            log.exception("could not %s; next try in %.0f s", duty.name, duty.pause_s)
        else:
            duty.pause_s = 0.0


def main(settings: Settings | None = None) -> int:
    """Dispatch until SIGTERM or SIGINT."""
    settings = settings or Settings()
    configure_logging(settings.log_level)
    try:
        if settings.database_url is None:
            raise Unavailable("PODIUM_DATABASE_URL is not set, and the dispatcher does not start a database by itself.")
        bell = Bell(settings)
    except PodiumError as error:
        print(f"podium dispatcher: {error.message}", file=sys.stderr)
        return 1
    engine = make_engine(settings.database_url, pool_size=2, application="podium-dispatcher")
    aside = Aside(settings.database_url, application="podium-fits")
    dispatcher = Dispatcher(settings, make_session_factory(engine), bell.ring, Fitting(aside))

    def stop(*_: object) -> None:
        dispatcher.told_to_stop = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    dispatcher.run()
    aside.close()
    bell.close()
    engine.dispose()
    return 0


if __name__ == "__main__":
    sys.exit(main())
