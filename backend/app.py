"""Puts the HTTP application together: routers, errors to problem+json, the edge around it, the pages below it.

The one place that knows which error is which status. Imports neither torch nor anything of the workers.
`python -m backend.app` writes the OpenAPI schema that the pages' types are generated from.
"""

import gc
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio.to_thread
import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from backend import __version__
from backend.api import (
    accounts,
    adjudications,
    agreement,
    annotator_fits,
    asking,
    checkpoints,
    comparisons,
    contests,
    corpus,
    exports,
    flags,
    gold,
    health,
    imports,
    judgments,
    progress,
    projects,
    ratings,
    review,
    rewards,
    run_estimates,
    runs,
    standings,
    voidings,
    work,
)
from backend.api.edge import API_PREFIX, Edge
from backend.api.gates import Gate
from backend.api.pages import Pages
from backend.api.sign_in import SignInLimit
from backend.api.telemetry import Telemetry
from backend.api.wire import Problem
from backend.aside import Aside
from backend.database import SessionFactory, make_engine
from backend.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NoSpace,
    NotFound,
    PodiumError,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from backend.logs import configure_logging
from backend.settings import REPOSITORY, Settings

log = structlog.get_logger("podium.app")

# In the order of the flow. Paths in them are below /api/v1.
ROUTERS: tuple[APIRouter, ...] = (
    accounts.router,
    projects.router,
    progress.router,
    asking.router,
    corpus.router,
    comparisons.router,
    contests.router,
    judgments.router,
    review.router,
    adjudications.router,
    flags.router,
    gold.router,
    standings.router,
    ratings.router,
    agreement.router,
    annotator_fits.router,
    work.router,
    voidings.router,
    rewards.router,
    imports.router,
    exports.router,
    runs.router,
    run_estimates.router,
    checkpoints.router,
)

STATUS: dict[type[PodiumError], int] = {
    Invalid: 422,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    TooLarge: 413,
    NoSpace: 507,
    TooMany: 429,
    Unavailable: 503,
}
# No request may hold the others up for long: waiting for a lock ends in 503, and so does a query that finds no end.
PATIENCE = {
    "lock_timeout": "15s",
    "statement_timeout": "120s",
    "idle_in_transaction_session_timeout": "300s",
}
STREAMS = 4
IMPORTS_AT_ONCE = 3
WAITING_FOR_DATABASE = 2000
HASHING_AT_ONCE = 2
WAITING_TO_HASH = 200

SCHEMA_FILE = REPOSITORY / "frontend" / "openapi.json"


def create_app(settings: Settings, session_factory: SessionFactory | None = None) -> FastAPI:
    """The application. Without a session factory it opens, and at the end closes, its own engine."""
    engine = None
    if session_factory is None:
        if settings.database_url is None:
            raise Invalid("PODIUM_DATABASE_URL is not set. (`podium up` starts a database of its own.)")
        # make_engine may overflow to twice the size.
        size = -(-settings.database_pool // 2)
        engine = make_engine(settings.database_url, pool_size=size, application="podium-api", limits=PATIENCE)
        session_factory = sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.api_threads
        yield
        app.state.aside.close()
        if engine is not None:
            engine.dispose()

    app = FastAPI(
        title="Podium",
        description="Human preferences into better language models. Times are UTC, ids are strings, errors are "
        "`application/problem+json`. Programs send `Authorization: Bearer TOKEN`.",
        version=__version__,
        openapi_url=f"{API_PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        lifespan=lifespan,
    )
    telemetry = Telemetry()
    app.state.settings = settings
    app.state.session_factory = session_factory
    app.state.aside = Aside(settings.database_url or "", "podium-api-aside")
    app.state.telemetry = telemetry
    app.state.sign_in_limit = SignInLimit(settings.sign_in_attempts_per_minute, settings.redis_url)
    app.state.database_gate = Gate(
        max(1, settings.database_pool - STREAMS), WAITING_FOR_DATABASE, "Too many requests wait already. Try again."
    )
    app.state.stream_gate = Gate(STREAMS, 0, "Enough long answers are being sent already. Try again later.")
    app.state.import_gate = Gate(IMPORTS_AT_ONCE, 0, "Enough files are being imported already. Try again later.")
    app.state.hashing_gate = Gate(HASHING_AT_ONCE, WAITING_TO_HASH, "Too many people sign in right now. Try again.")

    for router in ROUTERS:
        app.include_router(router, prefix=API_PREFIX, responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})
    app.include_router(health.router, include_in_schema=False)
    app.router.default = GZipMiddleware(Pages(settings.pages_dir), minimum_size=1024)

    app.add_exception_handler(PodiumError, _podium_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    for kind in (DataError, IntegrityError, OperationalError, PoolTimeout):
        app.add_exception_handler(kind, _database_error)
    app.add_middleware(
        Edge,
        telemetry=telemetry,
        import_bytes=settings.import_bytes,
        https=settings.cookies_are_secure,
        crash=_crash,
    )
    return app


def from_environment() -> FastAPI:
    """What uvicorn calls in each of its processes."""
    settings = Settings()
    configure_logging(settings.log_level)
    app = create_app(settings)
    # What is there from the start stays: looking for garbage among it took a third of the time of an import.
    gc.collect()
    gc.freeze()
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def problem(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    errors: list[dict[str, str]] | None = None,
    request: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """An error in the one shape that clients know; what is not known is left out."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    optional = {"field": field, "errors": errors, "request": request}
    body |= {name: value for name, value in optional.items() if value is not None}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def _podium_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PodiumError)
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.retry_after_s)
    if status == 503:
        headers["Retry-After"] = "2"
    return problem(status, _whole_sentence(error), field=error.field, headers=headers)


def _whole_sentence(error: PodiumError) -> str:
    """A capital at the beginning, unless that is the name of a field, and a full stop at the end."""
    message = error.message.strip()
    if message.split(" ", 1)[0] != error.field:
        message = message[:1].upper() + message[1:]
    return message if message.endswith((".", "!", "?")) else f"{message}."


def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [{"field": _field(found), "message": _sentence(found)} for found in error.errors()[:20]]
    first = errors[0]
    field = first["field"] or None
    return problem(422, f"{field or 'The body'} {first['message']}.", field=field, errors=errors)


def _field(found: dict[str, Any]) -> str:
    """("body", "protocol", "aspects", 0, "name") -> protocol.aspects.0.name; nothing for the body as a whole."""
    place: Sequence[str | int] = found["loc"]
    if found["type"] == "json_invalid":
        return ""
    return ".".join(str(part) for part in place[1:])


def _sentence(found: dict[str, Any]) -> str:
    """The rest of a sentence that begins with the field's name, out of pydantic's message."""
    kind, message = found["type"], str(found["msg"])
    if kind == "json_invalid":
        return f"is not JSON: {found.get('ctx', {}).get('error', 'it cannot be read')}"
    if kind in ("model_attributes_type", "model_type", "dict_type"):
        return "must be a JSON object"
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "is not a known field"
    if kind in ("value_error", "assertion_error"):
        return message.partition(", ")[2] or message
    _, should, rest = message.partition(" should ")
    if not should:
        return f"is wrong: {message[:1].lower()}{message[1:]}"
    return f"must {rest}"


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 405:
        detail = f"{request.method} is not possible at this address."
    elif detail == HTTPStatus(error.status_code).phrase:
        detail = f"{detail}."
    elif error.status_code == 400:
        # FastAPI's own words for a body that is no UTF-8 or is nested too deeply.
        detail = "The body cannot be read."
    return problem(error.status_code, detail, headers=dict(error.headers or {}))


def _database_error(request: Request, error: Exception) -> JSONResponse:
    """What the rules did not catch before the database did; its own words stay in the log."""
    request_id = getattr(request.state, "request_id", None)
    log.warning("database", request=request_id, kind=type(error).__name__, error=str(getattr(error, "orig", error)))
    if isinstance(error, DataError):
        return problem(422, "A value is too large, or holds a character that cannot be stored.", request=request_id)
    if isinstance(error, IntegrityError):
        return problem(409, "Somebody changed the same thing at the same time. Load it again.", request=request_id)
    return problem(503, "The database is busy or out of reach. Try again.", request=request_id, headers=_SOON)


_SOON = {"Retry-After": "2"}


def _crash(request_id: str) -> JSONResponse:
    return problem(500, f"Something broke in Podium. Its log has the details under {request_id}.", request=request_id)


def openapi() -> dict[str, Any]:
    """The schema of the whole API; needs no database."""
    app = create_app(Settings(), sessionmaker[Session]())
    schema = app.openapi()
    for path in schema["paths"].values():
        for operation in path.values():
            for status in ("4XX", "5XX"):
                content = operation["responses"][status]["content"]
                content["application/problem+json"] = content.pop("application/json")
            operation["responses"].pop("422", None)
    return schema


def write_openapi(file: Path = SCHEMA_FILE) -> None:
    """Write the schema the way it is checked in."""
    file.write_text(json.dumps(openapi(), indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    write_openapi(Path(sys.argv[1]) if len(sys.argv) > 1 else SCHEMA_FILE)
