"""What a run reads: the names in its config looked up when it is launched, and its folder written when it starts.

At launch each name becomes an entry of `run.inputs` (ids, revisions), so that what a run reads is settled and recorded
before anything runs. At the start the rows come from SQL into `inputs/*.jsonl` and models become folders; `job.json`
is written last and makes the folder complete. Knows nothing of processes and of what trainers do with it.

    run.inputs   model, reference   {id, name, source, checkpoint?, revision?}
                 models             a list of those
                 reward_model, judge    {checkpoint, name, revision, kind, backbone: a model as above, where it is an
                                        adapter on one}
                 reward_set         {id, number, name}
                 files              {input: {rows, sha256}}, added when the rows are written
"""

import hashlib
import itertools
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.domain.digests import digest
from backend.domain.rewards import half, split
from backend.domain.training import RunConfig
from backend.errors import Invalid, NotFound
from backend.services import checkpoints, corpus, rewards
from backend.storage import FolderStore, Store
from backend.tables import (
    Checkpoint,
    CompletionRating,
    Demonstration,
    Document,
    Project,
    Prompt,
    RewardSet,
    Run,
)

JOB = "job.json"
REWARD_MODELS = ("reward_model", "judge")
"""Inputs that are reward models."""
# What a kind reads of its project, besides what its config names.
READS = {
    "pretrain": ("documents",),
    "sft": ("demonstrations",),
    "sample": ("prompts",),
    "reward_model": (),
    "ppo": ("prompts",),
    "evaluate": ("prompts",),
}
HubModel = tuple[str, str | None]
"""A repository on a Hub and the revision asked for."""


def needs(kind: str, config: type[RunConfig]) -> list[str]:
    """What must be there before a run of this kind can be launched: marks of required fields, then rows."""
    marks = [
        extra["x-podium"]
        for field in config.model_fields.values()
        if field.is_required() and isinstance(extra := field.json_schema_extra, dict) and "x-podium" in extra
    ]
    return [*dict.fromkeys(str(mark) for mark in marks), *READS.get(kind, ())]


# --- at launch ------------------------------------------------------------------------------------------------------


def resolve(session: Session, project: Project, kind: str, config: RunConfig) -> dict[str, Any]:
    """The entries of `run.inputs` for a config. Raises Invalid with the field for what is unknown or of no use here."""
    inputs: dict[str, Any] = {}
    for field, about in type(config).model_fields.items():
        extra = about.json_schema_extra
        mark = extra.get("x-podium") if isinstance(extra, dict) else None
        value = getattr(config, field)
        if mark is None or value is None:
            continue
        if mark == "output_name":
            checkpoints.check_new_name(session, value, field)
        elif mark == "model" and isinstance(value, tuple):
            inputs[field] = [_model(session, kind, name, field) for name in value]
            if len({one["id"] for one in inputs[field]}) < len(inputs[field]):
                raise Invalid("The same model is named twice.", field)
        elif mark == "model":
            inputs[field] = _model(session, kind, value, field)
        elif mark == "checkpoint":
            inputs[field] = _reward_model(session, value, field)
        elif mark == "reward_set":
            inputs[field] = _reward_set(session, project, value, field)
    _check_backbone(kind, inputs)
    _check_rows(session, project, kind, config)
    return inputs


def _model(session: Session, kind: str, name: str, field: str) -> dict[str, Any]:
    try:
        model = corpus.resolve_model(session, name, field)
    except NotFound as error:
        # A checkpoint may be named by its own id as well.
        checkpoint = _maybe_checkpoint(session, name)
        if checkpoint is None:
            raise Invalid(error.message, field) from None
        if checkpoint.model_id is None:
            raise Invalid(f"“{name}” is a {checkpoint.kind} checkpoint and gives no answers.", field) from None
        model = corpus.resolve_model(session, str(checkpoint.model_id), field)
    source = model.source
    if source["kind"] == "imported":
        raise Invalid(f"Of “{model.name}” only imported answers are known: it cannot be run.", field)
    if source["kind"] == "endpoint" and kind != "sample":
        raise Invalid(f"“{model.name}” is an endpoint: it can be sampled, but its weights are not here.", field)
    entry: dict[str, Any] = {"id": str(model.id), "name": model.name, "source": source}
    if source["kind"] == "checkpoint":
        made = checkpoints.find(session, source["checkpoint"], field)
        entry |= {"checkpoint": str(made.id), "revision": made.revision, "kind": made.kind}
    return entry


def _maybe_checkpoint(session: Session, name: str) -> Checkpoint | None:
    try:
        return checkpoints.find(session, name)
    except NotFound:
        return None


def _reward_model(session: Session, name: str, field: str) -> dict[str, Any]:
    checkpoint = _maybe_checkpoint(session, name)
    if checkpoint is None:
        raise Invalid(f"There is no checkpoint “{name}”.", field)
    if checkpoint.kind != "reward_model":
        raise Invalid(f"“{checkpoint.name}” is no reward model but the result of a {checkpoint.kind} run.", field)
    made_by = session.get_one(Run, checkpoint.run_id)
    whole = made_by.config.get("method") == "full"
    return {
        "checkpoint": str(checkpoint.id),
        "name": checkpoint.name,
        "revision": checkpoint.revision,
        "kind": checkpoint.kind,
        "backbone": None if whole else (made_by.inputs or {}).get("model"),
    }


def _reward_set(session: Session, project: Project, name: str, field: str) -> dict[str, Any]:
    """By id, or by its number within the project."""
    query = select(RewardSet).where(RewardSet.project_id == project.id)
    try:
        query = query.where(RewardSet.id == uuid.UUID(name))
    except ValueError:
        number = int(name) if name.isascii() and name.isdigit() and len(name) < 10 else -1
        query = query.where(RewardSet.number == number)
    found = session.scalar(query)
    if found is None:
        raise Invalid(f"The project “{project.name}” has no reward set “{name}”.", field)
    return {"id": str(found.id), "number": found.number, "name": found.name}


def _check_backbone(kind: str, inputs: Mapping[str, Any]) -> None:
    """A reward model is an adapter on one backbone, and PPO keeps a single backbone in memory."""
    model = inputs.get("model")
    if kind != "ppo" or not model:
        return
    for field in REWARD_MODELS:
        backbone = (inputs.get(field) or {}).get("backbone")
        if backbone and backbone["id"] != model["id"]:
            raise Invalid(
                f"The reward model “{inputs[field]['name']}” was trained on “{backbone['name']}”, not on "
                f"“{model['name']}”: start PPO from “{backbone['name']}”, or train a reward model on "
                f"“{model['name']}”.",
                field,
            )
    if inputs.get("judge", {}).get("checkpoint") == inputs["reward_model"]["checkpoint"]:
        raise Invalid("The judge must be another reward model than the one that the policy is trained on.", "judge")


def _check_rows(session: Session, project: Project, kind: str, config: RunConfig) -> None:
    """An empty project would only fail later, in a process that costs minutes to start."""

    def some(*condition: Any) -> bool:
        return bool(session.scalar(select(select(1).where(*condition).exists())))

    name = f"The project “{project.name}”"
    if kind == "pretrain" and not some(Document.project_id == project.id):
        raise Invalid(f"{name} has no documents to learn from; import some texts first.")
    if kind == "sft" and getattr(config, "demonstrations", None) == "imported":
        if not some(Demonstration.project_id == project.id):
            raise Invalid(
                f"{name} has no demonstrations; import some, or learn from the best ranked.", "demonstrations"
            )
    elif kind == "sft":
        judged = CompletionRating.judgments >= getattr(config, "min_judgments", 1)
        if not some(CompletionRating.project_id == project.id, judged):
            raise Invalid(f"{name} has no completions that were judged so often yet.", "demonstrations")
    if kind in ("sample", "ppo", "evaluate") and not some(Prompt.project_id == project.id):
        raise Invalid(f"{name} has no prompts.")


# --- at the start ---------------------------------------------------------------------------------------------------


def hub_models(inputs: Mapping[str, Any]) -> list[HubModel]:
    """The models among a run's inputs that must be fetched from a Hub first."""
    return list(
        dict.fromkeys(
            (one["source"]["repo"], one["source"].get("revision"))
            for one in _all_models(inputs)
            if one["source"]["kind"] == "hub"
        )
    )


def is_complete(folder: Path) -> bool:
    """Whether a folder's inputs were written to the end."""
    return (folder / JOB).is_file()


def write(session: Session, store: Store, run: Run, folder: Path, fetched: Mapping[HubModel, Path]) -> dict[str, Any]:
    """Fill a run's folder; returns how many rows each file has, with its hash, for `run.inputs`.

    With `inputs/` already there from an earlier attempt only `job.json` is new: a resumed run reads what it read
    before, whatever the project holds by now.
    """
    inputs = run.inputs or {}
    named: dict[str, Any] = {}
    files: dict[str, Any] = dict(inputs.get("files") or {})
    kept = is_complete(folder) and bool(files)
    for name, rows in _rows(session, run).items():
        path = folder / "inputs" / f"{name}.jsonl"
        if not kept:
            files[name] = _write_rows(path, rows)
            if not files[name]["rows"]:
                raise Invalid(
                    f"There is nothing to read for this run: no {name} are left on the side of the split that it uses."
                )
        named[name] = f"inputs/{path.name}"
    for name in ("model", "reference"):
        if inputs.get(name):
            named[name] = str(_folder_of(store, inputs[name], fetched))
    if "models" in inputs:
        named["models"] = [_answerer(store, one, fetched) for one in inputs["models"]]
    for field in REWARD_MODELS:
        if one := inputs.get(field):
            named[field] = str(_files_of(store, one))
            if one.get("backbone"):
                named[f"{field}_backbone"] = str(_folder_of(store, one["backbone"], fetched))
    job = {
        "kind": run.kind,
        "run": str(run.id),
        "seed": run.seed,
        "config": run.config,
        "inputs": named,
        "model_name": (inputs.get("model") or {}).get("name"),
        "attempt": run.attempt,
        "store": str(store.root) if isinstance(store, FolderStore) else None,
    }
    fresh = folder / f"{JOB}.new"
    fresh.write_text(json.dumps(job, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(fresh, folder / JOB)
    return files


def _rows(session: Session, run: Run) -> dict[str, Iterable[Mapping[str, Any]]]:
    """The rows of each input file of a kind; nothing is read before somebody iterates."""
    config, inputs = run.config, run.inputs or {}
    if run.project_id is None:
        raise Invalid("This run belongs to no project, so there is nothing to read.")
    if run.kind == "pretrain":
        return {"texts": corpus.documents(session, run.project_id)}
    if run.kind == "sft":
        return {"demonstrations": _demonstrations(session, run.project_id, config)}
    rows: dict[str, Iterable[Mapping[str, Any]]] = {}
    if run.kind in ("sample", "ppo", "evaluate"):
        rows["prompts"] = _prompts(session, run)
    if run.kind == "ppo" and (inputs.get("judge") or any(one["role"] == "judge" for one in config.get("scorers", ()))):
        # Held out from the policy and from both reward models.
        others = _prompts_of(session, run.project_id, "held_out")
        rows["judge_prompts"] = itertools.islice(others, config["judge_prompts"])
    if run.kind == "evaluate" and config.get("perplexity_on") == "demonstrations":
        unseen = _held_out_demonstrations(session, run.project_id)
        rows["demonstrations"] = itertools.islice(unseen, config["max_demonstrations"])
    if inputs.get("reward_set") and run.kind in ("reward_model", "evaluate"):
        held_out = run.kind == "evaluate"
        groups = _groups(session, uuid.UUID(inputs["reward_set"]["id"]), held_out=held_out)
        rows["groups"] = _of_half(groups, config.get("half", "all"))
    return rows


def _demonstrations(session: Session, project_id: uuid.UUID, config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Without what is held out, which stays unseen by every kind of training. Demonstrations of other prompts than the
    project's own were never held out from anything."""
    if config.get("demonstrations") == "best_ranked":
        for row in corpus.best_ranked(session, project_id, config.get("min_judgments", 1)):
            if split(row["digest"]) == "train":
                yield {"prompt": row["prompt"], "completion": row["completion"]}
        return
    held_out = _held_out(session, project_id)
    for row in corpus.demonstrations(session, project_id):
        if digest(row["prompt"]) not in held_out:
            yield row


def _held_out_demonstrations(session: Session, project_id: uuid.UUID) -> Iterator[Mapping[str, Any]]:
    """Those that no training has seen: exactly what `_demonstrations` leaves out."""
    held_out = _held_out(session, project_id)
    return (row for row in corpus.demonstrations(session, project_id) if digest(row["prompt"]) in held_out)


def _held_out(session: Session, project_id: uuid.UUID) -> set[str]:
    """Digests of the project's prompts on the held-out side."""
    own = session.scalars(select(Prompt.digest).where(Prompt.project_id == project_id))
    return {key for key in own if split(key) == "held_out"}


def _prompts(session: Session, run: Run) -> Iterable[Mapping[str, Any]]:
    config = run.config
    if run.project_id is None:
        return []
    # What is held out from the training of reward models stays unseen by policies too.
    wanted = config.get("prompts", "train" if run.kind == "ppo" else "all")
    rows: Iterable[dict[str, Any]] = _prompts_of(session, run.project_id, wanted)
    limit = config.get("max_prompts")
    if limit is None:
        return rows
    if run.kind == "sample":
        counts = session.execute(select(Prompt.id, Prompt.completions).where(Prompt.project_id == run.project_id))
        answered = {str(id): count for id, count in counts}
        rows = sorted(rows, key=lambda row: answered.get(row["id"], 0))  # stable: oldest first among equals
    return (row for _, row in zip(range(limit), rows, strict=False))


def _prompts_of(session: Session, project_id: uuid.UUID, wanted: str) -> Iterator[dict[str, Any]]:
    """Those on one side of the split, or all."""
    for row in corpus.prompt_rows(session, project_id):
        if wanted in ("all", split(row["digest"])):
            yield {"id": row["id"], "prompt": row["prompt"]}


def _groups(session: Session, reward_set_id: uuid.UUID, *, held_out: bool) -> Iterator[Mapping[str, Any]]:
    for group in rewards.groups(session, reward_set_id):
        if not held_out or group["split"] == "held_out":
            yield group


def _of_half(groups: Iterable[Mapping[str, Any]], wanted: str) -> Iterator[Mapping[str, Any]]:
    """What is held out stays on whichever half it is: all are measured on the same."""
    for group in groups:
        if wanted == "all" or group["split"] == "held_out" or half(digest(group["prompt"])) == wanted:
            yield group


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, count = hashlib.sha256(), 0
    with open(path, "wb") as file:
        for row in rows:
            line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
            digest.update(line)
            file.write(line)
            count += 1
    return {"rows": count, "sha256": digest.hexdigest()}


def _all_models(inputs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in ("model", "reference"):
        if inputs.get(name):
            yield inputs[name]
    yield from inputs.get("models", [])
    for field in REWARD_MODELS:
        if (inputs.get(field) or {}).get("backbone"):
            yield inputs[field]["backbone"]


def _files_of(store: Store, checkpoint: Mapping[str, Any]) -> Path:
    try:
        return store.local(checkpoint["checkpoint"])
    except NotFound as error:
        raise NotFound(f"“{checkpoint['name']}” is gone. {error}") from None


def _folder_of(store: Store, model: Mapping[str, Any], fetched: Mapping[HubModel, Path]) -> Path:
    source = model["source"]
    if source["kind"] == "checkpoint":
        return _files_of(store, {"name": model["name"], "checkpoint": source["checkpoint"]})
    if source["kind"] == "hub":
        return fetched[(source["repo"], source.get("revision"))]
    folder = Path(source["path"])
    if not folder.is_absolute():
        raise Invalid(f"The folder of “{model['name']}” must be an absolute path, not {source['path']}.")
    if not (folder / "config.json").is_file():
        raise Invalid(f"On the worker's machine there is no model in {folder}, where “{model['name']}” should be.")
    return folder


def _answerer(store: Store, model: Mapping[str, Any], fetched: Mapping[HubModel, Path]) -> dict[str, Any]:
    about = {"model": model["id"], "name": model["name"]}
    if model["source"]["kind"] == "endpoint":
        return about | {"endpoint": {key: value for key, value in model["source"].items() if key != "kind"}}
    return about | {"folder": str(_folder_of(store, model, fetched))}
