"""PPO, and REINFORCE from which it grew, on a score of whole answers and with a KL penalty to the reference.

One iteration (Ziegler et al. 2019, arXiv:1909.08593; Schulman et al. 2017, arXiv:1707.06347):

1. Rollout. The policy pi_k answers prompts.
2. Scoring. Each answer gets its score r(x, y); each token its log-probability under pi_k and under the reference
   pi_base, and the critic's value.
3. Advantages. R_t = -lambda log(pi_k / pi_base)_t, plus the score at the last token. Advantages come from GAE with a
   critic, or from the returns of other answers without one (batch mean, RLOO, GRPO).
4. Update. `epochs` passes of `minibatches` optimiser steps on the clipped ratio, on the ratio with a KL penalty of
   weight beta, or on the plain policy gradient; the critic learns the returns.
5. Control. lambda and beta move, each by a rule of its own (`controllers`).

The formulas are in `rl_math`. Every loss is the mean over the answer tokens of an optimiser step, never over answers
first: a long answer weighs more than a short one. GRPO as published differs there, and puts the KL to the reference in
the loss; here it is in the reward for every estimator.

In addition a guard looks at the answers for signs that the policy cheats its reward, and a judge, if there is one,
scores answers to held-out prompts: the policy that it scores highest is the one that is saved (`watch`).

Policy, reference, critic and reward model are roles on one frozen backbone (`backbone`). All random numbers are drawn
from (seed, iteration), so a resumed run goes on bit for bit. With several ranks each answers, scores and learns from
its share of the rows; per-token results are gathered before they are used, so that advantages, controllers, guard and
judge see the whole round on every rank.
"""

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from backend.domain.training import PPOConfig
from backend.errors import Conflict, Invalid
from workers.training import reports, rl_math
from workers.training.actor_critic import ActorCritic
from workers.training.backbone import Backbone
from workers.training.batches import Layout
from workers.training.budget import OUT_OF_MEMORY, TokenBudget
from workers.training.controllers import FixedKL, LeashController, SchulmanStep, ZieglerLeash
from workers.training.digests import sha256_of
from workers.training.engine import Engine
from workers.training.floor import Floor, Work, rate, wait
from workers.training.generation import Sampling, generate, tokens_at_once
from workers.training.judge import Judge
from workers.training.ranks import ALONE, Ranks, Stopped
from workers.training.rollouts import PromptStream, Rollouts
from workers.training.scoring import RewardModel, Rewards, Scorer
from workers.training.tallies import Tally
from workers.training.tokens import Codec
from workers.training.watch import Watch

JUDGED = 2**31
"""Takes the place of the iteration in the random keys of answers to the judge's prompts."""
STEP_ZERO_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Largest |log-ratio| allowed before the first optimiser step; on a CPU it is exactly 0."""


class PPO:
    """The state of a run between iterations, and `iterate`."""

    def __init__(
        self,
        config: PPOConfig,
        backbone: Backbone,
        rewards: Rewards,
        prompts: Sequence[list[int]],
        *,
        seed: int = 0,
        stop_ids: Sequence[int] | None = None,
        judge: Judge | None = None,
        engine: Engine | None = None,
        ranks: Ranks = ALONE,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """prompts: token ids. stop_ids: tokens that end an answer (default: the backbone's). engine: a server that
        draws the answers instead of our own sampler. should_stop: polled throughout, also within an iteration.
        """
        if not prompts:
            raise Invalid("There are no prompts to answer.", field="prompts")
        self.config, self.backbone, self.rewards, self.seed, self.ranks = config, backbone, rewards, seed, ranks
        self.prompts = PromptStream(prompts, seed)
        self.codec = Codec(backbone.tokenizer)
        self.sampling = Sampling(config.max_new_tokens, config.temperature)
        self.stop_ids = tuple(stop_ids or backbone.stop_ids)

        self.roles = ActorCritic(config, backbone, next(rewards.models, None), seed=seed, ranks=ranks)
        self.leash: LeashController = FixedKL(config.kl_base_coefficient)
        if config.kl_controller == "leash":
            self.leash = ZieglerLeash(
                config.kl_base_coefficient, config.kl_target_per_seq_nats, config.kl_horizon_episodes
            )
        self.step_rule = SchulmanStep(config.kl_step_coefficient, config.kl_step_target_per_token_nats)
        self.work, self.reward_works = Work.of(backbone), [Work.of(one.backbone) for one in rewards.models]
        self.budget = TokenBudget(config.tokens_per_microbatch)
        self.watch, self.judge, self.engine = Watch(config, self.roles), judge, engine
        self.iteration = 0
        self.should_stop = should_stop

    @property
    def reward_models(self) -> list[RewardModel]:
        """Those that give the reward, and the judge's."""
        judge = self.judge and self.judge.scorer
        return [*self.rewards.models, *([judge] if isinstance(judge, RewardModel) else [])]

    def frozen(self) -> str:
        """The digest of everything that training must not change."""
        return self.backbone.fingerprint() + "".join(sha256_of(one.tensors().items()) for one in self.reward_models)

    # -- one iteration --------------------------------------------------------------------------------------------

    def iterate(self) -> tuple[dict[str, float], Rollouts]:
        """The metrics of the iteration (named in `reports`) and its answers. When asked to stop it restores everything
        as it was before and raises Stopped: an iteration may take minutes, and can be repeated to the same bits.
        """
        tensors, scalars = self.state()
        tensors = {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
        scalars = copy.deepcopy(scalars)
        try:
            return self._iterate()
        except Stopped:
            self.restore(tensors, scalars)
            raise

    def _iterate(self) -> tuple[dict[str, float], Rollouts]:
        config = self.config
        started = time.perf_counter()
        batch = self.budget.attempt(self.rollout)  # 1
        rolled_out = time.perf_counter()
        plan = self._scored(batch)  # 2
        wait(batch.device)
        scored = time.perf_counter()
        seen = self._about(batch)
        judged = self._watch(seen, batch)
        watched = time.perf_counter()
        tally = Tally()
        linear = config.schedule == "linear"  # a function of the iteration: there is no schedule to save
        self.roles.set_learning_rates(1.0 - self.iteration / config.iterations if linear else 1.0)
        if not self.watch.stopped:
            self._advantages(batch)  # 3
            self._update(batch, plan, tally)  # 4
            self.leash.update(seen["objective/kl_base_per_seq_nats"], len(batch))  # 5
            if config.objective == "kl_penalty":
                self.step_rule.update(tally.mean("policy/kl_step_per_token_nats"))
        wait(batch.device)
        updated = time.perf_counter()
        learning = reports.about_learning(batch, tally.means())
        self.watch.look_at_learning(learning, self.iteration)
        self.iteration += 1
        seconds = {
            "time/rollout_s": rolled_out - started,
            "time/scoring_s": scored - rolled_out,
            "time/judge_s": watched - scored,
            "time/update_s": updated - watched,
        }
        floor = self._floor(batch, learning.get("policy/epochs", 0.0))
        values = learning | seen | judged | self._settings() | seconds
        return values | reports.floor_shares(floor, seconds), batch

    def _settings(self) -> dict[str, float]:
        """Metrics of what moves by itself from one iteration to the next, and of how answers were drawn."""
        found = {
            "objective/lambda_kl": self.leash.coefficient,
            "policy/beta": self.step_rule.coefficient,
            "policy/beta_clamped": float(self.step_rule.clamped),
            "policy/learning_rate": self.roles.policy_optimiser.param_groups[0]["lr"],
            "policy/bad_steps": float(self.roles.bad_steps),
        }
        if self.engine:
            found |= self.engine.seen
        elif self.backbone.graphs:
            found["rollout/graphs"] = float(self.backbone.graphs.used)
        return found

    def rollout(self, iteration: int | None = None) -> Rollouts:
        """Step 1: answers to this iteration's prompts, or to those of another one with its random numbers. Answers to
        one prompt are neighbours.
        """
        number = self.iteration if iteration is None else iteration
        each = self.config.samples_per_prompt
        count = self.config.episodes_per_iteration // each
        source = [index for index in self.prompts.take(number * count, count) for _ in range(each)]
        return self._answers(source, self.prompts.prompts, (self.seed, number))

    def _answers(self, source: Sequence[int], among: Sequence[list[int]], key: tuple[int, int]) -> Rollouts:
        """The policy's answers to the prompts `among[source]`; `key` and its place seed each answer."""
        prompts = [among[index] for index in source]
        mine = self.ranks.share(range(len(prompts)))
        asked, keys = [prompts[episode] for episode in mine], [(*key, episode) for episode in mine]
        if self.engine:
            self.engine.follow(self.iteration)
            answers = self.engine.answers(asked, self.sampling, keys=keys, stop_ids=self.stop_ids)
            self._look_up_together()
            return Rollouts(list(source), prompts, self.ranks.joined(answers), self.backbone.device)
        with self.ranks.alike(*OUT_OF_MEMORY):
            answers = generate(
                self.backbone,
                asked,
                self.sampling,
                adapter="policy",
                keys=keys,
                stop_ids=self.stop_ids,
                tokens_per_microbatch=self.budget.share_of(tokens_at_once(self.backbone)),
                before_each_token=self._look_up,
            )
        return Rollouts(list(source), prompts, self.ranks.joined(answers), self.backbone.device)

    def _minibatches(self, batch: Rollouts, *, epoch: int) -> list[list[Layout]]:
        plan = batch.minibatches(
            self.backbone,
            count=self.config.minibatches,
            budget=self.budget.tokens,
            seed=(self.seed, 2, self.iteration, epoch),
            ranks=self.ranks,
        )
        most = max((one.ids.numel() for minibatch in plan for one in minibatch), default=0)
        self.budget.note(self.backbone.cores.count * most)
        return plan

    def _scored(self, batch: Rollouts) -> list[list[Layout]]:
        """`score` with a fresh plan of micro-batches, which is returned."""

        def score() -> list[list[Layout]]:
            self._spread_budget()
            plan = self._minibatches(batch, epoch=0)
            self.score(batch, plan)
            return plan

        return self.budget.attempt(score)

    def _spread_budget(self) -> None:
        for model in self.reward_models:
            model.tokens_per_microbatch = self.budget.tokens

    @torch.no_grad()
    def score(self, batch: Rollouts, plan: list[list[Layout]]) -> None:
        """Step 2: the scores (B,); for each token the log-probabilities under policy and reference, and the value.

        The old log-probabilities are computed by the forward pass that the update will use, over the same
        micro-batches, so that before the first step every ratio is exactly 1. Those of the sampler are only compared
        with them.
        """
        roles = self.roles
        scores = torch.zeros(len(batch), device=batch.device)  # if the critic reads the reward model: its scores
        if roles.linear_critic:
            read = roles.critic_reads.backbone if roles.critic_reads else self.backbone
            size, dtype = read.hidden_size, read.dtype
            batch.critic_states = torch.zeros(batch.mask.numel(), size, dtype=dtype, device=batch.device)

        def work(layout: Layout) -> None:
            self._look_up()
            where = batch.flat(layout)
            states = roles.states("policy", layout)
            logprob, entropy = roles.logprobs(states, layout)
            _put(batch.old_logprobs, where, logprob)
            _put(batch.entropy, where, entropy)
            base = roles.states(None, layout)
            _put(batch.reference_logprobs, where, roles.logprobs(base, layout)[0])
            if roles.critic_reads and batch.critic_states is not None:
                scores[layout.rows], batch.critic_states[where] = roles.critic_reads.read(layout)
            elif batch.critic_states is not None:
                batch.critic_states[where] = base
            if roles.critic:
                _put(batch.values, where, roles.values(layout))

        with self.ranks.alike(*OUT_OF_MEMORY):
            self.backbone.cores.map(work, [layout for minibatch in plan for layout in minibatch])
        self.ranks.add_up(
            [batch.old_logprobs, batch.reference_logprobs, batch.entropy, batch.values, scores]
        )  # zeros where others computed
        if batch.critic_states is not None:
            self.ranks.add_up([batch.critic_states])
        self._look_up_together()
        known: dict[Scorer, Tensor] = {roles.critic_reads: scores} if roles.critic_reads else {}
        raw, batch.score_parts = self.rewards(batch.sequences, batch.prompt_lengths, self.ranks, known=known)
        batch.raw_scores = raw.to(batch.device)
        bound = self.config.score_clip
        batch.scores = batch.raw_scores.clamp(-bound, bound) - self.config.missing_end_penalty * batch.cut

    def _advantages(self, batch: Rollouts) -> None:
        """Step 3: per-token rewards, returns and advantages, by the chosen estimator."""
        config, mask, each = self.config, batch.mask, self.config.samples_per_prompt
        batch.rewards = rl_math.token_rewards(batch.scores, batch.kl, mask, self.leash.coefficient)
        received = rl_math.returns_to_go(batch.rewards, mask, discount=config.discount)
        if self.roles.linear_critic and batch.critic_states is not None:
            half = int(mask[: len(batch) // 2].sum())
            batch.values[mask] = self.roles.linear_critic(batch.critic_states[mask.flatten()], received[mask], half)
            batch.critic_states = None  # the largest part of a round, and a round is there until the next one is scored
        batch.returns = received
        if config.advantage_estimator == "gae":
            raw, batch.returns = rl_math.gae(
                batch.rewards, batch.values, mask, discount=config.discount, gae_lambda=config.gae_lambda_used
            )
        elif config.advantage_estimator == "group_relative":
            raw = torch.where(mask, rl_math.group_relative(received[:, 0], group=each).unsqueeze(1), 0)
        else:
            group = len(batch) if config.advantage_estimator == "batch_mean" else each
            baselines = rl_math.baseline_of_others(received[:, 0], group=group)
            raw = rl_math.reinforce_weights(batch.rewards, baselines, mask, discount=config.discount)
        batch.raw_advantages = raw
        batch.advantages = rl_math.whiten(raw, mask) if config.whiten_advantages else raw
        if config.engine:
            batch.weights = rl_math.importance_weights(
                batch.old_logprobs, batch.behaviour_logprobs, cap=config.engine.weight_cap
            )
            batch.advantages = batch.advantages * batch.weights
        batch.learnt = True

    def _update(self, batch: Rollouts, plan: list[list[Layout]], tally: Tally) -> None:
        """Step 4: exactly epochs x minibatches optimiser steps, unless a pass moved the policy too far."""
        config = self.config
        steps = epochs = 0
        for epoch in range(config.epochs):
            if epoch:
                plan = self._minibatches(batch, epoch=epoch)
            passed = Tally()
            for number in range(config.minibatches):
                self._step(batch, plan, number, passed, epoch=epoch, first=steps == 0)
                steps += 1
            epochs += 1
            passed = passed.over(self.ranks)
            tally.add(passed)
            tally.replace("policy/kl_step_per_token_nats", passed)  # of the last pass alone
            limit = config.kl_step_stop_per_token_nats
            if limit is not None and passed.mean("policy/kl_step_per_token_nats") > 1.5 * limit:
                break
        assert steps == epochs * config.minibatches, "every pass takes one optimiser step for each minibatch"
        if config.objective == "kl_penalty":  # beta's rule needs the divergence after the last optimiser step
            whole = self.budget.attempt(lambda: self._whole_step(batch, self._minibatches(batch, epoch=0)))
            tally.replace("policy/kl_step_per_token_nats", whole)
        if self.roles.linear_critic:
            loss = rl_math.value_loss(batch.values, batch.values, batch.returns, clip_range=None)[batch.mask]
            tally.mean_of("value/loss", loss.sum(), loss.numel())
        tally.count("policy/optimiser_steps", steps)
        tally.count("policy/epochs", epochs)

    def _step(
        self, batch: Rollouts, plan: list[list[Layout]], number: int, tally: Tally, *, epoch: int, first: bool
    ) -> None:
        """One optimiser step of the policy and one of the critic. If memory runs out, `plan` is made finer."""

        def finer() -> None:
            nonlocal first
            first = False  # the micro-batches are no longer those of scoring: in low precision ratios are not exactly 1
            self.roles.drop_gradients()
            plan[:] = self._minibatches(batch, epoch=epoch)

        total = sum(self.ranks.gather(sum(batch.tokens(layout.rows) for layout in plan[number])))

        def gradients() -> Tally:
            with self.ranks.alike(*OUT_OF_MEMORY):
                return self._gradients(batch, plan[number], total, first=first)

        tally.add(self.budget.attempt(gradients, finer))
        self.roles.optimise(tally)

    def _gradients(self, batch: Rollouts, minibatch: list[Layout], total: int, *, first: bool) -> Tally:
        """Leaves in the parameters the gradients of both losses, each a mean over the minibatch's `total` tokens."""
        config, roles, learn = self.config, self.roles, self.backbone.cores.learn

        def policy(layout: Layout) -> tuple[Tensor, Tally]:
            self._look_up()
            where, tally = batch.flat(layout), Tally()
            states = roles.states("policy", layout)
            logprob, entropy = roles.logprobs(states, layout, entropy_gradient=config.entropy_coefficient > 0)
            log_ratio = rl_math.log_ratio(logprob, _take(batch.old_logprobs, where))
            if first:
                self._check_first(log_ratio)
            loss = self._policy_loss(logprob, log_ratio, _take(batch.advantages, where))
            tally.of_policy(loss, log_ratio, config)
            if config.entropy_coefficient:
                loss = loss - config.entropy_coefficient * entropy
            return loss.sum() / total, tally

        def critic(layout: Layout) -> tuple[Tensor, Tally]:
            self._look_up()
            where, tally = batch.flat(layout), Tally()
            values = roles.values(layout)
            old = _take(batch.values, where)
            loss = rl_math.value_loss(values, old, _take(batch.returns, where), clip_range=config.value_clip_range)
            tally.of_value(loss, values, old, config.value_clip_range)
            return loss.sum() / total, tally

        # One role after the other: no more than one role's activations are in memory.
        tallies = learn(policy, minibatch, roles.policy)
        if roles.critic:
            tallies += learn(critic, minibatch, roles.critic)
        whole = Tally()
        for tally in tallies:
            whole.add(tally)
        return whole

    def _policy_loss(self, logprob: Tensor, log_ratio: Tensor, advantages: Tensor) -> Tensor:
        """(N,): the loss of each token under the chosen objective."""
        config = self.config
        if config.objective == "clip":
            return rl_math.clipped_loss(log_ratio, advantages, clip_range=config.clip_range)
        if config.objective == "kl_penalty":
            return rl_math.kl_penalty_loss(
                log_ratio, advantages, coefficient=self.step_rule.coefficient, direction=config.kl_step_direction
            )
        return rl_math.policy_gradient_loss(logprob, advantages)

    def _about(self, batch: Rollouts) -> dict[str, float]:
        return reports.about_answers(batch, [self.codec.decode(answer.ids) for answer in batch.answers], self.config)

    def _phrase(self, batch: Rollouts) -> str:
        return self.codec.decode(reports.commonest_phrase(batch)).strip()

    def _floor(self, batch: Rollouts, epochs: float) -> Floor:
        """The least time that an iteration over these answers can take on this machine."""
        roles, backbone = self.roles, self.backbone
        return Floor.of(
            self.work,
            rate(backbone.device, backbone.dtype) * self.ranks.world,
            batch.prompt_lengths,
            [len(answer.ids) for answer in batch.answers],
            adapter=sum(parameter.numel() for parameter in roles.policy),
            critic_adapter=sum(parameter.numel() for parameter in roles.critic) or None,
            reward_models=self.reward_works,
            epochs=epochs,
        )

    # -- pieces ---------------------------------------------------------------------------------------------------

    def _look_up(self) -> None:
        """Within a piece of work: raises Stopped when asked to stop. With several ranks only inside `alike`."""
        if self.should_stop():
            raise Stopped

    def _look_up_together(self) -> None:
        """Between two pieces of work: the same on all ranks at once."""
        if self.ranks.any(self.should_stop()):
            raise Stopped

    def _check_first(self, log_ratio: Tensor) -> None:
        """Before the first optimiser step the policy is still the one that was scored."""
        gap = float(log_ratio.detach().abs().max())
        if not gap <= STEP_ZERO_TOLERANCE[self.backbone.dtype]:
            raise Conflict(
                f"Before the first optimiser step the log-ratios must be 0, but one is {gap:.2g}: "
                "what was scored is not what is trained."
            )

    @torch.no_grad()
    def _whole_step(self, batch: Rollouts, plan: list[list[Layout]]) -> Tally:
        """How far the whole iteration moved the policy: mean divergence per token, over all answer tokens."""
        tally, new_old = Tally(), self.config.kl_step_direction == "new_old"

        def work(layout: Layout) -> Tensor:
            self._look_up()
            logprob, _ = self.roles.logprobs(self.roles.states("policy", layout), layout)
            log_ratio = rl_math.log_ratio(logprob, _take(batch.old_logprobs, batch.flat(layout)))
            return rl_math.kl_new_old(log_ratio) if new_old else rl_math.kl_old_new(log_ratio)

        with self.ranks.alike(*OUT_OF_MEMORY):
            for kl in self.backbone.cores.map(work, [layout for minibatch in plan for layout in minibatch]):
                tally.mean_of("policy/kl_step_per_token_nats", kl.sum(), kl.numel())
        return tally.over(self.ranks)

    def _watch(self, seen: Mapping[str, float], batch: Rollouts) -> dict[str, float]:
        """Show the guard the policy that gave these answers; returns the judge's metrics when it was its turn."""
        judged = self._judged() if self.judge and self.iteration % self.judge.every == 0 else {}
        self.watch.look(seen, judged, self.iteration, self._phrase(batch))
        return judged

    def _judged(self) -> dict[str, float]:
        """The judge's metrics of the policy as it is now, which is kept if none before it was better."""
        assert self.judge is not None
        judge = self.judge
        everybody = range(len(judge.prompts))
        batch = self.budget.attempt(lambda: self._answers(everybody, judge.prompts, (self.seed, JUDGED)))
        self._scored(batch)
        self._look_up_together()
        found = self.budget.attempt(lambda: judge.numbers(batch), self._spread_budget)
        self.watch.keep_best(found["judge/score"], self.iteration)
        return found

    def end(self) -> dict[str, float]:
        """Turn the policy into the one to be saved; returns the metrics of its answers (`reports.about_answers`).
        Raises Stopped when asked to stop.
        """
        if self.judge:
            self._judged()
        self.watch.choose_judged()
        batch = self.measure()
        seen = self._about(batch)
        if self.watch.choose_healthy(seen, self.iteration, self._phrase(batch)):
            seen = self._about(self.measure())
        return seen

    # -- save and resume ------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and numbers from which `restore` goes on bit for bit."""
        tensors, scalars = self.roles.state()
        scalars |= {
            "iteration": self.iteration,
            "budget": self.budget.tokens,
            "watch": self.watch.state_dict(),
            "leash": self.leash.state_dict(),
            "step_rule": self.step_rule.state_dict(),
            "backbone_sha256": self.backbone.digest(),
            "config": self.config.model_dump(mode="json", exclude={"devices"}),
        }
        return tensors, scalars

    def restore(self, tensors: dict[str, Tensor], scalars: dict[str, Any]) -> None:
        """Refuses the state of another backbone or config: reference and schedules would not be the same."""
        if scalars["backbone_sha256"] != self.backbone.digest():
            raise Conflict("The saved state belongs to a policy on another model; start the run over.")
        if scalars["config"] != self.config.model_dump(mode="json", exclude={"devices"}):
            raise Conflict("The saved state was made with other settings; start the run over.")
        self.roles.restore(tensors, scalars)
        self.iteration = scalars["iteration"]
        self.budget.tokens = scalars["budget"]
        self.watch.load_state_dict(scalars["watch"])
        self.leash.load_state_dict(scalars["leash"])
        self.step_rule.load_state_dict(scalars["step_rule"])

    @property
    def done(self) -> bool:
        """All iterations done, or ended by the guard or the limit on the KL."""
        return self.iteration >= self.config.iterations or bool(self.watch.stopped)

    def iterations(self) -> Iterator[tuple[dict[str, float], Rollouts]]:
        """To the end."""
        while not self.done:
            yield self.iterate()

    def measure(self) -> Rollouts:
        """Scored answers of the policy as it is now, to the prompts of the first round with the same random numbers:
        whatever differs from that round is the policy's doing.
        """
        batch = self.budget.attempt(lambda: self.rollout(0))
        self._scored(batch)
        return batch


def _take(table: Tensor, where: Tensor) -> Tensor:
    return table.view(-1)[where]


def _put(table: Tensor, where: Tensor, values: Tensor) -> None:
    table.view(-1)[where] = values.to(table.dtype)
