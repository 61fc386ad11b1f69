"""Limits how many requests do one thing at once. Waiting happens in the event loop and takes no thread."""

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend.errors import TooMany


class Gate:
    """At most `width` inside at a time, at most `line` waiting; who comes later is told to try again."""

    def __init__(self, width: int, line: int, refusal: str) -> None:
        self.width = width
        self.line = line
        self.refusal = refusal
        self.waiting = 0
        # A semaphore belongs to one event loop. There is one in a server, but a test client may start several.
        self._semaphores: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            weakref.WeakKeyDictionary()
        )

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        semaphore = self._semaphores.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self.width))
        if semaphore.locked() and self.waiting >= self.line:
            raise TooMany(self.refusal, retry_after_s=2)
        self.waiting += 1
        try:
            await semaphore.acquire()
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            semaphore.release()
