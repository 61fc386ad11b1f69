"""What the time left is reckoned from: a run that goes on tells no step that it did not do now."""

from pathlib import Path

import pytest

from tests.workers.training import runs_of_all_kinds as runs
from workers.training import evaluate, sample
from workers.training.events import Progress, Result, StateSaved


@pytest.mark.parametrize("kind", runs.KINDS)
def test_steps_of_an_earlier_attempt_are_not_told_as_done_in_no_time(
    kind: str, tmp_path: Path, models: runs.Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sample, evaluate):
        monkeypatch.setattr(module, "PROMPTS_AT_ONCE", 4)
    if kind in ("sample", "evaluate"):
        first = list(runs.train_until_parts(2, runs.job(kind, tmp_path, models)))
    else:
        first = list(runs.train_until(2, runs.job(kind, tmp_path, models)))
    done = [event.step for event in first if isinstance(event, StateSaved)][-1]
    second = list(runs.train(runs.job(kind, tmp_path, models)))
    assert isinstance(second[-1], Result) and done > 0
    told = [event for event in second if isinstance(event, Progress) and event.total is not None]
    steps, totals = [event.step for event in told], {event.total for event in told}
    assert steps[0] == done and steps == sorted(steps) and totals == {steps[-1]}, "and ends where it said"
