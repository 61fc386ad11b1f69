"""A run that is told to stop does so wherever it is, at once, and ends later as if it had never been told."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.workers.training import runs_of_all_kinds as runs
from tests.workers.training.test_killed import files
from workers.training.backbone import Backbone
from workers.training.events import Event, Result, Sample, StepMetrics

PLACES = 5
READERS = ("packed_hidden_states", "hidden_states", "cached_hidden_states")


class Asked:
    """Is asked to stop at one of the moments at which that is looked for, and counts them."""

    def __init__(self, at: int | None = None) -> None:
        self.looks, self.at = 0, at

    def __call__(self) -> bool:
        self.looks += 1
        return self.at is not None and self.looks >= self.at


def told(events: Sequence[Event]) -> Counter[Any]:
    """Every number and every text."""
    numbers = [(event.step, *one) for event in events if isinstance(event, StepMetrics) for one in event.values.items()]
    texts = [(event.step, event.completion) for event in events if isinstance(event, Sample)]
    return Counter([one for one in numbers if not one[1].startswith("time/") and "per_s" not in one[1]] + texts)


class Reading:
    """Counts the micro-batches that models read before it is looked for again."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.since = self.most = 0
        for name in READERS:
            patch.setattr(Backbone, name, self._counted(getattr(Backbone, name)))

    def _counted(self, read: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **more: Any) -> Any:
            self.since += 1
            self.most = max(self.most, self.since)
            return read(*args, **more)

        return counted

    def looked(self) -> bool:
        self.since = 0
        return False


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("pretrain", {}),
        ("sft", {}),
        ("sft", {"method": "full"}),
        ("reward_model", {}),
        ("evaluate", {"temperature": 1.0}),
    ],
)
def test_stopped_anywhere(
    kind: str, settings: dict[str, Any], tmp_path: Path, models: runs.Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, reading = Asked(), Reading(monkeypatch)
    whole = runs.job(kind, tmp_path / "whole", models, **settings)
    expected = list(runs.train(replace(whole, should_stop=lambda: reading.looked() or asked())))
    assert reading.most <= 2  # of which one may be a trial
    steps = [one[0] for one in told(expected) if one[1] == "train/loss"]
    assert steps == [*range(1, len(steps) + 1)]
    for place in range(PLACES):
        at = 1 + place * (asked.looks - 1) // (PLACES - 1)
        one = replace(runs.job(kind, tmp_path / f"{place}", models, **settings), should_stop=Asked(at))
        events = list(runs.train(one))
        assert not isinstance(events[-1], Result) and not files(one.output)
        again = list(runs.train(replace(one, should_stop=Asked())))
        assert again[-1] == expected[-1] and told(events + again) == told(expected)
        assert files(one.output) == files(whole.output)
