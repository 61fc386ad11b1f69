"""The arithmetic that training needs at least, against counts by hand and torch's own counter."""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.workers.training.tiny import CPU, FAMILIES, backbone_of
from workers.training import floor
from workers.training.floor import Floor, Work


def test_a_forward_by_hand() -> None:
    work = Work(weights=1000, attention=10, head=300)
    # 2 * 1000 * (2 + 3) + 2 * 10 * (2 * 3 + 3 * 4) + 2 * 300 * 4
    assert work.forward([2, 3], 4) == 10_000 + 360 + 2_400
    assert work.forward([2, 3], adapter=50) == 10_500 + 360


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_and_head_are_those_that_torch_counts(family: str) -> None:
    backbone = backbone_of(family)
    work = Work.of(backbone)
    ids = torch.arange(3, 11).unsqueeze(0)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone.logits(backbone.hidden_states(ids, torch.ones_like(ids)))
    products = {name: count for name, count in counter.get_flop_counts()["Global"].items() if "mm" in str(name)}
    expected = 2 * work.weights * 8 + 2 * work.head * 8
    assert sum(products.values()) == pytest.approx(expected)


def test_phases_of_an_iteration() -> None:
    work = Work(weights=1000, attention=0, head=300)
    usual: dict[str, Any] = {"adapter": 10, "critic_adapter": None, "reward_models": [work], "epochs": 2.0}
    phases = Floor.of(work, 100.0, [3, 1], [2, 4], **usual)
    assert phases.rollout == (2 * 1000 * 8 + 2 * 300 * 6) / 100
    assert phases.scoring == (2 * (2 * 1000 * 10 + 2 * 300 * 6) + 2 * 10 * 10 + 2 * 1000 * 10) / 100
    assert phases.update == 2 * 2 * (2 * 1010 * 10 + 2 * 300 * 6) / 100
    apart = Floor.of(work, 100.0, [3, 1], [2, 4], **(usual | {"critic_adapter": 20}))
    assert apart.update - phases.update == pytest.approx(2 * 2 * 2 * 1020 * 10 / 100)


def test_the_rate_is_measured_once() -> None:
    assert floor.rate(CPU, torch.float32) > 1e8
    assert floor.rate(CPU, torch.float32) == floor.rate(CPU, torch.float32)
