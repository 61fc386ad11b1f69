"""Engine, session factory and ids; knows nothing of the tables."""

import contextlib
import os
import secrets
import threading
import time
import uuid
from collections.abc import Iterator, Mapping

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

SessionFactory = sessionmaker[Session]

_ticking = threading.Lock()
_last_tick = 0


def make_engine(
    url: str, *, pool_size: int = 10, application: str = "podium", limits: Mapping[str, str] | None = None
) -> Engine:
    """A PostgreSQL engine; `application` shows in `pg_stat_activity`, `limits` are PostgreSQL's settings by name."""
    # Compiling a query takes longer than any of ours runs.
    options = {"timezone": "utc", "jit": "off", **(limits or {})}
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args={
            "application_name": f"{application}-{os.getpid()}",
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        },
    )


def make_session_factory(engine: Engine) -> SessionFactory:
    """Sessions whose objects stay readable after the commit, since only the edge commits."""
    return sessionmaker(engine, expire_on_commit=False)


def may_pass(error: DBAPIError) -> bool:
    """Whether trying again may help: the database is away, starting, stopping, full, or two transactions collided."""
    if error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    return state is None or state.startswith(("08", "40", "53", "57P"))


@contextlib.contextmanager
def driver_errors(statement: str) -> Iterator[None]:
    """The driver's errors as SQLAlchemy's, around a COPY: it goes past SQLAlchemy, and whoever meets an error of the
    database should know one kind of them."""
    try:
        yield
    except psycopg.Error as error:
        raise DBAPIError.instance(statement, None, error, psycopg.Error) from error


def uuid7() -> uuid.UUID:
    """A time-ordered id (RFC 9562, version 7), so that newest-first pages need no second column.

    Ids of one process rise strictly: rows made in one go are read back in the order they were made, and a run that
    reads them by id reads the same sequence whatever the clock's resolution.
    """
    global _last_tick
    with _ticking:
        # Milliseconds, then 12 bits of the millisecond's fraction.
        milliseconds, rest = divmod(time.time_ns(), 1_000_000)
        tick = _last_tick = max(_last_tick + 1, milliseconds << 12 | rest * 4096 // 1_000_000)
    value = tick >> 12 << 80 | 0x7 << 76 | (tick & 0xFFF) << 64 | 0x2 << 62 | secrets.randbits(62)
    return uuid.UUID(int=value & (1 << 128) - 1)
