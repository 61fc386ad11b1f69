"""A process beside this one for heavy computations, so that those that serve people keep answering. Knows nothing of
what is computed.

`Aside.run(function, ...)` calls `function(session, ...)` there and gives back what it returns, or raises what it
raises. The function is named, not sent: it must be found by its module. The process is an edge of its own: it commits
when the function has returned. It starts when first needed, starts again after it died, and ends as soon as the pipe
from its parent does, in whatever way the parent ended.
"""

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from typing import IO, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy.orm import Session

from backend.database import SessionFactory, make_engine, make_session_factory
from backend.errors import PodiumError, Unavailable
from backend.settings import REPOSITORY

P = ParamSpec("P")
T = TypeVar("T")

# More than these would only hold connections and wait.
WAITING = 8
# People who are served go first.
NICENESS = 5
LIMITS = {"lock_timeout": "30s", "statement_timeout": "600s"}
BROKEN_OFF = "The computation was broken off. Try again."


class Aside:
    """One such process, for one database. Any thread may ask; they are served one after the other."""

    def __init__(self, database_url: str, application: str = "podium-aside") -> None:
        self._opening = database_url, application
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._places = threading.BoundedSemaphore(WAITING)
        self._closed = False

    def run(self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it there. Raises Unavailable where the process dies meanwhile, or too many wait for it."""
        request = pickle.dumps((function, args, kwargs))
        if not self._places.acquire(blocking=False):
            raise Unavailable("Enough is being computed already. Try again later.")
        try:
            with self._turn:
                done, value, where = self._ask(request)
        finally:
            self._places.release()
        if done:
            return value  # type: ignore[no-any-return]
        if not isinstance(value, PodiumError):
            value.add_note(f"In the process aside:\n{where}")
        raise value

    def _ask(self, request: bytes) -> tuple[bool, Any, str | None]:
        process = self._living()
        try:
            _send(process.stdin, request)
            return pickle.loads(_receive(process.stdout))  # type: ignore[no-any-return]
        except (EOFError, OSError):
            self._end()
            raise Unavailable(BROKEN_OFF) from None
        except BaseException:
            # What it would answer later must not be taken for the answer to another question.
            self._end()
            raise

    def _living(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._process is None and not self._closed:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "backend.aside"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | environment(),
            )
            _send(self._process.stdin, pickle.dumps(self._opening))
        if self._process is None or self._closed:  # perhaps while it started
            self._end()
            raise Unavailable(BROKEN_OFF)
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            process.wait()

    def close(self) -> None:
        """End the process, whatever it is at; whoever waits for it hears so."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
        with self._turn:
            self._end()


def environment() -> dict[str, str]:
    """Variables of the process: it finds our modules, and leaves cores to others."""
    threads = str(max(1, min(4, (os.cpu_count() or 1) // 2)))
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}


def _send(pipe: IO[bytes] | None, message: bytes) -> None:
    assert pipe is not None
    pipe.write(len(message).to_bytes(8, "big") + message)
    pipe.flush()


def _receive(pipe: IO[bytes] | None) -> bytes:
    assert pipe is not None
    size = int.from_bytes(_exactly(pipe, 8), "big")
    return _exactly(pipe, size)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    message = pipe.read(size)
    if len(message) < size:
        raise EOFError
    return message


# --- in the process itself ------------------------------------------------------------------------------------------


def main() -> None:
    """Answer until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    os.nice(NICENESS)
    asked = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anybody prints is no answer
    url, application = pickle.loads(_receive(asked))
    sessions = make_session_factory(make_engine(url, pool_size=1, application=application, limits=LIMITS))
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    # A thread of its own hears that the parent is gone also in the midst of a computation.
    threading.Thread(target=_listen, args=(asked, waiting), daemon=True).start()
    while True:
        _send(answers, _answer(sessions, waiting.get()))


def _listen(asked: IO[bytes], waiting: "queue.SimpleQueue[bytes]") -> None:
    try:
        while True:
            waiting.put(_receive(asked))
    finally:
        os._exit(0)


def _answer(sessions: SessionFactory, request: bytes) -> bytes:
    try:
        function, args, kwargs = pickle.loads(request)
        with sessions.begin() as session:
            value = function(session, *args, **kwargs)
            session.flush()
            # Before the commit: what cannot be told has not happened.
            return pickle.dumps((True, value, None))
    except Exception as error:
        where = traceback.format_exc()
        try:
            answer = pickle.dumps((False, error, where))
            pickle.loads(answer)
        except Exception:
            answer = pickle.dumps((False, RuntimeError(str(error)), where))
        return answer


if __name__ == "__main__":
    main()
