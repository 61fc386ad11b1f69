"""Checkpoints: what a training run made, where it came from, and its files in storage.

A checkpoint is whole once its row is committed; its files were stored before, under its id. A language model becomes
an entry of the model registry; a reward model does not, since it answers nothing.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

from backend import storage
from backend.errors import Invalid, NotFound, PodiumError
from backend.services import corpus
from backend.storage import StoredFile
from backend.tables import Checkpoint, Model, Project, RewardSet, Run

MANIFEST = "manifest.json"
LANGUAGE_MODELS = frozenset({"pretrain", "sft", "ppo"})
KINDS = LANGUAGE_MODELS | {"reward_model"}
_NAMING = 0x706F6469  # an advisory lock: names are chosen one transaction at a time


def key(checkpoint_id: uuid.UUID) -> str:
    """The name of a checkpoint's folder in the store."""
    return str(checkpoint_id)


def lineage(session: Session, run: Run) -> dict[str, Any]:
    """What went into a run's checkpoint, for its manifest."""
    inputs = run.inputs or {}
    reward_set = inputs.get("reward_set")
    return {
        "run": str(run.id),
        "kind": run.kind,
        "project": str(run.project_id) if run.project_id else None,
        "parents": [
            {"id": str(parent.id), "name": parent.name, "revision": parent.revision, "kind": parent.kind}
            for parent in _parents(session, inputs)
        ],
        "reward_set": reward_set,
        "config": run.config,
        "seed": run.seed,
        "inputs": inputs,
        "versions": {name: value for name, value in (run.environment or {}).items() if name != "storing"},
    }


def finish_folder(folder: Path, about: Mapping[str, Any]) -> str:
    """Write the manifest into a trainer's output folder; the revision is the SHA-1 of the manifest's bytes.

    The manifest names every other file with its size and SHA-256, so that the revision stands for all of them.
    """
    paths = [path for path in storage.files_of(folder) if path != MANIFEST]
    if not paths:
        raise Invalid("The trainer reported a result but left no files in its output folder.")
    manifest = {"format": 1, **about, "files": [asdict(storage.describe(folder, path)) for path in paths]}
    content = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False).encode()
    (folder / MANIFEST).write_bytes(content)
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def register(
    session: Session,
    run: Run,
    *,
    id: uuid.UUID,
    revision: str,
    files: Sequence[StoredFile],
    metrics: Mapping[str, Any],
) -> Checkpoint:
    """Add what a run made, under the name it asked for or one after it; a language model joins the registry."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _NAMING})
    project = session.get(Project, run.project_id) if run.project_id else None
    inputs = run.inputs or {}
    name = _free(session, run.config.get("output_name") or _name_after(run, project))
    model = None
    if run.kind in LANGUAGE_MODELS:
        source = {"kind": "checkpoint", "checkpoint": str(id)}
        model = corpus.register_model(session, name=name, source=source, created_by=run.created_by)
    checkpoint = Checkpoint(
        id=id,
        name=name,
        revision=revision,
        kind=run.kind,
        run_id=run.id,
        project_id=run.project_id,
        model_id=model.id if model else None,
        reward_set_id=uuid.UUID(inputs["reward_set"]["id"]) if inputs.get("reward_set") else None,
        parents=[parent.id for parent in _parents(session, inputs)],
        files=[asdict(file) for file in files],
        metrics=dict(metrics),
    )
    session.add(checkpoint)
    session.flush()
    session.refresh(checkpoint)
    return checkpoint


def check_new_name(session: Session, name: str, field: str = "output_name") -> None:
    """Refuse a name that no Hub client could ask for, or that is already somebody's."""
    corpus.check_model_name(name, field)
    if _taken(session, name):
        raise Invalid(f"There is already a checkpoint or model named “{name}”; choose another name.", field)


def find(session: Session, key: str, field: str | None = None) -> Checkpoint:
    """The checkpoint with this id or name. Raises NotFound."""
    try:
        condition = Checkpoint.id == uuid.UUID(key)
    except ValueError:
        condition = Checkpoint.name == key
    found = session.scalar(select(Checkpoint).where(condition))
    if found is None:
        raise NotFound(f"There is no checkpoint “{key[:200]}”.", field)
    return found


def by_name(session: Session, name: str, revision: str | None = None) -> Checkpoint:
    """The checkpoint of this name, if the revision asked for (`main` or the 40 hex digits) is its own."""
    found = find(session, name)
    if found.name != name:  # an id is no name
        raise NotFound(f"There is no checkpoint “{name[:200]}”.")
    if revision not in (None, "main", found.revision):
        raise NotFound(f"“{name}” has no revision “{revision[:80] if revision else ''}”.", "revision")
    return found


def file_of(checkpoint: Checkpoint, path: str) -> StoredFile:
    """The entry of one file. Raises NotFound."""
    for file in checkpoint.files:
        if file["path"] == path:
            return StoredFile(**file)
    raise NotFound(f"“{checkpoint.name}” has no file “{path[:200]}”.")


def all_of(
    project_id: uuid.UUID | None = None, kind: str | None = None, promoted: bool | None = None
) -> Select[Checkpoint]:
    """The checkpoints that a list shows."""
    query = select(Checkpoint)
    if project_id is not None:
        query = query.where(Checkpoint.project_id == project_id)
    if kind is not None:
        query = query.where(Checkpoint.kind == kind)
    if promoted is not None:
        query = query.where(Checkpoint.promoted_at.is_not(None) if promoted else Checkpoint.promoted_at.is_(None))
    return query


def promote(session: Session, checkpoint: Checkpoint) -> Checkpoint:
    """Mark it as one to use; done twice, the first time counts."""
    if checkpoint.promoted_at is None:
        checkpoint.promoted_at = func.clock_timestamp()
        session.flush()
        session.refresh(checkpoint)
    return checkpoint


def named(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Checkpoint]:
    """Checkpoints by id, for showing the parents of several in one query."""
    return {found.id: found for found in session.scalars(select(Checkpoint).where(Checkpoint.id.in_(set(ids))))}


def reward_sets(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, RewardSet]:
    """Reward sets by id, for showing what several checkpoints learnt from in one query."""
    return {found.id: found for found in session.scalars(select(RewardSet).where(RewardSet.id.in_(set(ids))))}


def is_registered(session: Session, checkpoint_id: uuid.UUID) -> bool:
    """Whether files stored under this id belong to a checkpoint; if not, their run was lost before it could say so."""
    return session.get(Checkpoint, checkpoint_id) is not None


def _parents(session: Session, inputs: Mapping[str, Any]) -> list[Checkpoint]:
    """The checkpoints among a run's inputs, each once, in the order they are named."""
    references = [inputs.get("model"), inputs.get("reward_model"), inputs.get("reference"), *inputs.get("models", [])]
    ids = [uuid.UUID(one["checkpoint"]) for one in references if one and one.get("checkpoint")]
    found = named(session, ids)
    return [found[id] for id in dict.fromkeys(ids) if id in found]


def _name_after(run: Run, project: Project | None) -> str:
    segments = [_segment(project.slug if project else "", "podium"), _segment(run.name, run.kind)]
    name = "/".join(segments)
    try:
        corpus.check_model_name(name)
    except PodiumError:  # a reserved word
        name = f"project-{name}"
    return name


def _segment(wish: str, otherwise: str) -> str:
    """A part of a Hub name made of free text."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", wish.strip()).strip("-").lower()[:80].strip("-")
    return plain or otherwise.replace("_", "-")


def _free(session: Session, name: str) -> str:
    """The name itself, or with the first number that makes it new."""
    candidate, number = name, 1
    while _taken(session, candidate):
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _taken(session: Session, name: str) -> bool:
    return bool(
        session.scalar(select(select(Checkpoint.id).where(Checkpoint.name == name).exists()))
        or session.scalar(select(select(Model.id).where(Model.name == name).exists()))
    )
