"""Whether this process lives, whether it can work, and its numbers; outside /api/v1, for orchestrators."""

import hmac
import ipaddress
from functools import lru_cache
from typing import Annotated, Literal

from alembic.script import ScriptDirectory
from fastapi import APIRouter, Header, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import Session

from backend import __version__
from backend.api.deps import SettingsDep
from backend.api.telemetry import Telemetry, database_text
from backend.api.wire import Wire
from backend.errors import Forbidden, Unavailable
from backend.migrate import MIGRATIONS

router = APIRouter(tags=["operation"])


class Health(Wire):
    """The process answers."""

    status: Literal["ok"]
    version: str


class Readiness(Wire):
    """The process can do its work."""

    status: Literal["ready"]
    schema_revision: str


@router.get("/healthz")
def healthz() -> Health:
    """Whether the process lives; asks nothing else."""
    return Health(status="ok", version=__version__)


@router.get("/readyz")
def readyz(request: Request) -> Readiness:
    """Whether the database can be reached and has the schema of this version."""
    # A session of its own, past the gate: readiness must not wait behind a crowd.
    with request.app.state.session_factory() as session:
        return Readiness(status="ready", schema_revision=_check_schema(session))


def _check_schema(session: Session) -> str:
    try:
        found = session.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        # No such table: nothing was ever migrated here.
        found = None
    except SQLAlchemyError as error:
        raise Unavailable("The database cannot be reached. See PODIUM_DATABASE_URL.") from error
    if found != wanted_revision():
        raise Unavailable(
            f"The database has the schema {found or 'of no version'}, this version needs {wanted_revision()}. "
            "Run `podium migrate`."
        )
    return str(found)


@lru_cache(maxsize=1)
def wanted_revision() -> str:
    """The newest migration that this program carries."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert head is not None
    return head


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(
    request: Request, settings: SettingsDep, authorization: Annotated[str, Header(include_in_schema=False)] = ""
) -> Response:
    """Counters for Prometheus: to this machine, or to whoever has the token of PODIUM_METRICS_TOKEN."""
    if settings.metrics_token is not None:
        if not hmac.compare_digest(authorization.encode(), f"Bearer {settings.metrics_token}".encode()):
            raise Forbidden("The metrics need the token of PODIUM_METRICS_TOKEN.")
    elif not _is_this_machine(request):
        raise Forbidden("The metrics are for this machine only, unless PODIUM_METRICS_TOKEN is set.")
    telemetry: Telemetry = request.app.state.telemetry
    numbers = telemetry.text()
    try:
        with request.app.state.session_factory() as session:
            numbers += database_text(session)
    except SQLAlchemyError:
        # The counters of the process matter most when the database is gone.
        pass
    return Response(numbers, media_type="text/plain; version=1.0.0; charset=utf-8")


def _is_this_machine(request: Request) -> bool:
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
