"""The doorbell: a Celery application that carries ids of runs and nothing else.

No result backend, no redelivery that matters: the database is the queue (see `backend.services.runs`), so a message
that is lost is rung again and one that comes twice finds its run taken. Imports no task, so that whoever rings does not
load what a worker needs.
"""

import logging
import time
import uuid
from urllib.parse import parse_qs, quote, unquote, urlsplit

from celery import Celery
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from backend.errors import Unavailable
from backend.settings import Settings

TASK = "podium.execute_run"
QUEUE = "podium.runs"
SOCKET_TIMEOUT_S = 5.0
# Long against the difference of two machines' clocks, since the worker's clock decides.
MESSAGE_LIVES_S = 600
PROBE_TIMEOUT_S = 2.0

log = logging.getLogger("podium.celery")


def make_app(settings: Settings) -> Celery:
    """Celery on the broker of these settings."""
    if settings.redis_url is None:
        raise Unavailable("PODIUM_REDIS_URL is not set, and this process does not start a broker by itself.")
    app = Celery("podium", broker=broker_url(settings.redis_url), set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_default_queue=QUEUE,
        # Acknowledged when it starts: a run may take longer than any visibility timeout, and then would start twice.
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        # A busy worker leaves the next message to one that is free.
        worker_disable_prefetch=True,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "socket_timeout": SOCKET_TIMEOUT_S,
            "socket_connect_timeout": SOCKET_TIMEOUT_S,
            "visibility_timeout": 3600,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
        },
        event_queue_ttl=60,
        enable_utc=True,
    )
    return app


def broker_url(url: str) -> str:
    """A Redis or Valkey URL as Celery spells it; `unix://` and `redis+socket://` name a socket file."""
    return _spelled(url, "redis+socket", "virtual_host")


def client_url(url: str) -> str:
    """The same as the Redis client spells it."""
    return _spelled(url, "unix", "db")


def _spelled(url: str, socket_scheme: str, number_name: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise Unavailable("PODIUM_REDIS_URL must be a URL such as redis://host:6379/0.")
    scheme = {"valkey": "redis", "valkeys": "rediss"}.get(scheme, scheme)
    if scheme not in ("unix", "redis+socket"):
        return f"{scheme}://{rest}"
    parts = urlsplit(f"unix://{rest}")
    query = parse_qs(parts.query)
    number = (query.get("virtual_host") or query.get("db") or ["0"])[0]
    secret = f":{parts.password}@" if parts.password else ""
    return f"{socket_scheme}://{secret}{quote(unquote(parts.path), safe='/')}?{number_name}={number}"


class Bell:
    """Rings for a run. A broker that is away is said once, not each time, and hurts nobody."""

    def __init__(self, settings: Settings, pause_s: float = 5.0) -> None:
        self._settings = settings
        self._app = make_app(settings)
        # Asked first: Celery's own connection tries for many seconds before it gives up.
        self._client = Redis.from_url(
            client_url(settings.redis_url or ""),
            retry=Retry(NoBackoff(), 0),
            socket_timeout=PROBE_TIMEOUT_S,
            socket_connect_timeout=PROBE_TIMEOUT_S,
        )
        self._pause_s = pause_s
        self._silent_until = 0.0
        self._away = False

    def ring(self, run_id: uuid.UUID) -> bool:
        """Whether the message reached the broker; after a failure no try is made for some seconds."""
        if time.monotonic() < self._silent_until:
            return False
        try:
            self._client.ping()
            self._app.send_task(TASK, args=[str(run_id)], expires=MESSAGE_LIVES_S, retry=False, ignore_result=True)
        except Exception as error:  # whatever the transport raises: the run stays queued and is rung again
            self._silent_until = time.monotonic() + self._pause_s
            if not self._away:
                log.warning("the broker does not answer, runs wait until it does: %s", error)
            self._away = True
            # Its pools remember the dead connection; a new application is cheaper than to find out where.
            self._app.close()
            self._app = make_app(self._settings)
            return False
        if self._away:
            log.info("the broker answers again")
        self._away = False
        return True

    def close(self) -> None:
        """Give the connections back."""
        self._app.close()
        self._client.close()
