"""Fine-tuning whose answers a reward model scores: on shared weights, on its own, and with a tokenizer of its own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.domain.training_rows import ChatMessage
from backend.errors import Conflict
from tests.workers.training import runs_of_all_kinds as runs
from tests.workers.training.language import metrics
from tests.workers.training.tiny import CPU, folder_of
from workers.training.backbone import Backbone
from workers.training.events import Result, Sample
from workers.training.heads import ScalarHead
from workers.training.scoring import Reader, RewardModel
from workers.training.tokens import template_sha256


@pytest.fixture(scope="module", name="models")
def _models(tmp_path_factory: pytest.TempPathFactory) -> runs.Models:
    """The reward model says what it is an adapter on, as those of runs do."""
    torch.set_num_threads(1)
    made = runs.make_models(tmp_path_factory.mktemp("models"))
    one = Backbone.load(made.one, device=CPU, dtype=torch.float32)
    about = {"backbone_sha256": one.digest(), "template_sha256": template_sha256(one.tokenizer)}
    (made.reward / "podium.json").write_text(json.dumps(about))
    return made


def tuned(folder: Path, models: runs.Models, backbone: Path | None, **settings: Any) -> list[Any]:
    """The events of a run that is scored by the reward model of `models`."""
    job = runs.job("sft", folder, models, reward_model="r", learning_rate=3e-2, keep="highest_score", **settings)
    job.inputs["reward_model"] = str(models.reward)
    if backbone:
        job.inputs["reward_model_backbone"] = str(backbone)
    return list(runs.train(job))


def scored_by_hand(folder: Path, backbone: Path | None, events: Sequence[Any], step: int) -> float:
    """The mean score of the answers that were shown after a step."""
    model = RewardModel.load_alone(folder, backbone, device=CPU, dtype=torch.float32, tokens_per_microbatch=99)
    shown = [event for event in events if isinstance(event, Sample) and event.step == step]
    prompts = [[ChatMessage.model_validate(message) for message in one.prompt] for one in shown]
    ended = [one.values["ended"] == 1 for one in shown]
    scores = Reader(model)(prompts, [one.completion.strip() for one in shown], ended)
    return sum(scores) / len(scores)


@pytest.mark.parametrize(("method", "backbones"), [("lora", 1), ("full", 2)])
def test_an_adapter_scores_on_the_weights_it_was_made_for(
    models: runs.Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, backbones: int
) -> None:
    """With an adapter these are the ones in memory; where all weights move it brings its own, which stay."""
    loaded: list[Path] = []
    load = Backbone.load

    def watched(folder: Path, **settings: Any) -> Backbone:
        loaded.append(folder)
        return load(folder, **settings)

    monkeypatch.setattr(Backbone, "load", watched)
    events = tuned(tmp_path, models, models.one, method=method, sample_prompts=3, reward_model_weight=0.5)
    assert loaded == [models.one] * backbones
    scores = dict(metrics(events, "samples/score_of_reward_model"))
    assert len(set(scores.values())) > 1 and dict(metrics(events, "samples/score")) == {
        step: 0.5 * score for step, score in scores.items()
    }
    for step in (0, max(scores)):
        assert scores[step] == pytest.approx(scored_by_hand(models.reward, models.one, events, step), abs=1e-4)
    result = events[-1]
    assert isinstance(result, Result)
    assert result.values["train/kept_step"] == max(scores, key=scores.__getitem__)


def test_a_whole_model_with_other_tokens_reads_the_texts_in_its_own(models: runs.Models, tmp_path: Path) -> None:
    whole = folder_of(tmp_path / "whole", "gpt2", vocabulary=40, seed=7)
    ScalarHead(32, seed=8).save(whole)
    events = tuned(tmp_path / "run", replace(models, reward=whole), None, sample_prompts=2)
    scores = dict(metrics(events, "samples/score"))
    assert scores[0] == pytest.approx(scored_by_hand(whole, None, events, 0), abs=1e-4)


def test_one_of_another_template_is_refused(models: runs.Models, tmp_path: Path) -> None:
    about: Mapping[str, str] = json.loads((models.reward / "podium.json").read_text())
    other = replace(models, reward=tmp_path / "reward")
    tmp_path.joinpath("reward").mkdir()
    for path in (*models.reward.glob("*.safetensors"), models.reward / "adapter"):
        (other.reward / path.name).symlink_to(path)
    (other.reward / "podium.json").write_text(json.dumps({**about, "template_sha256": "another"}))
    with pytest.raises(Conflict, match="another chat template"):
        tuned(tmp_path / "run", other, models.one)
