"""A saved state is whole, exact and the newest one, whenever its writer died."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.errors import Invalid
from workers.training import state


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
