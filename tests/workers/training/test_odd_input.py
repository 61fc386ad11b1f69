"""What people feed to trainers and nobody thought of: it works, or an error names what is wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.domain.training_rows import ChatMessage
from backend.errors import Invalid
from tests.workers.training import runs_of_all_kinds as runs
from tests.workers.training.language import metrics, say, write
from tests.workers.training.tiny import CPU, folder_of
from workers.training.events import Result, Sample, Warned
from workers.training.job import Job
from workers.training.scoring import Reader, RewardModel


def job_of(kind: str, folder: Path, models: runs.Models, name: str, rows: list[dict[str, Any]], **settings: Any) -> Job:
    """One whose input of a name has these rows."""
    job = runs.job(kind, folder, models, **settings)
    job.inputs[name] = str(write(folder / "odd.jsonl", rows))
    return job


@pytest.mark.parametrize(("words", "settings"), [(94, {}), (6, {"max_tokens": 8})])
def test_answers_to_learn_that_leave_hardly_room_for_a_prompt(
    words: int, settings: dict[str, Any], tmp_path: Path, models: runs.Models
) -> None:
    rows = [{"prompt": say(f"w{3 + place}"), "completion": "w7 " * words} for place in range(10)]
    job = job_of("sft", tmp_path, models, "demonstrations", rows, held_out_share=0.3, epochs=1.0, **settings)
    events = list(runs.train(job))
    assert isinstance(events[-1], Result)
    assert any(isinstance(event, Sample) and 0 < event.values["tokens"] <= 48 for event in events)


def test_an_evaluation_cuts_a_prompt_that_is_longer_than_a_model(tmp_path: Path, models: runs.Models) -> None:
    rows = [{"id": "long", "prompt": say("w4 " * 200)}, {"id": "short", "prompt": say("w4")}]
    assert isinstance(list(runs.train(job_of("evaluate", tmp_path, models, "prompts", rows)))[-1], Result)


@pytest.mark.parametrize("kind", ["evaluate", "ppo", "sample"])
def test_answers_that_leave_no_room_for_any_prompt_are_refused(kind: str, tmp_path: Path, models: runs.Models) -> None:
    with pytest.raises(Invalid, match=r"ask for fewer new tokens|Lower max_new_tokens"):
        list(runs.train(runs.job(kind, tmp_path, models, max_new_tokens=96)))


def test_equal_answers_of_two_models_tie_and_equal_completions_have_no_order(
    tmp_path: Path, models: runs.Models
) -> None:
    reader = Reader(
        RewardModel.load_alone(models.reward, models.one, device=CPU, dtype=torch.float32, tokens_per_microbatch=64)
    )
    prompt = (ChatMessage(role="user", content="w4 w5"),)
    beside = [f"w{place} w9 w7" for place in range(3, 12)]
    (alone,) = reader([prompt], ["w3 w4"], [True])
    assert reader([prompt] * 10, [*beside, "w3 w4"], [True] * 10)[-1] == alone
    assert reader([prompt] * 2, ["w3 w4"] * 2, [True, False])[0] != reader([prompt], ["w3 w4"], [False])[0]

    said = {"prompt": say("w9"), "completions": [{"id": one, "text": "w4"} for one in "ab"]}
    groups = [
        {"prompt_id": f"{place}", **said, "outcomes": [{"a": 0, "b": 1, "score": 1.0}], "split": split}
        for place, split in enumerate(("train", "train", "held_out"))
    ]
    *_, result = runs.train(job_of("reward_model", tmp_path, models, "groups", groups))
    assert isinstance(result, Result) and result.values["held_out/accuracy"] == 0.5


def test_a_model_of_few_positions_is_saved_and_read_back(tmp_path: Path, models: runs.Models) -> None:
    few = replace(models, one=folder_of(tmp_path / "few", "gpt2", positions=12))
    for kind, settings in (("sft", {"max_steps": 1}), ("reward_model", {"max_steps": 1, "method": "full"})):
        *_, result = runs.train(runs.job(kind, tmp_path / kind, few, **settings))
        assert isinstance(result, Result)


def test_a_reward_model_that_is_no_better_than_length_is_warned_of(tmp_path: Path, models: runs.Models) -> None:
    """At its own end, and at the start of every run that learns from it."""

    def groups(held_out: int) -> list[dict[str, Any]]:
        """The longer one always wins."""
        return [
            {
                "prompt_id": f"{place}", "prompt": say(f"w{3 + place % 20}"),
                "split": "held_out" if place < held_out else "train",
                "completions": [{"id": "a", "text": "w4 w5 w6"}, {"id": "b", "text": "w4"}],
                "outcomes": [{"a": 0, "b": 1, "score": 1.0}],
            }
            for place in range(held_out + 2)
        ]  # fmt: skip

    for held_out in (29, 30):
        job = job_of("reward_model", tmp_path / f"{held_out}", models, "groups", groups(held_out), max_steps=1)
        events = list(runs.train(job))
        warned = [event.rule for event in events if isinstance(event, Warned)]
        assert len(metrics(events, "train/accuracy")) == 1, "the last step's, which no other number stands over"
        assert warned == (["length_meter"] if held_out == 30 else [])
        learner = runs.job("ppo", tmp_path / f"ppo {held_out}", replace(models, reward=job.output), iterations=1)
        said = [event for event in runs.train(learner) if isinstance(event, Warned) and event.step == 0]
        assert [(event.step, event.rule) for event in said] == ([(0, "reward_model")] if held_out == 30 else [])
        assert all("how long to answer" in event.message for event in said)
