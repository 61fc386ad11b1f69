"""PPO, and REINFORCE which it grows from, on the score of whole answers with a leash to the reference.

One iteration (Ziegler et al. 2019, arXiv:1909.08593; Schulman et al. 2017, arXiv:1707.06347):

1. the policy pi_k answers prompts;
2. each answer gets its score r(x, y), each token its log-probability under pi_k and under the reference;
3. R_t = -lambda log(pi_k / pi_base)_t, plus the score at the last token; advantages by GAE from a critic, or from the
   mean of other answers (no critic);
4. `epochs` passes of `minibatches` optimiser steps on the clipped ratio, the ratio with a KL penalty of weight beta, or
   the plain policy gradient; the critic learns the returns;
5. lambda and beta move, each by its own rule.

Policy, reference, critic and reward model are roles on one frozen backbone (`backbone`). Everything random hangs on
(seed, iteration), so a resumed run goes on bit for bit.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from backend.domain.training import PPOConfig
from backend.errors import Conflict, Invalid
from workers.training import rl_math
from workers.training import state as saved_state
from workers.training.backbone import Backbone, ScalarHead
from workers.training.batches import Layout
from workers.training.controllers import FixedKL, LeashController, SchulmanStep, ZieglerLeash
from workers.training.generation import Sampling, generate
from workers.training.logprobs import before, state_logprobs
from workers.training.rollouts import PromptStream, Rollouts
from workers.training.scoring import RewardModel, Scorer
from workers.training.tallies import Tally

ADAM_EPS = 1e-5
"""With 1e-8 a gradient of 1e-6 moves a parameter a full learning rate (Huang et al. 2024, arXiv:2403.17031)."""
STEP_ZERO_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""How far from 1 the log-ratios may be before the first step; bit for bit 0 on one CPU."""


class PPO:
    """The state of a run between iterations, and `iterate`."""

    def __init__(
        self,
        config: PPOConfig,
        backbone: Backbone,
        scorer: Scorer,
        prompts: Sequence[list[int]],
        *,
        seed: int = 0,
        stop_ids: Sequence[int] | None = None,
    ) -> None:
        """prompts: token ids. stop_ids: what ends an answer, where not the backbone's own."""
        if not prompts:
            raise Invalid("There are no prompts to answer.", field="prompts")
        self.config, self.backbone, self.scorer, self.seed = config, backbone, scorer, seed
        self.prompts = PromptStream(prompts, seed)
        self.sampling = Sampling(config.max_new_tokens, config.temperature)
        self.stop_ids = tuple(stop_ids or backbone.stop_ids)

        backbone.add_adapter("policy", rank=config.lora_rank, alpha=config.lora_alpha, seed=seed)
        self.policy = backbone.parameters_of("policy")
        self.last_good = [parameter.detach().clone() for parameter in self.policy]
        self.policy_optimiser = _adam(self.policy, config.policy_learning_rate)
        self.critic: list[nn.Parameter] = []
        if config.advantage_estimator == "gae":
            self.value_head, self.critic = self._make_critic()
            self.value_optimiser = _adam(self.critic, config.value_learning_rate)

        self.leash: LeashController = FixedKL(config.kl_base_coefficient)
        if config.kl_controller == "leash":
            self.leash = ZieglerLeash(
                config.kl_base_coefficient, config.kl_target_per_seq_nats, config.kl_horizon_episodes
            )
        self.step_rule = SchulmanStep(config.kl_step_coefficient, config.kl_step_target_per_token_nats)
        self.iteration = 0
        self.bad_steps = self.bad_steps_in_a_row = 0
        self.stopped = ""
        """Why the run ended before its time: a sentence, or nothing."""

    def _make_critic(self) -> tuple[ScalarHead, list[nn.Parameter]]:
        """A copy of the reward model expects, before the first step, what a whole answer like this one is worth; a
        head of zeros expects nothing. Either is better than a random one, whose noise the policy would learn."""
        separate = self.config.critic == "separate"
        if separate and self.config.value_init == "reward" and isinstance(self.scorer, RewardModel):
            self.backbone.copy_adapter(self.scorer.adapter, "value")
            head = self.scorer.head.copy().requires_grad_(True)
        else:
            head = ScalarHead(self.backbone.hidden_size, zero=True).to(self.backbone.device)
            if separate:
                rank, alpha = self.config.lora_rank, self.config.lora_alpha
                self.backbone.add_adapter("value", rank=rank, alpha=alpha, seed=self.seed + 1)
        adapter = self.backbone.parameters_of("value") if separate else []
        return head, [*adapter, *head.parameters()]

    # -- one iteration --------------------------------------------------------------------------------------------

    def iterate(self) -> tuple[dict[str, float], Rollouts]:
        """The numbers of the iteration (`reports.metrics` names them) and its answers."""
        config = self.config
        started = time.perf_counter()
        batch = self.rollout()
        rolled_out = time.perf_counter()
        plan = self._minibatches(batch, epoch=0)
        self.score(batch, plan)
        tally = Tally()
        if self._off_the_leash(batch):
            scored = updated = time.perf_counter()
        else:
            self._advantages(batch)
            scored = time.perf_counter()
            self._update(batch, plan, tally)
            kl_base = float(batch.kl.sum(1).mean())
            self.leash.update(kl_base, len(batch))
            if config.objective == "kl_penalty":
                self.step_rule.update(tally.mean("policy/kl_step_per_token_nats"))
            updated = time.perf_counter()
        self.iteration += 1
        values = tally.means() | {
            "objective/lambda_kl": self.leash.coefficient,
            "policy/beta": self.step_rule.coefficient,
            "policy/beta_clamped": float(self.step_rule.clamped),
            "policy/learning_rate": self.policy_optimiser.param_groups[0]["lr"],
            "policy/bad_steps": float(self.bad_steps),
            "time/rollout_s": rolled_out - started,
            "time/scoring_s": scored - rolled_out,
            "time/update_s": updated - scored,
        }
        return values, batch

    def rollout(self) -> Rollouts:
        """Answers to the next prompts of the stream. The answers to one prompt are neighbours."""
        config = self.config
        each = config.samples_per_prompt
        count = config.episodes_per_iteration // each
        chosen = list(self.prompts.take(self.iteration * count, count))
        prompts = [self.prompts.prompts[index] for index in chosen for _ in range(each)]
        answers = generate(
            self.backbone,
            prompts,
            self.sampling,
            adapter="policy",
            keys=[(self.seed, self.iteration, episode) for episode in range(len(prompts))],
            stop_ids=self.stop_ids,
        )
        return Rollouts(prompts, answers, self.backbone.device)

    def _minibatches(self, batch: Rollouts, *, epoch: int) -> list[list[Layout]]:
        return batch.minibatches(
            self.backbone,
            count=self.config.minibatches,
            budget=self.config.tokens_per_microbatch,
            seed=(self.seed, 2, self.iteration, epoch),
        )

    @torch.no_grad()
    def score(self, batch: Rollouts, plan: list[list[Layout]]) -> None:
        """Scores, and for each token the log-probability under policy and reference and the critic's expectation.

        The old log-probabilities come from the forward that the update will use, over the same micro-batches, so that
        before the first step the ratio is 1 to the last bit; those of the sampler only tell how far it is off.
        """
        for layout in (layout for minibatch in plan for layout in minibatch):
            where, tokens = batch.flat(layout), layout.ids[layout.scored]
            states = self._states("policy", layout)
            logprob, entropy = self._logprobs(states, tokens)
            _put(batch.old, where, logprob)
            _put(batch.entropy, where, entropy)
            if self.critic:
                if self.config.critic == "separate":
                    states = self._states("value", layout)
                _put(batch.values, where, self.value_head(states))
            _put(batch.base, where, self._logprobs(self._states(None, layout), tokens)[0])
        batch.raw_scores = self.scorer(batch.sequences, batch.prompt_lengths).to(self.backbone.device).float()
        bound = self.config.score_clip
        batch.scores = batch.raw_scores.clamp(-bound, bound) - self.config.missing_end_penalty * batch.cut

    def _advantages(self, batch: Rollouts) -> None:
        config, mask = self.config, batch.mask
        batch.rewards = rl_math.token_rewards(batch.scores, batch.kl, mask, self.leash.coefficient)
        if config.advantage_estimator == "gae":
            batch.raw_advantages, batch.returns = rl_math.gae(
                batch.rewards, batch.values, mask, discount=config.discount, gae_lambda=config.gae_lambda
            )
        else:
            batch.returns = rl_math.returns_to_go(batch.rewards, mask, discount=config.discount)
            group = len(batch) if config.advantage_estimator == "batch_mean" else config.samples_per_prompt
            baselines = rl_math.baseline_of_others(batch.returns[:, 0], group=group)
            batch.raw_advantages = rl_math.reinforce_weights(batch.rewards, baselines, mask, discount=config.discount)
        raw = batch.raw_advantages
        batch.advantages = rl_math.whiten(raw, mask) if config.whiten_advantages else raw
        batch.learnt = True

    def _update(self, batch: Rollouts, plan: list[list[Layout]], tally: Tally) -> None:
        """Exactly epochs x minibatches optimiser steps, unless a pass went too far."""
        config = self.config
        self._set_learning_rates()
        steps = epochs = 0
        for epoch in range(config.epochs):
            if epoch:
                plan = self._minibatches(batch, epoch=epoch)
            passed = Tally()
            for minibatch in plan:
                self._step(batch, minibatch, passed, first=steps == 0)
                steps += 1
            epochs += 1
            tally.add(passed)
            tally.replace("policy/kl_step_per_token_nats", passed)  # that of the last pass
            limit = config.kl_step_stop_per_token_nats
            if limit is not None and passed.mean("policy/kl_step_per_token_nats") > 1.5 * limit:
                break
        assert steps == epochs * config.minibatches, "every pass takes one optimiser step for each minibatch"
        if config.objective == "kl_penalty":  # the rule for beta needs the whole step, after the last update
            tally.replace("policy/kl_step_per_token_nats", self._whole_step(batch, plan))
        tally.count("policy/optimiser_steps", steps)
        tally.count("policy/epochs", epochs)

    def _step(self, batch: Rollouts, minibatch: list[Layout], tally: Tally, *, first: bool) -> None:
        """One optimiser step of the policy and one of the critic, by the mean over the minibatch's tokens."""
        total = sum(batch.tokens(layout.rows) for layout in minibatch)
        shared = bool(self.critic) and self.config.critic == "shared"
        for layout in minibatch:
            where = batch.flat(layout)
            states = self._states("policy", layout)
            logprob, entropy = self._logprobs(
                states, layout.ids[layout.scored], entropy_gradient=self.config.entropy_coefficient > 0
            )
            ratio = rl_math.log_ratio(logprob, _take(batch.old, where))
            if first:
                self._check_ratio(ratio)
            loss = self._policy_loss(logprob, ratio, _take(batch.advantages, where))
            tally.of_policy(loss, ratio, self.config)
            loss = loss - self.config.entropy_coefficient * entropy
            torch.autograd.backward(loss.sum() / total)
            if shared:  # the critic reads the policy's states but sends nothing back into them
                torch.autograd.backward(self._value_loss(states.detach(), batch, where, tally).sum() / total)
        if self.critic and not shared:
            for layout in minibatch:
                loss = self._value_loss(self._states("value", layout), batch, batch.flat(layout), tally)
                torch.autograd.backward(loss.sum() / total)
        self._optimise(tally)

    def _policy_loss(self, logprob: Tensor, ratio: Tensor, advantages: Tensor) -> Tensor:
        config = self.config
        if config.objective == "clip":
            return rl_math.clipped_loss(ratio, advantages, clip_range=config.clip_range)
        if config.objective == "kl_penalty":
            return rl_math.kl_penalty_loss(
                ratio, advantages, coefficient=self.step_rule.coefficient, direction=config.kl_step_direction
            )
        return rl_math.policy_gradient_loss(logprob, advantages)

    def _value_loss(self, states: Tensor, batch: Rollouts, where: Tensor, tally: Tally) -> Tensor:
        values, old, returns = self.value_head(states), _take(batch.values, where), _take(batch.returns, where)
        loss = rl_math.value_loss(values, old, returns, clip_range=self.config.value_clip_range)
        tally.of_value(loss, values, old, self.config.value_clip_range)
        return loss

    def _optimise(self, tally: Tally) -> None:
        """Step both roles, or neither where a gradient is not finite: one bad number would stay in Adam's moments."""
        roles = [(self.policy_optimiser, self.policy, "policy/gradient_norm")]
        if self.critic:
            roles.append((self.value_optimiser, self.critic, "value/gradient_norm"))
        norms = [nn.utils.clip_grad_norm_(role[1], self.config.gradient_clip_norm) for role in roles]
        if bool(torch.isfinite(torch.stack(norms)).all()):
            self.bad_steps_in_a_row = 0
            for (optimiser, _, name), norm in zip(roles, norms, strict=True):
                tally.mean_of(name, norm, 1)
                optimiser.step()
        else:
            self.bad_steps += 1
            self.bad_steps_in_a_row += 1
            if self.bad_steps_in_a_row >= self.config.max_bad_steps:
                raise Invalid(
                    f"{self.bad_steps_in_a_row} optimiser steps in a row had no finite gradient; "
                    "lower the learning rates or look at the scores.",
                    field="policy_learning_rate",
                )
        for optimiser, _, _ in roles:
            optimiser.zero_grad(set_to_none=True)

    # -- pieces ---------------------------------------------------------------------------------------------------

    def _states(self, role: str | None, layout: Layout) -> Tensor:
        """(N, d): the hidden state before each answer token, under a role."""
        with self.backbone.role(role):
            return before(self.backbone.hidden_states(layout.ids, layout.mask), layout.scored)

    def _logprobs(self, states: Tensor, tokens: Tensor, *, entropy_gradient: bool = False) -> tuple[Tensor, Tensor]:
        return state_logprobs(
            self.backbone, states, tokens, temperature=self.config.temperature, entropy_gradient=entropy_gradient
        )

    def _check_ratio(self, ratio: Tensor) -> None:
        gap = float(ratio.detach().abs().max())
        if not gap <= STEP_ZERO_TOLERANCE[self.backbone.dtype]:
            raise Conflict(
                f"Before the first optimiser step the log-ratios must be 0, but one is {gap:.2g}: "
                "what was scored is not what is trained."
            )

    @torch.no_grad()
    def _whole_step(self, batch: Rollouts, plan: list[list[Layout]]) -> Tally:
        """The step's mean divergence per token after the last update, over all tokens."""
        tally = Tally()
        for layout in (layout for minibatch in plan for layout in minibatch):
            logprob, _ = self._logprobs(self._states("policy", layout), layout.ids[layout.scored])
            ratio = rl_math.log_ratio(logprob, _take(batch.old, batch.flat(layout)))
            new_old = self.config.kl_step_direction == "new_old"
            kl = rl_math.kl_new_old(ratio) if new_old else rl_math.kl_old_new(ratio)
            tally.mean_of("policy/kl_step_per_token_nats", kl.sum(), kl.numel())
        return tally

    def _set_learning_rates(self) -> None:
        """Once an iteration, from where the run stands: a resumed run needs no scheduler."""
        config = self.config
        left = 1.0 - self.iteration / config.iterations if config.schedule == "linear" else 1.0
        self.policy_optimiser.param_groups[0]["lr"] = config.policy_learning_rate * left
        if self.critic:
            self.value_optimiser.param_groups[0]["lr"] = config.value_learning_rate * left

    @torch.no_grad()
    def _off_the_leash(self, batch: Rollouts) -> bool:
        """Whether the policy that gave these answers is too far from the reference. If so the one before comes back."""
        kl, limit = float(batch.kl.sum(1).mean()), self.config.kl_limit_per_seq_nats
        within = limit is None or kl <= limit
        for kept, parameter in zip(self.last_good, self.policy, strict=True):
            kept.copy_(parameter) if within else parameter.copy_(kept)
        if not within:
            self.stopped = (
                f"The divergence from the reference reached {kl:.1f} nats per answer, over the limit of {limit:g}; "
                f"the policy of the round before was kept."
            )
        return not within

    # -- save and resume ------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and numbers from which `restore` goes on bit for bit."""
        tensors = saved_state.parameter_tensors(self.policy, "policy/")
        tensors |= saved_state.parameter_tensors(self.last_good, "last_good/")
        tensors |= saved_state.optimiser_tensors(self.policy_optimiser, "policy_optimiser/")
        if self.critic:
            tensors |= saved_state.parameter_tensors(self.critic, "critic/")
            tensors |= saved_state.optimiser_tensors(self.value_optimiser, "value_optimiser/")
        scalars = {
            "iteration": self.iteration,
            "bad_steps": self.bad_steps,
            "bad_steps_in_a_row": self.bad_steps_in_a_row,
            "stopped": self.stopped,
            "leash": self.leash.state_dict(),
            "step_rule": self.step_rule.state_dict(),
            "backbone_sha256": self.backbone.digest(),
            "config": self.config.model_dump(mode="json"),
        }
        return tensors, scalars

    def restore(self, tensors: dict[str, Tensor], scalars: dict[str, Any]) -> None:
        """Refuses a state of another backbone or another config: the reference and the schedules would be others."""
        if scalars["backbone_sha256"] != self.backbone.digest():
            raise Conflict("The saved state belongs to a policy on another model; start the run over.")
        if scalars["config"] != self.config.model_dump(mode="json"):
            raise Conflict("The saved state was made with other settings; start the run over.")
        saved_state.load_parameters(self.policy, tensors, "policy/")
        saved_state.load_parameters(self.last_good, tensors, "last_good/")
        saved_state.load_optimiser(self.policy_optimiser, tensors, "policy_optimiser/")
        if self.critic:
            saved_state.load_parameters(self.critic, tensors, "critic/")
            saved_state.load_optimiser(self.value_optimiser, tensors, "value_optimiser/")
        self.iteration = scalars["iteration"]
        self.bad_steps, self.bad_steps_in_a_row = scalars["bad_steps"], scalars["bad_steps_in_a_row"]
        self.stopped = scalars["stopped"]
        self.leash.load_state_dict(scalars["leash"])
        self.step_rule.load_state_dict(scalars["step_rule"])

    def iterations(self) -> Iterator[tuple[dict[str, float], Rollouts]]:
        """To the end of the config, or of the leash."""
        while self.iteration < self.config.iterations and not self.stopped:
            yield self.iterate()


def _adam(parameters: list[nn.Parameter], learning_rate: float) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        parameters, lr=learning_rate, betas=(0.9, 0.999), eps=ADAM_EPS, weight_decay=0.0, fused=True
    )


def _take(table: Tensor, where: Tensor) -> Tensor:
    return table.view(-1)[where]


def _put(table: Tensor, where: Tensor, values: Tensor) -> None:
    table.view(-1)[where] = values.to(table.dtype)
