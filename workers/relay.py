"""Carries what a trainer says into the database, in small batches under the attempt's ownership.

While the database is away the batch waits, then the queue behind it, then the trainer; nothing is lost.
"""

import logging
import time
import uuid
from collections import deque
from collections.abc import Iterable

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from backend.database import SessionFactory, may_pass
from backend.services import run_records
from backend.services.run_records import Batch, Sample
from workers.messages import (
    ErrorMessage,
    LogLine,
    Message,
    MetricsMessage,
    ProgressMessage,
    ResultMessage,
    SampleMessage,
    StateMessage,
    WarningMessage,
)

BATCH_S = 0.4
LARGEST_BATCH = 2000
LINES_KEPT = 5000
STEPS_REMEMBERED = 64
LONGEST_PAUSE_S = 8.0

log = logging.getLogger("podium.worker")


class Relay:
    """One attempt's way into the database. `result` and `error` are how the trainer said that it ended."""

    def __init__(self, sessions: SessionFactory, run_id: uuid.UUID, attempt: int) -> None:
        self.sessions = sessions
        self.run_id = run_id
        self.attempt = attempt
        self.result: ResultMessage | None = None
        self.error: ErrorMessage | None = None
        self.tail: deque[str] = deque(maxlen=8)
        self.cancelled = False
        self._batch = Batch()
        self._size = 0
        self._lines = 0
        self._metrics: dict[int, dict[str, float | None]] = {}
        self._sampled: set[int] = set()
        self._next = 0.0
        self._pause = 0.0

    @property
    def full(self) -> bool:
        """Whether to listen no further until the batch could be written."""
        return self._size >= LARGEST_BATCH

    def take(self, messages: Iterable[Message]) -> None:
        """Add to the batch."""
        for message in messages:
            self._size += 1
            match message:
                case ProgressMessage():
                    # Only the first and the last of a batch are looked at.
                    self._batch.reports[1:] = [(message.step, message.total, message.phase)]
                case MetricsMessage():
                    self._add_metrics(message)
                case SampleMessage():
                    self._add_sample(message)
                case WarningMessage():
                    self._batch.warnings.append(
                        {"step": message.step, "rule": message.rule, "message": message.message}
                    )
                    self._add_line(message.message)
                case StateMessage():
                    self._batch.saved = message.step
                case ResultMessage():
                    self.result = message
                case ErrorMessage():
                    self.error = self.error or message  # of several ranks the first has the reason
                    self._add_line(message.message)
                case LogLine():
                    self._add_line(message.line)

    def leave_out_known(self, session: Session) -> None:
        """Forget of what was taken all that the database has already."""
        run_records.leave_out_known(session, self.run_id, self._batch)

    def write(self, *, now: bool = False) -> bool:
        """Write the batch if it is time, or in any case; False when the database did not take it. Raises Superseded."""
        clock = time.monotonic()
        if not self._batch:
            self._size = 0
            return True
        if clock < self._next and not now:
            return True
        try:
            with self.sessions.begin() as session:
                if run_records.write(session, self.run_id, self.attempt, self._batch):
                    self.cancelled = True
        except DBAPIError as error:
            if not may_pass(error):
                raise
            if not self._pause:
                log.warning("run %s: the database does not answer, its news wait: %s", self.run_id, error.orig)
            self._pause = min(max(self._pause * 2, BATCH_S), LONGEST_PAUSE_S)
            self._next = clock + self._pause
            return False
        self._batch, self._size, self._pause = Batch(), 0, 0.0
        self._next = clock + BATCH_S
        return True

    def _add_metrics(self, message: MetricsMessage) -> None:
        # A step may report in parts; each write of a step replaces its row, and so the row of an earlier attempt.
        values = self._metrics.setdefault(message.step, {})
        values.update(message.values)
        self._batch.metrics[message.step] = values
        while len(self._metrics) > STEPS_REMEMBERED:
            del self._metrics[next(iter(self._metrics))]

    def _add_sample(self, message: SampleMessage) -> None:
        if message.step not in self._sampled:
            self._sampled.add(message.step)
            self._batch.redone.add(message.step)
        self._batch.samples.append(
            Sample(message.step, message.prompt, message.completion, message.values, message.tokens)
        )

    def _add_line(self, line: str) -> None:
        self.tail.append(line)
        self._lines += 1
        if self._lines <= LINES_KEPT:
            self._batch.lines.append(line)
        elif self._lines == LINES_KEPT + 1:
            self._batch.lines.append(f"… more than {LINES_KEPT} lines in this attempt; the rest is left out.")
