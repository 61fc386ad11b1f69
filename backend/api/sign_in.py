"""How often a sign-in may be tried, by account and address. Knows neither passwords nor people.

Every attempt counts for its pair of account and address until one succeeds; failed ones also count for the account
alone and for the address alone, with a wider limit: an address may stand for an office, and a stranger should not
lock an account out too easily.
"""

import ipaddress
import math
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256

import structlog
from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

from backend.errors import TooMany

log = structlog.get_logger("podium.sign_in")

WIDER = 10


class SignInLimit:
    """Counts in Redis, so that all API processes count together; in memory where there is none, or while it fails."""

    def __init__(self, per_minute: int, redis_url: str | None) -> None:
        self._pair = RateLimitItemPerMinute(per_minute, namespace="podium:sign-in")
        self._wide = RateLimitItemPerMinute(per_minute * WIDER, namespace="podium:sign-in")
        self._memory = SlidingWindowCounterRateLimiter(storage_from_string("memory://"))
        self._shared = self._memory
        if redis_url is not None:
            # `limits` has its own spelling of a Unix socket; connections are opened on first use.
            url = redis_url.replace("unix://", "redis+unix://", 1) if redis_url.startswith("unix://") else redis_url
            self._shared = SlidingWindowCounterRateLimiter(storage_from_string(url, socket_timeout=2))

    def attempt(self, email: str, address: str) -> None:
        """Count an attempt; raise TooMany when there were too many. Ask before the password is hashed."""
        account, place = _names(email, address)
        self._counted(lambda limiter: self._check(limiter, account, place))

    def failed(self, email: str, address: str) -> None:
        """The password was wrong."""
        account, place = _names(email, address)
        for name in (account, place):
            self._counted(partial(_hit, self._wide, name))

    def succeeded(self, email: str, address: str) -> None:
        """The password was right: forget the attempts of this account from this address."""
        account, place = _names(email, address)
        self._counted(lambda limiter: limiter.clear(self._pair, account, place))

    def _check(self, limiter: SlidingWindowCounterRateLimiter, account: str, place: str) -> None:
        for name in (account, place):
            if not limiter.test(self._wide, name):
                raise _too_many(limiter, self._wide, name)
        if not limiter.hit(self._pair, account, place):
            raise _too_many(limiter, self._pair, account, place)

    def _counted(self, count: Callable[[SlidingWindowCounterRateLimiter], object]) -> None:
        try:
            count(self._shared)
        except RedisError as error:
            log.warning("sign-in attempts are counted in this process only", error=type(error).__name__)
            count(self._memory)


def _hit(item: RateLimitItemPerMinute, name: str, limiter: SlidingWindowCounterRateLimiter) -> None:
    limiter.hit(item, name)


def _too_many(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItemPerMinute, *names: str) -> TooMany:
    wait = math.ceil(limiter.get_window_stats(item, *names).reset_time - time.time())
    wait = min(max(wait, 1), 60)
    return TooMany(f"Too many attempts to sign in. Try again in {wait} seconds.", retry_after_s=wait)


def _names(email: str, address: str) -> tuple[str, str]:
    """Names of the counters. An e-mail is personal and of any length, so only its digest leaves this process."""
    account = sha256(email.strip().lower().encode("utf-8", "replace")).hexdigest()
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return account, "unknown"
    # Whoever has one IPv6 address has all of its /64.
    place = str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))
    return account, place
