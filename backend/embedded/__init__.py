"""PostgreSQL and Valkey from wheels, on Unix sockets below one data folder. Knows no table and nothing of what runs on
them.

`services(settings)` starts what the settings do not give by URL and stops it again; `database(settings)` does so for
the database alone, or joins the one that already runs; `throwaway()` is a PostgreSQL for tests.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backend.embedded.postgres import DATABASE, Cluster, postgres, reach, throwaway
from backend.embedded.server import Server, last_words
from backend.embedded.valkey import valkey
from backend.owner import Owned, own
from backend.settings import Settings

__all__ = [
    "Cluster",
    "Server",
    "Services",
    "database",
    "last_words",
    "services",
    "throwaway",
]

SUPERVISOR = "podium up"
WAIT_FOR_OWNER_S = 60.0


@dataclass(frozen=True)
class Services:
    """Where the database and the broker are, and those of their servers that run here."""

    database_url: str
    redis_url: str
    servers: tuple[Server, ...] = ()


@contextlib.contextmanager
def services(settings: Settings, say: Callable[[str], None] = lambda line: None) -> Iterator[Services]:
    """Own the data folder, with the database and the broker running, until the block ends."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(own(settings, SUPERVISOR))
        database_url, redis_url = settings.database_url, settings.redis_url
        servers: list[Server] = []
        if database_url is None:
            say("starting PostgreSQL")
            cluster = stack.enter_context(postgres(settings))
            database_url = cluster.url(DATABASE)
            servers += [cluster.server] if cluster.server is not None else []
        if redis_url is None:
            say("starting Valkey")
            redis_url, broker = stack.enter_context(valkey(settings))
            servers.append(broker)
        yield Services(database_url, redis_url, tuple(servers))


@contextlib.contextmanager
def database(settings: Settings, purpose: str) -> Iterator[str]:
    """The database's URL, for a short command: the one that is set, the one that runs, or one started for the block."""
    with contextlib.ExitStack() as stack:
        yield settings.database_url or _join_or_start(settings, purpose, stack)


def _join_or_start(settings: Settings, purpose: str, stack: contextlib.ExitStack) -> str:
    give_up = time.monotonic() + WAIT_FOR_OWNER_S
    while True:
        try:
            stack.enter_context(own(settings, purpose))
        except Owned as error:
            if error.owner.get("what") == SUPERVISOR:
                return reach(settings).url(DATABASE)
            if time.monotonic() > give_up:  # another short command, which stops its PostgreSQL when it ends
                raise
            time.sleep(0.2)
        else:
            return stack.enter_context(postgres(settings)).url(DATABASE)
