"""PPO that is asked to stop in the midst of a round drops the round, and ends as if it had never been asked."""

import copy
import threading
from typing import Any

import pytest
import torch

from tests.workers.training.policies import PROMPTS, alone, config_of, reward_model_of
from tests.workers.training.tiny import backbone_of
from workers.training.cores import Cores
from workers.training.judge import Judge
from workers.training.ppo import PPO
from workers.training.ranks import Stopped

PLACES = 6


class Asked:
    """Says so at one of the moments at which it is looked for, and counts them."""

    def __init__(self) -> None:
        self.looks = 0
        self.at: int | None = None
        self._one = threading.Lock()

    def __call__(self) -> bool:
        with self._one:
            self.looks += 1
            return self.looks == self.at


def ppo_of(asked: Asked, cores: int = 1, **settings: Any) -> PPO:
    backbone = backbone_of("llama")
    backbone.cores = Cores(cores)
    reward_model = reward_model_of(backbone)
    config = config_of(iterations=3, tokens_per_microbatch=100, judge="j", judge_every_iterations=2, **settings)
    judge = Judge(lambda sequences, _: torch.tensor([float(len(one)) for one in sequences]), PROMPTS[:3], every=1)
    return PPO(config, backbone, alone(reward_model), PROMPTS, judge=judge, should_stop=asked)


def numbers(values: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if not name.startswith("time/")}


@pytest.mark.parametrize(
    ("cores", "settings"),
    [(1, {"objective": "kl_penalty", "kl_controller": "leash"}), (2, {"critic": "reward", "schedule": "linear"})],
)
def test_a_round_that_was_dropped_has_never_been(cores: int, settings: dict[str, Any]) -> None:
    counted, asked = Asked(), Asked()
    whole, broken = ppo_of(counted, cores, **settings), ppo_of(asked, cores, **settings)
    while not whole.done:
        counted.looks = 0
        expected, _ = whole.iterate()
        tensors, scalars = copy.deepcopy(broken.state())
        before = broken.iteration
        assert counted.looks > PLACES
        for part in range(PLACES + 1):
            asked.looks, asked.at = 0, 1 + part * (counted.looks - 1) // PLACES
            with pytest.raises(Stopped):
                broken.iterate()
            left, left_scalars = broken.state()
            assert left_scalars == scalars and broken.iteration == before
            assert tensors.keys() == left.keys() and all(torch.equal(tensors[name], left[name]) for name in tensors)
            assert all(parameter.grad is None for parameter in [*broken.roles.policy, *broken.roles.critic])
        asked.at = None
        assert numbers(broken.iterate()[0]) == numbers(expected)
    assert all(torch.equal(*pair) for pair in zip(whole.roles.policy, broken.roles.policy, strict=True))
    asked.at = asked.looks + 3
    with pytest.raises(Stopped):
        broken.end()
