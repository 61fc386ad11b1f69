"""What a trainer reported is kept as long as it may be missing in the database."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from workers import process, relay, reported


def steps(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in reported.read(folder)]


def test_what_lasts_is_kept_in_order_and_a_cut_line_is_left_out(tmp_path: Path) -> None:
    with closing(reported.Reported(tmp_path)) as kept:
        for step in range(3):
            kept.keep({"type": "progress", "step": step, "total": 3, "phase": "train"})
            kept.keep({"type": "metrics", "step": step, "values": {"loss": 0.1}})
        kept.keep({"type": "result", "values": {}})
    with open(tmp_path / "reported.jsonl", "ab") as file:
        file.write(b'{"type": "metrics", "step": 3')
    assert steps(tmp_path) == [0, 1, 2]
    reported.sync(tmp_path)
    reported.clear(tmp_path)
    assert not list(reported.read(tmp_path)) and not list(tmp_path.iterdir())
    reported.sync(tmp_path)  # nothing there is nothing to force


def test_old_reports_go_whole_steps_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reported, "KEPT", 10)
    with closing(reported.Reported(tmp_path)) as kept:
        for step in range(100):
            for part in range(3):
                kept.keep({"type": "metrics", "step": step, "values": {f"{part}": 0.1}})
            found = steps(tmp_path)
            assert found == [one for one in range(found[0], step + 1) for _ in range(3)]
            assert min(3 * step, 10) <= len(found) <= 2 * 12


def test_all_that_can_be_on_its_way_is_kept() -> None:
    """In a pipe and its reader (64 KiB each), the worker's queue, one more batch from it, and what is being written."""
    shortest = len('{"type":"state","step":0}\n')
    in_the_worker = process.WAITING_MESSAGES + process.TAKEN_AT_ONCE + relay.LARGEST_BATCH
    assert in_the_worker + 2 * (1 << 16) // shortest < reported.KEPT
