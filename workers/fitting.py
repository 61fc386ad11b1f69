"""Fits of annotators for the dispatcher: what is due is computed in a process aside, and the dispatcher goes on."""

import logging
import threading
import uuid

from sqlalchemy.orm import Session

from backend.aside import Aside
from backend.services import annotator_fits, turns

log = logging.getLogger("podium.dispatcher")


class Fitting:
    """Keeps at most one fit going. Two dispatchers do no harm: a lock in the database lets one of them fit."""

    def __init__(self, aside: Aside) -> None:
        self._aside = aside
        self._looked: dict[uuid.UUID, int] = {}
        self._thread: threading.Thread | None = None

    def submit(self, session: Session) -> None:
        """Begin with what is due, unless the last is not done yet."""
        if self._thread is not None and self._thread.is_alive():
            return
        due = annotator_fits.due(session, self._looked)
        if due:
            self._thread = threading.Thread(target=self._fit, args=(due,), name="fits of annotators", daemon=True)
            self._thread.start()

    def _fit(self, due: list[uuid.UUID]) -> None:
        for project_id in due:
            try:
                made = self._aside.run(annotator_fits.fit_due, project_id)
                if made is not None:
                    self._spread(project_id)
            except Exception:
                # Tried again when the project has grown; an admin can fit at any time.
                log.exception("could not fit the annotators of project %s", project_id)
            else:
                if made is not None:
                    log.info(
                        "annotators of project %s: fit %d, of %d judgments", project_id, made.number, made.judgments
                    )

    def _spread(self, project_id: uuid.UUID) -> None:
        """The queue learns of the fit, some prompts at a time, so that nobody who asks waits long."""
        last = self._aside.run(turns.refresh_next, project_id, None)
        while last is not None:
            last = self._aside.run(turns.refresh_next, project_id, last)

    def wait(self) -> None:
        """Until what was begun is done."""
        if self._thread is not None:
            self._thread.join()
