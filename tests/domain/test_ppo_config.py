"""Relations between the settings of PPO: what cannot work is refused before a run starts."""

from typing import Any

import pytest
from pydantic import ValidationError

from backend.domain.training import PPOConfig, read_config
from backend.errors import Invalid


def config(**settings: Any) -> PPOConfig:
    return PPOConfig(**({"model": "a/sft", "reward_model": "a/reward"} | settings))


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"episodes_per_iteration": 10, "samples_per_prompt": 4}, "episodes_per_iteration"),
        ({"episodes_per_iteration": 2, "minibatches": 3}, "minibatches"),
        ({"objective": "reinforce"}, "advantage_estimator"),
        ({"objective": "reinforce", "advantage_estimator": "batch_mean", "epochs": 2, "minibatches": 1}, "epochs"),
        ({"advantage_estimator": "leave_one_out"}, "samples_per_prompt"),
        (
            {"advantage_estimator": "batch_mean", "episodes_per_iteration": 1, "minibatches": 1},
            "episodes_per_iteration",
        ),
        ({"clip_range": 0.0}, "clip_range"),
        ({"kl_target_per_seq_nats": 0.0}, "kl_target_per_seq_nats"),
        ({"temperature": 0.0}, "temperature"),
        ({"lambda": 1.0}, "lambda"),
    ],
)
def test_what_cannot_work_names_its_field(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_config("ppo", {"model": "a/sft", "reward_model": "a/reward"} | settings)
    assert caught.value.field == field
    with pytest.raises(ValidationError):
        config(**settings)


def test_what_can() -> None:
    assert config().objective == "clip"
    config(objective="reinforce", advantage_estimator="batch_mean", epochs=1, minibatches=1)
    config(advantage_estimator="leave_one_out", samples_per_prompt=4)
    config(objective="kl_penalty", kl_step_direction="old_new", critic="shared")
    assert all(field.description for field in PPOConfig.model_fields.values())


def test_a_critic_that_foresees_little_is_not_trusted_unless_told() -> None:
    assert config().gae_lambda_used == config(critic="reward").gae_lambda_used == 0.95
    assert config(critic="shared").gae_lambda_used == 1.0
    assert config(critic="shared", gae_lambda=0.0).gae_lambda_used == 0.0
