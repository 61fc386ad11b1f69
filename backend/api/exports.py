"""Exports over HTTP: a file, streamed."""

import uuid
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from backend.api.deps import AdminReader, StreamSessionDep
from backend.domain.formats import writers
from backend.services import exports, projects

router = APIRouter(tags=["exports"])


@router.get("/projects/{project}/export", response_class=StreamingResponse)
def export_project(
    request: Request,
    project: str,
    caller: AdminReader,
    session: StreamSessionDep,
    what: exports.What,
    format: writers.FileFormat = "jsonl",
    layout: writers.Layout = "podium",
    reward_set: Annotated[uuid.UUID | None, Query(description="of which rewards; left out: the newest")] = None,
) -> StreamingResponse:
    """Judgments, preferences, rewards or completions of a project as a file."""
    found = projects.find(session, project)
    rows = exports.rows(session, found, what, layout, reward_set)
    laid_out = "" if layout == "podium" else f"-{layout}"
    name = f"{found.slug}-{what}{laid_out}-{datetime.now(UTC):%Y-%m-%d}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept-Encoding"}
    content = writers.write(rows, format)
    # Parquet is compressed already.
    if format != "parquet" and "gzip" in request.headers.get("accept-encoding", ""):
        content = _gzipped(content)
        headers["Content-Encoding"] = "gzip"
    return StreamingResponse(content, media_type=writers.MEDIA_TYPES[format], headers=headers)


def _gzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Compressed on its way, quickly rather than well."""
    packer = zlib.compressobj(1, wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()
