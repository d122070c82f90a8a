"""Who is let in: a few at a time, some may wait, and the others are told when to come back."""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from catok.serving.errors import ApiError


class Gate:
    """At most `limit` inside. Up to `queue_limit` wait, each for `queue_seconds` at most.

    Who finds the queue full gets 429, who waited in vain 503, both with Retry-After.
    """

    def __init__(self, name: str, limit: int, queue_limit: int, queue_seconds: float) -> None:
        self.name, self.limit = name, limit
        self.queue_limit, self.queue_seconds = queue_limit, queue_seconds
        self.inside = 0
        self.refused = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._mean = 1.0  # seconds that a request takes, lately
        self._closed = False

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    def close(self) -> None:
        """Let nobody in any more; who waits is sent away."""
        self._closed = True
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_exception(_stopping())

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Context of a request that is worked on. Raises ApiError where it is not let in."""
        await self._enter()
        begun = time.monotonic()
        try:
            yield
        finally:
            self._mean += 0.1 * (time.monotonic() - begun - self._mean)
            self._leave()

    async def _enter(self) -> None:
        if self._closed:
            raise _stopping()
        if self.inside < self.limit:
            self.inside += 1
            return
        if len(self._queue) >= self.queue_limit:
            self.refused += 1
            raise ApiError(
                429,
                f"{self.inside} requests of this kind run and {len(self._queue)} wait: try again",
                code="rate_limit_exceeded",
                retry_after=self._retry_after(),
            )
        waiter = asyncio.get_running_loop().create_future()
        self._queue.append(waiter)
        try:
            async with asyncio.timeout(self.queue_seconds):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._leave()  # the place was given in the same moment
            elif waiter in self._queue:
                self._queue.remove(waiter)
            waiter.cancel()
            if not isinstance(error, TimeoutError):
                raise
            self.refused += 1
            raise ApiError(
                503,
                f"no room within {self.queue_seconds:g} s: try again",
                code="server_overloaded",
                retry_after=self._retry_after(),
            ) from None

    def _leave(self) -> None:
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(None)  # the place goes on to who waited longest
                return
        self.inside -= 1

    def _retry_after(self) -> int:
        return max(1, min(60, math.ceil(self._mean * (1 + len(self._queue) / self.limit))))


def _stopping() -> ApiError:
    return ApiError(503, "the server stops", code="server_stopping", retry_after=5)
