"""The formulas against hand-worked numbers, definitions and exact enumeration (P13-P26, 1.8)."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.workers.training.tiny import gradient
from workers.training import rl_math

MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]]).bool()


def ragged(seed: int, rows: int = 5, width: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, width + 1, (rows,), generator=draw)
    mask = torch.arange(width) < lengths.unsqueeze(1)
    x, y = torch.randn(2, rows, width, generator=draw, dtype=torch.double)
    return mask, x, y


def widened(x: Tensor) -> Tensor:
    """Two more columns of padding, full of rubbish."""
    return torch.cat([x, torch.full((x.shape[0], 2), 1 if x.dtype == torch.bool else 1e3, dtype=x.dtype)], 1)


# -- P18 --------------------------------------------------------------------------------------------------------------


def test_whitening_sees_tokens_only() -> None:
    mask, x, _ = ragged(0)
    white = rl_math.whiten(x, mask)
    tokens = white[mask]
    assert abs(float(tokens.mean())) < 1e-12
    assert abs(float(tokens.var(correction=0)) - 1) < 1e-6
    assert not white[~mask].any()
    more = torch.nn.functional.pad(mask, (0, 2))
    torch.testing.assert_close(rl_math.whiten(widened(x), more)[:, :-2], white)


def test_masked_statistics() -> None:
    x = torch.tensor([[1.0, 2.0, 3.0, 6.0], [4.0, 8.0, 99.0, math.nan], [4.0, math.inf, 0.0, 0.0]])
    assert float(rl_math.masked_mean(x, MASK)) == 4.0
    assert float(rl_math.masked_variance(x, MASK)) == pytest.approx((9 + 4 + 1 + 4 + 0 + 16 + 0) / 7)
    assert float(rl_math.masked_mean(x, torch.zeros_like(MASK))) == 0.0


# -- P13, P15 ---------------------------------------------------------------------------------------------------------


def test_score_goes_to_the_last_token_of_each_row() -> None:
    kl = torch.tensor([[0.1, -0.2, 0.3, 0.4], [0.5, 0.6, 9.0, 9.0], [-0.7, 9.0, 9.0, 9.0]])
    rewards = rl_math.token_rewards(torch.tensor([1.0, 2.0, 3.0]), kl, MASK, 0.5)
    expected = [[-0.05, 0.1, -0.15, 0.8], [-0.25, 1.7, 0.0, 0.0], [3.35, 0.0, 0.0, 0.0]]
    torch.testing.assert_close(rewards, torch.tensor(expected))


# -- P19-P21 ----------------------------------------------------------------------------------------------------------


def test_gae_by_hand() -> None:
    rewards = torch.tensor([[0.0, 1.0, 2.0]])
    values = torch.tensor([[0.5, 1.0, 1.5]])
    mask = torch.ones(1, 3).bool()
    # deltas: 0 + 0.5*1 - 0.5 = 0; 1 + 0.5*1.5 - 1 = 0.75; 2 - 1.5 = 0.5; gamma lambda = 0.4
    advantages, returns = rl_math.gae(rewards, values, mask, discount=0.5, gae_lambda=0.8)
    torch.testing.assert_close(advantages, torch.tensor([[0.4 * 0.95, 0.95, 0.5]]))
    torch.testing.assert_close(returns, torch.tensor([[0.88, 1.95, 2.0]]))


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 0.95, 1.0]), st.sampled_from([0.7, 1.0]))
@settings(max_examples=40, deadline=None)
def test_gae_is_the_double_sum_and_padding_changes_nothing(seed: int, gae_lambda: float, discount: float) -> None:
    mask, rewards, values = ragged(seed)
    advantages, returns = rl_math.gae(rewards, values, mask, discount=discount, gae_lambda=gae_lambda)
    for row in range(mask.shape[0]):
        length = int(mask[row].sum())
        v = [*values[row, :length].tolist(), 0.0]
        delta = [float(rewards[row, t]) + discount * v[t + 1] - v[t] for t in range(length)]
        for t in range(length):
            expected = sum((discount * gae_lambda) ** (u - t) * delta[u] for u in range(t, length))
            assert float(advantages[row, t]) == pytest.approx(expected, abs=1e-9)
            if gae_lambda == 1.0:
                to_go = sum(discount ** (u - t) * float(rewards[row, u]) for u in range(t, length))
                assert float(advantages[row, t]) == pytest.approx(to_go - v[t], abs=1e-9)
            assert float(returns[row, t]) == pytest.approx(float(advantages[row, t]) + v[t], abs=1e-12)
    assert not advantages[~mask].any()
    more = torch.nn.functional.pad(mask, (0, 2))
    wide, _ = rl_math.gae(widened(rewards), widened(values), more, discount=discount, gae_lambda=gae_lambda)
    torch.testing.assert_close(wide[:, :-2], advantages)


def test_baselines_leave_the_own_return_out() -> None:
    returns = torch.tensor([1.0, 2.0, 6.0, 0.0], dtype=torch.double)
    assert rl_math.baseline_of_others(returns, group=4).tolist() == pytest.approx([8 / 3, 7 / 3, 1.0, 3.0])
    assert rl_math.baseline_of_others(returns, group=2).tolist() == [2.0, 1.0, 0.0, 6.0]


def test_answers_relative_to_those_of_their_prompt() -> None:
    returns = torch.tensor([1.0, 3.0, 5.0, 2.0, 2.0, 2.0])
    expected = [-1.0, 0.0, 1.0, 0.0, 0.0, 0.0]  # deviation 2 in the first group, nothing to learn from the second
    assert rl_math.group_relative(returns, group=3).tolist() == pytest.approx(expected, abs=1e-4)
    assert rl_math.group_relative(returns * 7 + 5, group=3).tolist() == pytest.approx(expected, abs=1e-4)
    # What rounding leaves of equal returns would be all that whitening has.
    equal = torch.tensor([0.9, 1000 / 7, 0.1]).repeat_interleave(7)
    assert not rl_math.group_relative(equal, group=7).any()


# -- P22, P25 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "moves"),
    [
        (1.0, 2.0, -2.0, True),
        (1.3, 2.0, -2.4, False),  # gain is capped
        (0.7, 2.0, -1.4, True),  # a good token that became rarer is pulled back
        (0.7, -2.0, 1.6, False),
        (1.3, -2.0, 2.6, True),  # the loss is not capped
        (1.1, -2.0, 2.2, True),
    ],
)
def test_clipped_loss(ratio: float, advantage: float, loss: float, moves: bool) -> None:
    new = torch.tensor([math.log(ratio)], requires_grad=True)
    got = rl_math.clipped_loss(rl_math.log_ratio(new, torch.zeros(1)), torch.tensor([advantage]), clip_range=0.2)
    got.sum().backward()
    assert float(got.detach()) == pytest.approx(loss, rel=1e-6)
    assert (float(gradient(new)) != 0.0) == moves


def test_ratios_do_not_overflow() -> None:
    assert torch.isfinite(rl_math.log_ratio(torch.tensor([1e4, -1e4]), torch.zeros(2)).exp()).all()


def test_value_loss_and_its_gradient() -> None:
    def at(value: float, old: float, target: float, clip: float | None) -> list[float]:
        v = torch.tensor([value], requires_grad=True)
        loss = rl_math.value_loss(v, torch.tensor([old]), torch.tensor([target]), clip_range=clip)
        loss.sum().backward()
        return [float(loss.detach()), float(gradient(v))]

    assert at(0.1, 0.0, 1.0, 0.2) == pytest.approx([0.405, -0.9])  # inside the clip
    assert at(0.5, 0.0, 1.0, 0.2) == pytest.approx([0.32, 0.0])  # moved far enough towards the target: held
    assert at(-0.5, 0.0, 1.0, 0.2) == pytest.approx([1.125, -1.5])  # moved away: pulled back
    assert at(0.5, 0.0, 1.0, None) == pytest.approx([0.125, -0.5])


def test_explained_variance() -> None:
    mask, returns, noise = ragged(3)
    assert float(rl_math.explained_variance(returns, returns, mask)) == pytest.approx(1.0)
    assert float(rl_math.explained_variance(torch.full_like(returns, 7.0), returns, mask)) == pytest.approx(0.0)
    assert float(rl_math.explained_variance(-returns, returns, mask)) == pytest.approx(-3.0)
    assert float(
        rl_math.explained_variance(widened(noise), widened(returns), torch.nn.functional.pad(mask, (0, 2)))
    ) == (pytest.approx(float(rl_math.explained_variance(noise, returns, mask))))


# -- divergences ------------------------------------------------------------------------------------------------------


def test_estimates_average_to_the_exact_divergence() -> None:
    """Weighted by p over the whole alphabet the sum is exact, not sampled."""
    draw = torch.Generator().manual_seed(1)
    p, q = (torch.randn(6, generator=draw, dtype=torch.double).softmax(0) for _ in range(2))
    kl_pq, kl_qp = float((p * (p / q).log()).sum()), float((q * (q / p).log()).sum())
    ratio = (p / q).log()  # tokens from p
    assert float((p * rl_math.k3(ratio)).sum()) == pytest.approx(kl_pq)
    assert bool((rl_math.k3(ratio) >= 0).all())
    step = (q / p).log()  # log pi_theta / pi_k with theta = q and tokens from k = p
    assert float((p * rl_math.kl_new_old(step)).sum()) == pytest.approx(kl_qp)
    assert float((p * rl_math.kl_old_new(step)).sum()) == pytest.approx(kl_pq)
    assert bool((rl_math.kl_new_old(step) >= 0).all()) and bool((rl_math.kl_old_new(step) >= 0).all())
    tiny = torch.tensor([1e-3], dtype=torch.double)
    for estimate in (rl_math.k3, rl_math.kl_new_old, rl_math.kl_old_new):
        assert float(estimate(tiny)) == pytest.approx(0.5e-6, rel=1e-3)


@pytest.mark.parametrize("direction", ["new_old", "old_new"])
def test_kl_penalty_gradient_is_that_of_the_exact_divergence(direction: str) -> None:
    draw = torch.Generator().manual_seed(2)
    old = torch.randn(6, generator=draw, dtype=torch.double).log_softmax(0)
    advantages = torch.randn(6, generator=draw, dtype=torch.double)
    logits = torch.randn(6, generator=draw, dtype=torch.double, requires_grad=True)
    new = logits.log_softmax(0)
    exact_kl = (new.exp() * (new - old)).sum() if direction == "new_old" else (old.exp() * (old - new)).sum()
    (expected,) = torch.autograd.grad(-(new.exp() * advantages).sum() + 0.7 * exact_kl, logits)
    new = logits.log_softmax(0)
    loss = rl_math.kl_penalty_loss(new - old, advantages, coefficient=0.7, direction=direction)
    (got,) = torch.autograd.grad((old.exp() * loss).sum(), logits)
    torch.testing.assert_close(got, expected, atol=1e-12, rtol=1e-9)


# -- 1.8: the policy gradient, exactly --------------------------------------------------------------------------------


class TwoSteps:
    """A language model of 3 tokens whose answers are 2 tokens long, or 1 when the first is token 0; every answer can
    be listed.
    """

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(5)
        self.logits = torch.randn(4, 3, generator=draw, dtype=torch.double, requires_grad=True)
        self.base = torch.randn(4, 3, generator=draw, dtype=torch.double).log_softmax(-1)
        self.score = torch.randn(3, 3, generator=draw, dtype=torch.double)
        pairs = [y for y in itertools.product(range(3), repeat=2) if y[0] != 0 or y[1] == 0]
        self.answers = torch.tensor(pairs)
        self.mask = torch.stack([torch.ones(len(pairs)).bool(), self.answers[:, 0] != 0], 1)
        self.states = torch.stack([torch.zeros(len(pairs)).long(), self.answers[:, 0] + 1], 1)

    def of(self, table: Tensor) -> Tensor:
        return torch.where(self.mask, table[self.states, self.answers], 0)

    def rewards(self, logprob: Tensor, coefficient: float) -> Tensor:
        scores = self.score[self.answers[:, 0], self.answers[:, 1]]
        return rl_math.token_rewards(scores, logprob - self.of(self.base), self.mask, coefficient)


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_policy_gradient_equals_the_gradient_of_the_listed_objective(discount: float) -> None:
    model, coefficient = TwoSteps(), 0.3
    powers = torch.tensor([1.0, discount], dtype=torch.double)
    logprob = model.of(model.logits.log_softmax(-1))
    kl = logprob - model.of(model.base)
    scores = model.score[model.answers[:, 0], model.answers[:, 1]].unsqueeze(1)
    at_end = torch.arange(2) == rl_math.last_token(model.mask).unsqueeze(1)
    objective = (logprob.sum(1).exp() * (powers * (at_end * scores - coefficient * kl)).sum(1)).sum()  # KL not detached
    (exact,) = torch.autograd.grad(objective, model.logits)

    logprob = model.of(model.logits.log_softmax(-1))
    rewards = model.rewards(logprob, coefficient)
    assert not rewards.requires_grad
    for baseline in (0.0, 1.7):  # a constant baseline changes the variance, not the mean
        weights = rl_math.reinforce_weights(
            rewards, torch.full((len(rewards),), baseline, dtype=torch.double), model.mask, discount=discount
        )
        loss = torch.where(model.mask, rl_math.policy_gradient_loss(logprob, weights), 0).sum(1)
        (got,) = torch.autograd.grad((logprob.sum(1).exp().detach() * loss).sum(), model.logits, retain_graph=True)
        torch.testing.assert_close(-got, exact, atol=1e-14, rtol=1e-12)


def test_low_variance_kl_in_the_reward_would_be_another_objective() -> None:
    """Why `token_rewards` takes the plain difference (P15): the same check fails by far for k3."""
    model = TwoSteps()
    logprob = model.of(model.logits.log_softmax(-1))
    kl = logprob - model.of(model.base)
    (exact,) = torch.autograd.grad(-(logprob.sum(1).exp() * kl.sum(1)).sum(), model.logits, retain_graph=True)

    def gradient(penalty: Tensor) -> Tensor:
        rewards = torch.where(model.mask, -penalty.detach(), 0)
        weights = rl_math.reinforce_weights(rewards, torch.zeros(len(rewards)), model.mask, discount=1.0)
        loss = (logprob.sum(1).exp().detach() * (torch.where(model.mask, logprob, 0) * weights).sum(1)).sum()
        return torch.autograd.grad(loss, model.logits, retain_graph=True)[0]

    assert float((gradient(kl) - exact).norm() / exact.norm()) < 1e-12
    assert float((gradient(rl_math.k3(kl)) - exact).norm() / exact.norm()) > 0.2
    assert float((gradient(kl.clamp(min=0)) - exact).norm() / exact.norm()) > 0.2


# -- P12 --------------------------------------------------------------------------------------------------------------


def test_weights_make_another_sampler_s_tokens_count_as_the_policy_s_own() -> None:
    policy, sampler = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.3, 0.5])
    found = rl_math.importance_weights(policy.log(), sampler.log(), cap=2.0)
    torch.testing.assert_close(found, torch.tensor([2.0, 1.0, 0.4]))  # 2.5 is capped
    worth = torch.tensor([3.0, -1.0, 7.0])
    free = rl_math.importance_weights(policy.log(), sampler.log(), cap=10.0)
    assert float((sampler * free * worth).sum()) == pytest.approx(float((policy * worth).sum()), abs=1e-6)
    far = rl_math.importance_weights(torch.tensor([0.0, -900.0]), torch.tensor([-900.0, 0.0]), cap=2.0)
    assert torch.isfinite(far).all() and far[0] == 2.0


def test_a_sampler_that_is_a_little_off_leaves_the_gradient_where_it_was() -> None:
    model = TwoSteps()
    logits = model.logits.detach()
    noise = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1), dtype=torch.double) * 0.05
    logprob = model.of(model.logits.log_softmax(-1))
    drawn = model.of((logits + noise).log_softmax(-1))
    advantages = rl_math.reinforce_weights(
        model.rewards(logprob, 0.3), torch.zeros(len(drawn), dtype=torch.double), model.mask, discount=1.0
    )

    def gradient_from(sampler: Tensor, weights: Tensor) -> Tensor:
        loss = torch.where(model.mask, rl_math.policy_gradient_loss(logprob, advantages * weights), 0).sum(1)
        return torch.autograd.grad((sampler.sum(1).exp() * loss).sum(), model.logits, retain_graph=True)[0]

    weights = rl_math.importance_weights(logprob.detach(), drawn, cap=2.0)
    assert float(rl_math.masked_mean(weights, model.mask)) == pytest.approx(1, abs=0.05)
    exact = gradient_from(logprob.detach(), torch.ones_like(weights))
    weighted, plain = gradient_from(drawn, weights), gradient_from(drawn, torch.ones_like(weights))
    # What is left comes from the first token, which decides where the second is drawn.
    assert float((weighted - exact).norm()) < 0.6 * float((plain - exact).norm())
    assert float((weighted - exact).norm() / exact.norm()) < 0.05
