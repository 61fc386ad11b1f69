"""A whole PPO run from its folder to a checkpoint: events, files, stopping, resuming, refusals."""

import json
import shutil
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from backend.domain.training import PPOConfig
from backend.errors import Conflict
from tests.workers.training.tiny import CPU, folder_of, shake
from workers.training.backbone import Backbone
from workers.training.events import Progress, Result, Sample, StateSaved, StepMetrics
from workers.training.heads import ScalarHead
from workers.training.job import Job
from workers.training.ppo_run import train


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with a model, a reward model on it, and prompts."""
    folder = tmp_path / "run"
    folder.mkdir()
    model = folder_of(tmp_path / "model", "llama")
    backbone = Backbone.load(model, device=CPU, dtype=torch.float32)
    backbone.add_adapter("reward", rank=2, alpha=4, seed=1)
    shake(backbone, "reward", 2)
    backbone.save_adapter("reward", tmp_path / "reward" / "adapter")
    ScalarHead(backbone.hidden_size, seed=1).save(tmp_path / "reward")
    rows = [{"id": str(i), "prompt": [{"role": "user", "content": f"w{5 + i} w7 w{9 + i}"}]} for i in range(6)]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def job_of(run: Path, *, stop_after: int | None = None, **settings: Any) -> Job:
    usual: dict[str, Any] = {
        "model": "m", "reward_model": "r", "iterations": 4, "episodes_per_iteration": 8, "max_new_tokens": 6,
        "lora_rank": 2, "lora_alpha": 4.0, "policy_learning_rate": 1e-2, "shown_samples": 2,
    }  # fmt: skip
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == stop_after

    inputs = {
        "model": str(run.parent / "model"),
        "reward_model": str(run.parent / "reward"),
        "prompts": str(run / "prompts.jsonl"),
    }
    return Job(run, "ppo", PPOConfig(**(usual | settings)), inputs, seed=5, run="r1", should_stop=should_stop)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft still asks for it
def test_from_prompts_to_a_checkpoint_that_others_can_load(run: Path) -> None:
    events = list(train(job_of(run)))
    for event in events:
        json.dumps(event.to_json(), allow_nan=False)
    metrics = [event for event in events if isinstance(event, StepMetrics)]
    assert [event.step for event in metrics] == [1, 2, 3, 4]
    assert metrics[0].values["objective/kl_base_per_seq_nats"] == 0.0
    samples = [event for event in events if isinstance(event, Sample)]
    assert len(samples) == 8 and samples[0].prompt[0]["content"].startswith("w")
    assert samples[0].tokens is not None and len(samples[0].tokens) == samples[0].values["length"]
    assert any(isinstance(event, Progress) and event.phase == "save" for event in events)
    result = events[-1]
    assert isinstance(result, Result)
    assert result.values["iterations"] == 4 and result.values["start/kl_base_per_seq_nats"] == 0.0
    assert result.values["end/kl_base_per_seq_nats"] > 0.0

    output, ids = run / "output", torch.tensor([[5, 6, 7, 8]])
    about = json.loads((output / "podium.json").read_text(encoding="utf-8"))
    parent = Backbone.load(run.parent / "model", device=CPU, dtype=torch.float32)
    assert about["kind"] == "ppo" and about["parent_sha256"] == parent.digest()
    with torch.no_grad():
        merged = AutoModelForCausalLM.from_pretrained(output).eval()
        adapted = peft.PeftModel.from_pretrained(parent.model, output / "adapter").eval()
        torch.testing.assert_close(merged(ids).logits, adapted(ids).logits, atol=1e-4, rtol=1e-4)
        fresh = Backbone.load(run.parent / "model", device=CPU, dtype=torch.float32)
        assert not torch.allclose(merged(ids).logits, fresh.model(ids).logits, atol=1e-3)


def test_a_stopped_run_goes_on_where_it_was(run: Path) -> None:
    events = list(train(job_of(run)))
    expected = load_file(run / "output" / "model.safetensors")
    numbers = {event.step: event.values for event in events if isinstance(event, StepMetrics)}
    shutil.rmtree(run / "output")
    shutil.rmtree(run / "state")

    first = list(train(job_of(run, stop_after=50)))
    assert isinstance(first[-1], StateSaved) and first[-1].step == 2
    assert not any(isinstance(event, Result) for event in first)
    second = list(train(job_of(run)))
    assert [event.step for event in second if isinstance(event, StepMetrics)] == [3, 4]
    assert isinstance(second[-1], Result) and isinstance(events[-1], Result)
    assert second[-1].values == events[-1].values
    got = load_file(run / "output" / "model.safetensors")
    assert all(torch.equal(got[name], expected[name]) for name in expected)
    for event in second:
        if isinstance(event, StepMetrics):
            machine = ("time/", "memory/", "rollout/tokens_per_s")
            mine = {k: v for k, v in event.values.items() if not k.startswith(machine)}
            assert mine == {k: v for k, v in numbers[event.step].items() if not k.startswith(machine)}


def test_states_are_saved_as_often_as_asked(run: Path) -> None:
    saved = [event.step for event in train(job_of(run, save_every_s=0.0)) if isinstance(event, StateSaved)]
    assert saved == [1, 2, 3, 4]


def test_a_reward_model_of_another_model_is_refused(run: Path) -> None:
    folder_of(run.parent / "model", "llama", seed=7)
    with pytest.raises(Conflict, match="of another model"):
        list(train(job_of(run)))


def test_a_reward_model_of_another_chat_template_is_refused(run: Path) -> None:
    (run.parent / "reward" / "podium.json").write_text('{"template_sha256": "0"}', encoding="utf-8")
    with pytest.raises(Conflict, match="chat template"):
        list(train(job_of(run)))


def test_a_long_prompt_leaves_room_for_the_answer(run: Path) -> None:
    row = {"id": "long", "prompt": [{"role": "user", "content": " ".join(["w8"] * 200)}]}
    (run / "prompts.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    events = list(train(job_of(run, iterations=1)))
    assert isinstance(events[-1], Result)
