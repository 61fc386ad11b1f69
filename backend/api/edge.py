"""Around every request: its id, the limit of its body, security headers, the access log, and the counters.

Plain ASGI, because it also has to see answers that are streamed and errors that nobody foresaw.
"""

import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.telemetry import Telemetry

log = structlog.get_logger("podium.access")

API_PREFIX = "/api/v1"

# JSON is parsed before anybody is asked who they are, so it stays small; imports stream, and are limited by a setting.
JSON_BODY_BYTES = 1024 * 1024
QUIET = frozenset({"/healthz", "/readyz", "/metrics", "pages"})

PAGES_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        # Vite puts small fonts (KaTeX has some) into the style sheet.
        "font-src 'self' data:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
}

Crash = Callable[[str], Response]


class Edge:
    """The outermost layer of ours. `crash` makes the answer to an error that nobody foresaw."""

    def __init__(self, app: ASGIApp, *, telemetry: Telemetry, import_bytes: int, https: bool, crash: Crash) -> None:
        self.app = app
        self.telemetry = telemetry
        self.import_bytes = import_bytes
        self.https = https
        self.crash = crash

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = uuid.uuid4().hex[:16]
        scope.setdefault("state", {})["request_id"] = request_id
        answer: dict[str, Any] = {"status": 0, "seconds": 0.0}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer["status"] = message["status"]
                answer["seconds"] = time.perf_counter() - began
                self._add_headers(scope, message["status"], MutableHeaders(scope=message), request_id)
            await send(message)

        try:
            await self.app(scope, self._limited(scope, receive), send_with_headers)
        except Exception:
            log.exception("crash", request=request_id, method=scope["method"], route=_route(scope))
            if answer["status"]:
                # The answer has begun; breaking the connection off is the only way left to say that it is not whole.
                answer["status"] = 500
                raise
            await self.crash(request_id)(scope, receive, send_with_headers)
        finally:
            self._note(scope, answer, began, request_id)

    def _limited(self, scope: Scope, receive: Receive) -> Callable[[], Awaitable[Message]]:
        limit = self.import_bytes if scope["path"].endswith("/imports") else min(JSON_BODY_BYTES, self.import_bytes)
        declared = Headers(scope=scope).get("content-length", "")
        read = 0

        async def limited() -> Message:
            nonlocal read
            if declared.isdigit() and int(declared) > limit:
                raise HTTPException(413, _too_large(limit))
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise HTTPException(413, _too_large(limit))
            return message

        return limited

    def _add_headers(self, scope: Scope, status: int, headers: MutableHeaders, request_id: str) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        is_page = headers.get("content-type", "").startswith("text/html")
        if status != 304:  # it names no type, and its policy would replace that of the page in the browser's cache
            headers.setdefault("content-security-policy", PAGES_POLICY if is_page else API_POLICY)
        if scope["path"].startswith("/api/"):
            headers.setdefault("cache-control", "no-store")
        if self.https:
            headers.setdefault("strict-transport-security", "max-age=31536000")
        headers["x-request-id"] = request_id

    def _note(self, scope: Scope, answer: dict[str, Any], began: float, request_id: str) -> None:
        route = _route(scope)
        seconds = answer["seconds"] or time.perf_counter() - began
        # 499: the client left before there was an answer.
        status = answer["status"] or 499
        self.telemetry.observe(scope["method"], route, status, seconds)
        say = log.debug if route in QUIET and status < 500 else log.info
        say(
            "request",
            request=request_id,
            method=scope["method"],
            route=route,
            # Ids help to find what happened; an invitation's token is a secret.
            ids={k: str(v)[:64] for k, v in scope.get("path_params", {}).items() if k != "token"} or None,
            status=status,
            ms=round(seconds * 1000, 1),
            user=scope["state"].get("user"),
            client=(scope.get("client") or ("",))[0],
        )


def _too_large(limit: int) -> str:
    size = f"{limit // 1024} KiB" if limit < 2**30 else f"{limit / 2**30:g} GiB"
    return f"The body is larger than the {size} that are accepted here."


def _route(scope: Scope) -> str:
    """The template of the route, never the path itself: that may hold a secret, and there is no end of paths."""
    template = getattr(scope.get("route"), "path", None)
    if not isinstance(template, str) or not template:
        return str(scope.get("state", {}).get("route", "unmatched"))
    return API_PREFIX + template if scope["path"].startswith(API_PREFIX + "/") else template
