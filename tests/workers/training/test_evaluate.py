"""Evaluation: a model against itself ties everywhere at KL 0; a shifted one is measured as exact sums say."""

import pytest
import torch

from backend.domain.training import EvaluateConfig
from backend.domain.training_rows import PromptRow, RewardGroup
from backend.errors import Invalid
from tests.workers.training.tiny import CPU, folder_of, shake
from workers.training import evaluate
from workers.training.backbone import Backbone, ScalarHead
from workers.training.events import Result, Sample
from workers.training.job import Job, write_rows
from workers.training.reward_metrics import bootstrap


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    model = folder_of(root / "model", "llama")
    other = folder_of(root / "other", "llama", seed=5)
    backbone = Backbone.load(model, device=CPU, dtype=torch.float32)
    backbone.add_adapter("reward", rank=2, alpha=4.0, seed=3)
    shake(backbone, "reward", seed=4)
    backbone.save_adapter("reward", root / "rm" / "adapter")
    ScalarHead(backbone.hidden_size, seed=2).save(root / "rm")
    return {"model": model, "other": other, "rm": root / "rm"}


def job(folder, folders, *names, groups=None, **config):
    prompts = [
        PromptRow.model_validate({"id": f"p{i}", "prompt": [{"role": "user", "content": f"w{i + 3} w4"}]})
        for i in range(12)
    ]
    write_rows(folder / "prompts.jsonl", prompts)
    inputs = {
        "prompts": str(folder / "prompts.jsonl"),
        "models": [{"model": str(i), "name": f"m{i}", "folder": str(folders[n])} for i, n in enumerate(names)],
        "reward_model": str(folders["rm"]),
        "reward_model_backbone": str(folders["model"]),
    }
    if groups is not None:
        write_rows(folder / "groups.jsonl", groups)
        inputs["groups"] = str(folder / "groups.jsonl")
    settings = EvaluateConfig(models=names, max_new_tokens=6, bootstrap_rounds=200, **config)
    return Job(folder=folder, kind="evaluate", config=settings, inputs=inputs, seed=7)


def result(events):
    assert isinstance(events[-1], Result)
    return events[-1].values


def test_a_model_ties_with_itself(tmp_path, folders):
    values = result(list(evaluate.train(job(tmp_path, folders, "model", "model", samples_per_prompt=2))))
    assert values["evaluate/win_rate:m1"] == 0.5
    assert (values["evaluate/win_rate_low:m1"], values["evaluate/win_rate_high:m1"]) == (0.5, 0.5)
    assert values["evaluate/kl_reference_per_seq_nats:m0"] == pytest.approx(0, abs=1e-4)
    assert values["evaluate/score_mean:m0"] == values["evaluate/score_mean:m1"]


def test_another_model_has_a_distance_and_its_own_texts(tmp_path, folders):
    events = list(evaluate.train(job(tmp_path, folders, "model", "other", shown_prompts=3)))
    values = result(events)
    assert values["evaluate/kl_reference_per_seq_nats:m1"] > 0.1
    samples = [event for event in events if isinstance(event, Sample)]
    assert len(samples) == 3 * 2
    assert {"score", "kl"} <= samples[0].values.keys()


def test_swapping_the_models_turns_the_win_rate_round(tmp_path, folders):
    one = result(list(evaluate.train(job(tmp_path / "1", folders, "model", "other"))))
    two = result(list(evaluate.train(job(tmp_path / "2", folders, "other", "model"))))
    assert one["evaluate/win_rate:m1"] == pytest.approx(1 - two["evaluate/win_rate:m1"])


def test_accuracy_turns_with_the_labels(tmp_path, folders):
    def groups(flip):
        return [
            RewardGroup.model_validate(
                {
                    "prompt_id": f"g{i}",
                    "prompt": [{"role": "user", "content": f"w{i + 3}"}],
                    "completions": [{"id": "a", "text": f"w{i + 5} w6"}, {"id": "b", "text": f"w{i + 9} w7 w8"}],
                    "outcomes": [{"a": 0, "b": 1, "score": flip}, {"a": 0, "b": 1, "score": 0.5}],
                }
            )
            for i in range(9)
        ]

    ones = result(
        list(evaluate.train(job(tmp_path / "1", folders, "model", groups=groups(1), reward_set="x", reward_model="y")))
    )
    zeros = result(
        list(evaluate.train(job(tmp_path / "0", folders, "model", groups=groups(0), reward_set="x", reward_model="y")))
    )
    name = "evaluate/reward_model_accuracy"
    assert ones[name] == pytest.approx(1 - zeros[name])
    assert ones[f"{name}_pairs"] == 9
    assert ones[f"{name}_low"] <= ones[name] <= ones[f"{name}_high"]


def test_nothing_to_evaluate_is_refused(tmp_path, folders):
    empty = job(tmp_path, folders, "model")
    (tmp_path / "prompts.jsonl").write_text("")
    with pytest.raises(Invalid, match="nothing to evaluate"):
        list(evaluate.train(empty))


def test_the_bootstrap_draws_whole_prompts():
    """Ten equal answers to each of two prompts are two observations: half the draws take both prompts, so the
    interval runs from one prompt's value to the other's."""
    assert bootstrap([[1.0] * 10, [0.0] * 10], rounds=500, seed=0) == (0.0, 1.0)
    low, high = bootstrap([[1.0], [0.0]] * 50, rounds=500, seed=0)
    assert 0.35 < low < 0.5 < high < 0.65
