"""The guard: what breaks each rule, how long it is patient, and what it remembers."""

import json
from typing import Any

import pytest

from backend.domain.training.guard import GuardConfig
from workers.training.guard import Guard

FIRST = {
    "rollout/length_p50": 20.0,
    "rollout/truncated_share": 0.02,
    "policy/entropy": 2.0,
    "rollout/distinct4": 0.9,
}


def guard_of(**settings: Any) -> Guard:
    guard = Guard(GuardConfig(**({"patience_iterations": 2} | settings)))
    assert guard.look(FIRST, 0) == []
    return guard


@pytest.mark.parametrize(
    ("rule", "name", "fine", "broken"),
    [
        ("length", "rollout/length_p50", 40.0, 41.0),
        ("length", "rollout/length_p50", 10.0, 9.0),
        ("truncated", "rollout/truncated_share", 0.12, 0.13),
        ("entropy", "policy/entropy", 0.6, 0.59),
        ("distinct4", "rollout/distinct4", 0.45, 0.44),
    ],
)
def test_each_rule_speaks_once_when_its_patience_ends(rule: str, name: str, fine: float, broken: float) -> None:
    guard = guard_of()
    assert guard.look(FIRST | {name: fine}, 1) == [] and guard.is_healthy()
    assert guard.look(FIRST | {name: broken}, 2) == [] and not guard.is_healthy()
    (finding,) = guard.look(FIRST | {name: broken}, 3)
    assert (finding.rule, finding.cheating) == (rule, True)
    assert guard.look(FIRST | {name: broken}, 4) == []
    assert guard.look(FIRST, 5) == [] and guard.is_healthy()
    guard.look(FIRST | {name: broken}, 6)
    assert [one.rule for one in guard.look(FIRST | {name: broken}, 7)] == [rule]


def test_trouble_of_the_optimiser_is_told_but_is_no_cheating() -> None:
    guard = guard_of(warm_up_iterations=3)
    trouble = {"policy/clip_fraction": 0.5, "value/explained_variance": -0.1}
    assert guard.look(trouble, 1) == []
    assert [one.rule for one in guard.look(trouble, 2)] == ["clip_fraction"]  # the critic is still warming up
    assert guard.look(trouble, 3) == []
    (finding,) = guard.look(trouble, 4)
    assert finding.rule == "explained_variance" and not finding.cheating
    assert guard.is_healthy()


def test_a_divergence_that_stays_clearly_below_zero_is_told_of() -> None:
    """Chance makes it negative now and then; only answers that were drawn otherwise than they are scored keep it so."""
    guard = guard_of(patience_iterations=3)

    def look(kl: float, error: float) -> list[str]:
        seen = {"objective/kl_base_per_seq_nats": kl, "objective/kl_base_error_per_seq_nats": error}
        return [one.rule for one in guard.look(seen, 1)]

    sound = [(0.0, 0.0), (-0.1, 0.2), (-0.5, 0.2), (-0.5, 0.2), (-0.39, 0.2), (-0.5, 0.2), (-0.5, 0.2), (0.1, 0.2)]
    assert all(look(*one) == [] for one in sound)
    broken = [(-0.41, 0.2), (-0.7, 0.2), (-0.9, 0.3)]
    assert [look(*one) for one in broken] == [[], [], ["negative_kl"]] and guard.is_healthy()


def test_reward_up_and_judge_down_three_times_in_a_row() -> None:
    guard = guard_of()
    seen = [(0.0, 1.0), (0.1, 0.9), (0.2, 0.8)]
    assert all(guard.look_at_judgement(*one) == [] for one in seen)
    (finding,) = guard.look_at_judgement(0.3, 0.7)
    assert finding.rule == "judge" and finding.cheating and "0.00 to 0.30" in finding.sentence
    assert guard.look_at_judgement(0.4, 0.6) == []  # three further looks before it speaks again

    guard = guard_of()
    for one in [(0.0, 1.0), (0.1, 0.9), (0.2, 0.95), (0.3, 0.8), (0.4, 0.7)]:  # the judge was pleased once
        assert guard.look_at_judgement(*one) == []


def test_what_it_remembers_survives_as_json() -> None:
    guard = guard_of()
    guard.look(FIRST | {"policy/entropy": 0.1}, 1)
    guard.look_at_judgement(0.0, 1.0)
    other = Guard(guard.config)
    other.load_state_dict(json.loads(json.dumps(guard.state_dict())))
    assert other == guard
    assert [one.rule for one in other.look(FIRST | {"policy/entropy": 0.1}, 2)] == ["entropy"]
