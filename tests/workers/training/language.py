"""A tiny language of its own with a model that has seen a little of it, for the tests of trainers."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from backend.domain.training import RunConfig, read_config
from workers.training.job import Job

COLOURS = ("red", "blue", "green", "black", "white", "brown", "pink", "grey")
ANIMALS = ("cat", "dog", "bird", "fish", "horse", "mouse")


def say(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def sentences(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [
        f"The {rng.choice(ANIMALS)} is {rng.choice(COLOURS)}, the {rng.choice(ANIMALS)} is {rng.choice(COLOURS)} ({i})."
        for i in range(count)
    ]


def dialogues(count: int, seed: int = 0) -> list[str]:
    """Documents that spell out a question and some answer to it."""
    rng = random.Random(seed)
    return [
        f"<|user|>What colour is number {rng.randint(0, 99)}?<|end|><|assistant|>It is {rng.choice(COLOURS)}.<|end|>"
        for _ in range(count)
    ]


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def job(folder: Path, kind: str, config: dict[str, Any], **inputs: Any) -> Job:
    folder.mkdir(parents=True, exist_ok=True)
    read: RunConfig = read_config(kind, config)
    paths = {name: str(value) if isinstance(value, Path) else value for name, value in inputs.items()}
    return Job(folder, kind, read, paths, seed=int(config.get("seed", 0)), run="test", device=torch.device("cpu"))


SHAPE = {"hidden_size": 32, "layers": 2, "heads": 4, "vocabulary_size": 330, "context_tokens": 64}


def metrics(events: Sequence[Any], name: str) -> list[tuple[int, float]]:
    """(step, value) of one metric."""
    return [(e.step, e.values[name]) for e in events if hasattr(e, "step") and name in getattr(e, "values", {})]
