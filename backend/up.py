"""Podium on one machine: the embedded services, the migrations, the first admin, and the child processes.

`running(settings, say)` is the whole of it as a context manager: `podium up` waits inside, the demo works inside.
"""

import contextlib
import http.client
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend import embedded
from backend.database import make_engine, make_session_factory
from backend.errors import Unavailable
from backend.migrate import migrate
from backend.owner import Owned, keep_local_token, local_token, owner_of
from backend.services import accounts, sessions
from backend.settings import Settings
from backend.supervisor import Say, Supervisor
from backend.tables import User

READY_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Podium:
    """A Podium that runs: its settings with every URL filled in, and the admin that its first start made, if it did."""

    settings: Settings
    first_admin: tuple[str, str] | None

    @property
    def url(self) -> str:
        """Where programs on this machine reach it."""
        return self.settings.local_url

    @property
    def token(self) -> str:
        """The API token of the data folder's owner."""
        return local_token(self.settings) or ""


@contextlib.contextmanager
def running(settings: Settings, say: Say, hurry: Callable[[], bool] = lambda: False) -> Iterator[Podium]:
    """Everything started and ready, until the block ends; `hurry` tells when to kill what does not stop at once."""
    if (other := owner_of(settings)) is not None:
        raise Owned(settings.data_dir, other)
    _check_port(settings)
    with contextlib.ExitStack() as stack:
        services = stack.enter_context(embedded.services(settings, say))
        urls = {"database_url": services.database_url, "redis_url": services.redis_url}
        settings = settings.model_copy(update=urls)
        say("bringing the database up to date")
        migrate(services.database_url)
        say("starting the api, the dispatcher and a worker")
        supervisor = Supervisor(settings, services.servers, say, hurry)
        stack.enter_context(supervisor.watching())
        _wait_until_ready(settings, supervisor)
        # Last, so that the password is not made by a start that fails before it can be shown.
        yield Podium(settings, _prepare_accounts(settings))
        say("stopping")


class Signals:
    """Within: the first SIGINT, SIGTERM or SIGHUP raises KeyboardInterrupt, so that every block ends in order; a
    second one only turns `hurry` true."""

    def __init__(self) -> None:
        self._count = 0
        self._before: dict[int, object] = {}

    def hurry(self) -> bool:
        """Whether somebody asked twice."""
        return self._count > 1

    def wait(self) -> NoReturn:
        """Until the first comes. Not signal.pause(): one that came just before it would not end it."""
        while True:
            time.sleep(0.25)

    def __enter__(self) -> "Signals":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Whoever starts a program with a signal ignored (nohup, a shell's background job) means it.
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._count == 1:
            raise KeyboardInterrupt


# Accounts


def _prepare_accounts(settings: Settings) -> tuple[str, str] | None:
    """At the first start, an admin with a new password, returned to be shown once; the owner's token at every start."""
    assert settings.database_url is not None
    engine = make_engine(settings.database_url, pool_size=1, application="podium-up")
    try:
        with make_session_factory(engine).begin() as session:
            first_admin = _first_admin(session, settings.admin_email)
            _keep_token(session, settings)
    finally:
        engine.dispose()
    return first_admin


def _first_admin(session: Session, email: str) -> tuple[str, str] | None:
    if session.scalars(select(User.id).where(User.role == "admin").limit(1)).first() is not None:
        return None
    password = "-".join(secrets.token_hex(2) for _ in range(4))
    accounts.create_user(session, email=email, role="admin", password=password)
    return email, password


def _keep_token(session: Session, settings: Settings) -> None:
    known = local_token(settings)
    if known is not None and sessions.by_token(session, known) is not None:
        return
    active = select(User).where(User.role == "admin", User.disabled_at.is_(None)).order_by(User.created_at)
    admin = session.scalars(active.limit(1)).first()
    if admin is None:
        return
    secret, _ = sessions.create_token(session, admin, name="podium on this machine", scopes=sessions.SCOPES)
    keep_local_token(settings, secret)


# Being ready


def _check_port(settings: Settings) -> None:
    """Say at once that the port is taken, instead of in a child's log."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Unavailable(
                f"Podium cannot listen on {settings.host} port {settings.port}: {(error.strerror or 'it').lower()}. "
                f"Choose another with --port, or end what uses it."
            ) from None


def _wait_until_ready(settings: Settings, supervisor: "Supervisor") -> None:
    give_up = time.monotonic() + READY_TIMEOUT_S
    while not answers(settings, "/readyz"):
        if broken := supervisor.broken():
            raise Unavailable(f"The {broken.name} does not start: {embedded.last_words(broken.log)}")
        if time.monotonic() > give_up:
            raise Unavailable(f"Podium was not ready in {READY_TIMEOUT_S:.0f} s; see {settings.logs_dir}.")
        time.sleep(0.05)


def answers(settings: Settings, path: str) -> bool:
    """Whether the API on this machine answers a GET with 200."""
    address = settings.local_url.removeprefix("http://").removesuffix(f":{settings.port}").strip("[]")
    connection = http.client.HTTPConnection(address, settings.port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
