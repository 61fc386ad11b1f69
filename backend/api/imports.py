"""Imports over HTTP: the file is the body, the answer says what became of it.

Who asks for `application/x-ndjson` hears how far it is: a line `{"read", "share", "rated", "to_rate"}` after each step
(`rated` of `to_rate` judgments are in the ratings, when the whole file is stored), and at the end `{"report"}`. What is
read is stored step by step, so a request that is broken off leaves a beginning of the file.
"""

import contextlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from backend.api.deps import Admin, SessionDep, SettingsDep
from backend.api.projects import ProjectDep
from backend.api.wire import Wire
from backend.database import SessionFactory
from backend.errors import NoSpace
from backend.services import imports
from backend.tables import Project

router = APIRouter(tags=["imports"])

IN_MEMORY = 4 * 2**20
# Written in such pieces; what comes from the network is smaller, and a thread for each piece would be slow.
PIECE = 2**20
KEEP_FREE = 2**30
LINES = "application/x-ndjson"


class RejectedOut(Wire):
    """A line that could not be read, and why."""

    line: int
    reason: str


class ImportReport(Wire):
    """What became of a file; `rejected` shows the first of them."""

    format: str
    read: int
    created: dict[str, int]
    repeated: int
    rejected: list[RejectedOut]
    rejected_total: int


Spool = tempfile.SpooledTemporaryFile[bytes]


async def import_place(request: Request) -> AsyncIterator[None]:
    """Only a few files at a time: each holds a thread, a connection and its size on the disk."""
    async with request.app.state.import_gate():
        yield


async def spooled_body(request: Request, caller: Admin, session: SessionDep, settings: SettingsDep) -> Spool:
    """The body in a temporary file, so that its size costs disk and not memory (the edge limits it).

    Read only when the caller may send it; and while it arrives, which may take hours, no transaction is open. The file
    has no name: it is gone with the process, however that ends.
    """
    await run_in_threadpool(session.commit)
    folder = settings.imports_dir
    await run_in_threadpool(folder.mkdir, parents=True, exist_ok=True)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > IN_MEMORY:
        _check_space(folder, int(declared))
    spool: Spool = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder))  # noqa: SIM115 (closed by `_steps`)
    try:
        piece = bytearray()
        async for chunk in request.stream():
            piece += chunk
            if len(piece) >= PIECE:
                await run_in_threadpool(_append, spool, piece, folder)
                piece = bytearray()
        await run_in_threadpool(_append, spool, piece, folder)
    except BaseException:
        spool.close()
        raise
    return spool


def _append(spool: Spool, piece: bytearray, folder: Path) -> None:
    if spool.tell() + len(piece) > IN_MEMORY:
        _check_space(folder, len(piece))
    spool.write(piece)


def _check_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free - size < KEEP_FREE:
        raise NoSpace(
            f"The disk of the data folder ({free / 2**30:.1f} GiB free) has no room for this file: "
            f"{KEEP_FREE / 2**30:g} GiB stay free."
        )


@router.post(
    "/projects/{project}/imports",
    response_model=ImportReport,
    responses={200: {"content": {LINES: {}}, "description": "What became of the file"}},
)
def import_file(
    request: Request,
    project: ProjectDep,
    caller: Admin,
    place: Annotated[None, Depends(import_place, scope="request")],
    body: Annotated[Spool, Depends(spooled_body, scope="function")],
    format: Annotated[str | None, Query(max_length=40, description="left out: told from the file")] = None,
    filename: Annotated[str, Query(max_length=255, description="helps to tell the format")] = "",
) -> ImportReport | StreamingResponse:
    """Read prompts, completions, judgments or texts into the project (JSON lines, CSV or Parquet; gzip allowed)."""
    steps = _steps(request.app.state.session_factory, project.id, body, format, filename)
    with contextlib.ExitStack() as failing:
        failing.callback(steps.close)
        # Before the answer begins: a file that cannot be read at all is told so by the status.
        first = next(steps)
        if LINES in request.headers.get("accept", ""):
            failing.pop_all()
            return _Lines(first, steps)
        *_, (report, _) = chain([first], steps)
    return ImportReport.model_validate(report)


def _steps(
    factory: SessionFactory, project_id: uuid.UUID, body: Spool, format: str | None, filename: str
) -> Generator[tuple[imports.Report, float], None, None]:
    """The report so far, and which share of the file it is about; each step is stored."""
    size = body.seek(0, os.SEEK_END) or 1
    body.seek(0)
    share = 0.0
    with body, factory() as session:
        project = session.get_one(Project, project_id)
        with contextlib.closing(imports.steps(session, project, body, format=format, filename=filename)) as reports:
            for report in reports:
                session.commit()
                # Parquet is read from its end and then from its beginning.
                share = max(share, body.tell() / size) if report.read else 0.0
                yield report, share


class _Lines(StreamingResponse):
    """The answer step by step. When it ends, in whatever way, so does the import: at once, with the file and the
    connection given back, and not when memory happens to be cleared."""

    def __init__(self, first: tuple[imports.Report, float], steps: Generator[tuple[imports.Report, float], None, None]):
        super().__init__(_lines(chain([first], steps)), media_type=LINES)
        self.steps = steps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # A step that is under way in its thread has ended by now.
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self.steps.close)


def _lines(steps: Iterator[tuple[imports.Report, float]]) -> Iterator[bytes]:
    for report, share in steps:
        said = {"read": report.read, "share": round(share, 4), "rated": report.rated, "to_rate": report.to_rate}
        yield json.dumps(said).encode() + b"\n"
    whole: dict[str, Any] = ImportReport.model_validate(report).model_dump()
    yield json.dumps({"report": whole}).encode() + b"\n"
