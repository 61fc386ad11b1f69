"""What a run will take, told before it is launched: steps, time, memory and disk.

Loads no weights and asks no Hub; what cannot be known here is said instead."""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.domain.rewards import HELD_OUT_SHARE
from backend.domain.training import PPOConfig, RunConfig, read_config
from backend.domain.training.estimate import Shape, needs
from backend.domain.training.ppo import CRITIC_NOT_COPIED
from backend.domain.training.workload import Workload, same_pace, workload
from backend.errors import Invalid, NotFound
from backend.services import run_inputs
from backend.storage import Store
from backend.tables import CompletionRating, Demonstration, Document, Project, Prompt, RewardSet, Run, RunMetrics

LATEST = 50
"""Ended runs of a kind that are looked through for one to go by."""
ROWS = {
    "pretrain": "texts",
    "sft": "demonstrations",
    "sample": "prompts",
    "reward_model": "groups",
    "ppo": "prompts",
    "evaluate": "prompts",
}
"""The file of each kind's inputs whose rows make its work."""


@dataclass(frozen=True)
class Room:
    """Bytes at the worst moment, on each GPU or of a machine without one; on disk while it runs, and what is kept."""

    gpu: int
    cpu: int
    folder: int
    stored: int


@dataclass(frozen=True)
class Like:
    """An ended run that tells how long another one takes: so many seconds, of which `ready` were no work but loading
    and storing, which take as long whatever the work."""

    run: Run
    seconds: float
    ready: float
    work: int

    def foretells(self, work: int) -> float:
        """Seconds of a run with so much work."""
        return self.ready + (self.seconds - self.ready) * work / self.work


@dataclass(frozen=True)
class Estimate:
    """`seconds` goes by `like`. What is None is not known, and `unknown` says why. `advice`: what would do better."""

    workload: Workload
    seconds: float | None
    like: Like | None
    room: Room | None
    unknown: list[str]
    advice: list[str]


def estimate(session: Session, store: Store, project: Project, kind: str, config: dict[str, Any]) -> Estimate:
    """Raises Invalid, with the field at fault, for what could not be launched."""
    checked = read_config(kind, config)
    inputs = run_inputs.resolve(session, project, kind, checked)
    load = workload(checked, _rows(session, project, kind, checked, inputs))
    like = _like(session, kind, checked, inputs)
    shapes, unknown = _shapes(store, inputs, checked)
    if like is None:
        unknown.append(
            "How long it takes is not known: no run with such settings on the same model has ended here yet. Its page "
            "tells after the first steps."
        )
    seconds = like.foretells(load.work) if like else None
    room = _room(checked, shapes) if shapes is not None else None
    return Estimate(load, seconds, like, room, unknown, _advice(inputs, checked))


# --- how much ---------------------------------------------------------------------------------------------------------


def _rows(session: Session, project: Project, kind: str, config: RunConfig, inputs: Mapping[str, Any]) -> int:
    """Rows that the run will read, about: which prompts are held out is taken to be just their share."""

    def count(column: Any, *conditions: Any) -> int:
        return session.scalar(select(func.count(column)).where(*conditions)) or 0

    if kind == "pretrain":
        return count(Document.id, Document.project_id == project.id)
    if kind == "sft" and getattr(config, "demonstrations", "") == "imported":
        return count(Demonstration.id, Demonstration.project_id == project.id)
    if kind == "sft":
        enough = CompletionRating.judgments >= getattr(config, "min_judgments", 1)
        ranked = count(CompletionRating.prompt_id.distinct(), CompletionRating.project_id == project.id, enough)
        return round(ranked * (1 - HELD_OUT_SHARE))
    if kind == "reward_model":
        prompts = session.get_one(RewardSet, uuid.UUID(inputs["reward_set"]["id"])).prompts
        return prompts if getattr(config, "half", "all") == "all" else prompts // 2
    share = {"all": 1.0, "train": 1 - HELD_OUT_SHARE, "held_out": HELD_OUT_SHARE}[getattr(config, "prompts", "all")]
    prompts = round(count(Prompt.id, Prompt.project_id == project.id) * share)
    return min(prompts, getattr(config, "max_prompts", None) or prompts)


# --- how long ---------------------------------------------------------------------------------------------------------


def _like(session: Session, kind: str, config: RunConfig, inputs: Mapping[str, Any]) -> Like | None:
    """The latest run of the same pace that went from beginning to end at one go."""
    ended = select(Run).where(Run.kind == kind, Run.state == "succeeded", Run.attempt == 1)
    for run in session.scalars(ended.order_by(Run.id.desc()).limit(LATEST)):
        read = run.inputs or {}
        rows = read.get("files", {}).get(ROWS[kind], {}).get("rows")
        if not rows or run.started_at is None or run.finished_at is None or _models(read) != _models(inputs):
            continue
        with suppress(Invalid):  # a config of an earlier version
            other = read_config(kind, run.config)
            if same_pace(config, other):
                took = (run.finished_at - run.started_at).total_seconds()
                return Like(run, took, _not_at_work(session, run, took), workload(other, rows).work)
    return None


def _not_at_work(session: Session, run: Run, took: float) -> float:
    """The part of a run's seconds that its steps did not take, at the pace from the first told of to the last."""
    told = select(RunMetrics.step, RunMetrics.created_at).where(RunMetrics.run_id == run.id)
    orders = (RunMetrics.step, RunMetrics.step.desc())
    first, last = (session.execute(told.order_by(order).limit(1)).first() for order in orders)
    if first is None or last is None or first.step == last.step:
        return 0.0
    pace: float = (last.created_at - first.created_at).total_seconds() / (last.step - first.step)
    steps: int = last.step
    return min(max(0.0, took - pace * steps), took)


def _models(inputs: Mapping[str, Any]) -> set[tuple[str, str | None]]:
    return {(one["id"], one.get("revision")) for one in [*inputs.get("models", ()), inputs.get("model")] if one}


# --- how large --------------------------------------------------------------------------------------------------------


def _shapes(store: Store, inputs: Mapping[str, Any], config: RunConfig) -> tuple[dict[str, Shape] | None, list[str]]:
    """The shapes of the models that are loaded; None, and why, when one is not known here."""
    shapes: dict[str, Shape] = {}
    unknown = []
    for name, model in _loaded(inputs, config):
        source = model["source"]
        if source["kind"] == "hub":
            unknown.append(
                f"Memory and disk are not known: “{model['name']}” is on a Hub, and fetched when the run starts."
            )
        elif source["kind"] != "endpoint":
            try:
                shapes[name] = Shape.of(json.loads(_config_of(store, source).read_text(encoding="utf-8")))
            except (NotFound, OSError, ValueError, AttributeError, TypeError, ZeroDivisionError):
                unknown.append(
                    f"Memory and disk are not known: config.json of “{model['name']}” cannot be read on this machine."
                )
    for field in run_inputs.REWARD_MODELS:
        # One that trained all its weights has a shape; an adapter has none.
        with suppress(NotFound, OSError, ValueError):
            if one := inputs.get(field):
                about = store.file(one["checkpoint"], "config.json").read_text(encoding="utf-8")
                shapes[field] = Shape.of(json.loads(about))
    return (None, list(dict.fromkeys(unknown))) if unknown else (shapes, [])


def _advice(inputs: Mapping[str, Any], config: RunConfig) -> list[str]:
    copies = isinstance(config, PPOConfig) and config.copies_reward_model
    return [CRITIC_NOT_COPIED] if copies and inputs["reward_model"]["backbone"] is None else []


def _loaded(inputs: Mapping[str, Any], config: RunConfig) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in ("model", "reference"):
        if inputs.get(name):
            yield name, inputs[name]
    for number, model in enumerate(inputs.get("models", ())):
        yield f"models/{number}", model
    model, backbone = inputs.get("model"), (inputs.get("reward_model") or {}).get("backbone")
    # PPO, and an adapter that is fine-tuned, share theirs with a reward model that was trained on it.
    shared = model and backbone and model["id"] == backbone["id"] and getattr(config, "method", "lora") == "lora"
    if backbone and not shared:
        yield "reward_model_backbone", backbone


def _config_of(store: Store, source: Mapping[str, Any]) -> Path:
    if source["kind"] == "checkpoint":
        return store.file(source["checkpoint"], "config.json")
    return Path(source["path"]) / "config.json"


def _room(config: RunConfig, shapes: Mapping[str, Shape]) -> Room | None:
    devices = getattr(config, "devices", 1)
    gpu = needs(config, shapes, cuda=True, devices=devices)
    cpu = needs(config, shapes, cuda=False, devices=devices)
    if not gpu.memory:
        return None  # endpoints alone
    return Room(gpu.memory, cpu.memory * devices, cpu.folder, cpu.stored)
