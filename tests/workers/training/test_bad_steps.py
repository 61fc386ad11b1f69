"""A step whose numbers are not finite changes nothing, is counted, also over a resume, and too many end the run."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from backend.errors import Invalid
from tests.workers.training import runs_of_all_kinds as runs
from workers.training import ppo, state, supervised
from workers.training.controllers import ZieglerLeash
from workers.training.events import Result, StateSaved, StepMetrics


def everything(parameters: list[Any], *optimisers: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Copies of all weights and moments."""
    held = state.parameter_tensors(parameters)
    for number, optimiser in enumerate(optimisers):
        held |= state.optimiser_tensors(optimiser, f"{number}/")
    return {name: tensor.detach().clone() for name, tensor in held.items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", runs.SUPERVISED)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_supervised_step(
    kind: str, bad: float, tmp_path: Path, models: runs.Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = supervised.Loop._accumulate
    held: list[dict[str, Tensor]] = []
    poisoned = {2}

    def accumulate(self: supervised.Loop[Any], batches: Any) -> Any:
        held.append(everything(self.parameters, self.optimiser))
        sums = original(self, batches)
        if self.step in poisoned and sums is not None:
            next(p.grad for p in self.parameters if p.grad is not None)[0] = bad
        return sums

    monkeypatch.setattr(supervised.Loop, "_accumulate", accumulate)
    events = list(runs.train(runs.job(kind, tmp_path / "one", models)))
    assert equal(held[2], held[3]) and not equal(held[1], held[2]) and not equal(held[3], held[4])
    assert isinstance(events[-1], Result) and events[-1].values["train/skipped_steps"] == 1.0

    job = runs.job(kind, tmp_path / "two", models, save_every_s=0.0)
    for event in runs.train(job):
        if isinstance(event, StateSaved) and event.step == 3:
            break
    (*_, last) = runs.train(job)
    assert isinstance(last, Result) and last.values["train/skipped_steps"] == 1.0

    poisoned |= set(range(10))
    with pytest.raises(Invalid, match="2 steps in a row"):
        list(runs.train(runs.job(kind, tmp_path / "three", models, max_bad_steps=2)))


@pytest.mark.parametrize("kind", ["reward_model", "ppo"])
def test_a_run_that_took_no_step_at_all_has_no_result(
    kind: str, tmp_path: Path, models: runs.Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few its steps are beside max_bad_steps."""
    norm = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *args: norm(*args) * torch.nan)
    few = {"max_steps": 2} if kind == "reward_model" else {"iterations": 1, "epochs": 1}
    with pytest.raises(Invalid, match=r"2 (optimiser )?steps in a row"):
        list(runs.train(runs.job(kind, tmp_path, models, **few)))


@pytest.mark.parametrize("estimator", ["gae", "batch_mean"])
def test_a_step_of_ppo(estimator: str, tmp_path: Path, models: runs.Models, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both roles stay where they were, though only one had a bad gradient; so do lambda and beta of a bad round."""
    original = ppo.PPO._gradients
    held: list[dict[str, Tensor]] = []

    def gradients(self: ppo.PPO, *args: Any, **rest: Any) -> Any:
        roles = self.roles
        optimisers = [roles.policy_optimiser, *([roles.value_optimiser] if roles.has_critic else [])]
        held.append(everything([*roles.policy, *roles.critic], *optimisers))
        tally = original(self, *args, **rest)
        if len(held) == 3:
            grad = roles.policy[0].grad
            assert grad is not None
            grad[0] = float("nan")
        return tally

    monkeypatch.setattr(ppo.PPO, "_gradients", gradients)
    events = list(runs.train(runs.job("ppo", tmp_path, models, advantage_estimator=estimator)))
    assert isinstance(events[-1], Result)
    assert equal(held[2], held[3]) and not equal(held[1], held[2]) and not equal(held[3], held[4])
    counted = [event.values["policy/bad_steps"] for event in events if isinstance(event, StepMetrics)]
    assert counted[-1] == 1.0 and sorted(counted) == counted


def test_lambda_survives_a_divergence_that_is_no_number() -> None:
    leash = ZieglerLeash(0.1, 6.0, 100.0)
    leash.update(float("nan"), 10)
    assert leash.coefficient == 0.1
    leash.update(float("inf"), 10)
    assert leash.coefficient == pytest.approx(0.1 * 1.02)
