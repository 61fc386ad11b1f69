"""The formulas of REINFORCE and PPO on tensors; knows no models, no devices, no text.

Shapes: (B, T) is a batch of B responses of up to T tokens; `mask` (B, T) is True on response tokens, the terminator
included, and in each row all True come before all False. (N,) are the response tokens of a batch, row by row. Token t
of a response is the action in state s_t, the prompt and the tokens before it: its log-probability and V(s_t) both
depend on these only. An episode ends with its last token.

[REINFORCE] Williams 1992. [GAE] Schulman et al. 2016, arXiv:1506.02438. [PPO] Schulman et al. 2017, arXiv:1707.06347.
[RLHF] Ziegler et al. 2019, arXiv:1909.08593; Stiennon et al. 2020, arXiv:2009.01325. [RLOO] Ahmadian et al. 2024,
arXiv:2402.14740. [GRPO] Shao et al. 2024, arXiv:2402.03300. [TIS] Ionides 2008, "Truncated importance sampling".
[KL] Schulman 2020, "Approximating KL divergence".
"""

import torch
from torch import Tensor

MAX_LOG_RATIO = 20.0
"""Log-ratios are bounded by it against overflow alone: e^20 is far outside every clip range."""


# -- masked statistics ------------------------------------------------------------------------------------------------


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of x over the True places of mask, any one shape; 0 where there are none."""
    return torch.where(mask, x, 0).sum() / mask.sum().clamp(min=1)


def masked_variance(x: Tensor, mask: Tensor) -> Tensor:
    """Biased variance of x over the True places."""
    return masked_mean((x - masked_mean(x, mask)).square(), mask)


def whiten(x: Tensor, mask: Tensor, *, eps: float = 1e-8) -> Tensor:
    """Mean 0 and variance 1 over the True places of the whole batch; 0 on the others."""
    white = (x - masked_mean(x, mask)) * torch.rsqrt(masked_variance(x, mask) + eps)
    return torch.where(mask, white, 0)


# -- off-policy correction, for tokens that another sampler drew ------------------------------------------------------


def importance_weights(old: Tensor, behaviour: Tensor, *, cap: float) -> Tensor:
    """min(pi_old / mu, cap) for tokens drawn from mu, from log pi_old and log mu of any one shape [TIS].

    Weighted by pi_old / mu, a mean over tokens of mu estimates an expectation under pi_old; the cap bounds the variance
    at the price of a small bias.
    """
    return (old - behaviour).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp().clamp(max=cap)


# -- rewards ----------------------------------------------------------------------------------------------------------


def last_token(mask: Tensor) -> Tensor:
    """(B, T) -> (B,): index of the last response token."""
    return mask.sum(1) - 1


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, coefficient: float) -> Tensor:
    """R_t = -lambda (log pi_old - log pi_base)_t, and the score r(x, y) added at the last response token [RLHF eq. 2].

    scores (B,); kl (B, T) is log pi_old - log pi_base of the tokens drawn. Its sum over a response is an unbiased
    estimate of the KL divergence between whole responses (k1); clamping it, or k3 in its place, would change what is
    optimised. It carries no gradient, because E[grad log pi] is 0.
    """
    rewards = torch.where(mask, -coefficient * kl.detach(), 0)
    return rewards.scatter_add(1, last_token(mask).unsqueeze(1), scores.detach().unsqueeze(1).to(rewards.dtype))


# -- advantages -------------------------------------------------------------------------------------------------------


def gae(rewards: Tensor, values: Tensor, mask: Tensor, *, discount: float, gae_lambda: float) -> tuple[Tensor, Tensor]:
    """Advantages A and returns, both (B, T), not whitened [GAE eq. 16].

    delta_t = R_t + gamma V_{t+1} - V_t and A_t = delta_t + gamma lambda A_{t+1}; after the last response token V and A
    are 0, also where an answer was cut. The returns A_t + V_t are the critic's targets.
    """
    rewards, values = torch.where(mask, rewards, 0), torch.where(mask, values, 0)
    following = torch.nn.functional.pad(values[:, 1:], (0, 1))
    deltas = rewards + discount * following - values
    advantages = torch.zeros_like(deltas)
    running = torch.zeros_like(deltas[:, 0])
    for t in range(deltas.shape[1] - 1, -1, -1):
        # On padding delta is 0, so the running sum is still 0 when it reaches the last response token.
        running = deltas[:, t] + discount * gae_lambda * running
        advantages[:, t] = running
    return advantages, advantages + values


def returns_to_go(rewards: Tensor, mask: Tensor, *, discount: float) -> Tensor:
    """G_t = sum over u >= t of gamma^(u-t) R_u, (B, T) [REINFORCE]."""
    returns, _ = gae(rewards, torch.zeros_like(rewards), mask, discount=discount, gae_lambda=1.0)
    return returns


def baseline_of_others(returns: Tensor, *, group: int) -> Tensor:
    """(B,) -> (B,): for each episode the mean return of the others among its `group` neighbours [RLOO].

    An episode's own return is left out, so the baseline does not depend on what it is subtracted from and the gradient
    stays unbiased. With group = B it is the mean over the rest of the batch; with the answers to one prompt as
    neighbours and group their number it is leave-one-out.
    """
    groups = returns.view(-1, group)
    return ((groups.sum(1, keepdim=True) - groups) / (group - 1)).reshape(-1)


def group_relative(returns: Tensor, *, group: int, eps: float = 1e-4) -> Tensor:
    """(B,) -> (B,): (G - mean) / (deviation + eps) among `group` neighbours, the answers to one prompt [GRPO 4.1].

    0 where all of them have the same return: such a prompt teaches nothing.
    """
    groups = returns.view(-1, group)
    # Relative to the first: the mean of equal numbers is off by rounding, which counts where the deviation is 0.
    groups = groups - groups[:, :1]
    centred = groups - groups.mean(1, keepdim=True)
    return (centred / (groups.std(1, correction=1, keepdim=True) + eps)).reshape(-1)


def reinforce_weights(rewards: Tensor, baselines: Tensor, mask: Tensor, *, discount: float) -> Tensor:
    """gamma^t (G_t - b), (B, T): the factor of grad log pi(y_t | s_t) in the policy gradient; baselines b (B,).

    The factor gamma^t belongs to the gradient of E[sum gamma^t R_t]; it is 1 for the usual gamma = 1.
    """
    advantages = returns_to_go(rewards, mask, discount=discount) - baselines.unsqueeze(1)
    powers = discount ** torch.arange(mask.shape[1], device=mask.device, dtype=rewards.dtype)
    return torch.where(mask, powers * advantages, 0)


# -- KL divergence, estimated from the log-probabilities of drawn tokens ----------------------------------------------


def k3(log_ratio: Tensor) -> Tensor:
    """q/p - 1 + log p - log q for log_ratio = log p - log q of tokens drawn from p: an unbiased estimate of KL(p, q),
    as log p - log q itself is (k1), but never negative and of lower variance [KL].

    For metrics only: neither as a loss nor as a reward does it have the gradient of the divergence.
    """
    return torch.expm1(-log_ratio) + log_ratio


def kl_new_old(log_ratio: Tensor) -> Tensor:
    """r log r - (r - 1), r = pi_theta / pi_k, of tokens drawn from pi_k: an unbiased estimate of KL(pi_theta, pi_k),
    never negative.
    """
    return log_ratio.exp() * log_ratio - torch.expm1(log_ratio)


def kl_old_new(log_ratio: Tensor) -> Tensor:
    """(r - 1) - log r: the same for KL(pi_k, pi_theta), the direction in the paper [PPO eq. 8]."""
    return torch.expm1(log_ratio) - log_ratio


# -- losses (N,) of single tokens; an optimiser step takes their mean -------------------------------------------------


def log_ratio(new: Tensor, old: Tensor) -> Tensor:
    """log r = log pi_theta - log pi_k, of any one shape."""
    return (new - old).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)


def policy_gradient_loss(logprob: Tensor, advantages: Tensor) -> Tensor:
    """-A log pi_theta, whose gradient is that of the policy gradient theorem [REINFORCE]."""
    return -logprob * advantages


def clipped_loss(log_ratio: Tensor, advantages: Tensor, *, clip_range: float) -> Tensor:
    """-min(r A, clip(r, 1 - eps, 1 + eps) A) [PPO eq. 7]: nothing is gained by moving r beyond the clip range."""
    ratio = log_ratio.exp()
    return torch.max(-ratio * advantages, -ratio.clamp(1.0 - clip_range, 1.0 + clip_range) * advantages)


def kl_penalty_loss(log_ratio: Tensor, advantages: Tensor, *, coefficient: float, direction: str = "new_old") -> Tensor:
    """-(r A - beta KL) [PPO eq. 8]; the divergence in either direction, which agree to second order."""
    divergence = kl_new_old(log_ratio) if direction == "new_old" else kl_old_new(log_ratio)
    return -log_ratio.exp() * advantages + coefficient * divergence


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, *, clip_range: float | None) -> Tensor:
    """max((V - G)^2, (clip(V, V_old - eps, V_old + eps) - G)^2) / 2 with G the returns; (V - G)^2 / 2 without a clip
    range.
    """
    errors = (values - returns).square()
    if clip_range is None:
        return 0.5 * errors
    clipped = old_values + (values - old_values).clamp(-clip_range, clip_range)
    return 0.5 * torch.max(errors, (clipped - returns).square())


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """1 - Var(G - V) / Var(G): 1 for a perfect critic, 0 for a constant, negative for one worse than a constant."""
    return 1.0 - masked_variance(returns - values, mask) / masked_variance(returns, mask).clamp(min=1e-12)
