"""One attempt at a run, with a real database and a real process that stands in for the trainer."""

import errno
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, make_url, select, text
from sqlalchemy.orm import Session

from backend.embedded import Cluster
from backend.services import checkpoints, corpus, run_inputs, run_records, runs
from backend.tables import Checkpoint, Completion, Model, Run, RunLog
from tests.workers.small_hub import COMMIT, small_hub
from tests.workers.stand_in import Installation, database_away, installation
from workers import attempt, folders, reported


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Iterator[Installation]:
    with installation(tmp_path, database_url) as made:
        yield made


def in_background(place: Installation, run: Run, name: str = "test") -> tuple[threading.Thread, attempt.Bench]:
    bench = place.bench(name)
    thread = threading.Thread(target=attempt.execute, args=(bench, run.id))
    thread.start()
    return thread, bench


def reached(step: int) -> Any:
    return lambda run: (run.progress or {}).get("step", 0) >= step


# --- the good end ---------------------------------------------------------------------------------------------------


def test_a_run_succeeds_and_its_checkpoint_says_where_it_came_from(place: Installation) -> None:
    run = place.launch(seed=11)
    assert attempt.execute(place.bench(), run.id) == "succeeded"
    done = place.find(run)
    assert done.result == {"loss": 0.5, "steps": 5} and done.finished_at and done.message is None
    assert place.ledger == [(1, step) for step in range(1, 6)]
    with place.sessions() as session:
        made = session.scalars(select(Checkpoint)).one()
        model = session.scalars(select(Model)).one()
        rows = run_records.metrics_after(session, run.id, -1, 100)
        samples = run_records.samples_after(session, run.id, 0, 100)
    assert made.name == model.name == "kind-answers/pretrain-1" and made.model_id == model.id
    assert [row.step for row in rows] == [1, 2, 3, 4, 5]
    assert rows[1].values == {"loss": 0.5, "attempt": 1, "time/step_s": 0.1}  # parts of a step are one row
    assert len(samples) == 5
    stored = place.store.local(checkpoints.key(made.id))
    manifest = json.loads((stored / "manifest.json").read_text())
    assert manifest["seed"] == 11 and manifest["config"] == done.config and manifest["run"] == str(run.id)
    assert manifest["inputs"]["files"]["texts"]["rows"] == 5 and len(manifest["versions"]["code"]) == 64
    assert {file["path"] for file in made.files} == {"config.json", "model.safetensors", "manifest.json"}
    assert made.metrics["loss"] == 0.5
    assert not (place.settings.runs_dir / str(run.id)).exists()


def test_samples_become_completions_once(place: Installation) -> None:
    source = {"kind": "endpoint", "url": "http://x", "model": "m"}
    place.do(lambda session: corpus.register_model(session, name="org/far", source=source))
    run = place.launch("sample", models=["org/far"])
    assert attempt.execute(place.bench(), run.id) == "succeeded"
    with place.sessions() as session:
        made = session.scalars(select(Completion)).all()
        assert session.scalar(select(func.count()).select_from(Checkpoint)) == 0
    assert len(made) == 6 and {one.text for one in made} == {"by org/far\ufffd"}
    assert made[0].logprobs == [-0.5, -0.25] and made[0].run_id == run.id
    assert (place.find(run).result or {})["completions_added"] == 6
    assert attempt.execute(place.bench(), run.id) is None


# --- the bad ends ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("do", "words"),
    [
        ("error", "The texts are too short to learn from; import longer ones."),
        ("crash", "the gradient went for a walk"),
        ("kill", "ran out of memory"),
        ("exit_0", "without a result"),
        ("stop_self", "Somebody other than Podium"),
    ],
)
def test_a_trainer_that_fails_is_a_plain_sentence_and_can_go_on(place: Installation, do: str, words: str) -> None:
    place.behaviour |= {"do": do, "at": 4}
    run = place.launch()
    assert attempt.execute(place.bench(), run.id) == "failed"
    assert words in (place.find(run).message or "")
    assert folders.has_state(place.settings.runs_dir / str(run.id))

    del place.behaviour["do"]
    place.do(lambda session: runs.resume(session, run.id))
    assert attempt.execute(place.bench(), run.id) == "succeeded"
    assert place.ledger == [(1, 1), (1, 2), (1, 3), (2, 4), (2, 5)]
    with place.sessions() as session:
        rows = run_records.metrics_after(session, run.id, -1, 100)
        assert [row.values["attempt"] for row in rows] == [1, 1, 1, 2, 2]
        assert len(run_records.samples_after(session, run.id, 0, 100)) == 5


def test_without_a_saved_state_the_next_attempt_starts_from_nothing(place: Installation) -> None:
    place.behaviour |= {"do": "crash", "at": 1}
    run = place.launch()
    assert attempt.execute(place.bench(), run.id) == "failed"
    assert not (place.settings.runs_dir / str(run.id)).exists()
    place.behaviour["do"] = None
    place.do(lambda session: runs.resume(session, run.id))
    assert attempt.execute(place.bench(), run.id) == "succeeded"


def test_garbage_is_log_and_does_no_harm(place: Installation) -> None:
    place.behaviour |= {"do": "garbage"}
    run = place.launch()
    assert attempt.execute(place.bench(), run.id) == "succeeded"
    with place.sessions() as session:
        row = next(row for row in run_records.metrics_after(session, run.id, -1, 100) if row.step == 77)
        sample = next(one for one in run_records.samples_after(session, run.id, 0, 100) if one.step == 77)
        lines = session.scalar(select(func.count()).select_from(RunLog))
        longest = session.scalar(select(func.max(func.length(RunLog.line))))
    assert row.values == {"bad": None, "big": None, "ok": 1.5}
    assert sample.prompt[0]["content"] == "a\ufffdb" and sample.values == {"score": None}
    assert lines == 5001 and longest is not None and longest < 4100


def test_what_outlives_the_trainer_does_not_hold_up_the_run(place: Installation) -> None:
    place.behaviour |= {"do": "orphan"}
    run = place.launch()
    started = time.monotonic()
    assert attempt.execute(place.bench(), run.id) == "succeeded"
    assert time.monotonic() - started < 10


def test_a_launch_command_that_is_not_there(place: Installation) -> None:
    run = place.launch()
    bench = place.bench()
    bench.launch = lambda folder: ["/no/such/program"]
    assert attempt.execute(bench, run.id) == "failed"
    assert "/no/such/program" in (place.find(run).message or "")


def test_a_disk_that_is_full_while_inputs_are_written(place: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    run = place.launch()
    original = run_inputs._write_rows

    def half(path: Path, rows: Any) -> Any:
        original(path, list(rows)[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as full:
        full.setattr(run_inputs, "_write_rows", half)
        assert attempt.execute(place.bench(), run.id) == "failed"
    message = place.find(run).message or ""
    assert f"The disk of the data folder {place.settings.data_dir} is full" in message and "resume" in message
    place.do(lambda session: runs.resume(session, run.id))
    assert attempt.execute(place.bench(), run.id) == "succeeded"
    assert (place.find(run).inputs or {})["files"]["texts"]["rows"] == 5  # not the half of them


def test_what_a_killed_worker_had_heard_is_told_by_the_next_attempt(place: Installation) -> None:
    """The state goes on after step 3, of which the database has nothing, after half of step 2, and all of step 1."""
    place.behaviour |= {"do": "crash", "at": 4}
    run = place.launch()
    assert attempt.execute(place.bench(), run.id) == "failed"
    folder = place.settings.runs_dir / str(run.id)
    assert not list(reported.read(folder))  # all of it is in the database
    prompt = [{"role": "user", "content": "hi"}]
    with closing(reported.Reported(folder)) as kept:
        for step in (1, 2, 3):
            kept.keep({"type": "metrics", "step": step, "values": {"loss": 1 / step, "attempt": 1}})
            kept.keep({"type": "metrics", "step": step, "values": {"time/step_s": 0.1}})
            kept.keep({"type": "sample", "step": step, "prompt": prompt, "completion": f"{step}", "values": {}})
            kept.keep({"type": "warning", "step": step, "rule": "length", "message": "Long."})
            kept.keep({"type": "state", "step": step})
    with open(folder / "reported.jsonl", "ab") as file:
        file.write(b'{"type": "metrics", "step": 4, "val')  # in the middle of which it was killed

    def lose(session: Session) -> None:
        session.execute(text("DELETE FROM run_metrics WHERE step = 3"))
        session.execute(text("DELETE FROM run_samples WHERE step >= 2"))
        session.execute(text("UPDATE run_metrics SET values = values - 'time/step_s' WHERE step = 2"))

    place.do(lose)
    with place.sessions() as session:
        first = run_records.metrics_after(session, run.id, -1, 1)[0].created_at
    place.do(lambda session: runs.resume(session, run.id))
    del place.behaviour["do"]
    assert attempt.execute(place.bench(), run.id) == "succeeded"
    assert [step for _, step in place.ledger] == [1, 2, 3, 4, 5]
    with place.sessions() as session:
        rows = run_records.metrics_after(session, run.id, -1, 100)
        samples = run_records.samples_after(session, run.id, 0, 100)
    assert [row.step for row in rows] == [one.step for one in samples] == [1, 2, 3, 4, 5]
    assert all(row.values.keys() == {"loss", "attempt", "time/step_s"} for row in rows)
    assert rows[0].created_at == first  # what was there is left alone
    assert [one["step"] for one in place.find(run).warnings] == [1, 2, 3]


def test_a_full_disk_while_training(place: Installation) -> None:
    disk = place.settings.runs_dir
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        place.behaviour |= {"do": "fill_disk"}
        run = place.launch()
        assert attempt.execute(place.bench(), run.id) == "failed"
        assert "No space left on device" in (place.find(run).message or "")
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_full_store_fails_plainly_and_resuming_stores_it(place: Installation) -> None:
    disk = Path(place.settings.storage)
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        run = place.launch()
        assert attempt.execute(place.bench(), run.id) == "failed"
        assert "store" in (place.find(run).message or "") and "full" in (place.find(run).message or "")
        assert os.listdir(disk) == []
        with place.sessions() as session:
            assert session.scalar(select(func.count()).select_from(Checkpoint)) == 0
    finally:
        subprocess.run(["umount", disk], check=True)
    place.do(lambda session: runs.resume(session, run.id))
    assert attempt.execute(place.bench(), run.id) == "succeeded"
    assert place.ledger == [(1, step) for step in range(1, 6)]  # nothing was trained again


# --- told to stop ---------------------------------------------------------------------------------------------------


def test_cancel_saves_the_state_and_resume_goes_on(place: Installation) -> None:
    place.behaviour |= {"steps": 12, "step_s": 0.15}
    run = place.launch()
    thread, _ = in_background(place, run)
    place.wait(run, reached(2))
    place.do(lambda session: runs.cancel(session, run.id))
    done = place.wait(run, lambda run: run.state != "running", 5)
    thread.join()
    assert done.state == "cancelled" and "step" in (done.message or "")
    place.behaviour["step_s"] = 0.0
    place.do(lambda session: runs.resume(session, run.id))
    assert attempt.execute(place.bench(), run.id) == "succeeded"
    assert [step for _, step in place.ledger] == list(range(1, 13))


def test_a_trainer_that_will_not_stop_is_killed_after_the_grace(tmp_path: Path, database_url: str) -> None:
    with installation(tmp_path, database_url, run_stop_grace_s=0.5) as place:
        place.behaviour |= {"do": "ignore_sigterm", "steps": 1000, "step_s": 0.05}
        run = place.launch()
        thread, _ = in_background(place, run)
        place.wait(run, reached(2))
        place.do(lambda session: runs.cancel(session, run.id))
        assert place.wait(run, lambda run: run.state != "running", 5).state == "cancelled"
        thread.join()


def test_a_worker_that_stops_gives_its_run_back_at_once(place: Installation) -> None:
    place.behaviour |= {"steps": 12, "step_s": 0.1}
    run = place.launch()
    thread, bench = in_background(place, run)
    place.wait(run, reached(3))
    bench.stopping.set()
    thread.join(5)
    found = place.find(run)
    assert (found.state, found.lost, found.attempt) == ("queued", 0, 1)
    assert attempt.execute(bench, run.id) is None  # a stopping worker takes nothing
    assert attempt.execute(place.bench("next"), run.id) == "succeeded"
    assert [step for _, step in place.ledger] == list(range(1, 13))


# --- two at once ----------------------------------------------------------------------------------------------------


def test_the_heart_beats_while_the_trainer_is_silent(place: Installation) -> None:
    place.behaviour |= {"do": "silent", "silent_s": 3.0, "steps": 3}
    run = place.launch()
    thread, _ = in_background(place, run)
    while thread.is_alive():  # longer than run_lost_after_s
        lost = place.do(lambda session: runs.requeue_lost(session, lost_after_s=1.5, attempts=3))
        assert lost == []
        time.sleep(0.1)
    assert place.find(run).state == "succeeded"


def test_an_attempt_that_lost_its_run_kills_its_trainer_and_the_next_one_goes_on(place: Installation) -> None:
    place.behaviour |= {"steps": 1000, "step_s": 0.05}
    run = place.launch()
    thread, _ = in_background(place, run)
    place.wait(run, reached(3))
    # As if this worker had been frozen for long: the run is taken from it and given to another.
    place.do(lambda session: session.execute(text("UPDATE runs SET state = 'queued'")))
    place.behaviour |= {"steps": 10, "step_s": 0.0}
    assert attempt.execute(place.bench("other"), run.id) == "succeeded"
    thread.join(5)
    assert not thread.is_alive()
    # The kill can fall between a step and its saved state; that one step is done again, and no other.
    steps = [step for _, step in place.ledger]
    assert sorted(set(steps)) == list(range(1, max(steps) + 1)) and len(steps) - len(set(steps)) <= 1
    with place.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Checkpoint)) == 1


def test_two_workers_rung_for_one_run(place: Installation) -> None:
    place.behaviour |= {"step_s": 0.05}
    run = place.launch()
    threads = [in_background(place, run, f"w{number}")[0] for number in range(4)]
    for thread in threads:
        thread.join(20)
    assert place.find(run).state == "succeeded" and place.find(run).attempt == 1
    assert place.ledger == [(1, step) for step in range(1, 6)]


def test_a_database_that_goes_away_for_a_while_loses_nothing(place: Installation, cluster: Cluster) -> None:
    place.behaviour |= {"steps": 30, "step_s": 0.05}
    run = place.launch()
    thread, _ = in_background(place, run)
    place.wait(run, reached(3))
    with database_away(cluster, make_url(str(place.settings.database_url)).database or ""):
        time.sleep(1.0)
        assert thread.is_alive()
    done = place.wait(run, lambda run: run.state != "running")
    thread.join()
    assert (done.state, done.attempt) == ("succeeded", 1)
    with place.sessions() as session:
        assert [row.step for row in run_records.metrics_after(session, run.id, -1, 100)] == list(range(1, 31))
        assert len(run_records.samples_after(session, run.id, 0, 100)) == 30


def test_files_of_an_attempt_that_died_while_storing_are_removed(place: Installation) -> None:
    run = place.launch()
    key = "0190aaaa-0000-7000-8000-000000000001"
    output = place.folder / "half"
    output.mkdir()
    (output / "config.json").write_text("{}")
    place.store.put(key, output)
    place.do(
        lambda session: session.execute(
            text("UPDATE runs SET environment = jsonb_build_object('storing', cast(:key AS text))"), {"key": key}
        )
    )
    assert attempt.execute(place.bench(), run.id) == "succeeded"
    with place.sessions() as session:
        made = session.scalars(select(Checkpoint)).one()
    assert os.listdir(place.settings.storage) == [str(made.id)]


# --- a Hub ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub_place(place: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation whose downloads go to a folder of its own."""
    monkeypatch.setenv("HF_HOME", str(place.folder / "hf"))
    source = {"kind": "hub", "repo": "org/tiny"}
    place.do(lambda session: corpus.register_model(session, name="org/tiny", source=source))
    return place


def test_a_model_is_fetched_from_a_hub_without_what_could_run_code(
    hub_place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"config.json": b"{}", "model.safetensors": b"w" * 5000, "pytorch_model.bin": b"pickle", "run.py": b"evil"}
    with small_hub("org/tiny", files) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        run = hub_place.launch("sft", model="org/tiny")
        assert attempt.execute(hub_place.bench(), run.id) == "succeeded"
    inputs = hub_place.find(run).inputs or {}
    assert inputs["commits"] == {"org/tiny": COMMIT}
    fetched = {path.name for path in (hub_place.folder / "hf").rglob("*") if COMMIT in str(path) and path.is_file()}
    assert fetched & files.keys() == {"config.json", "model.safetensors"}
    # The next run finds it in the cache, though the Hub is gone.
    again = hub_place.launch("sft", model="org/tiny")
    assert attempt.execute(hub_place.bench(), again.id) == "succeeded"


def test_a_hub_that_cannot_be_reached_or_lacks_the_model_is_a_plain_sentence(
    hub_place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    run = hub_place.launch("sft", model="org/tiny")
    assert attempt.execute(hub_place.bench(), run.id) == "failed"
    message = hub_place.find(run).message or ""
    assert "org/tiny" in message and "cannot be reached" in message
    with small_hub("org/other", {}) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        hub_place.do(lambda session: runs.resume(session, run.id))
        assert attempt.execute(hub_place.bench(), run.id) == "failed"
    assert "has no model org/tiny" in (hub_place.find(run).message or "")


# --- more than one device -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_on_two_devices_is_stopped_goes_on_and_is_stored(place: Installation) -> None:
    """With the real trainer: gloo and the processor stand for the devices."""
    shape: dict[str, Any] = {"hidden_size": 16, "layers": 1, "heads": 2, "vocabulary_size": 300, "context_tokens": 32}
    run = place.launch(devices=2, epochs=400.0, max_steps=250, texts_per_step=2, evaluate_every_steps=10_000, **shape)
    bench = place.bench()
    bench.launch = attempt.launch_command
    thread = threading.Thread(target=attempt.execute, args=(bench, run.id))
    thread.start()
    place.wait(run, reached(3), 60)
    place.do(lambda session: runs.cancel(session, run.id))
    thread.join()
    stopped = place.find(run)
    assert stopped.state == "cancelled", stopped.message
    assert folders.has_state(place.settings.runs_dir / str(run.id))
    place.do(lambda session: runs.resume(session, run.id))
    assert attempt.execute(bench, run.id) == "succeeded", place.find(run).message
    with place.sessions() as session:
        steps = [row.step for row in run_records.metrics_after(session, run.id, 0, 2000) if "train/loss" in row.values]
        made = session.scalars(select(Checkpoint)).one()
    assert steps == list(range(1, steps[-1] + 1)) and steps[-1] == (place.find(run).result or {})["train/steps"]
    assert {file["path"] for file in made.files} >= {"config.json", "model.safetensors", "podium.json"}
