"""What people feed to trainers and nobody thought of: it works, or an error names what is wrong."""

from pathlib import Path
from typing import Any

import pytest

from tests.workers.training import runs_of_all_kinds as runs
from tests.workers.training.language import say, write
from workers.training.events import Result, Sample
from workers.training.job import Job


def job_of(kind: str, folder: Path, models: runs.Models, name: str, rows: list[dict[str, Any]], **settings: Any) -> Job:
    """One whose input of a name has these rows."""
    job = runs.job(kind, folder, models, **settings)
    job.inputs[name] = str(write(folder / "odd.jsonl", rows))
    return job


@pytest.mark.parametrize(("words", "settings"), [(94, {}), (6, {"max_tokens": 8})])
def test_answers_to_learn_that_leave_hardly_room_for_a_prompt(
    words: int, settings: dict[str, Any], tmp_path: Path, models: runs.Models
) -> None:
    rows = [{"prompt": say(f"w{3 + place}"), "completion": "w7 " * words} for place in range(10)]
    job = job_of("sft", tmp_path, models, "demonstrations", rows, held_out_share=0.3, epochs=1.0, **settings)
    events = list(runs.train(job))
    assert isinstance(events[-1], Result)
    assert any(isinstance(event, Sample) and 0 < event.values["tokens"] <= 48 for event in events)
