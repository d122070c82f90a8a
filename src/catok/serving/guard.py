"""Around every HTTP request: an id, the key, limits of size and time, errors, the log.

The application runs in a task of its own. When the client goes away the task is cancelled, so that
whatever the request holds is freed, wherever it just was.
"""

import asyncio
import hmac
import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

from catok.serving.config import ServerConfig
from catok.serving.errors import ApiError, as_api_error
from catok.serving.metrics import Metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("catok.serving")
PACE = 4096  # bytes per second of a body, at least, once `read_seconds` are over
LIVE_PACE = 256  # the same of codes as they are made
OPEN = ("/health", "/ready", "/metrics")  # without a key
_ID = re.compile(rb"[\w-]{1,64}")


class Guard:
    """The outermost ASGI layer. WebSockets and the lifespan pass through untouched."""

    def __init__(self, app: App, config: ServerConfig, metrics: Metrics) -> None:
        self._app, self._config, self._metrics = app, config, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Exchange(self._app, self._config, self._metrics, scope, receive, send).run()


def has_key(config: ServerConfig, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a request carries the key, compared in constant time; true where none is asked."""
    if not config.api_key:
        return True
    given = b""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            given = value[7:].strip()
    return hmac.compare_digest(given, config.api_key.encode())


class _Exchange:
    """One request and its answer."""

    def __init__(
        self,
        app: App,
        config: ServerConfig,
        metrics: Metrics,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._app, self._config, self._metrics = app, config, metrics
        self._scope, self._receive, self._send = scope, receive, send
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        self.id = given.decode() if _ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"
        self._gone = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._body_read = False
        self._received = self._sent = 0
        self._begun = self._asked = self._waited = 0.0  # waited: while we took our time
        self._status = 0
        self._finished = False

    async def run(self) -> None:
        """Until the answer is sent or the client is gone."""
        begun = time.monotonic()
        state = self._scope.setdefault("state", {})
        state["request_id"] = self.id
        try:
            async with AsyncExitStack() as resources:
                state["resources"] = resources  # freed at the end, however that comes
                self._task = asyncio.create_task(self._answer())
                try:
                    await asyncio.wait({self._task})
                finally:
                    self._task.cancel()
                    await asyncio.gather(self._task, return_exceptions=True)
                    if self._watching is not None:
                        self._watching.cancel()
        finally:
            self._note(time.monotonic() - begun)

    async def _answer(self) -> None:
        try:
            self._check()
            await self._app(self._scope, self._limited_receive, self._limited_send)
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            if self._gone.is_set():  # nobody is left to be told
                return
            if not isinstance(error, ApiError | ValueError | OSError):
                log.error("request failed", exc_info=error, extra={"fields": {"id": self.id}})
            if not self._status:
                await self._refuse(as_api_error(error))

    def _check(self) -> None:
        """Key and stated length. Raises ApiError."""
        scope, config = self._scope, self._config
        if scope["path"] not in OPEN and scope["path"].startswith("/v1"):
            preflight = scope["method"] == "OPTIONS"
            if not preflight and not has_key(config, scope["headers"]):
                raise ApiError(401, "the API key is missing or wrong", code="invalid_api_key")
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if not stated.isdigit() or int(stated[:20]) > config.max_upload_bytes:
            raise self._too_large()

    def _too_large(self) -> ApiError:
        limit = self._config.max_upload_megabytes
        return ApiError(413, f"the body is larger than {limit:g} MB", code="body_too_large")

    async def _limited_receive(self) -> Message:
        if self._body_read:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        if not self._begun:
            self._begun = time.monotonic()
        self._waited += time.monotonic() - self._asked if self._asked else 0.0
        try:
            async with asyncio.timeout(self._config.read_seconds):
                message = await self._receive()
        except TimeoutError:
            seconds = self._config.read_seconds
            raise ApiError(408, f"nothing of the body came for {seconds:g} s") from None
        self._asked = time.monotonic()
        if message["type"] == "http.disconnect":
            self._gone.set()
            self._body_read = True
            return message
        self._received += len(message.get("body", b""))
        self._check_pace()
        if self._received > self._config.max_upload_bytes:
            raise self._too_large()
        if not message.get("more_body", False):
            self._body_read = True
            self._watching = asyncio.create_task(self._watch())
        return message

    def _check_pace(self) -> None:
        """Raises ApiError on a body that trickles: it would hold its place for ever."""
        kind = dict(self._scope["headers"]).get(b"content-type", b"")
        pace = LIVE_PACE if kind.startswith(b"application/x-ndjson") else PACE
        late = time.monotonic() - self._begun - self._waited - self._config.read_seconds
        if late > self._received / pace:
            raise ApiError(408, f"the body comes at less than {pace} bytes per second")

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()
        if self._task is not None and not self._finished:
            self._task.cancel()

    async def _limited_send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", self.id.encode())]
            message = {**message, "headers": headers}
        try:
            async with asyncio.timeout(self._config.write_seconds):
                await self._send(message)
        except TimeoutError:
            self._metrics.refused.labels("slow_reader").inc()
            raise ConnectionAbortedError("the client reads too slowly") from None
        self._sent += len(message.get("body", b""))
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._finished = True

    async def _refuse(self, error: ApiError) -> None:
        headers = [(k.encode(), v.encode()) for k, v in error.headers().items()]
        if not self._body_read:  # the rest of the body is not waited for
            headers.append((b"connection", b"close"))
        data = error.data()
        headers.append((b"content-length", str(len(data)).encode()))
        start = {"type": "http.response.start", "status": error.status, "headers": headers}
        try:
            await self._limited_send(start)
            await self._limited_send({"type": "http.response.body", "body": data})
        except OSError:
            pass

    def _note(self, seconds: float) -> None:
        route = getattr(self._scope.get("route"), "path", "other")
        status = "gone" if self._gone.is_set() and not self._finished else str(self._status)
        self._metrics.requests.labels(route, status).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        fields = {
            "id": self.id,
            "method": self._scope["method"],
            "route": route,
            "status": status,
            "seconds": round(seconds, 4),
            "bytes_in": self._received,
            "bytes_out": self._sent,
        }
        log.info("request", extra={"fields": fields})


class JsonLines(logging.Formatter):
    """A log line as JSON: time, level, event and the fields of the record."""

    def format(self, record: logging.LogRecord) -> str:
        """As `logging.Formatter.format`."""
        row: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        row |= getattr(record, "fields", {})
        if record.exc_info:
            row["exception"] = self.formatException(record.exc_info)
        return json.dumps(row, ensure_ascii=False)
