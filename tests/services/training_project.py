"""A small project with everything that runs read, for tests of runs and of what they make."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend.database import uuid7
from backend.services import checkpoints, corpus, projects, runs
from backend.storage import FolderStore, Store
from backend.tables import Checkpoint, Project, Run


def make_project(session: Session, name: str = "Kind answers", prompts: int = 6) -> Project:
    """Prompts, documents and demonstrations, as if imported."""
    project = projects.create(session, name=name)
    messages = [[{"role": "user", "content": f"{name}: question {number}?"}] for number in range(prompts)]
    corpus.ensure_prompts(session, project.id, messages)
    corpus.add_documents(session, project.id, [f"{name}: text {number}." for number in range(5)])
    corpus.add_demonstrations(session, project.id, [(one, "An answer.") for one in messages[:3]])
    return project


def launch(session: Session, project: Project, kind: str = "pretrain", **config: Any) -> Run:
    """A queued run."""
    return runs.launch(session, project=project, kind=kind, config=config)


def begin(session: Session, run: Run, worker: str = "test") -> Run:
    """Claim it."""
    claimed = runs.claim(session, run.id, worker)
    assert claimed is not None
    runs.begin(session, run.id, claimed.attempt, fresh=True, environment={"podium": "test"})
    return claimed


def make_checkpoint(
    session: Session, store: Store, project: Project, folder: Path, run: Run | None = None
) -> Checkpoint:
    """A checkpoint of a run (a pretraining unless told) that has succeeded, with real files in the store."""
    run = begin(session, run or launch(session, project))
    output = folder / f"output-{run.id}"
    output.mkdir()
    (output / "config.json").write_text(json.dumps({"model_type": "none", "run": str(run.id)}))
    (output / "model.safetensors").write_bytes(bytes(range(256)) * 40)
    id = uuid7()
    revision = checkpoints.finish_folder(output, checkpoints.lineage(session, run))
    files = store.put(checkpoints.key(id), output)
    run = runs.succeed(session, run.id, run.attempt, {"loss": 0.5})
    return checkpoints.register(session, run, id=id, revision=revision, files=files, metrics={"loss": 0.5})


def make_store(folder: Path) -> FolderStore:
    """An empty store."""
    return FolderStore(folder / "store")
