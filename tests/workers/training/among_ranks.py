"""What each of several gloo processes does in `test_ranks`: the runs in the folders it is given, one after the other.

    python -m torch.distributed.run ... -m tests.workers.training.among_ranks FOLDER...

The events that rank 0 yields are left as `events.jsonl` in the run's folder. A folder whose run has stopped may come a
second time, as `FOLDER+`: the run goes on, and what it had left is kept beside it. As a trainer, this module fails in
one rank while the others wait for it, or never ends:

    python -m torch.distributed.run ... -m tests.workers.training.among_ranks --fail|--endless FOLDER
"""

import importlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import torch

from backend.domain.training import read_config
from backend.errors import Invalid
from workers.training import launch, ranks
from workers.training.events import Event, Progress, StepMetrics
from workers.training.job import Job

STOP = "stop_after"
STOPPED = "stopped"


def run(folder: Path, among: ranks.Ranks = ranks.ALONE) -> None:
    """The run in this folder. Its `job.json` may say after how many questions the last rank wants to stop."""
    about = json.loads((folder / "job.json").read_text())
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == about.get(STOP) and among.rank == among.world - 1

    job = Job(
        folder, about["kind"], read_config(about["kind"], about["config"]), about["inputs"], seed=about["seed"],
        run="r", should_stop=should_stop, ranks=among,
    )  # fmt: skip
    lines = []
    with suppress(ranks.Stopped):
        for event in importlib.import_module(launch.TRAINERS[job.kind]).train(job):
            lines.append(json.dumps(event.to_json()))
    if among.first:
        (folder / "events.jsonl").write_text("\n".join(lines))


def go_on(folder: Path, among: ranks.Ranks) -> None:
    """The rest of a run that has stopped. How it stood then is left as `STOPPED` in its folder."""
    with among.first_before_others():
        if among.first:
            (kept := folder / STOPPED).mkdir()
            shutil.copy(folder / "events.jsonl", kept)
            shutil.copytree(folder / "state", kept / "state")
            about = json.loads((folder / "job.json").read_text())
            del about[STOP]
            (folder / "job.json").write_text(json.dumps(about))
    run(folder, among)


def train(job: Job) -> Iterator[Event]:
    """Rank 1 has something to say; the others only see it go. Or all hear each other for ever."""
    yield Progress(0, None, "load")
    if "--endless" in sys.argv:
        for step in count(1):
            job.ranks.any(False)
            yield StepMetrics(step, {"train/loss": 1.0})
            time.sleep(0.05)
    print("seen in the log")
    if job.ranks.rank == 1:
        raise Invalid("Rank 1 cannot go on.")
    job.ranks.any(False)


if __name__ == "__main__":
    if sys.argv[1] in ("--fail", "--endless"):
        launch.TRAINERS["sft"] = "tests.workers.training.among_ranks"
        launch.end(launch.main(Path(sys.argv[2])))
    torch.set_num_threads(1)
    among, _ = ranks.join(int(os.environ["WORLD_SIZE"]))
    for folder in sys.argv[1:]:
        if folder.endswith("+"):
            go_on(Path(folder[:-1]), among)
        else:
            run(Path(folder), among)
    ranks.leave()
    launch.end(0)
