"""Who scores the answers of PPO: scorers of texts beside the reward model and as judge, and what cannot be scored."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from backend.errors import Invalid
from tests.workers.training import runs_of_all_kinds as runs
from tests.workers.training.language import say, write
from tests.workers.training.tiny import folder_of, tokenizer_of
from workers.training.events import Result, StepMetrics
from workers.training.scoring import OnTexts
from workers.training.tokens import Codec


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft still asks for it
def test_rewards_see_the_answers_to_the_judges_prompts_too(
    tmp_path: Path, models: runs.Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tone.py").write_text(
        "def words(prompts, completions):\n    return [float(len(one.split())) for one in completions]\n"
        "def fewer(prompts, completions):\n    return [-one for one in words(prompts, completions)]\n"
    )
    monkeypatch.setenv("PODIUM_SCORERS_DIR", str(tmp_path))
    scorers = [
        {"name": "words", "python": "tone.py:words"},
        {"name": "fewer", "python": "tone.py:fewer", "role": "judge"},
    ]
    job = runs.job("ppo", tmp_path, models, scorers=scorers, reward_model_weight=0.0, iterations=1)
    others = [{"id": f"j{place}", "prompt": say(f"w{20 + place} w4 w4 w4")} for place in range(3)]
    job.inputs["judge_prompts"] = str(write(tmp_path / "judge.jsonl", others))
    events = list(runs.train(job))
    assert isinstance(events[-1], Result)
    seen = next(event.values for event in events if isinstance(event, StepMetrics))
    assert seen["judge/reward"] == pytest.approx(-seen["judge/score"]) and seen["judge/reward"] > 0


def test_a_judge_without_prompts_is_refused(tmp_path: Path, models: runs.Models) -> None:
    job = runs.job("ppo", tmp_path, models, judge="j")
    job.inputs.update(judge=str(models.reward), judge_prompts=str(write(tmp_path / "none.jsonl", [])))
    with pytest.raises(Invalid, match="The judge has no prompts"):
        list(runs.train(job))


def test_scores_of_texts_lie_where_those_of_the_reward_model_do() -> None:
    tokenizer = tokenizer_of(29)
    scorer = OnTexts(lambda *_: [0.5, 1.0], Codec(tokenizer), {(5,): say("w5")}, torch.device("meta"))
    assert scorer([[5, 6], [5, 7]], [1, 1]).device.type == "meta" and scorer([], []).device.type == "meta"


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_reward_model_that_reads_less_than_is_written_says_so(
    family: str, tmp_path: Path, models: runs.Models
) -> None:
    short = replace(models, one=folder_of(tmp_path / "short", family, positions=20))
    trained = runs.job("reward_model", tmp_path / "reward", short, method="full", max_steps=1, normalise_samples=0)
    list(runs.train(trained))
    longer, settings = replace(models, reward=trained.output), {"max_new_tokens": 40, "iterations": 1}
    for critic in ("separate", "reward"):
        job = runs.job("ppo", tmp_path / f"{critic} critic", longer, critic=critic, **settings)
        with pytest.raises(Invalid, match="the reward model reads 20: ask for fewer new tokens"):
            list(runs.train(job))
