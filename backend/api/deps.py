"""What routes ask for: a database session that commits before the answer, and a caller who may do this.

Says who is asking and whether the request was really sent by them; what they asked for is the route's business.
"""

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.security import APIKeyCookie, HTTPBearer
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from backend.aside import Aside
from backend.errors import Forbidden, Unauthenticated
from backend.services import projects, ratings, sessions
from backend.settings import Settings
from backend.tables import Project, User, UserSession

P = ParamSpec("P")
T = TypeVar("T")

# What takes all judgments of a project is computed aside where there are as many as this: some tenths of a second.
MANY_JUDGMENTS = 2_000

COOKIE = "podium_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


async def get_session(request: Request) -> AsyncIterator[Session]:
    """One transaction per request: committed when the route returns, rolled back when it raises.

    Use it with scope="function", else the client hears "saved" before it is. As many requests as there are database
    connections get in at once; with more, threads would wait for connections held by requests that wait for threads.
    """
    async with request.app.state.database_gate():
        session: Session = request.app.state.session_factory()
        try:
            yield session
        except BaseException:
            # Closing rolls back.
            await run_in_threadpool(session.close)
            raise
        await run_in_threadpool(_commit_and_close, session)


def _commit_and_close(session: Session) -> None:
    with session:
        session.commit()


async def get_stream_session(request: Request) -> AsyncIterator[Session]:
    """A session that only reads and lasts until the last byte of a streamed answer is sent; few at a time."""
    async with request.app.state.stream_gate():
        session: Session = request.app.state.session_factory()
        try:
            yield session
        finally:
            await run_in_threadpool(session.close)


async def hashing_slot(request: Request) -> AsyncIterator[None]:
    """Hashing a password takes a core and 19 MiB, so only a few requests may do it at once.

    Put it into `dependencies=[...]` of the route, so that whoever waits here holds no database connection yet.
    """
    async with request.app.state.hashing_gate():
        yield


class Heavy:
    """Calls what takes all judgments of a project: in a process aside where they are many, else here and now."""

    def __init__(self, aside: Aside, session: Session) -> None:
        self._aside, self._session = aside, session

    def __call__(
        self,
        function: Callable[Concatenate[Session, Project, P], T],
        project: Project,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """`function(session, project, ...)`, whose rows are then read-only copies."""
        if ratings.reach(self._session, project, MANY_JUDGMENTS):
            # It may wait for others and take minutes: no transaction stays open for it, nor a connection or a lock.
            self._session.commit()
            return self._aside.run(projects.within, project.id, function, args, kwargs)
        return function(self._session, project, *args, **kwargs)


# Below, `async` only spares a thread: nothing in these functions waits.
async def get_settings(request: Request) -> Settings:
    """The settings that the process was started with."""
    settings: Settings = request.app.state.settings
    return settings


async def get_heavy(request: Request, session: Annotated[Session, Depends(get_session, scope="function")]) -> Heavy:
    """For computations over all judgments of a project."""
    return Heavy(request.app.state.aside, session)


SessionDep = Annotated[Session, Depends(get_session, scope="function")]
StreamSessionDep = Annotated[Session, Depends(get_stream_session, scope="request")]
SettingsDep = Annotated[Settings, Depends(get_settings)]
HeavyDep = Annotated[Heavy, Depends(get_heavy, scope="function")]
HashingSlot = Depends(hashing_slot, scope="function")


@dataclass(frozen=True)
class Caller:
    """Who is asking, how they proved it, and what that proof allows them."""

    user: User
    scopes: frozenset[str]
    via: str
    signed_in: UserSession | None = None


# These two only describe the two ways in to readers of the OpenAPI schema; `identify` reads the request itself.
_cookie_scheme = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="session")
_token_scheme = HTTPBearer(auto_error=False, scheme_name="token")


async def same_origin(request: Request, settings: SettingsDep) -> None:
    """Refuse a request that a page of another site made a browser send."""
    _check_origin(request, settings)


def _check_origin(request: Request, settings: Settings) -> None:
    origin = request.headers.get("origin")
    if origin is None:
        if request.headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
            return
    elif urlsplit(origin).netloc == request.headers.get("host") or origin == _origin_of(settings.base_url):
        return
    raise Forbidden("This request came from a page of another site.")


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def identify(
    request: Request,
    response: Response,
    session: SessionDep,
    settings: SettingsDep,
    _cookie: Annotated[str | None, Depends(_cookie_scheme)],
    _token: Annotated[object, Depends(_token_scheme)],
) -> Caller:
    """The caller by API token or by session cookie; a cookie alone does not prove who sent an unsafe request."""
    caller = _by_token(request, session) if "authorization" in request.headers else _by_cookie(request, session)
    # For the access log.
    request.state.user = str(caller.user.id)
    if caller.signed_in is not None:
        if request.method not in SAFE_METHODS:
            _check_origin(request, settings)
            given = request.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(given.encode(), caller.signed_in.csrf_token.encode()):
                raise Forbidden(f"The header {CSRF_HEADER} is missing or not the one of this session (see GET /me).")
        if sessions.slide(session, caller.signed_in, hours=settings.session_hours):
            set_cookie(response, request.cookies[COOKIE], settings)
    return caller


def _by_token(request: Request, session: Session) -> Caller:
    scheme, _, secret = request.headers["authorization"].partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("The header Authorization must be `Bearer` and an API token.")
    found = sessions.by_token(session, secret.strip())
    if found is None:
        raise Unauthenticated("The API token is not valid: it was deleted, has expired, or its owner was disabled.")
    user, token = found
    sessions.note_use(session, user, token)
    return Caller(user, frozenset(token.scopes) & sessions.SCOPES_OF_ROLE[user.role], "token")


def _by_cookie(request: Request, session: Session) -> Caller:
    secret = request.cookies.get(COOKIE)
    if not secret:
        raise Unauthenticated("Sign in first, or send an API token as `Authorization: Bearer ...`.")
    found = sessions.by_cookie(session, secret)
    if found is None:
        raise Unauthenticated("The session has ended. Sign in again.")
    user, signed_in = found
    sessions.note_use(session, user, None)
    return Caller(user, sessions.SCOPES_OF_ROLE[user.role], "cookie", signed_in)


def set_cookie(response: Response, secret: str, settings: Settings) -> None:
    """Give the browser its session, out of reach of scripts and of requests from other sites."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=settings.session_hours * 3600,
        httponly=True,
        samesite="lax",
        secure=settings.cookies_are_secure,
    )


def clear_cookie(response: Response, settings: Settings) -> None:
    """Take the session away from the browser."""
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=settings.cookies_are_secure)


Identified = Annotated[Caller, Depends(identify)]


def _requires(name: str, allows: Callable[[Caller], bool], refusal: str) -> Callable[[Identified], Awaitable[Caller]]:
    async def check(caller: Identified) -> Caller:
        if not allows(caller):
            raise Forbidden(refusal)
        return caller

    check.__name__ = name
    return check


def _may_read(caller: Caller) -> bool:
    return bool(caller.scopes)


def _may_annotate(caller: Caller) -> bool:
    return bool(caller.scopes & {"annotate", "admin"})


def _may_administer(caller: Caller) -> bool:
    return "admin" in caller.scopes


def _may_read_all(caller: Caller) -> bool:
    return caller.user.role == "admin" and bool(caller.scopes & {"read", "admin"})


Reader = Annotated[Caller, Depends(_requires("reader", _may_read, "This API token has no scope left."))]
Annotator = Annotated[
    Caller,
    Depends(
        _requires(
            "annotator",
            _may_annotate,
            "This needs an API token with the scope annotate.",
        )
    ),
]
Admin = Annotated[
    Caller,
    Depends(
        _requires(
            "admin",
            _may_administer,
            "Only admins may do this (API tokens need the scope admin).",
        )
    ),
]
AdminReader = Annotated[
    Caller,
    Depends(
        _requires(
            "admin_reader",
            _may_read_all,
            "Only admins may see this (API tokens need read or admin).",
        )
    ),
]
