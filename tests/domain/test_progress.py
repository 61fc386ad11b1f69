"""Progress and the time left: hand-worked numbers."""

import pytest

from backend.domain.progress import advance, restarted, saved, seconds_left, shown


def test_time_left_at_a_steady_pace() -> None:
    record = advance(None, 0, 100, "train", 1000.0)
    assert seconds_left(record, 1000.0) is None  # no pace yet
    record = advance(record, 10, 100, "train", 1020.0)  # 2 s a step, 90 to go
    assert seconds_left(record, 1020.0) == pytest.approx(180.0)
    assert seconds_left(record, 1021.0) == pytest.approx(179.0)


def test_a_silent_trainer_makes_the_answer_grow() -> None:
    record = advance(advance(None, 0, 100, None, 0.0), 10, 100, None, 20.0)
    answers = [seconds_left(record, 20.0 + silent) for silent in (2.0, 2.001, 30.0, 300.0)]
    assert answers[0] == pytest.approx(178.0)
    assert answers[1] == pytest.approx(178.0, abs=0.1)  # no jump when a step is overdue
    assert all(a is not None for a in answers)
    assert answers[1] < answers[2] < answers[3]  # type: ignore[operator]


def test_steps_that_grow_longer_are_counted_at_their_length_now() -> None:
    record, at = advance(None, 0, 100, "train", 0.0), 0.0
    for step in range(1, 81):
        at += 1.0 if step <= 50 else 4.0
        record = advance(record, step, 100, "train", at)
    assert seconds_left(record, at) == pytest.approx(20 * 4.0)
    record = advance(None, 0, 4, "train", 0.0)
    for step, at in enumerate((10.0, 30.0, 50.0), start=1):  # of few steps all count
        record = advance(record, step, 4, "train", at)
    assert seconds_left(record, at) == pytest.approx(50.0 / 3)


def test_nothing_is_promised_without_a_total_nor_behind_the_last_step() -> None:
    record = advance(advance(None, 0, None, None, 0.0), 5, None, None, 5.0)
    assert seconds_left(record, 6.0) is None
    record = advance(advance(None, 0, 5, None, 0.0), 5, 5, None, 5.0)
    assert seconds_left(record, 60.0) is None


def test_a_resumed_attempt_measures_its_own_pace() -> None:
    record = advance(advance(None, 0, 100, "train", 0.0), 50, 100, "train", 50.0)
    record, further = saved(record, 50)
    assert further
    record = restarted(record, fresh=False) or {}
    assert shown(record) == {"step": 50, "total": 100, "phase": "train"}
    assert seconds_left(record, 5000.0) is None
    record = advance(advance(record, 50, 100, "train", 5000.0), 60, 100, "train", 5100.0)
    assert seconds_left(record, 5100.0) == pytest.approx(400.0)
    assert restarted(record, fresh=True) == {"saved": 50}
    assert shown(restarted(record, fresh=True)) is None


def test_only_a_state_further_than_ever_counts_as_further() -> None:
    record, further = saved(None, 3)
    assert further and record["saved"] == 3
    record, further = saved(record, 3)
    assert not further
    record, further = saved(record, 2)
    assert not further and record["saved"] == 3


def test_a_second_stage_with_another_total_starts_a_new_measurement() -> None:
    record = advance(advance(None, 0, 10, "train", 0.0), 10, 10, "train", 100.0)
    record = advance(record, 0, 4, "normalise", 101.0)
    assert seconds_left(record, 101.0) is None
