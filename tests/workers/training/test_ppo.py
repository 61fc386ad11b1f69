"""The loop of PPO on tiny models: what must hold at the first step, at every step, and over many (P3-P5, P14, P17, P23,
P24, P27-P34, L1, L8, L9, 1.8)."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from backend.errors import Conflict, Invalid
from tests.workers.training.policies import (
    PROMPTS,
    alone,
    config_of,
    counts_target,
    gradients_of,
    policy_of,
    ppo_of,
    watch_steps,
)
from tests.workers.training.tiny import CPU, FAMILIES, backbone_of, gradient
from workers.training import batches, reports, rl_math, state
from workers.training import judge as judges
from workers.training.judge import Judge
from workers.training.ppo import PPO
from workers.training.scoring import Rewards, Weighted
from workers.training.tallies import Tally
from workers.training.watch import HEALTHY

# -- the first step ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_before_the_first_step_every_ratio_is_one(family: str, temperature: float) -> None:
    ppo = ppo_of(family, temperature=temperature, epochs=1, minibatches=1, tokens_per_microbatch=64)
    for turn in range(2):
        values, batch = ppo.iterate()
        assert (values["policy/ratio_max"], values["policy/ratio_min"]) == (1.0, 1.0)  # bit for bit
        assert values["policy/clip_fraction"] == 0.0
        if turn == 0:
            assert not batch.kl.any()  # the reference is where it starts
        else:
            assert batch.kl.any()
        gap = reports.metrics(batch, values)["rollout/sampler_gap_max_nats"]
        assert gap < 2e-5


def test_without_a_learning_rate_nothing_moves() -> None:
    ppo = ppo_of(policy_learning_rate=0.0, epochs=3, minibatches=4)
    for _ in range(2):
        values, batch = ppo.iterate()
        assert values["policy/ratio_max"] == pytest.approx(1.0, abs=1e-5)
        assert values["policy/kl_step_per_token_nats"] < 1e-9
        assert not batch.kl.any()


def test_scoring_otherwise_than_training_is_noticed() -> None:
    ppo = ppo_of()
    honest = ppo.roles.logprobs
    ppo.roles.logprobs = lambda *a, **k: tuple(x * 1.01 for x in honest(*a, **k))  # type: ignore[method-assign]
    batch = ppo.rollout()
    plan = ppo._minibatches(batch, epoch=0)
    ppo.score(batch, plan)
    ppo._advantages(batch)
    ppo.roles.logprobs = honest  # type: ignore[method-assign]
    with pytest.raises(Conflict, match="log-ratios must be 0"):
        ppo._update(batch, plan, Tally())


# -- scores and rewards -----------------------------------------------------------------------------------------------


def test_an_answer_without_an_end_loses_exactly_the_penalty_after_the_clip() -> None:
    ppo = ppo_of(scorer=lambda s, p: torch.linspace(-20, 20, len(s)), missing_end_penalty=0.75, score_clip=5.0)
    _, batch = ppo.iterate()
    assert 0 < int(batch.cut.sum()) < len(batch)
    expected = torch.linspace(-20, 20, 16).clamp(-5, 5) - 0.75 * batch.cut
    assert torch.equal(batch.scores, expected)
    for row, answer in enumerate(batch.answers):
        last = len(answer.ids) - 1
        assert float(batch.rewards[row, last]) == pytest.approx(float(expected[row]), abs=1e-5)  # KL is still 0
        assert (answer.ids[-1] == 1) == (not batch.cut[row])


def test_the_divergence_counts_answer_tokens_only() -> None:
    ppo = ppo_of()
    ppo.iterate()
    _, batch = ppo.iterate()
    assert not batch.kl[~batch.mask].any()
    assert int(batch.mask.sum()) == sum(len(answer.ids) for answer in batch.answers)
    row = 0
    ids = torch.tensor([batch.sequences[row]])
    with torch.no_grad():
        logprobs = []
        base = ppo.backbone.model(ids).logits[0].log_softmax(-1)
        for place in range(batch.prompt_lengths[row], ids.shape[1]):
            logprobs.append(float(base[place - 1, ids[0, place]]))
    torch.testing.assert_close(
        batch.reference_logprobs[row, : len(logprobs)], torch.tensor(logprobs), atol=1e-4, rtol=1e-4
    )


def test_an_outlier_does_not_own_the_batch() -> None:
    def gradient_norm(outlier: float, clip: float) -> float:
        scores = torch.randn(16, generator=torch.Generator().manual_seed(0))
        scores[3] = outlier
        ppo = ppo_of(scorer=lambda s, p: scores, score_clip=clip, whiten_advantages=False, minibatches=1, epochs=1)
        return ppo.iterate()[0]["policy/gradient_norm"]

    usual = gradient_norm(2.0, 5.0)
    assert gradient_norm(100.0, 5.0) < 2 * usual
    assert gradient_norm(100.0, 1000.0) > 4 * usual


def test_the_critic_learns_what_was_received_and_the_policy_what_is_white() -> None:
    _, batch = ppo_of(scorer="reward_model", gae_lambda=0.9).iterate()
    expected = rl_math.gae(batch.rewards, batch.values, batch.mask, discount=1.0, gae_lambda=0.9)
    assert torch.equal(batch.raw_advantages, expected[0]) and torch.equal(batch.returns, expected[1])
    white = batch.advantages[batch.mask]
    assert float(white.mean()) == pytest.approx(0, abs=1e-6)
    assert float(white.var(correction=0)) == pytest.approx(1, abs=1e-4)


# -- the critic -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "critic"), [("llama", "separate"), ("llama", "reward"), ("gpt2", "reward")])
def test_critic_starts_as_the_reward_model(family: str, critic: str) -> None:
    ppo = ppo_of(family, scorer="reward_model", critic=critic)
    batch = ppo.rollout()
    ppo.score(batch, ppo._minibatches(batch, epoch=0))
    (scorer,) = ppo.rewards.models
    values = batch.values
    if ppo.roles.linear_critic and batch.critic_states is not None:
        weights = ppo.roles.linear_critic.weights[0].float()
        values = (batch.critic_states @ weights[:-1] + weights[-1]).view(batch.mask.shape)
    cut_short = [sequence[:-1] for sequence in batch.sequences]  # a value is read before the token it speaks of
    expected = scorer(cut_short, batch.prompt_lengths)
    got = values.gather(1, rl_math.last_token(batch.mask).unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(batch.raw_scores, scorer(batch.sequences, batch.prompt_lengths), atol=1e-5, rtol=1e-4)


def test_critic_may_start_at_zero() -> None:
    ppo = ppo_of(scorer="reward_model", value_init="zero")
    _, batch = ppo.iterate()
    assert not batch.values.any()
    _, batch = ppo.iterate()
    assert batch.values.any()


@pytest.mark.parametrize("critic", ["reward", "shared"])
def test_a_critic_that_reads_what_never_changes_learns_and_changes_nothing_else(critic: str) -> None:
    ppo = ppo_of(
        scorer="reward_model", critic=critic, policy_learning_rate=0.0, iterations=8, episodes_per_iteration=64
    )
    frozen, policy = ppo.frozen(), policy_of(ppo)
    explained = [values["value/explained_variance"] for values, _ in ppo.iterations()]
    assert min(explained[-4:]) > 0.15
    assert ppo.frozen() == frozen and "value" not in ppo.backbone.adapters and not ppo.roles.critic
    assert all(torch.equal(a, b) for a, b in zip(policy, policy_of(ppo), strict=True))


def test_the_states_that_a_critic_reads_do_not_move_with_the_policy() -> None:
    ppo = ppo_of(critic="shared", iterations=8)
    batch = ppo.rollout()
    plan = ppo._minibatches(batch, epoch=0)
    ppo.score(batch, plan)
    assert batch.critic_states is not None
    before, old = batch.critic_states.clone(), batch.old_logprobs.clone()
    ppo._advantages(batch)
    ppo._update(batch, plan, Tally())
    ppo.score(batch, ppo._minibatches(batch, epoch=0))
    assert torch.equal(batch.critic_states, before) and not torch.equal(batch.old_logprobs, old)


def test_a_critic_that_reads_the_reward_model_needs_one() -> None:
    with pytest.raises(Invalid, match="no reward model for the critic to read"):
        ppo_of(critic="reward")


def test_critic_learns_which_prompts_are_worth_more() -> None:
    ppo = ppo_of(
        scorer=lambda s, p: torch.tensor([1.0 if row[0] > 10 else -1.0 for row in s]),
        iterations=10, policy_learning_rate=0.0, epochs=4, value_clip_range=None, value_learning_rate=1e-2,
        missing_end_penalty=0.0,
    )  # fmt: skip
    explained = [reports.metrics(batch, values)["value/explained_variance"] for values, batch in ppo.iterations()]
    assert explained[0] == pytest.approx(0.0, abs=1e-6)
    assert explained[-1] > 0.8


# -- the optimiser ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("epochs", "minibatches"), [(2, 1), (2, 2), (2, 4), (1, 3)])
def test_exactly_epochs_times_minibatches_steps(epochs: int, minibatches: int) -> None:
    ppo = ppo_of(epochs=epochs, minibatches=minibatches, tokens_per_microbatch=32)
    seen: list[int] = []
    watch_steps(ppo, lambda: seen.append(1))
    values, _ = ppo.iterate()
    assert len(seen) == epochs * minibatches == values["policy/optimiser_steps"]
    for optimiser in (ppo.roles.policy_optimiser, ppo.roles.value_optimiser):
        steps = {int(entry["step"]) for entry in optimiser.state.values()}
        assert steps == {epochs * minibatches}


@pytest.mark.parametrize("family", FAMILIES)
def test_micro_batches_and_padding_change_no_gradient(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of policy and critic, nor the scores of the reward model; rows are packed on a CPU and padded elsewhere."""
    one_row, packed, padded = (
        {"tokens_per_microbatch": tokens, "epochs": 1, "minibatches": 1} for tokens in (16, 100_000, 100_000)
    )
    found = [gradients_of(ppo_of(family, "reward_model", **settings)) for settings in (one_row, packed)]
    monkeypatch.setattr(batches, "PACKED", set())
    found.append(gradients_of(ppo_of(family, "reward_model", **padded)))
    for each in zip(*found, strict=True):
        for other in each[1:]:
            torch.testing.assert_close(other, each[0], atol=1e-6, rtol=1e-3)


def test_adam_and_the_learning_rates() -> None:
    ppo = ppo_of(iterations=4, policy_learning_rate=4e-3, value_learning_rate=8e-3)
    for optimiser in (ppo.roles.policy_optimiser, ppo.roles.value_optimiser):
        (group,) = optimiser.param_groups
        assert (group["eps"], group["betas"], group["weight_decay"]) == (1e-5, (0.9, 0.999), 0.0)
        assert all(parameter.dtype == torch.float32 for parameter in group["params"])
    rates = [values["policy/learning_rate"] for values, _ in ppo.iterations()]
    assert rates == pytest.approx([4e-3, 3e-3, 2e-3, 1e-3])  # once an iteration, to 0
    assert ppo.roles.value_optimiser.param_groups[0]["lr"] == pytest.approx(2e-3)


def test_long_gradients_are_scaled_down_role_by_role() -> None:
    ppo = ppo_of(gradient_clip_norm=1e-3)
    norms: list[Tensor] = []
    for optimiser, parameters in (
        (ppo.roles.policy_optimiser, ppo.roles.policy),
        (ppo.roles.value_optimiser, ppo.roles.critic),
    ):
        optimiser.register_step_pre_hook(
            lambda *_, of=parameters: norms.append(torch.stack([gradient(p).norm() for p in of]).norm())
        )
    values, _ = ppo.iterate()
    assert min(values["policy/gradient_norm"], values["value/gradient_norm"]) > 1e-3  # told as they were
    assert len(norms) == 8
    torch.testing.assert_close(torch.stack(norms), torch.full((8,), 1e-3), atol=0, rtol=1e-2)


def test_a_small_step_is_not_lost() -> None:
    ppo = ppo_of(policy_learning_rate=1e-6)
    before = policy_of(ppo)
    ppo.iterate()
    assert any(not torch.equal(a, b) for a, b in zip(before, ppo.roles.policy, strict=True))


def test_passes_end_when_a_pass_went_too_far() -> None:
    assert ppo_of(epochs=4, policy_learning_rate=3e-2).iterate()[0]["policy/epochs"] == 4
    values, _ = ppo_of(epochs=4, policy_learning_rate=3e-2, kl_step_stop_per_token_nats=1e-6).iterate()
    assert (values["policy/epochs"], values["policy/optimiser_steps"]) == (1, 2)
    first_pass = values["policy/kl_step_per_token_nats"]
    for limit, passes in ((first_pass / 1.51, 1), (first_pass / 1.49, 2)):  # at 1.5 times the limit
        values, _ = ppo_of(epochs=2, policy_learning_rate=3e-2, kl_step_stop_per_token_nats=limit).iterate()
        assert values["policy/epochs"] == passes


def test_a_bad_step_changes_nothing_and_too_many_end_the_run() -> None:
    ppo = ppo_of(scorer=lambda s, p: torch.full((len(s),), torch.nan), epochs=1, minibatches=2, max_bad_steps=3)
    before, frozen = policy_of(ppo), ppo.backbone.fingerprint()
    values, _ = ppo.iterate()
    assert values["policy/bad_steps"] == 2
    assert all(torch.equal(a, b) for a, b in zip(before, ppo.roles.policy, strict=True))
    assert not ppo.roles.policy_optimiser.state and not ppo.roles.value_optimiser.state
    with pytest.raises(Invalid, match="3 optimiser steps in a row"):
        ppo.iterate()
    assert ppo.backbone.fingerprint() == frozen


def test_what_is_frozen_stays_frozen() -> None:
    ppo = ppo_of(scorer="reward_model", policy_learning_rate=0.1, value_learning_rate=0.1)
    (reward,) = ppo.rewards.models
    kept = [p.clone() for p in [*ppo.backbone.parameters_of("reward"), *reward.head.parameters()]]
    frozen, policy, critic = ppo.backbone.fingerprint(), policy_of(ppo), [p.detach().clone() for p in ppo.roles.critic]
    ppo.iterate()
    assert ppo.backbone.fingerprint() == frozen
    after = [*ppo.backbone.parameters_of("reward"), *reward.head.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(kept, after, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(policy, ppo.roles.policy, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(critic, ppo.roles.critic, strict=True))
    assert all(p.grad is None for p in ppo.backbone.model.parameters())


# -- the controllers in the loop --------------------------------------------------------------------------------------


def test_step_controller_sees_the_step_after_it_was_made() -> None:
    one_step: dict[str, Any] = {
        "objective": "kl_penalty",
        "epochs": 1,
        "minibatches": 1,
    }  # before which the divergence is 0
    far = ppo_of(**one_step, policy_learning_rate=3e-2, kl_step_target_per_token_nats=1e-5)
    values, _ = far.iterate()
    assert values["policy/kl_step_per_token_nats"] > 1.5e-5
    assert values["policy/beta"] == 2.0
    near = ppo_of(objective="kl_penalty", policy_learning_rate=1e-5, kl_step_target_per_token_nats=1.0)
    assert near.iterate()[0]["policy/beta"] == 0.5
    assert ppo_of(objective="clip").iterate()[0]["policy/beta"] == 1.0


def test_a_high_price_of_the_step_makes_it_smaller() -> None:
    steps = {}
    for beta in (1e-3, 100.0):
        ppo = ppo_of(objective="kl_penalty", kl_step_coefficient=beta, epochs=4, minibatches=2)
        steps[beta] = ppo.iterate()[0]["policy/kl_step_per_token_nats"]
    assert steps[100.0] < 0.5 * steps[1e-3]


def test_leash_follows_the_divergence_of_whole_answers() -> None:
    ppo = ppo_of(kl_controller="leash", kl_target_per_seq_nats=5.0, kl_horizon_episodes=100, kl_base_coefficient=0.1)
    ppo.iterate()
    expected = 0.1 * (1 - 0.2 * 16 / 100)  # at the start the divergence is 0
    assert ppo.leash.coefficient == pytest.approx(expected)
    for parameter in ppo.roles.policy:
        parameter.data.add_(0.05)
    batch = ppo.rollout()
    ppo.score(batch, ppo._minibatches(batch, epoch=0))
    per_answer = sum(float(batch.kl[row, : len(answer.ids)].sum()) for row, answer in enumerate(batch.answers)) / 16
    ppo.leash.target_per_seq_nats = per_answer / 1.1  # type: ignore[attr-defined]
    ppo.iterate()
    assert per_answer > 0.05 and ppo.leash.coefficient == pytest.approx(expected * (1 + 0.1 * 16 / 100))


def test_over_the_limit_the_policy_of_the_round_before_comes_back() -> None:
    ppo = ppo_of(iterations=50, policy_learning_rate=2e-2, kl_limit_per_seq_nats=0.5)
    history = []
    for _, batch in ppo.iterations():
        history.append((float(batch.kl.sum(1).mean()), batch.learnt))
    assert "over the limit" in ppo.watch.stopped and 1 < len(history) < 50
    assert history[-1][0] > 0.5 and not history[-1][1]
    assert all(kl <= 0.5 and learnt for kl, learnt in history[:-1])
    batch = ppo.rollout()
    ppo.score(batch, ppo._minibatches(batch, epoch=0))
    assert float(batch.kl.sum(1).mean()) < 0.75


def test_a_guard_ends_a_run_that_cheats_and_brings_the_healthy_policy_back() -> None:
    """The reward likes length; the answers grow, and the policy of before they did comes back."""

    def longer(sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]) -> Tensor:
        return torch.tensor([0.2 * (len(s) - p) for s, p in zip(sequences, prompt_lengths, strict=True)])

    ppo = ppo_of(
        scorer=longer, iterations=60, episodes_per_iteration=64, max_new_tokens=40, policy_learning_rate=1e-2,
        kl_base_coefficient=0.0, kl_limit_per_seq_nats=None, missing_end_penalty=0.0,
        guard={"action": "stop"},
    )  # fmt: skip
    lengths, said = [], []
    for values, _ in ppo.iterations():
        lengths.append(values["rollout/length_mean"])
        said.append([finding.rule for finding in ppo.watch.findings])
    assert len(lengths) < 20 and ppo.watch.stopped
    assert "score_length" in said[0] and {*said[-1]} & {"length", "truncated"}  # told of at once, and before harm
    assert 0 < ppo.watch.saved(ppo.iteration) < len(lengths) - 1
    assert float(ppo.measure().mask.sum(1).float().mean()) <= 1.25 * lengths[0]


@pytest.mark.parametrize("action", ["stop", "warn"])
def test_a_run_that_ends_while_the_guard_is_still_patient_does_not_save_what_it_saw(action: str) -> None:
    ppo = ppo_of(iterations=2, guard={"action": action})
    ppo.iterate()
    healthy = ppo.roles.kept[HEALTHY]
    ppo.iterate()
    last = policy_of(ppo)
    assert ppo.done and not ppo.watch.stopped
    ppo.watch.healthy_at, ppo.roles.kept[HEALTHY] = 1, healthy
    ppo.watch.guard.start["rollout/length_mean"] = 1000.0  # as if answers had been long at first
    seen = ppo.end()
    assert [finding.rule for finding in ppo.watch.findings] == ["length"] and seen["rollout/length_p50"] <= 10
    assert ppo.watch.saved(ppo.iteration) == (1 if action == "stop" else 2)
    kept = healthy if action == "stop" else last
    assert all(torch.equal(a, b) for a, b in zip(ppo.roles.policy, kept, strict=True))
    assert not torch.equal(last[1], healthy[1])


def test_the_judge_decides_which_policy_is_kept() -> None:
    """The judge likes what the reward does not: an early policy is the best, and it is the one at the end."""

    def dislikes(sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]) -> Tensor:
        return -counts_target(sequences, prompt_lengths)

    judge = Judge(dislikes, PROMPTS * 4, every=2)
    backbone = backbone_of("llama")
    config = config_of(
        iterations=10,
        episodes_per_iteration=64,
        policy_learning_rate=2e-2,
        kl_base_coefficient=0.0,
        schedule="constant",
    )
    ppo = PPO(config, backbone, alone(counts_target), PROMPTS, judge=judge)
    judged = [values["judge/score"] for values, _ in ppo.iterations() if "judge/score" in values]
    assert len(judged) == 5 and judged[-1] < judged[0] - 0.2
    last = policy_of(ppo)
    ppo.end()
    assert ppo.watch.best and ppo.watch.best[0] == max(judged)
    assert any(not torch.equal(a, b) for a, b in zip(last, ppo.roles.policy, strict=True))
    assert ppo._judged()["judge/score"] == ppo.watch.best[0]  # the same prompts, the same random numbers
    listed = set(re.findall(r"^(judge/\w+)", judges.__doc__ or "", re.MULTILINE))
    assert listed == set(judge.numbers(ppo.measure()))


def test_a_judgement_that_is_no_number_is_worse_than_all_others() -> None:
    ppo = PPO(config_of(), backbone_of("llama"), alone(counts_target), PROMPTS)
    kept = []
    for iteration, score in enumerate((math.nan, -3.0, math.nan, -2.0, -4.0)):
        ppo.watch.keep_best(score, iteration)
        kept.append(ppo.watch.best and ppo.watch.best[1])
    assert kept == [0, 1, 1, 3, 3]


def test_scorers_are_weighted_and_told_apart() -> None:
    def ones(sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]) -> Tensor:
        return torch.ones(len(sequences))

    parts = {"reward_model": Weighted(2.0, counts_target), "tone": Weighted(-0.5, ones)}
    ppo = PPO(config_of(), backbone_of("llama"), Rewards(parts), PROMPTS)
    values, batch = ppo.iterate()
    expected = 2 * counts_target(batch.sequences, batch.prompt_lengths) - 0.5
    torch.testing.assert_close(batch.raw_scores, expected)
    assert values["objective/score_of_tone"] == 1.0
    assert values["objective/score"] == pytest.approx(2 * values["objective/score_of_reward_model"] - 0.5)


# -- resume -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("llama", {"objective": "kl_penalty", "kl_controller": "leash"}),
        ("gpt2", {"critic": "reward"}),
        ("llama", {"advantage_estimator": "leave_one_out", "samples_per_prompt": 2, "objective": "reinforce",
                   "epochs": 1, "minibatches": 1}),
    ],
)  # fmt: skip
def test_a_resumed_run_goes_on_bit_for_bit(family: str, settings: dict[str, Any], tmp_path: Path) -> None:
    whole = ppo_of(family, scorer="reward_model", iterations=4, **settings)
    expected = [values for values, _ in whole.iterations()]
    first = ppo_of(family, scorer="reward_model", iterations=4, **settings)
    first.iterate()
    first.iterate()
    state.save(tmp_path, *first.state())
    torch.manual_seed(999)
    second = ppo_of(family, scorer="reward_model", iterations=4, **settings)
    saved = state.load(tmp_path)
    assert saved is not None
    second.restore(saved.tensors, saved.scalars)
    got = [values for values, _ in second.iterations()]
    assert all(torch.equal(a, b) for a, b in zip(whole.roles.policy, second.roles.policy, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(whole.roles.critic, second.roles.critic, strict=True))
    assert (whole.leash, whole.step_rule) == (second.leash, second.step_rule)
    for mine, theirs in zip(got, expected[2:], strict=True):
        assert {k: v for k, v in mine.items() if "time/" not in k} == {
            k: v for k, v in theirs.items() if "time/" not in k
        }


def test_a_state_of_something_else_is_refused() -> None:
    tensors, scalars = ppo_of().state()
    with pytest.raises(Conflict, match="other settings"):
        ppo_of(clip_range=0.3).restore(tensors, scalars)
    with pytest.raises(Conflict, match="another model"):
        ppo_of("gpt2").restore(tensors, scalars)


# -- it learns what it should -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "settings"),
    [*((family, {}) for family in FAMILIES),
     ("llama", {"advantage_estimator": "group_relative", "samples_per_prompt": 8})],
)  # fmt: skip
def test_learns_to_say_a_token_on_a_leash(family: str, settings: dict[str, Any]) -> None:
    ppo = ppo_of(
        family, iterations=25, episodes_per_iteration=32, policy_learning_rate=1e-2, kl_base_coefficient=0.1, **settings
    )
    history = [reports.metrics(batch, values) for values, batch in ppo.iterations()]
    first, last = history[0], history[-1]
    assert last["objective/score"] > first["objective/score"] + 0.8
    assert 0.5 < last["objective/kl_base_per_seq_nats"] < 15
    assert last["policy/kl_step_per_token_nats"] < 0.1


def test_prompts_come_in_passes() -> None:
    ppo = ppo_of()
    taken = list(ppo.prompts.take(0, 15))
    assert sorted(taken[:5]) == sorted(taken[5:10]) == sorted(taken[10:]) == [0, 1, 2, 3, 4]
    assert taken[:5] != taken[5:10] or taken[5:10] != taken[10:]
    assert list(ppo.prompts.take(7, 4)) == taken[7:11]
    assert ppo.backbone.device == CPU
