"""What a run needs is counted right to about a third, and a run that clearly lacks it is refused in plain words."""

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from backend.domain.training import EvaluateConfig, PPOConfig, PretrainConfig, RewardModelConfig, SFTConfig, estimate
from backend.domain.training.estimate import Shape, needs
from backend.errors import Invalid
from tests.workers.training import runs_of_all_kinds as runs
from tests.workers.training.tiny import FAMILIES, backbone_of, model_of, tokenizer_of
from workers.training import pretrain, room
from workers.training.backbone import Backbone

SEVEN = Shape.of(
    {
        "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "hidden_act": "silu",
        "tie_word_embeddings": False, "max_position_embeddings": 8192,
    }
)  # fmt: skip
"""The 8B of Llama 3, whose numbers are known."""


@pytest.mark.parametrize("family", FAMILIES)
def test_shapes_are_those_of_the_models(family: str, tmp_path: Path) -> None:
    model = model_of(family, vocabulary=211, hidden=64, layers=3)
    model.save_pretrained(tmp_path)
    shape = Shape.of(json.loads((tmp_path / "config.json").read_text()), room.weights_in(tmp_path))
    held = sum(parameter.numel() for parameter in model.parameters())
    assert shape.weights == held
    guessed = Shape.of(json.loads((tmp_path / "config.json").read_text())).weights
    assert guessed == pytest.approx(held, rel=0.15)  # without norms, biases and positions
    backbone = backbone_of(family, vocabulary=211, hidden=64, layers=3)
    backbone.add_adapter("some", rank=4, alpha=8.0, seed=0)
    trained = sum(parameter.numel() for parameter in backbone.parameters_of("some"))
    fused = 3 * 4 * 64 * 2 if family == "gpt2" else 0  # one matrix makes queries, keys and values: two inputs fewer
    assert shape.adapter(4) - fused == trained


def test_a_known_model_by_hand() -> None:
    assert SEVEN.weights == pytest.approx(8.03e9, rel=0.01)
    assert SEVEN.adapter(16) == pytest.approx(41.9e6, rel=0.01)
    assert SEVEN.answers(1000, 0, 2) == 1000 * 131_072  # 128 KiB a token
    full = needs(SFTConfig(model="m", method="full"), {"model": SEVEN}, cuda=True)
    assert full.parts["weights"] + full.parts["training"] == 16 * SEVEN.weights
    assert full.folder > 2 * 12 * SEVEN.weights
    whole = RewardModelConfig(model="m", reward_set="1", method="full")
    assert needs(whole, {"model": SEVEN}, cuda=True).parts == full.parts
    ppo = PPOConfig(model="m", reward_model="r")
    shared, beside = (needs(ppo, {"model": SEVEN} | more, cuda=True) for more in ({}, {"reward_model": SEVEN}))
    assert beside.memory - shared.memory == 2 * SEVEN.weights
    lora = needs(SFTConfig(model="m"), {"model": SEVEN}, cuda=True)
    assert lora.memory < full.memory / 3 and lora.parts["weights"] == 2 * SEVEN.weights
    scored = needs(SFTConfig(model="m", reward_model="r"), {"model": SEVEN, "reward_model_backbone": SEVEN}, cuda=True)
    assert scored.memory - lora.memory == 2 * SEVEN.weights


def test_more_of_anything_takes_more() -> None:
    def memory(config: Any, cuda: bool = False) -> int:
        return needs(config, {"model": SEVEN}, cuda=cuda).memory

    ppo: dict[str, Any] = {"model": "m", "reward_model": "r"}
    assert memory(PPOConfig(**ppo)) > memory(PPOConfig(**ppo), cuda=True)
    assert memory(PPOConfig(**ppo, tokens_per_microbatch=65_536)) > memory(PPOConfig(**ppo))
    without = PPOConfig(**ppo, advantage_estimator="batch_mean")
    for critic in ("separate", "reward", "shared"):
        assert memory(PPOConfig(**ppo, critic=critic)) > memory(without)
    assert memory(RewardModelConfig(model="m", reward_set="s", lora_rank=64)) > memory(
        RewardModelConfig(model="m", reward_set="s")
    )
    models = {"models/0": SEVEN, "models/1": SEVEN}
    one = needs(EvaluateConfig(models=("a",)), {"models/0": SEVEN}, cuda=False)
    assert needs(EvaluateConfig(models=("a", "b")), models, cuda=False).memory == one.memory  # one after the other


def test_a_new_model_is_counted_as_it_is_made() -> None:
    for architecture in ("llama", "gpt2"):
        config = PretrainConfig(architecture=architecture, hidden_size=64, layers=3, vocabulary_size=500)
        made = pretrain.new_model(config, tokenizer_of(500), 0)
        counted = estimate.new_shape(config).weights
        assert counted == pytest.approx(sum(p.numel() for p in made.parameters()), rel=0.15)


@pytest.mark.parametrize("kind", runs.KINDS)
def test_tiny_runs_are_let_through_without_a_word(kind: str, tmp_path: Path, models: runs.Models) -> None:
    assert not list(room.check(runs.job(kind, tmp_path, models)))


def test_a_run_that_clearly_lacks_memory_is_refused_and_told_what_would_help(
    tmp_path: Path, models: runs.Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = runs.job("sft", tmp_path, models, tokens_per_microbatch=4096)
    needed = needs(job.config, room.shapes_of(job), cuda=False)
    assert needed.memory > 4 * sum(needed.parts.values())
    monkeypatch.setattr(room, "free_memory", lambda: needed.memory // 2)
    with pytest.raises(
        Invalid, match=r"needs about \d+ MB of memory \(weights.*are free: lower tokens_per_micro"
    ) as said:
        list(room.check(job))
    fitting = int(str(said.value).split("from 4096 to ")[1].split(",")[0])
    again = runs.job("sft", tmp_path / "again", models, tokens_per_microbatch=fitting)
    assert not list(room.check(again))

    monkeypatch.setattr(room, "free_memory", lambda: int(needed.memory / 1.2))  # may do: the estimate may be too high
    (warning,) = room.check(job)
    assert warning.rule == "memory_estimate" and warning.step == 0

    full = runs.job("sft", tmp_path / "full", models, method="full", tokens_per_microbatch=16)
    monkeypatch.setattr(room, "free_memory", lambda: 100_000)
    with pytest.raises(Invalid, match="take method lora instead of full, or take a smaller model"):
        list(room.check(full))


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_run_that_clearly_lacks_disk_is_refused(
    tmp_path: Path, models: runs.Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = runs.job("pretrain", tmp_path, models)
    needed = needs(job.config, {}, cuda=False).folder
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(0, 0, needed + 1))
    assert not list(room.check(job))
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(0, 0, int(needed / 1.2)))
    (warning,) = room.check(job)
    assert warning.rule == "disk_estimate"
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(0, 0, needed // 3))
    with pytest.raises(Invalid, match=f"on the disk that holds {tmp_path}.*make room"):
        list(room.check(job))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "some").write_bytes(bytes(needed))  # what is there already is not needed again
    assert not list(room.check(job))


def test_a_store_on_the_same_disk_takes_its_part(tmp_path: Path, models: runs.Models) -> None:
    job = runs.job("sft", tmp_path / "run", models)
    needed = needs(job.config, room.shapes_of(job), cuda=False)
    assert dict(room._disks(job, needed)) == {job.folder: needed.folder}
    object.__setattr__(job, "store", tmp_path / "store not made yet")
    assert dict(room._disks(job, needed)) == {job.folder: needed.folder + needed.stored}


def test_a_container_s_limit_counts(tmp_path: Path) -> None:
    everything = room.free_memory(tmp_path)
    assert everything > 1e8
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("5000000\n")
    (tmp_path / "memory.stat").write_text("anon 3000000\ninactive_file 1000000\n")
    assert room.free_memory(tmp_path) > 1e8
    (tmp_path / "memory.max").write_text("20000000\n")
    assert room.free_memory(tmp_path) == 16_000_000


def test_a_folder_that_is_no_model_is_left_to_the_trainer(tmp_path: Path, models: runs.Models) -> None:
    job = runs.job("sample", tmp_path, models)
    shutil.copytree(models.one, tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"no")
    job.inputs["models"][0]["folder"] = str(tmp_path / "broken")
    assert list(room.shapes_of(job)) == ["models/1"]
    assert not list(room.check(job))


def test_no_weights_are_read(models: runs.Models, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Backbone, "load", lambda *_, **__: pytest.fail("a model was loaded"))
    monkeypatch.setattr(torch, "empty", lambda *_, **__: pytest.fail("a tensor was made"))
    assert room.weights_in(models.one) > 10_000
    list(room.check(runs.job("ppo", tmp_path, models)))


def test_what_this_process_keeps_of_a_gpu_and_does_not_use_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else, after the first round, there would seem to be no room for anything that was there in it."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5, 100))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 80)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 20)
    assert room.free_on_device(torch.device("cuda")) == 5 + 60
