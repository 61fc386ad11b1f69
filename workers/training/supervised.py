"""The loop that pretrain, sft and reward_model share: optimiser steps over micro-batches, schedule, guard against bad
steps, saving, resuming, stopping. Knows no model and no loss: a `Task` has them.

The losses of a step's micro-batches are summed and divided by the weight of the whole step (its learnt tokens, say), so
how it is split changes nothing. With several ranks each learns from its share of a step's items and gradients are
summed: the step is the one that a single process would take. Where all weights are trained they are sharded among the
ranks, which then all run the same number of micro-batches.

Metrics it yields: `train/loss`, `train/learning_rate`, `train/gradient_norm`, `train/skipped_steps`, `train/epoch`,
`train/tokens_per_s`, `time/step_s`, and what the task adds. An event's step is the number of optimiser steps done.
"""

import hashlib
import json
import math
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from backend.domain.training import OptimiserConfig
from backend.errors import Invalid
from workers.training import state
from workers.training.budget import OUT_OF_MEMORY, TokenBudget
from workers.training.cores import Cores
from workers.training.digests import sha256_of
from workers.training.events import Event, Progress, StateSaved, StepMetrics, Warned
from workers.training.job import Job
from workers.training.ranks import Stopped
from workers.training.sharded import gathered, is_sharded, whole

Batch = TypeVar("Batch")
Sums = dict[str, tuple[float, float]]
"""Sums and counts by name; shown as means."""


class Task(Protocol[Batch]):
    """What is trained, on items numbered from 0 to `items`, with as many tokens at once as the budget allows."""

    items: int
    budget: TokenBudget
    cores: Cores

    def plan(self, items: Sequence[int], tokens_per_microbatch: int) -> list[Batch]:
        """The micro-batches of a step that learns from these items."""
        ...

    def weight(self, batch: Batch) -> float:
        """The batch's part of the step's divisor (its learnt tokens, say)."""
        ...

    def tokens(self, batch: Batch) -> int:
        """How many tokens the batch reads."""
        ...

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, tuple[float, float]]]:
        """The loss summed over the batch, and metrics as (sum, count), shown as means over the step."""
        ...

    def evaluate(self, step: int) -> Iterator[Event]:
        """Held-out numbers and samples, as events."""
        ...


KEPT_BY = {"lowest_loss": ("held_out/loss", -1.0), "highest_score": ("samples/score", 1.0)}
"""Which metric of an evaluation decides, and whether higher (1) or lower (-1) is better."""


@dataclass
class Kept:
    """An evaluation: the step it came after, its numbers, and the weights then, if they may be those that are saved."""

    step: int
    seen: dict[str, float]
    weights: list[Tensor] = field(default_factory=list)


@dataclass
class Plan:
    """Which items each step learns from: a random permutation for each epoch, `items_per_step` at a time."""

    items: int
    items_per_step: int
    epochs: float
    max_steps: int | None
    seed: int
    steps: int = field(init=False)
    _order: tuple[int, Tensor] | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self.drawn = max(1, round(self.items * self.epochs))
        steps = math.ceil(self.drawn / self.items_per_step)
        self.steps = min(steps, self.max_steps) if self.max_steps else steps

    def step_items(self, step: int) -> list[int]:
        """A function of the seed and the step alone, so there is nothing to save."""
        first, last = step * self.items_per_step, min((step + 1) * self.items_per_step, self.drawn)
        return [self._item(place) for place in range(first, last)]

    def _item(self, place: int) -> int:
        epoch, inside = divmod(place, self.items)
        if self._order is None or self._order[0] != epoch:
            draw = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            self._order = (epoch, torch.randperm(self.items, generator=draw))
        return int(self._order[1][inside])


def parameter_groups(named: Sequence[tuple[str, nn.Parameter]], weight_decay: float) -> list[dict[str, Any]]:
    """Matrices decay; vectors (norms, biases) and embeddings do not."""
    embeddings = ("embed", "wte.", "wpe.")  # GPT-2 calls its own by the last two
    decays = [(name, p) for name, p in named if p.ndim >= 2 and not any(part in name for part in embeddings)]
    chosen = {id(p) for _, p in decays}
    return [
        {"params": [p for _, p in decays], "weight_decay": weight_decay},
        {"params": [p for _, p in named if id(p) not in chosen], "weight_decay": 0.0},
    ]


def learning_rate_share(config: OptimiserConfig, step: int, steps: int) -> float:
    """The share of the learning rate that optimiser step `step` (the first is 0) of `steps` takes."""
    warmup = round(config.warmup_share * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    floor = config.final_learning_rate_share
    if config.schedule == "constant":
        return 1.0
    fall = 0.5 * (1 + math.cos(math.pi * done)) if config.schedule == "cosine" else 1 - done
    return floor + (1 - floor) * fall


def _add(sums: Sums, more: Sums) -> None:
    for name, (value, count) in more.items():
        before = sums.get(name, (0.0, 0.0))
        sums[name] = (before[0] + value, before[1] + count)


def _aside(parameter: Tensor) -> Tensor:
    """An empty tensor for a copy, in host memory unless the parameter is sharded: a GPU has none to spare."""
    return torch.empty_like(parameter, device=None if is_sharded(parameter) else "cpu", requires_grad=False)


class Loop(Generic[Batch]):
    """Trains `parameters` (name, tensor) at `task`. `run` yields events and returns whether it came to its end."""

    def __init__(
        self,
        job: Job,
        config: OptimiserConfig,
        task: Task[Batch],
        plan: Plan,
        named: Sequence[tuple[str, nn.Parameter]],
        *,
        evaluate_every_steps: int | None = None,
    ) -> None:
        """`evaluate_every_steps`: where a method wants held-out numbers more often than it was asked for."""
        self.job, self.config, self.task, self.plan, self.ranks = job, config, task, plan, job.ranks
        self.evaluate_every_steps = evaluate_every_steps or config.evaluate_every_steps
        self.parameters = [parameter for _, parameter in named]
        self.sharded = any(map(is_sharded, self.parameters))
        self.optimiser = torch.optim.AdamW(
            parameter_groups(named, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.999), fused=True
        )
        self.kept = Kept(0, {})
        """After `run`: the evaluation of the weights as they are then."""
        self._kept_by = KEPT_BY.get(getattr(config, "keep", "last"))
        self.step = 0
        self.evaluated = -1
        """The last step that was, or -1."""
        self.skipped = 0
        self.bad_in_a_row = 0
        self.budget = task.budget
        self.budget.can_repeat = not self.sharded

    def run(self) -> Generator[Event, None, bool]:
        """Resume where a saved state is, train to the end, evaluate on the way. The weights are then the best ones of
        all evaluations, where the config wants these.
        """
        self._resume()
        try:
            yield from self._steps()
        except Stopped:
            self._save()
            yield StateSaved(self.step)
            return False
        if self.kept.weights:
            yield from self._back_to_best()
        return True

    def _steps(self) -> Iterator[Event]:
        """Those that are left. Raises Stopped when asked to stop, with everything as it was before the step or the
        evaluation in which that was.
        """
        total = self.plan.steps
        yield Progress(self.step, total, "train")
        yield from self._evaluate()
        saved_at = time.monotonic()
        while self.step < total:
            values = self._one_step()
            yield StepMetrics(self.step, values)
            yield from self.budget.warnings(self.step)
            yield Progress(self.step, total, "train")
            yield from self._evaluate()
            # At the end too: whatever keeps the result from being stored, nothing is trained again.
            due = self.step == total or time.monotonic() - saved_at >= self.config.save_every_s
            if self.ranks.any(due):
                self._save()
                yield StateSaved(self.step)
                saved_at = time.monotonic()

    @torch.no_grad()
    def _back_to_best(self) -> Iterator[Event]:
        for parameter, weights in zip(self.parameters, self.kept.weights, strict=True):
            parameter.copy_(weights)
        if self.kept.step == 0:
            said = "No evaluation was better than the one before the first step, so the model is saved as it was. "
            yield Warned(self.step, "no_better", said + "Lower learning_rate, or look at what is held out.")

    def _evaluate(self) -> Iterator[Event]:
        """If it is time to, and not done yet."""
        if self.evaluated == self.step or (self.step < self.plan.steps and self.step % self.evaluate_every_steps):
            return
        events = self.budget.attempt(lambda: list(self.task.evaluate(self.step)))
        self._keep({name: x for one in events if isinstance(one, StepMetrics) for name, x in one.values.items()})
        self.evaluated = self.step
        yield from events
        yield from self.budget.warnings(self.step)

    @torch.no_grad()
    def _keep(self, seen: dict[str, float]) -> None:
        if self._kept_by is None or self._kept_by[0] not in seen:
            self.kept = Kept(self.step, seen)
            return
        name, sign = self._kept_by
        now, best = self.ranks.gather((seen[name], self.kept.seen.get(name, -sign * math.inf)))[0]
        if sign * now > sign * best:
            self.kept = Kept(self.step, seen, [_aside(parameter).copy_(parameter) for parameter in self.parameters])

    def _one_step(self) -> dict[str, float]:
        """One optimiser step, and its numbers."""
        started = time.perf_counter()
        share = learning_rate_share(self.config, self.step, self.plan.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * share
        sums = self._gradients()
        norm = float(whole(nn.utils.clip_grad_norm_(self.parameters, self.config.gradient_clip_norm)))
        tokens = sums.pop("tokens")
        if math.isfinite(norm) and math.isfinite(sums["train/loss"]):
            self.optimiser.step()
            self.bad_in_a_row = 0
        else:
            self.skipped += 1
            self.bad_in_a_row += 1
        self.optimiser.zero_grad(set_to_none=True)
        if self.bad_in_a_row >= min(self.config.max_bad_steps, self.plan.steps):
            raise Invalid(
                f"The loss or its gradient was not a finite number {self.bad_in_a_row} steps in a row; the run was "
                f"stopped at step {self.step}. Lower learning_rate (now {self.config.learning_rate:g})."
            )
        self.step += 1
        seconds = time.perf_counter() - started
        return sums | {
            "train/learning_rate": self.config.learning_rate * share,
            "train/gradient_norm": norm,
            "train/skipped_steps": float(self.skipped),
            "train/epoch": min(self.step * self.plan.items_per_step, self.plan.drawn) / self.plan.items,
            "train/tokens_per_s": tokens / seconds,
            "time/step_s": seconds,
        }

    def _gradients(self) -> dict[str, float]:
        """The step's gradient, left in the parameters, and its sums over the weight."""
        items = self.ranks.share(self.plan.step_items(self.step))

        def work() -> dict[str, float]:
            batches = self.task.plan(items, self.budget.tokens)
            self.budget.note(self.task.cores.count * max(map(self.task.tokens, batches), default=0))
            return self._accumulate(batches)

        return self.budget.attempt(work, before_again=lambda: self.optimiser.zero_grad(set_to_none=True))

    def _accumulate(self, batches: Sequence[Batch]) -> dict[str, float]:
        """The gradients of these batches, and of the other ranks' ones; their sums over the whole step's weight."""
        everybodys = self.ranks.gather((sum(self.task.weight(batch) for batch in batches), len(batches)))
        weight, most = sum(weight for weight, _ in everybodys), max(count for _, count in everybodys)
        losses = []
        sums: Sums = {}
        at_once = self.task.cores.count

        def work(batch: Batch) -> tuple[Tensor, tuple[Tensor, Sums]]:
            loss, more = self.task.loss(batch)
            return loss / weight, (loss.detach(), more)

        for start in range(0, most, at_once):
            if self.ranks.any(self.job.should_stop()):
                self.optimiser.zero_grad(set_to_none=True)
                raise Stopped
            with nullcontext() if self.sharded else self.ranks.alike(*OUT_OF_MEMORY):
                for loss, more in self.task.cores.learn(work, batches[start : start + at_once], self.parameters):
                    losses.append(loss)
                    _add(sums, more)
            if self.sharded and start >= len(batches):
                (0.0 * self.task.loss(self._any_batch())[0]).backward()  # type: ignore[no-untyped-call]
        if not self.sharded:
            self.ranks.add_gradients(self.parameters)
        total = float(torch.stack(losses).sum()) if losses else 0.0
        _add(sums, {"train/loss": (total, 0.0), "tokens": (float(sum(map(self.task.tokens, batches))), 0.0)})
        found: Sums = {}
        for theirs in self.ranks.gather(sums):
            _add(found, theirs)
        total, tokens = found.pop("train/loss")[0] / weight, found.pop("tokens")[0]
        means = {name: value / count for name, (value, count) in found.items() if count}
        return {"train/loss": total, "tokens": tokens} | means

    def _any_batch(self) -> Batch:
        """For a rank that has nothing more to learn in a step in which others have."""
        return self.task.plan(self.plan.step_items(self.step)[:1], self.config.tokens_per_microbatch)[0]

    # -- state ----------------------------------------------------------------------------------------------------

    def _belongs_to(self) -> str:
        """Changes when the state would be continued under other settings or other data."""
        config = self.config.model_dump(mode="json", exclude={"devices"})
        about = [config, self.job.seed, self.plan.items, self.plan.steps]
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()

    def _save(self) -> None:
        tensors = state.parameter_tensors(self.parameters) | state.optimiser_tensors(self.optimiser)
        tensors |= state.parameter_tensors(self.kept.weights, "kept/")
        scalars = {
            "step": self.step,
            "evaluated": self.evaluated,
            "skipped": self.skipped,
            "bad_in_a_row": self.bad_in_a_row,
            "budget": self.budget.tokens,
            "kept": [self.kept.step, self.kept.seen],
            "belongs_to": self._belongs_to(),
        }
        if self.ranks.world > 1 and not self.sharded:
            self.ranks.check_same(sha256_of(tensors.items()))
        tensors = gathered(tensors, keep=self.ranks.first)
        if self.ranks.first:
            state.save(self.job.state, tensors, scalars)

    def _resume(self) -> None:
        saved = state.load(self.job.state)
        if saved is None:
            return
        if saved.scalars["belongs_to"] != self._belongs_to():
            raise Invalid(
                "The saved state belongs to other settings or other data; start a new run instead of resuming."
            )
        state.load_parameters(self.parameters, saved.tensors)
        state.load_optimiser(self.optimiser, saved.tensors)
        self.kept = Kept(*saved.scalars["kept"])
        if "kept/0" in saved.tensors:
            self.kept.weights = [_aside(parameter) for parameter in self.parameters]
            state.load_parameters(self.kept.weights, saved.tensors, "kept/")
        self.step, self.evaluated = saved.scalars["step"], saved.scalars["evaluated"]
        self.skipped = saved.scalars["skipped"]
        self.bad_in_a_row, self.budget.tokens = saved.scalars["bad_in_a_row"], saved.scalars["budget"]
        state.restore_random_states(saved)
