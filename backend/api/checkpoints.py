"""Checkpoints over HTTP: what training made, where it came from, and its files. A `read` token may pull."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse
from sqlalchemy.orm import Session

from backend import storage
from backend.api.deps import Admin, AdminReader, SessionDep, SettingsDep
from backend.api.wire import After, IdStr, Limit, Page, Time, Wire, paginate
from backend.errors import Unavailable
from backend.services import checkpoints, projects
from backend.settings import Settings
from backend.storage import Store
from backend.tables import Checkpoint

router = APIRouter(tags=["checkpoints"])

CHUNK = 1 << 20


def get_store(settings: SettingsDep) -> Store:
    """Where the files of checkpoints are kept."""
    return storage.open_store(settings.storage)


StoreDep = Annotated[Store, Depends(get_store)]


class CheckpointRef(Wire):
    """A checkpoint that another one was made from."""

    id: IdStr
    name: str
    kind: str


class CheckpointFile(Wire):
    """One file, as its manifest names it."""

    path: str
    size: int
    sha256: str


class Pull(Wire):
    """How to fetch it: on the command line, and in Python."""

    command: str
    python: str


class CheckpointOut(Wire):
    """What a run made. `model` is its entry in the registry; a reward model has none."""

    id: IdStr
    name: str
    revision: str
    kind: str
    model: IdStr | None
    run: IdStr
    project: IdStr | None
    parents: list[CheckpointRef]
    reward_set: IdStr | None
    metrics: dict[str, Any]
    files: list[CheckpointFile]
    size: int
    promoted_at: Time | None
    created_at: Time
    pull: Pull


class Weights(FileResponse):
    """A file in large pieces: weights are gigabytes."""

    chunk_size = CHUNK


@router.get("/checkpoints")
def list_checkpoints(
    session: SessionDep,
    settings: SettingsDep,
    caller: AdminReader,
    project: Annotated[str | None, Query(max_length=100, description="id or slug")] = None,
    kind: Annotated[str | None, Query(max_length=40)] = None,
    promoted: bool | None = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[CheckpointOut]:
    """Checkpoints, newest first."""
    project_id = projects.find(session, project).id if project is not None else None
    query = checkpoints.all_of(project_id, kind, promoted)
    rows, cursor = paginate(session, query, key=Checkpoint.id, after=after, limit=limit)
    return Page(items=_out(session, settings, rows), next=cursor)


@router.get("/checkpoints/by-name/{namespace}/{name}")
def get_checkpoint_by_name(
    namespace: str,
    name: str,
    session: SessionDep,
    settings: SettingsDep,
    caller: AdminReader,
    revision: Annotated[str | None, Query(max_length=80, description="`main` or 40 hex digits")] = None,
) -> CheckpointOut:
    """The checkpoint of this name; with a revision only if it is that one."""
    return _one(session, settings, checkpoints.by_name(session, f"{namespace}/{name}", revision))


@router.get("/checkpoints/{id}")
def get_checkpoint(id: uuid.UUID, session: SessionDep, settings: SettingsDep, caller: AdminReader) -> CheckpointOut:
    """Lineage, numbers, files, and how to pull it."""
    return _one(session, settings, checkpoints.find(session, str(id)))


@router.post("/checkpoints/{id}/promote")
def promote_checkpoint(id: uuid.UUID, session: SessionDep, settings: SettingsDep, caller: Admin) -> CheckpointOut:
    """Mark it as one to use."""
    return _one(session, settings, checkpoints.promote(session, checkpoints.find(session, str(id))))


@router.get("/checkpoints/{id}/files/{path:path}", response_class=Weights)
def get_checkpoint_file(
    id: uuid.UUID, path: str, request: Request, session: SessionDep, store: StoreDep, caller: AdminReader
) -> Response:
    """One file, whole or a range of it. What is in it never changes, so its ETag is its SHA-256."""
    return _file(request, session, store, id, path)


@router.head("/checkpoints/{id}/files/{path:path}", response_class=Weights)
def head_checkpoint_file(
    id: uuid.UUID, path: str, request: Request, session: SessionDep, store: StoreDep, caller: AdminReader
) -> Response:
    """Size and hash of one file."""
    return _file(request, session, store, id, path)


def _file(request: Request, session: Session, store: Store, id: uuid.UUID, path: str) -> Response:
    checkpoint = checkpoints.find(session, str(id))
    entry = checkpoints.file_of(checkpoint, path)
    etag = f'"{entry.sha256}"'
    headers = {"ETag": etag, "Cache-Control": "private, max-age=31536000, immutable"}
    known = request.headers.get("if-none-match", "")
    if etag in (tag.strip().removeprefix("W/") for tag in known.split(",")) or known.strip() == "*":
        return Response(status_code=304, headers=headers)
    file = store.file(checkpoints.key(checkpoint.id), entry.path)
    status = file.stat()
    if status.st_size != entry.size:
        raise Unavailable(f"The stored file {entry.path} of “{checkpoint.name}” is damaged: its size is not its own.")
    # Always an attachment of bytes: nothing that training wrote is ever shown as a page of ours.
    return Weights(
        file,
        headers=headers,
        media_type="application/octet-stream",
        filename=entry.path.rpartition("/")[2],
        stat_result=status,
    )


def _one(session: Session, settings: Settings, checkpoint: Checkpoint) -> CheckpointOut:
    return _out(session, settings, [checkpoint])[0]


def _out(session: Session, settings: Settings, rows: Sequence[Checkpoint]) -> list[CheckpointOut]:
    parents = checkpoints.named(session, [parent for row in rows for parent in row.parents])
    return [
        CheckpointOut(
            id=str(row.id),
            name=row.name,
            revision=row.revision,
            kind=row.kind,
            model=_text(row.model_id),
            run=str(row.run_id),
            project=_text(row.project_id),
            parents=[CheckpointRef.model_validate(parents[id]) for id in row.parents if id in parents],
            reward_set=_text(row.reward_set_id),
            metrics=row.metrics,
            files=[CheckpointFile.model_validate(file) for file in row.files],
            size=sum(file["size"] for file in row.files),
            promoted_at=row.promoted_at,
            created_at=row.created_at,
            pull=_pull(row, settings),
        )
        for row in rows
    ]


def _text(id: uuid.UUID | None) -> str | None:
    return None if id is None else str(id)


def _pull(checkpoint: Checkpoint, settings: Settings) -> Pull:
    """`PODIUM_TOKEN` is to hold a token with the scope read."""
    return Pull(
        command=f"PODIUM_URL={settings.base_url} podium pull {checkpoint.name}@{checkpoint.revision}",
        python=(
            "import os\n"
            "from huggingface_hub import snapshot_download\n\n"
            f'folder = snapshot_download(\n    "{checkpoint.name}",\n    revision="{checkpoint.revision}",\n'
            f'    endpoint="{settings.base_url}/hub",\n    token=os.environ["PODIUM_TOKEN"],\n)'
        ),
    )
