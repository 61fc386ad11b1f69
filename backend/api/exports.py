"""Exports over HTTP: a file, streamed."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from backend.api.deps import AdminReader, StreamSessionDep
from backend.domain.formats import writers
from backend.errors import Invalid
from backend.services import exports, projects

router = APIRouter(tags=["exports"])


@router.get("/projects/{project}/export", response_class=StreamingResponse)
def export_project(
    project: str,
    caller: AdminReader,
    session: StreamSessionDep,
    what: exports.What,
    format: writers.FileFormat = "jsonl",
    layout: writers.Layout = "podium",
    reward_set: Annotated[uuid.UUID | None, Query(description="of which rewards; left out: the newest")] = None,
) -> StreamingResponse:
    """Judgments, preferences, rewards or completions of a project as a file."""
    if layout != "podium" and what != "preferences":
        raise Invalid(f"The layout {layout} is one of preferences; {what} have only podium.", field="layout")
    found = projects.find(session, project)
    rows: Iterator[Mapping[str, Any]] = exports.rows(session, found, what, reward_set)
    if what == "preferences":
        rows = writers.lay_out(rows, layout)
    name = f"{found.slug}-{what}{'' if layout == 'podium' else f'-{layout}'}.{format}"
    return StreamingResponse(
        writers.write(rows, format),
        media_type=writers.MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
