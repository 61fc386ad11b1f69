"""Imports over HTTP: the file is the body, the answer says what became of it."""

import tempfile
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from backend.api.deps import Admin, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import Wire
from backend.services import imports

router = APIRouter(tags=["imports"])

IN_MEMORY = 16 * 1024 * 1024


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


async def spooled_body(request: Request, caller: Admin, session: SessionDep) -> AsyncIterator[Spool]:
    """The body in a temporary file, so that its size costs disk and not memory (the edge limits it).

    Read only when the caller may send it; and while it arrives, which may take minutes, no transaction is open.
    """
    await run_in_threadpool(session.commit)
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
        async for chunk in request.stream():
            await run_in_threadpool(spool.write, chunk)
        spool.seek(0)
        yield spool


@router.post("/projects/{project}/imports")
def import_file(
    project: ProjectDep,
    session: SessionDep,
    caller: Admin,
    body: Annotated[Spool, Depends(spooled_body, scope="function")],
    format: Annotated[str | None, Query(max_length=40, description="left out: told from the file")] = None,
    filename: Annotated[str, Query(max_length=255, description="helps to tell the format")] = "",
) -> ImportReport:
    """Read prompts, completions, judgments or texts into the project (JSON lines, CSV or Parquet; gzip allowed)."""
    report = imports.load(session, project, body, format=format, filename=filename)
    return ImportReport.model_validate(report)
