"""The leash on lambda and the step controller on beta: their tables, their bounds, their separation (1.7)."""

import pytest

from workers.training.controllers import FixedKL, SchulmanStep, ZieglerLeash


def test_leash_against_hand_worked_numbers() -> None:
    leash = ZieglerLeash(0.15, target_per_seq_nats=6.0, horizon_episodes=10_000)
    leash.update(12.0, 256)  # e is clipped at 0.2: 1 + 0.2 * 256 / 10000
    assert leash.coefficient == pytest.approx(0.15 * 1.00512, rel=1e-12)
    leash.update(6.6, 1000)  # e = 0.1
    assert leash.coefficient == pytest.approx(0.15 * 1.00512 * 1.01, rel=1e-12)
    leash.update(6.0, 1000)
    assert leash.coefficient == pytest.approx(0.15 * 1.00512 * 1.01, rel=1e-12)
    leash.update(0.0, 10_000)
    assert leash.coefficient == pytest.approx(0.15 * 1.00512 * 1.01 * 0.8, rel=1e-12)
    with pytest.raises(ValueError, match="positive target"):
        ZieglerLeash(0.1, target_per_seq_nats=0.0, horizon_episodes=1)
    with pytest.raises(ValueError, match="positive horizon"):
        ZieglerLeash(0.1, target_per_seq_nats=1.0, horizon_episodes=0)


def test_over_a_horizon_of_answers_lambda_moves_by_a_fifth() -> None:
    for kl, moved in ((1e6, 1.22), (0.0, 0.82)):
        leash = ZieglerLeash(1.0, target_per_seq_nats=6.0, horizon_episodes=1000)
        for _ in range(50):
            leash.update(kl, 20)
        assert leash.coefficient == pytest.approx(moved, abs=0.005)


# delta = 0.75 makes 1.5 delta = 1.125 and delta / 1.5 = 0.5 exact in binary: both equalities really are met.
@pytest.mark.parametrize(
    ("d", "factor"),
    [(1.125, 2.0), (1.12499, 1.0), (9.0, 2.0), (0.75, 1.0), (0.50001, 1.0), (0.5, 0.5), (0.1, 0.5), (0.0, 0.5)],
)
def test_step_rule_with_both_equalities(d: float, factor: float) -> None:
    step = SchulmanStep(1.0, target_per_token_nats=0.75)
    step.update(d)
    assert step.coefficient == factor


def test_step_bounds_hold_and_are_counted() -> None:
    step = SchulmanStep(1.0, target_per_token_nats=0.01)
    for _ in range(20):
        step.update(0.0)
    assert step.coefficient == 1e-4
    assert step.clamped == 20 - 13  # 2^-13 is the last power above 1e-4
    for _ in range(40):
        step.update(1.0)
    assert step.coefficient == 1e3
    with pytest.raises(ValueError, match="positive target"):
        SchulmanStep(1.0, target_per_token_nats=0.0)


def test_states_survive_and_are_apart() -> None:
    leash, step = ZieglerLeash(0.1, 6.0, 1000), SchulmanStep(1.0, 0.01)
    leash.update(12.0, 64)
    assert step.coefficient == 1.0
    step.update(1.0)
    for made, fresh in ((leash, ZieglerLeash(9.0, 6.0, 1000)), (step, SchulmanStep(9.0, 0.01))):
        fresh.load_state_dict(made.state_dict())
        assert fresh == made
    fixed = FixedKL(0.05)
    fixed.update(100.0, 1000)
    assert fixed.coefficient == 0.05
