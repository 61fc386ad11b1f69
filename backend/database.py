"""Engine, session factory and ids; knows nothing of the tables."""

import os
import secrets
import time
import uuid

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

SessionFactory = sessionmaker[Session]


def make_engine(url: str, *, pool_size: int = 10, application: str = "podium") -> Engine:
    """A PostgreSQL engine; `application` shows in `pg_stat_activity`."""
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args={"application_name": f"{application}-{os.getpid()}", "options": "-c timezone=utc"},
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


def uuid7() -> uuid.UUID:
    """A time-ordered id (RFC 9562, version 7), so that newest-first pages need no second column."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)
