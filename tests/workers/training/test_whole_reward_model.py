"""A reward model that trained all its weights: what it leaves behind, and who can use it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from backend.errors import Conflict, Invalid
from tests.workers.training import runs_of_all_kinds as runs
from tests.workers.training.language import metrics
from tests.workers.training.tiny import CPU, folder_of, right_padded
from workers.training import reward_output
from workers.training.backbone import Backbone
from workers.training.events import Result, StepMetrics
from workers.training.generation import generate
from workers.training.scoring import RewardModel

ROWS = [[5, 6, 7, 8, 9, 1], [3, 4, 1], [11, 12, 13, 14]]


@pytest.fixture(scope="module", name="models")
def _models(tmp_path_factory: pytest.TempPathFactory) -> runs.Models:
    torch.set_num_threads(1)
    return runs.make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module", name="trained")
def _trained(tmp_path_factory: pytest.TempPathFactory, models: runs.Models) -> Path:
    """The output of a run."""
    job = runs.job("reward_model", tmp_path_factory.mktemp("whole"), models, method="full", learning_rate=1e-3)
    events = list(runs.train(job))
    losses = [loss for _, loss in metrics(events, "train/loss")]
    assert isinstance(events[-1], Result) and losses[-1] < losses[0]
    people, pairs = (events[-1].tables["accuracy_by"][by]["rows"] for by in ("annotator", "models"))
    assert [(row["of"], row["pairs"], row["prompts"]) for row in people] == [(f"person {i}", 4, 4) for i in (1, 3, 2)]
    assert [(row["of"], row["pairs"]) for row in pairs] == [(("m0", "m1"), 8), (("m0", "m0"), 4)]
    assert sum(row["accuracy"] for row in people) / 3 == pytest.approx(events[-1].values["held_out/accuracy"])
    return job.output


def load(folder: Path) -> RewardModel:
    return RewardModel.load_whole(folder, device=CPU, dtype=torch.float32, tokens_per_microbatch=64)


def test_it_is_a_model_of_its_own_that_transformers_reads_alone(trained: Path, models: runs.Models) -> None:
    names = {path.name for path in trained.iterdir()}
    assert {"config.json", "model.safetensors", "reward_head.safetensors", "podium.json", "scores.jsonl"} <= names
    assert "adapter" not in names
    before, after = load_file(models.one / "model.safetensors"), load_file(trained / "model.safetensors")
    assert "lm_head.weight" not in after
    assert all(not torch.equal(after[name], before[name]) for name in after if name != "score.weight")

    about = json.loads((trained / "podium.json").read_text())
    classifier = AutoModelForSequenceClassification.from_pretrained(trained).eval()
    ids, mask = right_padded(ROWS)
    with torch.no_grad():
        logits = classifier(input_ids=ids, attention_mask=mask).logits[:, 0]
    torch.testing.assert_close(load(trained)(ROWS, [1, 1, 1]), logits + about["score_minus_logit"])

    kept = [json.loads(line)["score"] for line in (trained / "scores.jsonl").read_text().splitlines()]
    assert len(kept) == 48 and len(set(kept)) > 40


def test_samples_that_set_its_scale_are_of_the_model_as_it_was(
    trained: Path, models: runs.Models, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[str] = []

    def watched(backbone: Backbone, *args: Any, **settings: Any) -> Any:
        seen.append(backbone.fingerprint())
        return generate(backbone, *args, **settings)

    monkeypatch.setattr("workers.training.reward_model.generate", watched)
    list(runs.train(runs.job("reward_model", tmp_path, models, method="full", learning_rate=1e-3)))
    assert seen == [Backbone.load(models.one, device=CPU, dtype=torch.float32).fingerprint()]
    assert (tmp_path / "output" / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()


def test_it_teaches_and_judges_a_policy_on_a_backbone_of_its_own(
    trained: Path, models: runs.Models, tmp_path: Path
) -> None:
    with_it = replace(models, reward=trained)
    job = runs.job("ppo", tmp_path / "ppo", with_it, judge="j", judge_every_iterations=1, iterations=2)
    job.inputs.update(judge=str(models.reward), judge_prompts=job.inputs["prompts"])
    events = list(runs.train(job))
    first = next(event for event in events if isinstance(event, StepMetrics)).values
    assert first["objective/kl_base_per_seq_nats"] == 0.0 and "value/loss" in first and "judge/score" in first
    assert isinstance(events[-1], Result)
    warned = [(event.step, event.message) for event in events if getattr(event, "rule", "") == "value_init"]
    assert len(warned) == 1 and warned[0][0] == 0 and "Where critic is reward, it reads" in warned[0][1]
    # As that sentence advises.
    job = runs.job("ppo", tmp_path / "reads", with_it, critic="reward", iterations=2)
    events = list(runs.train(job))
    assert isinstance(events[-1], Result)
    assert not [event for event in events if getattr(event, "rule", "") == "value_init"]
    # the other way round
    job = runs.job("ppo", tmp_path / "judged", models, judge="j", judge_every_iterations=1, iterations=1)
    job.inputs.update(judge=str(trained), judge_prompts=job.inputs["prompts"])
    events = list(runs.train(job))
    assert isinstance(events[-1], Result) and not [event for event in events if hasattr(event, "rule")]


def test_an_evaluation_needs_no_other_model_to_score_by_it(trained: Path, models: runs.Models, tmp_path: Path) -> None:
    job = runs.job("evaluate", tmp_path, replace(models, reward=trained))
    del job.inputs["reward_model_backbone"]
    *_, result = runs.train(job)
    assert isinstance(result, Result) and 0.0 <= result.values["evaluate/win_rate:b"] <= 1.0


def test_one_of_other_tokens_is_refused(trained: Path, models: runs.Models, tmp_path: Path) -> None:
    other = replace(models, one=folder_of(tmp_path / "other", "llama", vocabulary=28), reward=trained)
    with pytest.raises(Conflict, match="reads other tokens than the model writes"):
        list(runs.train(runs.job("ppo", tmp_path / "run", other)))


def test_what_does_not_come_back_as_it_was_ends_the_run(
    models: runs.Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = reward_output._save_whole

    def damaged(backbone: Any, weights: Any, head: Any, folder: Path) -> bool:
        done = save(backbone, weights, head, folder)
        path = folder / "model.safetensors"
        stored = load_file(path)
        stored["model.norm.weight"][3] += 1e-3
        save_file(stored, path, metadata={"format": "pt"})
        return done

    monkeypatch.setattr(reward_output, "_save_whole", damaged)
    events: Iterator[Any] = runs.train(runs.job("reward_model", tmp_path, models, method="full", max_steps=1))
    with pytest.raises(Invalid, match="did not come back as it was saved"):
        list(events)


def test_a_head_on_another_scale_than_the_files_say_is_seen(trained: Path) -> None:
    about = json.loads((trained / "podium.json").read_text())
    model = load(trained)
    reward_output._compare_with_transformers(trained, model, about["score_minus_logit"])
    with pytest.raises(Conflict, match="does not say in transformers what it says here"):
        reward_output._compare_with_transformers(trained, model, about["score_minus_logit"] + 0.1)
