"""The critic that is solved: against least squares done elsewhere, without what it could not know, and saved whole."""

import numpy as np
import pytest
import torch
from torch import Tensor

from workers.training.linear_critic import FADE, LinearCritic


def drawn(count: int, size: int, seed: int = 0, noise: float = 0.0) -> tuple[Tensor, Tensor]:
    """States of unlike scales around means of their own, one of which never changes; what they are worth."""
    draw = torch.Generator().manual_seed(seed)
    states = torch.randn(count, size, generator=draw) * torch.linspace(0.1, 30, size) + torch.linspace(-5, 5, size)
    states[:, 1] = 7.0
    worth = states @ torch.linspace(1, -1, size) / size
    return states, worth + 3.0 + noise * torch.randn(count, generator=draw)


def explained(expected: Tensor, returns: Tensor) -> float:
    return float(1 - (returns - expected).var() / returns.var())


def test_what_is_linear_is_found() -> None:
    critic = LinearCritic(torch.zeros(7))
    for seed in range(3):
        states, returns = drawn(400, 6, seed)
        expected = critic(states, returns, 200)
        assert explained(expected, returns) > 0.99, "in the first round too, from the other half"
    assert expected == pytest.approx(returns, abs=0.2)


def test_it_is_the_ridge_regression_of_all_rounds_with_the_earlier_ones_faded() -> None:
    """By the normal equations of scikit-learn's Ridge, in units of each state's deviation, worked out with NumPy."""
    critic = LinearCritic(torch.zeros(5))
    rounds = [drawn(50, 4, seed, noise=2.0) for seed in (0, 1)]
    for states, returns in rounds:
        critic(states, returns, 25)
    x = np.concatenate([states.double().numpy() for states, _ in rounds])
    y = np.concatenate([returns.double().numpy() for _, returns in rounds])
    w = np.repeat([FADE, 1.0], 50)
    x, y = x[:, [0, 2, 3]], y  # the second never changes
    mean, middle = np.average(x, 0, w), np.average(y, weights=w)
    deviation = np.sqrt(np.average((x - mean) ** 2, 0, w))
    z = (x - mean) / deviation
    for place, ridge in ((1, 10.0), (5, 0.001)):
        slopes = np.linalg.solve(
            (z * w[:, None]).T @ z / w.sum() + ridge * np.eye(3), z.T @ (w * (y - middle)) / w.sum()
        )
        found = critic.weights[place].numpy()
        np.testing.assert_allclose(found[[0, 2, 3]], slopes / deviation, rtol=1e-6)
        np.testing.assert_allclose(found[-1], middle - slopes / deviation @ mean, rtol=1e-6)
        assert found[1] == 0


def test_nobody_is_foreseen_from_what_he_received() -> None:
    """With more states than answers a fit would know every return by heart; what is expected of noise is nothing."""
    critic = LinearCritic(torch.zeros(201))
    for seed in range(4):
        draw = torch.Generator().manual_seed(seed)
        states, returns = torch.randn(40, 200, generator=draw), torch.randn(40, generator=draw)
        expected = critic(states, returns, 20)
        assert float((expected - returns).square().mean()) < 1.35 * float(returns.square().mean())
    states, returns = drawn(40, 6)
    changed = returns.clone()
    changed[3] += 1e-3
    first, other = (LinearCritic(torch.zeros(7))(states, told, 20) for told in (returns, changed))
    assert torch.equal(first[:20], other[:20]) and not torch.equal(first[20:], other[20:])


def test_a_start_serves_where_it_knows_more_than_the_first_round_tells() -> None:
    states, returns = drawn(30, 20, noise=0.1)
    knows = torch.cat((torch.linspace(1, -1, 20) / 20, torch.tensor([3.0])))
    assert explained(LinearCritic(knows)(states, returns, 15), returns) > 0.99
    assert explained(LinearCritic(-3 * knows)(*drawn(400, 20, noise=0.1), 200), drawn(400, 20, noise=0.1)[1]) > 0.9


def test_rounds_that_are_not_numbers_teach_nothing_and_a_state_goes_on_to_the_bit() -> None:
    critic = LinearCritic(torch.zeros(7))
    critic(*drawn(60, 6), 30)
    states, returns = drawn(60, 6, 1)
    before = {name: tensor.clone() for name, tensor in critic.state().items()}
    critic(states, returns * float("nan"), 30)
    critic(states, torch.zeros(60).index_fill(0, torch.tensor([2]), float("inf")), 30)
    assert all(torch.equal(tensor, before[name]) for name, tensor in critic.state().items())
    resumed = LinearCritic(torch.zeros(7))
    resumed.restore(before)
    for seed in (1, 2):
        assert torch.equal(critic(*drawn(60, 6, seed), 30), resumed(*drawn(60, 6, seed), 30))


@pytest.mark.parametrize("count", [1, 2])
def test_a_round_may_be_as_small_as_it_likes(count: int) -> None:
    critic = LinearCritic(torch.zeros(7))
    states, returns = drawn(count, 6)
    for _ in range(2):
        assert critic(states, returns, count // 2).isfinite().all()
    assert critic(states, returns, count // 2) == pytest.approx(returns, abs=1.0), "by now it is known by heart"


def test_states_that_are_alike_but_for_rounding_teach_nothing() -> None:
    critic = LinearCritic(torch.zeros(65))
    states, returns = drawn(1, 64)
    states, returns = 30 + states.expand(3, -1) * (1 + 1e-7 * torch.arange(3).unsqueeze(1)), returns.expand(3)
    for _ in range(3):
        assert critic(states, returns, 1).isfinite().all()
    assert critic(states, returns, 1) == pytest.approx(returns)
