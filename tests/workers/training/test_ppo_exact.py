"""PPO against what mathematics gives: gradients over all answers that there are, and an optimum that is known (P15,
P25, P26, P28, 1.8)."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.workers.training.policies import alone, config_of, ppo_of, reward_model_of, watch_steps
from tests.workers.training.tiny import CPU, FAMILIES, backbone_of, gradient, shake
from workers.training import rl_math
from workers.training.generation import Answer
from workers.training.ppo import PPO
from workers.training.rollouts import Rollouts
from workers.training.tallies import Tally

PROMPT = [3, 4]
EVERY_ANSWER = [[1], *([one, other] for one in (0, 2, 3, 4) for other in range(5))]
"""Of at most two tokens of a vocabulary of five, where token 1 is the end."""


def gap(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """The length of the difference over that of what is expected."""
    one, other = (torch.cat([tensor.flatten() for tensor in tensors]) for tensors in (found, expected))
    assert float(other.norm()) > 1e-3
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("objective", "discount"), [("clip", 1.0), ("kl_penalty", 1.0), ("reinforce", 0.9)])
def test_the_gradient_is_that_of_the_expected_reward_over_all_answers(
    family: str, objective: str, discount: float
) -> None:
    """J = E[sum_t gamma^t R_t], its KL not detached, by autograd through transformers' own logits; and what an update
    takes its first step along, weighted by how likely each answer is. A critic that knows something changes nothing.
    """
    backbone = backbone_of(family, vocabulary=5, hidden=16, layers=1)
    without_critic = {"advantage_estimator": "batch_mean"} if objective == "reinforce" else {"gae_lambda": 1.0}
    config = config_of(
        objective=objective, epochs=1, minibatches=1, max_new_tokens=2, kl_base_coefficient=0.3, discount=discount,
        whiten_advantages=False, tokens_per_microbatch=30, temperature=0.8, **without_critic,
    )  # fmt: skip
    ppo = PPO(config, backbone, alone(reward_model_of(backbone)), [PROMPT], stop_ids=[1])
    shake(backbone, "policy", 1)
    answers = [Answer(tuple(ids), (0.0,) * len(ids), "stop" if ids[-1] == 1 else "length") for ids in EVERY_ANSWER]
    batch = Rollouts([0] * len(answers), [PROMPT] * len(answers), answers, CPU)
    plan = ppo._minibatches(batch, epoch=0)
    ppo.score(batch, plan)
    ppo._advantages(batch)
    if objective == "reinforce":  # its baselines are for draws, of which each is as likely
        some = torch.full((len(answers),), 0.7)
        batch.advantages = rl_math.reinforce_weights(batch.rewards, some, batch.mask, discount=discount)
    else:
        assert batch.values[batch.mask].std() > 0.01
    probability = batch.old_logprobs.sum(1).exp()
    assert float(probability.sum()) == pytest.approx(1.0, abs=1e-5)
    batch.advantages = probability.unsqueeze(1) * batch.advantages
    ppo._gradients(batch, plan[0], 1, first=True)
    found = [-gradient(parameter) for parameter in ppo.roles.policy]
    ppo.roles.drop_gradients()

    objective_of_all = torch.zeros(())
    for row, ids in enumerate(EVERY_ANSWER):
        with backbone.role("policy"):
            logits = backbone.model(torch.tensor([[*PROMPT, *ids]])).logits[0]
        chosen = (logits[1:-1] / 0.8).log_softmax(-1)[range(len(ids)), ids]
        rewards = -0.3 * (chosen - batch.reference_logprobs[row, : len(ids)])
        powers = discount ** torch.arange(len(ids))
        received = (powers * rewards).sum() + powers[-1] * batch.scores[row]
        objective_of_all = objective_of_all + chosen.sum().exp() * received
    expected = torch.autograd.grad(objective_of_all, ppo.roles.policy)
    assert gap(found, expected) < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_the_bonus_for_entropy_is_its_mean_over_the_tokens_of_a_step(family: str) -> None:
    """Where there is nothing to gain, a step goes along the gradient of the mean entropy, at the temperature of the
    draws, of all tokens alike: long answers are not worth less."""
    ppo = ppo_of(
        family, lambda s, p: torch.zeros(len(s)), entropy_coefficient=0.5, missing_end_penalty=0.0, epochs=1,
        minibatches=1, tokens_per_microbatch=32, temperature=0.7, whiten_advantages=False,
    )  # fmt: skip
    batch = ppo.rollout()
    plan = ppo._minibatches(batch, epoch=0)
    ppo.score(batch, plan)
    ppo._advantages(batch)
    assert not batch.advantages.any() and len(plan[0]) > 1
    entropies = []
    for sequence, length in zip(batch.sequences, batch.prompt_lengths, strict=True):
        with ppo.backbone.role("policy"):
            logits = ppo.backbone.model(torch.tensor([sequence])).logits[0, length - 1 : -1] / 0.7
        entropies.append(torch.distributions.Categorical(logits=logits).entropy())
    expected = torch.autograd.grad(0.5 * torch.cat(entropies).mean(), ppo.roles.policy)
    found: list[Tensor] = []
    watch_steps(ppo, lambda: found.extend(-gradient(parameter) for parameter in ppo.roles.policy))
    ppo._update(batch, plan, Tally())
    assert gap(found, expected) < 1e-4


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("llama", {"objective": "clip"}),
        ("gpt2", {"objective": "kl_penalty", "kl_step_target_per_token_nats": 0.01}),
        ("llama", {"objective": "reinforce", "advantage_estimator": "batch_mean", "epochs": 1, "minibatches": 1}),
        ("gpt2", {"objective": "clip", "advantage_estimator": "leave_one_out", "samples_per_prompt": 8}),
    ],
)
def test_one_token_bandit_finds_the_optimum(family: str, settings: dict[str, Any]) -> None:
    """With answers of one token the optimum is known: pi* ~ pi_base exp(r / lambda)."""
    backbone = backbone_of(family, vocabulary=8, hidden=64, layers=1)
    rewards = torch.tensor([0.0, 0.3, -0.4, 0.8, 0.1, -0.2, 0.5, -0.9])

    def scorer(sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]) -> Tensor:
        return rewards[torch.tensor([s[-1] for s in sequences])]

    config = config_of(
        **{
            "iterations": 60, "episodes_per_iteration": 128, "max_new_tokens": 1, "kl_base_coefficient": 0.4,
            "policy_learning_rate": 1e-2, "value_learning_rate": 1e-2, "lora_rank": 8, "epochs": 2, "minibatches": 2,
            "whiten_advantages": False,
        } | settings
    )  # fmt: skip
    ppo = PPO(config, backbone, alone(scorer), [[5]], stop_ids=range(8))

    def distance() -> float:
        with torch.no_grad():
            ids = torch.tensor([[5]])
            base = backbone.logits(backbone.hidden_states(ids, torch.ones_like(ids)))[0, 0].log_softmax(-1)
            with backbone.role("policy"):
                policy = backbone.logits(backbone.hidden_states(ids, torch.ones_like(ids)))[0, 0].log_softmax(-1)
            best = (base + rewards / 0.4).log_softmax(-1)
            return float((policy.exp() * (policy - best)).sum())

    start = distance()
    for _ in ppo.iterations():
        pass
    assert start > 0.3
    assert distance() < 1e-3
