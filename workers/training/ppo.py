"""PPO, and REINFORCE which it grows from, on the score of whole answers with a leash to the reference.

One iteration (Ziegler et al. 2019, arXiv:1909.08593; Schulman et al. 2017, arXiv:1707.06347):

1. the policy pi_k answers prompts;
2. each answer gets its score r(x, y), each token its log-probability under pi_k and under the reference;
3. R_t = -lambda log(pi_k / pi_base)_t, plus the score at the last token; advantages by GAE from a critic, or from the
   mean of other answers (no critic);
4. `epochs` passes of `minibatches` optimiser steps on the clipped ratio, the ratio with a KL penalty of weight beta, or
   the plain policy gradient; the critic learns the returns;
5. lambda and beta move, each by its own rule.

Beside it a guard looks at the answers for signs that the policy cheats its reward, and a judge, where there is one,
scores answers to held-out prompts: the policy that it likes best is the one that is saved (`watch`).

Policy, reference, critic and reward model are roles on one frozen backbone (`backbone`). Everything random hangs on
(seed, iteration), so a resumed run goes on bit for bit. Of several ranks each answers, scores and learns from its share
of the rows; what is known of them is put together again before anything is made of it, so advantages, controllers,
guard and judge see the whole round everywhere.
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
from workers.training.backbone import Backbone, sha256_of
from workers.training.batches import Layout
from workers.training.budget import OUT_OF_MEMORY, TokenBudget
from workers.training.controllers import FixedKL, LeashController, SchulmanStep, ZieglerLeash
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
"""Stands for the iteration in what seeds the answers to the judge's prompts."""
STEP_ZERO_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""How far from 0 the log-ratios may be before the first step; on a CPU they are 0 to the last bit."""


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
        """prompts: token ids. stop_ids: what ends an answer, where not the backbone's own. engine: who draws answers
        instead of our own sampler. should_stop: asked again and again, also within an iteration.
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
        """Those that give rewards, and the one that judges."""
        judge = self.judge and self.judge.scorer
        return [*self.rewards.models, *([judge] if isinstance(judge, RewardModel) else [])]

    def frozen(self) -> str:
        """The digest of everything that training must not change."""
        return self.backbone.fingerprint() + "".join(sha256_of(one.tensors().items()) for one in self.reward_models)

    # -- one iteration --------------------------------------------------------------------------------------------

    def iterate(self) -> tuple[dict[str, float], Rollouts]:
        """The numbers of the iteration (`reports.metrics` names them) and its answers. Raises Stopped, with everything
        as it was before, when asked to stop: an iteration may take long, and can be done again to the same bits.
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
        batch = self.budget.attempt(self.rollout)
        rolled_out = time.perf_counter()
        plan = self._scored(batch)
        wait(batch.device)
        scored = time.perf_counter()
        seen = self._about(batch)
        judged = self._watch(seen, batch)
        watched = time.perf_counter()
        tally = Tally()
        linear = config.schedule == "linear"  # once an iteration, from where the run stands: nothing to save
        self.roles.set_learning_rates(1.0 - self.iteration / config.iterations if linear else 1.0)
        if not self.watch.stopped:
            self._advantages(batch)
            self._update(batch, plan, tally)
            self.leash.update(seen["objective/kl_base_per_seq_nats"], len(batch))
            if config.objective == "kl_penalty":
                self.step_rule.update(tally.mean("policy/kl_step_per_token_nats"))
        wait(batch.device)
        updated = time.perf_counter()
        values = reports.about_learning(batch, tally.means())
        self.watch.look_at_learning(values, self.iteration)
        self.iteration += 1
        values |= seen
        values |= judged
        if self.engine:
            values |= self.engine.seen
        elif self.backbone.graphs:
            values["rollout/graphs"] = float(self.backbone.graphs.used)
        values |= {
            "objective/lambda_kl": self.leash.coefficient,
            "policy/beta": self.step_rule.coefficient,
            "policy/beta_clamped": float(self.step_rule.clamped),
            "policy/learning_rate": self.roles.policy_optimiser.param_groups[0]["lr"],
            "policy/bad_steps": float(self.roles.bad_steps),
            "time/rollout_s": rolled_out - started,
            "time/scoring_s": scored - rolled_out,
            "time/judge_s": watched - scored,
            "time/update_s": updated - watched,
        }
        values |= reports.floor_shares(self._floor(batch, values.get("policy/epochs", 0.0)), values)
        return values, batch

    def rollout(self, iteration: int | None = None) -> Rollouts:
        """Answers to the next prompts of the stream, or to those of an iteration with its random numbers. The answers
        to one prompt are neighbours.
        """
        number = self.iteration if iteration is None else iteration
        each = self.config.samples_per_prompt
        count = self.config.episodes_per_iteration // each
        source = [index for index in self.prompts.take(number * count, count) for _ in range(each)]
        return self._answers(source, self.prompts.prompts, (self.seed, number))

    def _answers(self, source: Sequence[int], among: Sequence[list[int]], key: tuple[int, int]) -> Rollouts:
        """Answers of the policy to the prompts at `source`, with random numbers of their own."""
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
        """Score answers; returns the micro-batches in which they were."""

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
        """Scores, and for each token the log-probability under policy and reference and the critic's expectation.

        The old log-probabilities come from the forward that the update will use, over the same micro-batches, so that
        before the first step the ratio is 1 to the last bit; those of the sampler only tell how far it is off.
        """
        roles = self.roles
        scores = torch.zeros(len(batch), device=batch.device)  # of the reward model that the critic reads
        if roles.linear:
            read = roles.reads.backbone if roles.reads else self.backbone
            size, dtype = read.hidden_size, read.dtype
            batch.read = torch.zeros(batch.mask.numel(), size, dtype=dtype, device=batch.device)

        def work(layout: Layout) -> None:
            self._look_up()
            where = batch.flat(layout)
            states = roles.states("policy", layout)
            logprob, entropy = roles.logprobs(states, layout)
            _put(batch.old, where, logprob)
            _put(batch.entropy, where, entropy)
            base = roles.states(None, layout)
            _put(batch.base, where, roles.logprobs(base, layout)[0])
            if roles.reads and batch.read is not None:
                scores[layout.rows], batch.read[where] = roles.reads.read(layout)
            elif batch.read is not None:
                batch.read[where] = base
            if roles.critic:
                _put(batch.values, where, roles.values(layout))

        with self.ranks.alike(*OUT_OF_MEMORY):
            self.backbone.cores.map(work, [layout for minibatch in plan for layout in minibatch])
        self.ranks.add_up([batch.old, batch.base, batch.entropy, batch.values, scores])  # zeros where others computed
        if batch.read is not None:
            self.ranks.add_up([batch.read])
        self._look_up_together()
        known: dict[Scorer, Tensor] = {roles.reads: scores} if roles.reads else {}
        raw, batch.score_parts = self.rewards(batch.sequences, batch.prompt_lengths, self.ranks, known=known)
        batch.raw_scores = raw.to(batch.device)
        bound = self.config.score_clip
        batch.scores = batch.raw_scores.clamp(-bound, bound) - self.config.missing_end_penalty * batch.cut

    def _advantages(self, batch: Rollouts) -> None:
        config, mask = self.config, batch.mask
        batch.rewards = rl_math.token_rewards(batch.scores, batch.kl, mask, self.leash.coefficient)
        received = rl_math.returns_to_go(batch.rewards, mask, discount=config.discount)
        if self.roles.linear and batch.read is not None:
            half = int(mask[: len(batch) // 2].sum())
            batch.values[mask] = self.roles.linear(batch.read[mask.flatten()], received[mask], half)
            batch.read = None  # the largest part of a round, and a round is there until the next one is scored
        if config.advantage_estimator == "gae":
            batch.raw_advantages, batch.returns = rl_math.gae(
                batch.rewards, batch.values, mask, discount=config.discount, gae_lambda=config.trust
            )
        else:
            batch.returns = received
        if config.advantage_estimator == "group_relative":
            relative = rl_math.group_relative(batch.returns[:, 0], group=config.samples_per_prompt)
            batch.raw_advantages = torch.where(mask, relative.unsqueeze(1), 0)
        elif config.advantage_estimator != "gae":
            group = len(batch) if config.advantage_estimator == "batch_mean" else config.samples_per_prompt
            baselines = rl_math.baseline_of_others(batch.returns[:, 0], group=group)
            batch.raw_advantages = rl_math.reinforce_weights(batch.rewards, baselines, mask, discount=config.discount)
        raw = batch.raw_advantages
        batch.advantages = rl_math.whiten(raw, mask) if config.whiten_advantages else raw
        if config.engine:
            batch.weights = rl_math.importance_weights(batch.old, batch.behaviour, cap=config.engine.weight_cap)
            batch.advantages = batch.advantages * batch.weights
        batch.learnt = True

    def _update(self, batch: Rollouts, plan: list[list[Layout]], tally: Tally) -> None:
        """Exactly epochs x minibatches optimiser steps, unless a pass went too far."""
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
            tally.replace("policy/kl_step_per_token_nats", passed)  # that of the last pass
            limit = config.kl_step_stop_per_token_nats
            if limit is not None and passed.mean("policy/kl_step_per_token_nats") > 1.5 * limit:
                break
        assert steps == epochs * config.minibatches, "every pass takes one optimiser step for each minibatch"
        if config.objective == "kl_penalty":  # the rule for beta needs the whole step, after the last update
            whole = self.budget.attempt(lambda: self._whole_step(batch, self._minibatches(batch, epoch=0)))
            tally.replace("policy/kl_step_per_token_nats", whole)
        if self.roles.linear:
            loss = rl_math.value_loss(batch.values, batch.values, batch.returns, clip_range=None)[batch.mask]
            tally.mean_of("value/loss", loss.sum(), loss.numel())
        tally.count("policy/optimiser_steps", steps)
        tally.count("policy/epochs", epochs)

    def _step(
        self, batch: Rollouts, plan: list[list[Layout]], number: int, tally: Tally, *, epoch: int, first: bool
    ) -> None:
        """One optimiser step of the policy and one of the critic. Where memory runs out, `plan` becomes finer."""

        def finer() -> None:
            nonlocal first
            first = False  # in low precision, answers in other company than they were scored in round otherwise
            self.roles.drop_gradients()
            plan[:] = self._minibatches(batch, epoch=epoch)

        total = sum(self.ranks.gather(sum(batch.tokens(layout.rows) for layout in plan[number])))

        def gradients() -> Tally:
            with self.ranks.alike(*OUT_OF_MEMORY):
                return self._gradients(batch, plan[number], total, first=first)

        tally.add(self.budget.attempt(gradients, finer))
        self.roles.optimise(tally)

    def _gradients(self, batch: Rollouts, minibatch: list[Layout], total: int, *, first: bool) -> Tally:
        """The gradients of both roles, left in the parameters, by the mean over the minibatch's `total` tokens."""
        config, roles, learn = self.config, self.roles, self.backbone.cores.learn

        def policy(layout: Layout) -> tuple[Tensor, Tally]:
            self._look_up()
            where, tally = batch.flat(layout), Tally()
            states = roles.states("policy", layout)
            logprob, entropy = roles.logprobs(states, layout, entropy_gradient=config.entropy_coefficient > 0)
            ratio = rl_math.log_ratio(logprob, _take(batch.old, where))
            if first:
                self._check_ratio(ratio)
            loss = self._policy_loss(logprob, ratio, _take(batch.advantages, where))
            tally.of_policy(loss, ratio, config)
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

        # One role after the other, each forward with its backward.
        tallies = learn(policy, minibatch, roles.policy)
        if roles.critic:
            tallies += learn(critic, minibatch, roles.critic)
        whole = Tally()
        for tally in tallies:
            whole.add(tally)
        return whole

    def _policy_loss(self, logprob: Tensor, ratio: Tensor, advantages: Tensor) -> Tensor:
        config = self.config
        if config.objective == "clip":
            return rl_math.clipped_loss(ratio, advantages, clip_range=config.clip_range)
        if config.objective == "kl_penalty":
            return rl_math.kl_penalty_loss(
                ratio, advantages, coefficient=self.step_rule.coefficient, direction=config.kl_step_direction
            )
        return rl_math.policy_gradient_loss(logprob, advantages)

    def _about(self, batch: Rollouts) -> dict[str, float]:
        return reports.about_answers(batch, [self.codec.decode(answer.ids) for answer in batch.answers], self.config)

    def _phrase(self, batch: Rollouts) -> str:
        return self.codec.decode(reports.commonest_phrase(batch)).strip()

    def _floor(self, batch: Rollouts, epochs: float) -> Floor:
        """The least seconds that an iteration over these answers takes here."""
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
        """From work: whether to stop. Where there are ranks, within `alike`."""
        if self.should_stop():
            raise Stopped

    def _look_up_together(self) -> None:
        """Between two pieces of it, in all ranks."""
        if self.ranks.any(self.should_stop()):
            raise Stopped

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
        tally, new_old = Tally(), self.config.kl_step_direction == "new_old"

        def work(layout: Layout) -> Tensor:
            self._look_up()
            logprob, _ = self.roles.logprobs(self.roles.states("policy", layout), layout)
            ratio = rl_math.log_ratio(logprob, _take(batch.old, batch.flat(layout)))
            return rl_math.kl_new_old(ratio) if new_old else rl_math.kl_old_new(ratio)

        with self.ranks.alike(*OUT_OF_MEMORY):
            for kl in self.backbone.cores.map(work, [layout for minibatch in plan for layout in minibatch]):
                tally.mean_of("policy/kl_step_per_token_nats", kl.sum(), kl.numel())
        return tally.over(self.ranks)

    def _watch(self, seen: Mapping[str, float], batch: Rollouts) -> dict[str, float]:
        """Let who watches look at the policy that gave these answers; the judge's numbers, if it was its turn."""
        judged = self._judged() if self.judge and self.iteration % self.judge.every == 0 else {}
        self.watch.look(seen, judged, self.iteration, self._phrase(batch))
        return judged

    def _judged(self) -> dict[str, float]:
        """The judge's numbers of the policy as it is now, which is kept if there was no better one."""
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
        """Make the policy the one to be saved; what its answers are like, as in `reports.about_answers`. Raises Stopped
        when asked to stop.
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
        """Refuses a state of another backbone or another config: the reference and the schedules would be others."""
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
        """At the end of the config, or of the leash."""
        return self.iteration >= self.config.iterations or bool(self.watch.stopped)

    def iterations(self) -> Iterator[tuple[dict[str, float], Rollouts]]:
        """To the end."""
        while not self.done:
            yield self.iterate()

    def measure(self) -> Rollouts:
        """Scored answers of the policy as it is now, drawn as those of the first round were: what differs from these is
        its doing, and not that of other prompts.
        """
        batch = self.budget.attempt(lambda: self.rollout(0))
        self._scored(batch)
        return batch


def _take(table: Tensor, where: Tensor) -> Tensor:
    return table.view(-1)[where]


def _put(table: Tensor, where: Tensor, values: Tensor) -> None:
    table.view(-1)[where] = values.to(table.dtype)
