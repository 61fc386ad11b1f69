"""One attempt at a run, from the claim to its end: folder, trainer, relay, heartbeat, storing what was made.

Read `execute` first. Whatever happens, an attempt ends in one of four ways: the run succeeded, failed or was cancelled,
or it went back to the queue because this worker stops. The fifth is to be superseded: somebody else owns the run, so
this attempt kills its trainer and writes nothing more.
"""

import errno
import json
import logging
import os
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from backend.database import SessionFactory, may_pass, uuid7
from backend.errors import Invalid, PodiumError, Unavailable
from backend.services import checkpoints, corpus, run_inputs, run_records, runs, scores
from backend.services.run_inputs import HubModel
from backend.services.runs import Superseded
from backend.settings import Settings
from backend.storage import Store
from backend.tables import Run
from workers import environment, folders, messages, reported
from workers.heart import Heart
from workers.process import Trainer
from workers.relay import Relay

RESUMABLE_EXIT = 75
LISTEN_S = 0.2
ORPHANS_MAY_TALK_S = 2.0
STOPPING_PATIENCE_S = 5.0
KINDS_WITH_OUTPUT = checkpoints.KINDS

log = logging.getLogger("podium.worker")
T = TypeVar("T")
Launch = Callable[[Path], Sequence[str]]


def launch_command(folder: Path) -> list[str]:
    """What starts the trainer of a run's folder: once, or through torchrun once for each device that it asks for."""
    launch = ["-m", "workers.training.launch", str(folder)]
    devices = json.loads((folder / run_inputs.JOB).read_text(encoding="utf-8"))["config"].get("devices", 1)
    if devices == 1:
        return [sys.executable, *launch]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
    torchrun += ["--nproc-per-node", str(devices), "--tee", "2", "--log-dir", str(folder / "ranks")]
    # Whoever asks a trainer to stop decides how long it may take.
    return [*torchrun, "--shutdown-timeout", str(24 * 3600), *launch]


def fetch_command(model: HubModel) -> list[str]:
    """What fetches a model from a Hub."""
    return [sys.executable, "-m", "workers.hub", *filter(None, model)]


@dataclass
class Bench:
    """What a worker works with; made once by its process, or by a test."""

    settings: Settings
    sessions: SessionFactory
    store: Store
    name: str
    launch: Launch = launch_command
    fetch: Callable[[HubModel], Sequence[str]] = fetch_command
    stopping: threading.Event = field(default_factory=threading.Event)


class GivenBack(Exception):
    """The worker stops, so the run returns to the queue."""


class Abandoned(Exception):
    """The worker stops while the database is away: nothing can be written, and the stopped heart says it all."""


class Cancelled(Exception):
    """A person asked the run to stop, and it has."""


def execute(bench: Bench, run_id: uuid.UUID) -> str | None:
    """Claim a run and carry it to an end; the state it is in then, or None when it was not ours to take."""
    if bench.stopping.is_set():
        return None
    try:
        with bench.sessions.begin() as session:
            run = runs.claim(session, run_id, bench.name)
    except DBAPIError as error:
        log.warning("run %s: not claimed, the database does not answer: %s", run_id, error.orig)
        return None
    if run is None:
        return None
    log.info("run %s (%s): attempt %s begins", run.id, run.kind, run.attempt)
    attempt = Attempt(bench, run)
    attempt.heart.start()
    try:
        state = attempt.work()
    except (Superseded, Abandoned) as error:
        log.warning("run %s: attempt %s ends: %s", run.id, run.attempt, error)
        return None
    finally:
        attempt.heart.rest()
    log.info("run %s: %s", run.id, state)
    return state


class Attempt:
    """One claimed run on this worker."""

    def __init__(self, bench: Bench, run: Run) -> None:
        self.bench = bench
        self.run = run
        self.folder = bench.settings.runs_dir / str(run.id)
        self.heart = Heart(bench.sessions, run.id, run.attempt, bench.settings.run_heartbeat_s)
        self._patience_s = STOPPING_PATIENCE_S

    def work(self) -> str:
        """Do it, and write down how it ended."""
        try:
            with folders.locked(self.folder, self._check) as lock:
                return self._work_in_folder(lock)
        except Exception as error:
            return self._ended_by(error)

    def _work_in_folder(self, lock: int) -> str:
        try:
            state = self._finish(self._train(lock))
        except (Superseded, Abandoned):
            raise
        except Exception as error:
            # Before the move that lets somebody else into the folder.
            folders.tidy(self.folder)
            return self._ended_by(error)
        folders.remove(self.folder)
        return state

    def _ended_by(self, error: Exception) -> str:
        """Write down an end that is not success; passes on what leaves nothing to write."""
        match error:
            case Superseded() | Abandoned():
                raise error
            case Cancelled():
                return self._end(lambda session: runs.stopped(session, self.run.id, self.run.attempt))
            case GivenBack():
                return self._end(lambda session: runs.release(session, self.run.id, self.run.attempt))
            case PodiumError():
                return self._fail(error.message)
            case OSError():
                log.error("run %s: a file could not be read or written", self.run.id, exc_info=error)
                return self._fail(_plain(error, self.bench.settings))
            case _:
                log.error("run %s: an error of Podium itself", self.run.id, exc_info=error)
                return self._fail(f"An error inside Podium, not in the run's settings. {_name_of(error)}")

    # --- before -----------------------------------------------------------------------------------------------------

    def _train(self, lock: int) -> dict[str, Any]:
        """Prepare the folder and let the trainer work; its result."""
        resuming = run_inputs.is_complete(self.folder) and folders.has_state(self.folder)
        folders.prepare(self.folder, keep=resuming)
        leftover = (self.run.environment or {}).get(runs.STORING)

        def begin(session: Session) -> None:
            if leftover and not checkpoints.is_registered(session, uuid.UUID(leftover)):
                self.bench.store.delete(leftover)
            versions = environment.versions()
            runs.begin(session, self.run.id, self.run.attempt, fresh=not resuming, environment=versions)

        self._settle(begin)
        self._catch_up()
        fetched = {model: self._fetch(model) for model in run_inputs.hub_models(self.run.inputs or {})}

        def write(session: Session) -> Run:
            files = run_inputs.write(session, self.bench.store, self.run, self.folder, fetched)
            return runs.note_inputs(session, self.run.id, self.run.attempt, {"files": files})

        self.run = self._settle(write)
        command = self.bench.launch(self.folder)
        return self._follow(command, "trainer", environment.for_trainer(self.bench.settings), lock)

    def _catch_up(self) -> None:
        """Bring into the database what an attempt that was killed reported and could not write any more."""
        relay = Relay(self.bench.sessions, self.run.id, self.run.attempt)
        relay.take(messages.read(line) for line in reported.read(self.folder))
        self._settle(relay.leave_out_known)
        self._write_all(relay)

    def _fetch(self, model: HubModel) -> Path:
        """A model of a Hub as a folder; a later attempt fetches the commit that the first one got."""
        variables = environment.for_trainer(self.bench.settings)
        variables["HF_HUB_OFFLINE"] = os.environ.get("HF_HUB_OFFLINE", "0")
        repository, revision = model
        name = repository if revision is None else f"{repository}@{revision}"
        commits = dict((self.run.inputs or {}).get("commits", {}))
        result = self._follow(self.bench.fetch((repository, commits.get(name, revision))), "download", variables)
        commits[name] = result["commit"]
        self.run = self._settle(
            lambda session: runs.note_inputs(session, self.run.id, self.run.attempt, {"commits": commits})
        )
        return Path(result["folder"])

    # --- during -----------------------------------------------------------------------------------------------------

    def _follow(
        self, command: Sequence[str], what: str, variables: dict[str, str], lock: int | None = None
    ) -> dict[str, Any]:
        """Run a process to its end and relay what it says; its result. Raises for every other end."""
        self._check()
        relay = Relay(self.bench.sessions, self.run.id, self.run.attempt)
        keep_open = [] if lock is None else [lock]
        trainer = Trainer(command, folder=self.folder, environment=variables, keep_open=keep_open)
        if lock is not None:
            folders.note_holder(lock, trainer.process.pid)
        try:
            self._listen(trainer, relay)
        finally:
            trainer.close()
        self._write_all(relay)
        return self._judge(trainer.process.returncode, relay, what)

    def _write_all(self, relay: Relay) -> None:
        """Everything that was said goes into the database, and need not be kept beside it any more."""
        while not relay.write(now=True):
            self._pause_while_away(0.5)
        reported.clear(self.folder)

    def _listen(self, trainer: Trainer, relay: Relay) -> None:
        kill_at: float | None = None
        silent_since: float | None = None
        while not trainer.ended:
            if not relay.full:
                relay.take(trainer.said(LISTEN_S))
            else:
                time.sleep(LISTEN_S)
            relay.write()
            if self.heart.superseded.is_set():
                raise Superseded(self.run.id, self.run.attempt)
            if relay.cancelled:
                self.heart.cancelled.set()
            now = time.monotonic()
            if kill_at is None and (self.heart.cancelled.is_set() or self.bench.stopping.is_set()):
                trainer.ask_to_stop()
                kill_at = now + self.bench.settings.run_stop_grace_s
            if kill_at is not None and now >= kill_at:
                trainer.kill()
                kill_at = now + 3600
            if trainer.process.poll() is not None:
                # Something it started still holds its pipes open; what it wrote until now is enough.
                silent_since = silent_since or now
                if now - silent_since > ORPHANS_MAY_TALK_S:
                    trainer.kill()

    def _judge(self, status: int, relay: Relay, what: str) -> dict[str, Any]:
        """What the exit of a process means."""
        if status == 0 and relay.result is not None:
            return relay.result.values
        if relay.error is None or status == RESUMABLE_EXIT:
            if self.heart.cancelled.is_set():
                raise Cancelled
            if self.bench.stopping.is_set():
                raise GivenBack
        if relay.error is not None:
            raise Invalid(relay.error.message)
        last = " ".join(line.strip() for line in relay.tail)[-1500:]
        lines = f" Its last words: {last}" if last else " It wrote nothing."
        if status == RESUMABLE_EXIT:
            raise Unavailable(f"Somebody other than Podium told the {what} to stop. Resume the run to go on.")
        if status == 0:
            raise Invalid(f"The {what} ended without a result.{lines}")
        if status == -9:
            raise Unavailable(
                f"The {what} was killed, most often because the machine ran out of memory: make batches or the model "
                f"smaller, or resume the run where there is more.{lines}"
            )
        how = f"by signal {-status}" if status < 0 else f"with exit status {status}"
        raise Invalid(f"The {what} stopped {how} and did not say why.{lines}")

    # --- after ------------------------------------------------------------------------------------------------------

    def _finish(self, result: dict[str, Any]) -> str:
        """Store what was made, then end the run and register it in one transaction."""
        if self.run.kind not in KINDS_WITH_OUTPUT:
            return self._end(lambda session: self._succeed(session, result))
        checkpoint_id = uuid7()
        key = checkpoints.key(checkpoint_id)
        about = self._settle(lambda session: checkpoints.lineage(session, self.run))
        revision = checkpoints.finish_folder(self.folder / "output", about)
        self._settle(lambda session: runs.note_storing(session, self.run.id, self.run.attempt, key))
        files = self.bench.store.put(key, self.folder / "output")

        def register(session: Session) -> Run:
            run = self._succeed(session, result)
            # Numbers alone: tables, which may be about people, stay with the run.
            numbers = {name: value for name, value in result.items() if not isinstance(value, dict | list)}
            metrics = {**run_records.last_metrics(session, run.id), **numbers}
            checkpoints.register(session, run, id=checkpoint_id, revision=revision, files=files, metrics=metrics)
            return run

        try:
            return self._end(register)
        except BaseException:
            # Unless the commit arrived and only its answer was lost.
            with suppress(DBAPIError):
                if not self._settle(lambda session: checkpoints.is_registered(session, checkpoint_id)):
                    self.bench.store.delete(key)
            raise

    def _succeed(self, session: Session, result: dict[str, Any]) -> Run:
        run = runs.succeed(session, self.run.id, self.run.attempt, result)
        if run.kind == "sample":
            added = corpus.add_completions(session, run, self._rows("completions"))
            run.result = {**result, "completions_added": added}
            session.flush()
        elif run.kind == "reward_model":
            scores.keep(session, run, self._rows("scores"))
        return run

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        """What a run wrote for the database, one JSON object a line: completions of a sample run, scores of a reward
        model."""
        file = self.folder / "output" / f"{name}.jsonl"
        if not file.is_file():
            raise Invalid(f"The trainer reported a result but wrote no {name}.")
        with open(file, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield messages.storable(json.loads(line))
                except ValueError:
                    raise Invalid(f"Line {number} of the trainer's {name} is not JSON.") from None

    # --- the database -----------------------------------------------------------------------------------------------

    def _fail(self, sentence: str) -> str:
        message = messages.storable(sentence)
        return self._end(lambda session: runs.fail(session, self.run.id, self.run.attempt, message))

    def _end(self, move: Callable[[Session], Run]) -> str:
        return self._settle(lambda session: move(session).state)

    def _settle(self, work: Callable[[Session], T]) -> T:
        """One transaction that must be made: waits for the database as long as this attempt may hope for it."""
        while True:
            try:
                with self.bench.sessions.begin() as session:
                    return work(session)
            except DBAPIError as error:
                if not may_pass(error):
                    raise
                log.warning("run %s: waiting for the database: %s", self.run.id, error.orig)
                self._pause_while_away(1.0)

    def _pause_while_away(self, seconds: float) -> None:
        if self.heart.superseded.is_set():
            raise Superseded(self.run.id, self.run.attempt)
        if self.bench.stopping.is_set():
            self._patience_s -= seconds
            if self._patience_s <= 0:
                raise Abandoned("the worker stops and the database does not answer")
        time.sleep(seconds)

    def _check(self) -> None:
        """Between two steps of the preparation: whether to go on at all."""
        if self.heart.superseded.is_set():
            raise Superseded(self.run.id, self.run.attempt)
        if self.heart.cancelled.is_set():
            raise Cancelled
        if self.bench.stopping.is_set():
            raise GivenBack


def _name_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _plain(error: OSError, settings: Settings) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        free = shutil.disk_usage(settings.data_dir).free / 1e6
        return (
            f"The disk of the data folder {settings.data_dir} is full ({free:.0f} MB free). Make room, then resume "
            "the run: it goes on from its saved state."
        )
    return f"A file of the run could not be read or written: {error.strerror or error} ({error.filename or 'unnamed'})."
