"""The built pages: files with a hash in their name for ever, everything else fresh, unknown paths the one page.

The build leaves a compressed copy beside each file of code, and that is what is sent to those who take it.

Knows nothing of what the pages show. No file outside the folder is ever read, links included.
"""

import mimetypes
import os
from html import escape
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

# What belongs to programs: an unknown path here is an error, never a page.
RESERVED = ("api", "hub", "healthz", "readyz", "metrics")
FOR_EVER = "public, max-age=31536000, immutable"
FRESH = "no-cache"
# The smallest first.
COMPRESSED = (("br", ".br"), ("gzip", ".gz"))

MISSING = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Podium</title></head>
<body><h1>Podium is running</h1>
<p>Its pages have not been built: there is no {index}.</p>
<p>Build them with <code>npm ci &amp;&amp; npm run build</code> in the folder <code>frontend</code>.
Programs can use the API meanwhile; its description is at <a href="/api/v1/openapi.json">/api/v1/openapi.json</a>.</p>
</body></html>
"""


class Pages(StaticFiles):
    """Serves the folder of a Vite build; the fallback of the application's router."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, check_dir=False)
        self.folder = folder
        self.config_checked = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["route"] = "pages"
            first = scope["path"].lstrip("/").split("/", 1)[0]
            if first in RESERVED:
                scope["state"]["route"] = "unmatched"
                raise HTTPException(404, "There is nothing at this address.")
        await super().__call__(scope, receive, send)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, or the one page for an address that the pages' own router knows."""
        if path.split(os.sep, 1)[0] == "assets":
            response = await self._compressed(path, scope) or await super().get_response(path, scope)
            response.headers["cache-control"] = FOR_EVER
            return response
        if path not in (".", "index.html"):
            try:
                response = await super().get_response(path, scope)
            except HTTPException as error:
                # An address of a page has no dot in its last part; a missing favicon.ico is no page.
                if error.status_code != 404 or "." in Path(path).name:
                    raise
            else:
                response.headers["cache-control"] = FRESH
                return response
        return await self._page(scope)

    async def _compressed(self, path: str, scope: Scope) -> Response | None:
        """The compressed copy of a file, if there is one that the client takes."""
        accepted = [part.replace(" ", "") for part in Headers(scope=scope).get("accept-encoding", "").split(",")]
        for encoding, suffix in COMPRESSED:
            if encoding not in accepted:
                continue
            try:
                response = await super().get_response(path + suffix, scope)
            except HTTPException as error:
                if error.status_code != 404:
                    raise
                continue
            if response.status_code == 200:
                kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
                response.headers["content-type"] = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
                response.headers["content-encoding"] = encoding
            response.headers["vary"] = "Accept-Encoding"
            return response
        return None

    async def _page(self, scope: Scope) -> Response:
        try:
            response = await super().get_response("index.html", scope)
        except HTTPException as error:
            if error.status_code != 404:
                raise
            response = HTMLResponse(MISSING.format(index=escape(str(self.folder / "index.html"))), status_code=503)
        response.headers["cache-control"] = FRESH
        return response
