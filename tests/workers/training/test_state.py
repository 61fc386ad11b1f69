"""A saved state is whole, exact and the newest one, whenever its writer died."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from backend.errors import Invalid
from tests.workers.training import runs_of_all_kinds as runs
from workers.training import state
from workers.training.events import StateSaved, StepMetrics


def test_a_state_comes_back_exactly_with_its_random_numbers(tmp_path) -> None:
    torch.manual_seed(3)
    random.seed(3)
    tensors = {"a": torch.randn(3, 4), "b": torch.tensor(7), "c": torch.randn(2, 2).to(torch.bfloat16)}
    scalars = {"step": 12, "beta": 0.1 + 0.2, "nested": {"x": [1, 2.5, None]}, "lost": float("inf")}
    state.save(tmp_path, tensors, scalars)
    expected = torch.randn(5), random.random()
    found = state.load(tmp_path)
    assert found is not None
    state.restore_random_states(found)
    assert found.scalars == scalars
    assert found.tensors.keys() == tensors.keys()
    assert all(torch.equal(found.tensors[name], tensors[name]) for name in tensors)
    assert torch.equal(torch.randn(5), expected[0]) and random.random() == expected[1]
    assert sorted(os.listdir(tmp_path)) == [state.FILE]


def test_nothing_saved_is_nothing_and_a_damaged_file_is_named(tmp_path) -> None:
    assert state.load(tmp_path) is None
    assert state.load(tmp_path / "not there") is None
    state.save(tmp_path, {"a": torch.zeros(1000)}, {})
    path = tmp_path / state.FILE
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Invalid, match=r"cannot be read.*start the run over"):
        state.load(tmp_path)


def test_a_state_of_another_version_is_refused_in_plain_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state.save(tmp_path, {"a": torch.zeros(1)}, {"nested": {"x": 1}})
    found = state.load(tmp_path)
    assert found is not None and found.scalars["nested"]["x"] == 1 and found.scalars.get("more") is None
    for missing in (found.tensors, found.scalars, found.scalars["nested"]):
        with pytest.raises(Invalid, match=r"another version of Podium.*has no more.*Start the run over"):
            missing["more"]
    monkeypatch.setattr(state, "VERSION", state.VERSION + 1)
    with pytest.raises(Invalid, match=r"another version of Podium.*Start the run over"):
        state.load(tmp_path)
    save_file({"a": torch.zeros(1)}, tmp_path / state.FILE, metadata={"scalars": "{}"})  # before there were versions
    with pytest.raises(Invalid, match=r"another version of Podium.*Start the run over"):
        state.load(tmp_path)


SAVED = {
    "sft": "bad_in_a_row belongs_to budget evaluated kept skipped step",
    "ppo": "backbone_sha256 bad_steps bad_steps_in_a_row budget config iteration kept leash leash.coefficient start "
    "step_rule step_rule.clamped step_rule.coefficient watch watch.best watch.gave_way watch.guard watch.guard.far "
    "watch.guard.judged watch.guard.liked watch.guard.recent watch.guard.said watch.guard.start watch.healthy_at "
    "watch.stopped",
}
"""What trainers save, for VERSION 5: where this no longer is true, VERSION must be another."""


@pytest.mark.parametrize("kind", SAVED)
def test_a_trainer_refuses_a_state_that_lacks_anything_of_what_it_saves(
    kind: str, tmp_path: Path, models: runs.Models
) -> None:
    job = runs.job(kind, tmp_path, models, save_every_s=0.0)
    for event in runs.train(job):
        if isinstance(event, StateSaved):
            break
    whole = state.load(tmp_path / "state")
    assert whole is not None
    names = [name for name, _ in _named(whole.scalars)]
    assert (" ".join(sorted(names)), state.VERSION) == (SAVED[kind], 5)
    tensors = [name for name in whole.tensors if name.endswith("/0") and name != "kept/0"]
    for name in (*names, *tensors):
        lacking = {one: tensor for one, tensor in whole.tensors.items() if one != name}
        state.save(tmp_path / "state", lacking, _without(whole.scalars, name))
        with pytest.raises(Invalid, match=f"another version of Podium.*has no {name.rpartition('.')[2]}"):
            next(event for event in runs.train(job) if isinstance(event, StepMetrics))


def _named(scalars: dict[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    """Every name of a state, but for those in what hangs on the run."""
    for name, value in scalars.items():
        yield within + name, value
        if isinstance(value, dict) and name not in ("config", "start", "recent", "far"):
            yield from _named(value, f"{within}{name}.")


def _without(scalars: dict[str, Any], name: str) -> dict[str, Any]:
    first, _, rest = name.partition(".")
    if not rest:
        return {one: value for one, value in scalars.items() if one != first}
    return {**scalars, first: _without(scalars[first], rest)}


def test_a_writer_killed_at_any_moment_leaves_a_whole_state(tmp_path) -> None:
    rng = random.Random(0)
    last = -1
    for _ in range(25):
        child = os.fork()
        if child == 0:
            _save_for_ever(tmp_path, last + 1)
        while last == -1 and not (tmp_path / state.FILE).exists():
            time.sleep(0.001)
        time.sleep(rng.uniform(0.001, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = state.load(tmp_path)
        assert found is not None
        step = found.scalars["step"]
        assert step >= last
        assert all(torch.equal(t, torch.full((20_000,), float(step))) for t in found.tensors.values())
        assert os.listdir(tmp_path) == [state.FILE]
        last = step
    assert last >= 0


def _save_for_ever(folder: Path, step: int) -> None:
    """The child: consistent states, as fast as they can be written, until it is killed."""
    try:
        while True:
            tensors = {name: torch.full((20_000,), float(step)) for name in ("a", "b", "c")}
            state.save(folder, tensors, {"step": step})
            step += 1
    finally:
        os._exit(1)


def test_an_optimiser_goes_on_as_if_never_stopped(tmp_path) -> None:
    def problem():
        torch.manual_seed(0)
        weights = [
            torch.nn.Parameter(torch.randn(4, 3)),
            torch.nn.Parameter(torch.randn(3)),
            torch.nn.Parameter(torch.zeros(2)),
        ]
        groups: list[dict[str, Any]] = [{"params": weights[:1], "weight_decay": 0.1}, {"params": weights[1:]}]
        return weights, torch.optim.AdamW(groups, lr=0.1)

    def step(weights, optimiser, number):
        draw = torch.Generator().manual_seed(number)
        for weight in weights[:2]:  # the last one never has a gradient, so the optimiser knows nothing of it
            weight.grad = torch.randn(weight.shape, generator=draw)
        optimiser.step()

    weights, optimiser = problem()
    for number in range(6):
        if number == 3:
            state.save(tmp_path, state.optimiser_tensors(optimiser) | state.parameter_tensors(weights), {})
        step(weights, optimiser, number)
    again, fresh = problem()
    found = state.load(tmp_path)
    assert found is not None
    state.load_parameters(again, found.tensors)
    state.load_optimiser(fresh, found.tensors)
    for number in range(3, 6):
        step(again, fresh, number)
    assert all(torch.equal(a, b) for a, b in zip(weights, again, strict=True))


@pytest.mark.parametrize(("fused", "device"), [(True, "meta"), (False, "cpu")])
def test_a_fused_optimiser_counts_its_steps_where_its_parameters_are(fused: bool, device: str) -> None:
    """Its one kernel reads them there, and a saved state comes from the CPU."""
    parameter = torch.nn.Parameter(torch.zeros(3, device="meta"))
    optimiser = torch.optim.AdamW([parameter])
    optimiser.defaults["fused"] = fused
    saved = {"step": torch.tensor(7.0), "exp_avg": torch.ones(3), "exp_avg_sq": torch.ones(3)}
    state.load_optimiser(optimiser, {f"optimiser/0/{name}": value for name, value in saved.items()})
    held = optimiser.state[parameter]
    assert {name: value.device.type for name, value in held.items()} == {
        "step": device, "exp_avg": "meta", "exp_avg_sq": "meta"
    }  # fmt: skip
    assert held["step"].dtype == torch.float32
