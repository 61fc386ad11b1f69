"""Runs that are killed at random moments, or whose disk is full, end as if nothing had happened: bit for bit."""

import hashlib
import json
import multiprocessing
import os
import random
import resource
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from tests.workers.training import runs_of_all_kinds as runs
from workers import reported
from workers.training import evaluate, launch, sample, state

fresh = multiprocessing.get_context("forkserver")
"""Its server has loaded all that is heavy and never computed anything: a trainer's process begins at once."""
KILLS = 4


def _attempt(folder: Path, largest_file: int | None) -> None:
    """A run's own process, as a worker starts it; its disk takes no file larger than that."""
    os.environ["OMP_NUM_THREADS"] = "1"
    sample.PROMPTS_AT_ONCE = evaluate.PROMPTS_AT_ONCE = 4
    for number, target in enumerate((os.pipe()[0], *(_opened(folder / name) for name in ("said.jsonl", "log")))):
        os.dup2(target, number)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    os._exit(launch.main(folder))


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


def start(folder: Path, *, largest_file: int | None = None) -> BaseProcess:
    fresh.set_forkserver_preload([__name__, *launch.TRAINERS.values()])
    process = fresh.Process(target=_attempt, args=(folder, largest_file), daemon=True)
    process.start()
    return process


def finish(folder: Path, *, largest_file: int | None = None) -> int | None:
    process = start(folder, largest_file=largest_file)
    process.join(180)
    return process.exitcode


def prepare(kind: str, folder: Path, models: runs.Models, **settings: Any) -> Path:
    about = runs.described(kind, folder, models, **settings)
    (folder / "job.json").write_text(json.dumps(about))
    return folder


def said(folder: Path) -> list[dict[str, Any]]:
    """By the last attempt."""
    return [json.loads(line) for line in (folder / "said.jsonl").read_text().splitlines()]


def metrics(folder: Path) -> Iterator[tuple[tuple[int, str], float]]:
    """Everything that was reported of every step in any attempt, but for what hangs on the machine."""
    for line in reported.read(folder):
        message = json.loads(line)
        for name, value in message["values"].items() if message["type"] == "metrics" else ():
            if not name.startswith(("time/", "memory/")) and not name.endswith("tokens_per_s"):
                yield (message["step"], name), value


def files(folder: Path) -> dict[str, str]:
    """Digests of all files."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def same_end(one: Path, other: Path) -> None:
    assert said(one)[-1] == said(other)[-1] and said(one)[-1]["type"] == "result"
    assert set(metrics(one)) == set(metrics(other))
    assert files(one / "output") == files(other / "output")


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("pretrain", {"save_every_s": 0.0}),
        ("sft", {"save_every_s": 0.0}),
        ("sft", {"save_every_s": 0.2, "method": "full"}),
        ("reward_model", {"save_every_s": 0.0}),
        ("reward_model", {"save_every_s": 0.2, "method": "full"}),
        ("ppo", {"save_every_s": 0.0}),
        ("ppo", {"save_every_s": 0.4, "critic": "shared", "kl_controller": "leash"}),
        ("sample", {}),
        ("evaluate", {}),
    ],
)
def test_killed_at_random_moments(kind: str, settings: dict[str, Any], tmp_path: Path, models: runs.Models) -> None:
    whole, broken = (prepare(kind, tmp_path / name, models, **settings) for name in ("whole", "broken"))
    began = time.monotonic()
    assert finish(whole) == 0, (whole / "log").read_text()
    took = time.monotonic() - began
    rng = random.Random(kind)
    for _ in range(KILLS):
        process = start(broken)
        process.join(rng.uniform(0.2, 1.0) * took)
        if process.exitcode is not None:
            break
        process.kill()
        process.join()
    else:
        finish(broken)
    same_end(whole, broken)


@pytest.mark.parametrize("kind", ["pretrain", "sft", "ppo"])
def test_a_full_disk_leaves_what_was_saved(kind: str, tmp_path: Path, models: runs.Models) -> None:
    """First too full for a state, then for the output; with room again, the run ends as if it had always been there."""
    whole, broken = (prepare(kind, tmp_path / name, models, save_every_s=0.0) for name in ("whole", "broken"))
    assert finish(whole) == 0, (whole / "log").read_text()
    kept = broken / "state" / state.FILE
    process = start(broken)
    while not kept.exists():
        process.join(0.01)
        assert process.exitcode is None, (broken / "log").read_text()
    process.kill()
    process.join()

    before = kept.read_bytes()
    assert finish(broken, largest_file=len(before) - 1000) == 1
    assert "is full" in said(broken)[-1]["message"] and str(broken) in said(broken)[-1]["message"]
    assert kept.read_bytes() == before

    largest = max(path.stat().st_size for path in (whole / "output").rglob("*.safetensors"))
    fits = largest > len(before) + 20_000  # else the state is what has no room
    assert fits or kind != "sft"
    if fits:
        assert finish(broken, largest_file=largest - 1) == 1
        assert "is full" in said(broken)[-1]["message"]
        assert state.load(broken / "state") is not None
    assert finish(broken) == 0, (broken / "log").read_text()
    same_end(whole, broken)
