"""A run's own process: events on its standard output, prints in its log, and gone when nobody listens."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors import SafetensorError

from backend.errors import Invalid
from tests.workers.training.tiny import folder_of
from workers.training.launch import STOPPED, in_plain_words

REPOSITORY = Path(__file__).parents[3]


def start(folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "workers.training.launch", str(folder)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def finish(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """What it still says until it ends, with its standard input held open as a worker does."""
    held, process.stdin = process.stdin, None
    out, log = process.communicate(timeout=120)
    if held is not None:
        held.close()
    return out, log


def write_job(folder: Path, *, prompts: int, max_new_tokens: int = 4, **changes) -> Path:
    (folder / "inputs").mkdir(parents=True)
    model = folder_of(folder / "model", "llama")
    with (folder / "inputs" / "prompts.jsonl").open("w") as file:
        for i in range(prompts):
            file.write(json.dumps({"id": f"p{i}", "prompt": [{"role": "user", "content": "ab"}]}) + "\n")
    job = {
        "kind": "sample",
        "run": "r1",
        "seed": 1,
        "attempt": 1,
        "config": {"models": ["x/a"], "max_new_tokens": max_new_tokens},
        "inputs": {
            "prompts": "inputs/prompts.jsonl",
            "models": [{"model": "a", "name": "x/a", "folder": str(model)}],
        },
    }
    (folder / "job.json").write_text(json.dumps(job | changes))
    return folder


def test_a_run_from_start_to_result(tmp_path):
    process = start(write_job(tmp_path, prompts=3))
    out, log = finish(process)
    lines = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 0, log.decode()
    assert lines[0] == {"type": "progress", "step": 0, "total": None, "phase": "loading"}
    assert lines[-1]["type"] == "result"
    assert {line["type"] for line in lines} >= {"progress", "metrics", "sample", "state", "result"}
    assert len((tmp_path / "output" / "completions.jsonl").read_text().splitlines()) == 3


def test_a_wrong_setting_is_told_in_a_sentence(tmp_path):
    process = start(write_job(tmp_path, prompts=1, config={"models": ["x/a"], "temperature": -1}))
    out, _ = finish(process)
    assert process.returncode == 1
    last = json.loads(out.splitlines()[-1])
    assert last["type"] == "error"
    assert "temperature" in last["message"]


def test_sigterm_saves_and_stops_and_the_next_attempt_ends_it(tmp_path):
    folder = write_job(tmp_path, prompts=2000, max_new_tokens=20)
    process = start(folder)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "state":
            process.send_signal(signal.SIGTERM)
            break
    finish(process)
    assert process.returncode == STOPPED
    assert not (folder / "output" / "completions.jsonl").exists()
    saved = len(list((folder / "state").iterdir()))
    assert 1 <= saved < 8
    process = start(folder)
    finish(process)
    assert process.returncode == 0
    assert len((folder / "output" / "completions.jsonl").read_text().splitlines()) == 2000


def test_it_ends_when_the_worker_is_gone(tmp_path):
    process = start(write_job(tmp_path, prompts=20_000, max_new_tokens=20))
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdout.readline()
    process.stdin.close()
    began = time.monotonic()
    process.wait(timeout=30)
    assert time.monotonic() - began < 20
    assert process.returncode not in (0, STOPPED)
    process.stdout.close()
    if process.stderr is not None:
        process.stderr.close()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory"),
        (RuntimeError("std::bad_alloc"), "not enough memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "runs/7 is full"),
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), "MB free"),
        (
            OSError(errno.EROFS, "Read-only file system", "runs/7/state"),
            "[Errno 30] Read-only file system: 'runs/7/state'",
        ),
        (SafetensorError('I/O error: Read-only file system (os error 30) at path "state"'), 'at path "state"'),
        (Invalid("The reward model belongs to another backbone."), "belongs to another backbone"),
        (ZeroDivisionError("division by zero"), "fault of the program (ZeroDivisionError: division by zero)"),
    ],
)
def test_faults_in_plain_words(error, said, tmp_path):
    folder = tmp_path / "runs/7"
    folder.mkdir(parents=True)
    assert said in in_plain_words(error, folder)
