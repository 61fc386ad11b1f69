"""Cores that work side by side find what one finds, and the same bits each time."""

import threading
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.workers.training.policies import policy_of, ppo_of
from tests.workers.training.tiny import backbone_of, gradient, shake
from workers.training.cores import Cores
from workers.training.likelihood import negative_log_likelihood
from workers.training.packing import Document, Packed, microbatches, partition


def test_work_is_done_side_by_side_and_given_in_order() -> None:
    both = threading.Barrier(2, timeout=60)

    def work(thing: int) -> tuple[int, bool, int]:
        both.wait()  # passed only if two are at it at once
        return thing, torch.is_grad_enabled(), torch.get_num_threads()

    with torch.no_grad():
        assert Cores(2).map(work, [3, 1, 2, 0]) == [(3, False, 1), (1, False, 1), (2, False, 1), (0, False, 1)]


def test_work_that_asks_for_cores_itself_does_it_where_it_is() -> None:
    cores, both = Cores(2), threading.Barrier(2, timeout=60)

    def work(thing: int) -> tuple[list[int], bool]:
        both.wait()  # no core is free any more
        names = cores.map(lambda _: threading.current_thread().name, range(3))
        return cores.map(lambda more: 10 * thing + more, range(3)), set(names) == {threading.current_thread().name}

    found: list[list[tuple[list[int], bool]]] = []
    asking = threading.Thread(target=lambda: found.append(cores.map(work, [1, 2])), daemon=True)
    asking.start()
    asking.join(60)
    assert found == [[([10, 11, 12], True), ([20, 21, 22], True)]]


def test_an_error_is_raised_when_nobody_works_any_more() -> None:
    begun, done = threading.Event(), []

    def work(thing: int) -> None:
        if thing == 0:
            begun.wait(60)
            raise MemoryError
        begun.set()
        done.append(thing)

    with pytest.raises(MemoryError):
        Cores(2).map(work, [0, 1, 2, 3])
    assert sorted(done) == [1, 2, 3]


def test_each_thread_has_an_adapter_of_its_own_on() -> None:
    backbone = backbone_of("llama")
    for number, name in enumerate(("one", "other")):
        backbone.add_adapter(name, rank=2, alpha=4.0, seed=number)
        shake(backbone, name, number)
    ids = torch.tensor([[5, 6, 7, 8]])
    both = threading.Barrier(2, timeout=60)

    @torch.no_grad()
    def states(name: str) -> Tensor:
        with backbone.role(name):
            both.wait()  # both roles are on before either computes
            return backbone.hidden_states(ids, torch.ones_like(ids))

    found = Cores(2).map(states, ["one", "other"])
    both = threading.Barrier(1)
    assert torch.equal(found[0], states("one")) and torch.equal(found[1], states("other"))
    assert not torch.equal(*found)


def test_the_gradients_are_those_of_one_core() -> None:
    backbone = backbone_of("llama")
    backbone.add_adapter("policy", rank=2, alpha=4.0, seed=0)
    shake(backbone, "policy", 1)
    parameters = backbone.parameters_of("policy")
    some = [Document([3 + (7 * n + k) % 26 for k in range(4 + n)], ((2, 4 + n),)) for n in range(7)]

    def work(batch: Packed) -> tuple[Tensor, int]:
        with backbone.role("policy"):
            return negative_log_likelihood(backbone, batch), batch.tokens

    def found(cores: int) -> list[Tensor]:
        batches = list(microbatches(some, 30, cores))
        assert sum(Cores(cores).learn(work, batches, parameters)) == sum(len(one.ids) for one in some)
        gradients = [gradient(parameter).clone() for parameter in parameters]
        backbone.model.zero_grad()
        for parameter in parameters:
            parameter.grad = None
        return gradients

    for mine, theirs in zip(found(1), found(3), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
    assert all(torch.equal(*pair) for pair in zip(found(3), found(3), strict=True))


@pytest.mark.parametrize("settings", [{}, {"critic": "reward"}, {"advantage_estimator": "batch_mean"}])
def test_ppo_on_two_cores_is_ppo_on_one(settings: dict[str, Any]) -> None:
    runs = []
    for cores in (1, 2, 2):
        ppo = ppo_of(scorer="reward_model", iterations=2, **settings)
        ppo.backbone.cores = Cores(cores)
        values = [ppo.iterate()[0] for _ in range(2)][-1]
        runs.append((policy_of(ppo), values["policy/loss"]))
    (one, loss), (two, _), (again, _) = runs
    for mine, theirs in zip(one, two, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-5)
    assert all(torch.equal(*pair) for pair in zip(two, again, strict=True))
    assert runs[1][1] == pytest.approx(loss, abs=1e-5)


def test_parts_of_like_size() -> None:
    sizes = [50, 3, 40, 7]
    assert partition(sizes, 1000) == [[0, 2, 3, 1]]
    assert partition(sizes, 1000, cores=2) == [[0], [2, 3, 1]]
    assert partition(sizes, 16) == [[0], [2], [3, 1]]
    assert partition([4], 2, cores=3) == [[0]] and partition([], 2, cores=3) == []
