"""Memory that runs out: half the tokens at once, once in a run, said aloud, kept over a resume, and the same end."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.workers.training import runs_of_all_kinds as runs
from workers.training import output, state
from workers.training.backbone import Backbone
from workers.training.budget import TokenBudget
from workers.training.events import Result, StepMetrics, Warned
from workers.training.memory import is_out_of_memory

NO_MEMORY = "[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 GB"


TRIED = """
import resource, sys
from pathlib import Path
import torch
from workers.training.budget import TokenBudget
from workers.training.launch import in_plain_words

def work():
    graph, kept = torch.ones(1, requires_grad=True), []
    while not budget.halved:
        if sys.argv[1] == "small":
            graph = -graph  # remembers where it comes from, and nothing else
        else:
            kept.append(torch.ones(100_000))
    return budget.tokens

budget, place = TokenBudget(8), Path()
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 2**26, size + 2**26))
print(budget.attempt(work), end="")
budget.tokens = 8
try:
    work()
except Exception as error:
    print(type(error).__name__, error, in_plain_words(error, place))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a process is held to so much memory by Linux alone")
@pytest.mark.parametrize(("what", "said"), [("small", "std::bad_alloc"), ("large", "can't allocate memory")])
def test_what_torch_says_when_memory_really_runs_out_is_understood(what: str, said: str) -> None:
    command = [sys.executable, "-c", TRIED, what]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=True).stdout
    assert found.startswith("4RuntimeError") and said in found and "There is not enough memory for this run" in found


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError(NO_MEMORY),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    ],
)
def test_half_once_and_the_second_time_is_an_error(error: Exception, tmp_path: Path) -> None:
    assert is_out_of_memory(error) and not is_out_of_memory(RuntimeError("shapes do not fit"))
    budget, seen, undone = TokenBudget(100), [], []
    budget.note(90)
    budget.note(70)

    def work() -> int:
        seen.append(budget.tokens)
        if len(seen) in (1, 3):
            raise error
        return budget.tokens

    assert budget.attempt(work, lambda: undone.append(1)) == 45
    assert (seen, undone, budget.halved, budget.share_of(16)) == ([100, 45], [1], True, 8)
    (warning,) = budget.warnings(7)
    assert warning.step == 7 and "45 tokens" in warning.message and "100" in warning.message
    assert not list(budget.warnings(8))
    with pytest.raises(type(error)):
        budget.attempt(work)
    budget.remember(tmp_path / "state" / "tokens")
    again = TokenBudget(100)
    again.recall(tmp_path / "not there")
    assert again.tokens == 100
    again.recall(tmp_path / "state" / "tokens")
    assert again.tokens == 45 and not list(again.warnings(0))
    assert again.halved


def test_other_errors_pass() -> None:
    budget = TokenBudget(100)
    with pytest.raises(RuntimeError, match="shapes"):
        budget.attempt(lambda: (_ for _ in ()).throw(RuntimeError("shapes do not fit")))
    assert not budget.halved


class Memory:
    """Stands for memory: raises at the chosen forward of a model, counted over all ways to go forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.forwards = 0
        self.fail_at: set[int] = set()
        monkeypatch.setattr(Backbone, "_check_logits", lambda self: None)  # what is asked while a model is loaded
        monkeypatch.setattr(Backbone, "_packs_documents", lambda self: True)
        monkeypatch.setattr(output, "_read_back", lambda *_: None)  # and what when it is saved: nothing is shared there
        for name in ("hidden_states", "packed_hidden_states", "cached_hidden_states"):
            monkeypatch.setattr(Backbone, name, self._wrapped(getattr(Backbone, name)))

    def _wrapped(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(backbone: Backbone, *args: Any, **kwargs: Any) -> Any:
            self.forwards += 1
            if self.forwards in self.fail_at:
                raise RuntimeError(NO_MEMORY)
            return forward(backbone, *args, **kwargs)

        return wrapped

    def begin(self, *fail_at: int) -> None:
        self.forwards, self.fail_at = 0, set(fail_at)


def numbers(events: list[Any]) -> dict[tuple[int, str], float]:
    """By step and name, without what hangs on the machine and on how far sampling and scoring round apart."""
    return {
        (event.step, name): value
        for event in events
        if isinstance(event, StepMetrics)
        for name, value in event.values.items()
        if not name.startswith(("time/", "memory/", "rollout/sampler_gap")) and not name.endswith("tokens_per_s")
    }


def same(one: dict[Any, float], other: dict[Any, float]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert other[name] == pytest.approx(value, rel=2e-3, abs=2e-4), name


@pytest.mark.parametrize("kind", runs.KINDS)
def test_a_run_whose_memory_ran_out_ends_as_it_would_have(
    kind: str, tmp_path: Path, models: runs.Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(monkeypatch)
    whole = runs.job(kind, tmp_path / "whole", models)
    memory.begin()
    expected = list(runs.train(whole))
    count = memory.forwards
    assert isinstance(expected[-1], Result) and count > 8
    for place in sorted({1 + (count - 1) * part // 5 for part in range(6)}):
        broken = runs.job(kind, tmp_path / f"broken at {place}", models)
        memory.begin(place)
        events = list(runs.train(broken))
        warned = [event for event in events if isinstance(event, Warned)]
        assert [one.rule for one in warned if one.rule == "memory"] == ["memory"], place
        same(numbers(expected), numbers(events))
        assert isinstance(events[-1], Result)
        same(dict(expected[-1].values), dict(events[-1].values))
        for file in whole.output.rglob("*.safetensors"):
            mine, theirs = load_file(file), load_file(broken.output / file.relative_to(whole.output))
            assert all(torch.allclose(mine[name], theirs[name], atol=2e-4) for name in mine)
    memory.begin(count // 2, count // 2 + 1)
    with pytest.raises(RuntimeError, match="can't allocate"):
        list(runs.train(runs.job(kind, tmp_path / "hopeless", models)))


@pytest.mark.parametrize("kind", ["sft", "ppo", "sample"])
def test_a_resumed_run_remembers_it(
    kind: str, tmp_path: Path, models: runs.Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(monkeypatch)
    memory.begin(4)
    first = runs.job(kind, tmp_path, models)
    events = list(runs.train_until_parts(1, first) if kind == "sample" else runs.train_until(3, first))
    assert any(isinstance(event, Warned) for event in events) and not isinstance(events[-1], Result)
    assert any(first.state.iterdir())
    if kind != "sample":
        saved = state.load(first.state)
        assert saved is not None and 0 < saved.scalars["budget"] <= runs.TOKENS // 2
    memory.begin(4)
    with pytest.raises(RuntimeError, match="can't allocate"):  # once in a run, not once in an attempt
        list(runs.train(runs.job(kind, tmp_path, models)))
