"""Where the real studies lie that some tests read; they are third-party data and no part of the project."""

import csv
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

SHARED = Path(os.environ.get("PODIUM_SHARED") or Path(__file__).parents[2] / ".." / "shared").resolve()


class Vote(NamedTuple):
    """One crowd vote of llmfao; `score` is that of `left`."""

    prompt: str
    left: str
    right: str
    score: float
    worker: str


def folder(name: str) -> Path:
    """The folder of one study, or the test is skipped."""
    path = SHARED / "data" / name
    if not path.is_dir():
        pytest.skip(f"the real study {name} is not here: set PODIUM_SHARED to the folder that holds data/{name}")
    return path


@cache
def _votes(path: Path) -> tuple[Vote, ...]:
    score = {"left": 1.0, "right": 0.0, "tie": 0.5}
    with (path / "crowd-comparisons.csv").open(encoding="utf-8", newline="") as lines:
        return tuple(
            Vote(row["prompt"], row["left"], row["right"], score[row["winner"]], row["worker"])
            for row in csv.DictReader(lines)
        )


def votes() -> tuple[Vote, ...]:
    """All 8,931 votes of llmfao in file order."""
    return _votes(folder("llmfao"))
