"""The whole of long work with real processes: PostgreSQL, Valkey, dispatcher, Celery worker, trainer (a stand-in)."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import func, select

from backend.embedded.valkey import valkey
from backend.services import run_records, runs
from backend.settings import Settings
from backend.tables import Checkpoint
from tests.workers.stand_in import TRAINER, Installation, installation, process
from workers.celery_app import Bell

WORKER = "tests.workers.stand_in_worker"


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Iterator[Installation]:
    with valkey(Settings(data_dir=tmp_path)) as (url, _):
        with installation(tmp_path, database_url, url) as made:
            yield made


def trainers() -> list[psutil.Process]:
    """The stand-ins that live right now."""
    found = []
    for one in psutil.process_iter(["cmdline"]):
        if str(TRAINER) in (one.info["cmdline"] or []):
            found.append(one)
    return found


def reached(step: int) -> Any:
    return lambda run: (run.progress or {}).get("step", 0) >= step


def behaviour(place: Installation, **others: Any) -> str:
    return json.dumps(place.behaviour | others)


def test_a_run_survives_a_killed_worker_a_stopped_worker_and_a_restart(place: Installation) -> None:
    slow = behaviour(place, steps=40, step_s=0.1)
    run = place.launch()
    with process(place.settings, "workers.dispatcher") as dispatcher:
        # 1. Killed in the middle: its trainer dies with it.
        with process(place.settings, WORKER, slow) as worker:
            place.wait(run, reached(4), 60)
            worker.kill()
            worker.wait()
            killed = time.monotonic()
            while trainers():
                assert time.monotonic() - killed < 30
                time.sleep(0.05)
        found = place.find(run)
        assert (found.state, found.attempt) == ("running", 1)  # nobody has said otherwise yet

        # 2. The next worker takes it up where it was, and is told to stop: the run is queued at once.
        with process(place.settings, WORKER, slow) as worker:
            before = (found.progress or {})["step"]
            place.wait(run, lambda run: run.attempt == 2 and reached(before + 3)(run), 60)
            worker.send_signal(signal.SIGTERM)
            found = place.wait(run, lambda run: run.state == "queued", 3)
            assert worker.wait(10) == 0
        assert (found.attempt, found.lost) == (2, 0)  # it got further, so the loss is forgiven
        assert not trainers()

        # 3. The third one finishes it beside another run, each rung for many times; one is cancelled in the queue and
        # one while it runs.
        other, waiting, behind = (place.launch() for _ in range(3))
        settings = place.settings.model_copy(update={"worker_concurrency": 2})
        with process(settings, WORKER, behaviour(place, steps=40, step_s=0.15)):
            place.do(lambda session: runs.cancel(session, waiting.id))
            bell = Bell(place.settings)
            assert all(bell.ring(one.id) for one in (run, other, waiting) for _ in range(3))
            bell.close()
            assert place.wait(run, lambda run: run.state == "succeeded", 60).attempt == 3
            assert place.wait(other, lambda run: run.state == "succeeded", 60).attempt == 1
            place.wait(behind, reached(2), 30)
            place.do(lambda session: runs.cancel(session, behind.id))
            assert place.wait(behind, lambda run: run.state == "cancelled", 10).attempt == 1
            assert place.find(waiting).state == "cancelled" and place.find(waiting).attempt == 0
        dispatcher.send_signal(signal.SIGTERM)
        assert dispatcher.wait(20) == 0

    # A kill can fall between a step and its saved state; that one step is done again, and no other.
    steps = [step for id, _, step in place.ledger_of_runs if id == str(run.id)]
    assert sorted(set(steps)) == list(range(1, 41)) and len(steps) - len(set(steps)) <= 1
    assert [step for id, _, step in place.ledger_of_runs if id == str(other.id)] == list(range(1, 41))
    with place.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Checkpoint)) == 2
        rows = run_records.metrics_after(session, run.id, -1, 100)
        samples = run_records.samples_after(session, run.id, 0, 100)
    # What a killed worker had heard and not yet written was told by the next one.
    assert [row.step for row in rows] == sorted(one.step for one in samples) == list(range(1, 41))
    assert all(row.values.keys() == {"loss", "attempt", "time/step_s"} for row in rows)
    assert {row.values["attempt"] for row in rows} == {1, 2, 3}
    kept = {folder.name for folder in place.settings.runs_dir.iterdir() if folder.is_dir()}
    assert kept == {str(behind.id)}  # what was cancelled can be resumed


def test_no_torch_in_the_worker_and_the_dispatcher() -> None:
    code = (
        "import sys; import workers.worker, workers.dispatcher, workers.attempt, workers.hub, backend.app;"
        "heavy = {'torch', 'transformers', 'peft', 'tokenizers', 'huggingface_hub'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
