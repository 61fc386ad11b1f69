"""One tiny run of each kind, for the tests of what every trainer must survive."""

import importlib
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from backend.domain.training import read_config
from tests.workers.training.language import SHAPE, say, sentences, write
from tests.workers.training.tiny import CPU, folder_of, shake
from workers.training.backbone import Backbone
from workers.training.events import StepMetrics
from workers.training.heads import ScalarHead
from workers.training.job import Job
from workers.training.launch import TRAINERS
from workers.training.ranks import Stopped

KINDS = tuple(TRAINERS)
TOKENS = 64
"""tokens_per_microbatch of all of them: several micro-batches a step."""

CONFIGS: dict[str, dict[str, Any]] = {
    "pretrain": SHAPE | {"texts_per_step": 6, "epochs": 2.0, "held_out_share": 0.2, "learning_rate": 1e-4},
    "sft": {
        "model": "m", "demonstrations_per_step": 8, "epochs": 2.0, "held_out_share": 0.2, "sample_prompts": 1,
        "learning_rate": 1e-4, "lora_rank": 2,
    },
    "reward_model": {
        "model": "m", "reward_set": "r", "prompts_per_step": 4, "epochs": 2.0, "bootstrap_rounds": 100,
        "learning_rate": 1e-4, "lora_rank": 2, "normalise_samples": 6, "normalise_max_new_tokens": 4,
    },
    "ppo": {
        "model": "m", "reward_model": "r", "iterations": 4, "episodes_per_iteration": 8, "max_new_tokens": 6,
        "lora_rank": 2, "lora_alpha": 4.0, "policy_learning_rate": 1e-4, "value_learning_rate": 1e-4,
        "shown_samples": 1, "guard": {"action": "warn"},
    },
    "sample": {"models": ("a", "b"), "max_new_tokens": 6, "completions_per_prompt": 2},
    "evaluate": {"models": ("a", "b"), "max_new_tokens": 6, "temperature": 0.0, "bootstrap_rounds": 100},
}  # fmt: skip
SUPERVISED = ("pretrain", "sft", "reward_model")


@dataclass(frozen=True)
class Models:
    """Folders of a model, another one, and a reward model on the first."""

    one: Path
    other: Path
    reward: Path


def make_models(folder: Path) -> Models:
    """Write them."""
    made = Models(folder_of(folder / "one", "llama"), folder_of(folder / "other", "llama", seed=5), folder / "reward")
    backbone = Backbone.load(made.one, device=CPU, dtype=torch.float32)
    backbone.add_adapter("reward", rank=2, alpha=4.0, seed=1)
    shake(backbone, "reward", 2)
    backbone.save_adapter("reward", made.reward / "adapter")
    ScalarHead(backbone.hidden_size, seed=1).save(made.reward)
    return made


def described(kind: str, folder: Path, models: Models, **settings: Any) -> dict[str, Any]:
    """What `job.json` holds; the inputs are written."""
    words = random.Random(0)

    def text(count: int) -> str:
        return " ".join(f"w{words.randint(3, 28)}" for _ in range(count))

    def file(name: str, rows: list[dict[str, Any]]) -> str:
        write(folder / "inputs" / f"{name}.jsonl", rows)
        return f"inputs/{name}.jsonl"

    def prompts(count: int) -> str:
        return file("prompts", [{"id": f"p{i}", "prompt": say(text(2 + i % 3))} for i in range(count)])

    def group(number: int) -> dict[str, Any]:
        return {
            "prompt_id": f"{number}",
            "prompt": say(text(3)),
            "split": "held_out" if number % 4 == 0 else "train",
            "completions": [{"id": f"{number}{i}", "text": text(3 + i), "model": f"m{i // 2}"} for i in range(3)],
            "outcomes": [
                {"a": a, "b": b, "score": float(words.random() > 0.5), "annotator": f"person {a + b}"}
                for a, b in ((0, 1), (1, 2), (0, 2))
            ],
        }

    answerers = [
        {"model": name, "name": name, "folder": str(where)} for name, where in (("a", models.one), ("b", models.other))
    ]
    of_kind: dict[str, Callable[[], dict[str, Any]]] = {
        "pretrain": lambda: {"texts": file("texts", [{"text": text} for text in sentences(24)])},
        "sft": lambda: {
            "model": str(models.one),
            "demonstrations": file(
                "demonstrations", [{"prompt": say(text(3)), "completion": text(3 + i % 4)} for i in range(24)]
            ),
        },
        "reward_model": lambda: {"model": str(models.one), "groups": file("groups", [group(i) for i in range(16)])},
        "ppo": lambda: {"model": str(models.one), "reward_model": str(models.reward), "prompts": prompts(6)},
        "sample": lambda: {"models": answerers, "prompts": prompts(12)},
        "evaluate": lambda: {
            "models": answerers,
            "prompts": prompts(24),
            "reward_model": str(models.reward),
            "reward_model_backbone": str(models.one),
        },
    }
    inputs = of_kind[kind]()

    config = CONFIGS[kind] | {"tokens_per_microbatch": TOKENS, "seed": 3}
    if kind in SUPERVISED:
        config |= {"evaluate_every_steps": 2}
    if kind not in (*SUPERVISED, "ppo"):
        settings.pop("save_every_s", None)
    return {"kind": kind, "run": "r1", "seed": 3, "attempt": 1, "config": config | settings, "inputs": inputs}


def job(kind: str, folder: Path, models: Models, **settings: Any) -> Job:
    """The same as a trainer gets it."""
    about = described(kind, folder, models, **settings)
    paths = {name: str(folder / value) if isinstance(value, str) else value for name, value in about["inputs"].items()}
    return Job(folder, kind, read_config(kind, about["config"]), paths, seed=about["seed"], run="r1")


def train(job: Job) -> Iterator[Any]:
    """The trainer of the job's kind, as a run's own process calls it."""
    with suppress(Stopped):
        yield from importlib.import_module(TRAINERS[job.kind]).train(job)


def train_until(step: int, job: Job) -> Iterator[Any]:
    """The same, asked to stop once it has told the numbers of a step."""
    told: set[int] = set()
    for event in train(replace(job, should_stop=lambda: step in told)):
        if isinstance(event, StepMetrics):
            told.add(event.step)
        yield event


def train_until_parts(parts: int, job: Job) -> Iterator[Any]:
    """The same of a kind that keeps its answers in parts, asked to stop once it has so many."""
    return train(replace(job, should_stop=lambda: len([*job.state.glob("*.jsonl")]) >= parts))
