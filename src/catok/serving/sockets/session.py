"""What all WebSockets share: who is let in, messages with limits of size and time, errors, the log.

Text frames are JSON objects with a `type`, binary frames are audio or codes. What is wrong is said
in an `error` message, after which the connection is closed.
"""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from starlette.websockets import WebSocket, WebSocketDisconnect

from catok.serving.config import ServerConfig
from catok.serving.errors import ApiError, as_api_error
from catok.serving.gate import Gate
from catok.serving.guard import has_key
from catok.serving.metrics import Metrics
from catok.serving.service import Service

log = logging.getLogger("catok.serving")
KEY_PROTOCOL = "openai-insecure-api-key."  # how a page of a browser sends the key
CLOSE_CODES = {429: 1013, 503: 1013, 500: 1011, 413: 1009, 408: 1008}
LONGEST_MESSAGE = 1 << 20  # bytes of a text frame

Message = dict[str, Any] | bytes


class Session:
    """One accepted WebSocket. Everything it reads and sends has a limit of time and size."""

    def __init__(self, socket: WebSocket) -> None:
        state = socket.app.state
        self.service: Service = state.service
        self.metrics: Metrics = state.metrics
        self.config: ServerConfig = state.service.config
        self.id = f"sess_{secrets.token_hex(12)}"
        self.busy = False  # while it is, the client may be silent
        self._gates: dict[str, Gate] = state.gates
        self._socket = socket
        self._sending = asyncio.Lock()
        self._received = self._sent = 0

    async def receive(self, seconds: float | None = None) -> Message:
        """The next message. Raises ApiError on what is no message, and where none comes in
        `seconds` (by default `idle_seconds`) in which nothing was sent either.
        """
        limit = self.config.idle_seconds if seconds is None else seconds
        waiting = asyncio.ensure_future(self._socket.receive())
        try:
            while not (await asyncio.wait({waiting}, timeout=limit))[0]:
                if not self.busy:
                    raise ApiError(408, f"nothing came for {limit:g} s", code="idle_timeout")
        finally:
            waiting.cancel()
        return self._read(waiting.result())

    def _read(self, frame: Any) -> Message:
        if frame["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(frame.get("code", 1000))
        data = frame.get("bytes")
        if data is not None:
            self._received += len(data)
            return bytes(data)
        text = frame.get("text") or ""
        self._received += len(text)
        if len(text) > LONGEST_MESSAGE:
            raise ApiError(413, f"a message is longer than {LONGEST_MESSAGE} bytes")
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            raise ApiError(400, "a text frame is no valid JSON") from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise ApiError(400, "a text frame must be a JSON object with a type")
        return message

    async def send(self, message: dict[str, Any]) -> None:
        """Send an object."""
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        await self._send({"type": "websocket.send", "text": text}, len(text))

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""
        await self._send({"type": "websocket.send", "bytes": data}, len(data))

    async def _send(self, frame: dict[str, Any], size: int) -> None:
        try:
            async with self._sending, asyncio.timeout(self.config.write_seconds):
                await self._socket.send(frame)
        except TimeoutError:
            self.metrics.refused.labels("slow_reader").inc()
            raise WebSocketDisconnect(1008, "the client reads too slowly") from None
        except RuntimeError:  # how uvicorn says that the connection is closed already
            raise WebSocketDisconnect(1006) from None
        self._sent += size

    @asynccontextmanager
    async def entered(self, kind: str) -> AsyncIterator[None]:
        """Context of work of a kind, once it is this session's turn. Raises ApiError."""
        async with self._gates[kind].entered():
            self.busy = True
            try:
                yield
            finally:
                self.busy = False

    async def fail(self, error: BaseException) -> None:
        """Say what is wrong, and close."""
        if not isinstance(error, ApiError | ValueError):
            log.error("session failed", exc_info=error, extra={"fields": {"id": self.id}})
        said = as_api_error(error)
        if said.status in (429, 503):
            self.metrics.refused.labels(said.code or "error").inc()
        with suppress(WebSocketDisconnect, RuntimeError, OSError):
            await self.send({"type": "error", **said.body()})
            await self._socket.close(CLOSE_CODES.get(said.status, 1008))

    async def close(self) -> None:
        """Close as agreed."""
        with suppress(WebSocketDisconnect, RuntimeError, OSError):
            await self._socket.close(1000)

    def note(self, seconds: float, status: str) -> None:
        """Into the log and the figures."""
        route = self._socket.scope["path"]
        self.metrics.requests.labels(route, status).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        fields = {
            "id": self.id,
            "route": route,
            "status": status,
            "seconds": round(seconds, 4),
            "bytes_in": self._received,
            "bytes_out": self._sent,
        }
        log.info("session", extra={"fields": fields})


async def run_session(
    socket: WebSocket, talk: Callable[[Session], Coroutine[Any, Any, None]]
) -> None:
    """Let a client in, talk, and close: whatever happens, nothing of it stays behind."""
    config: ServerConfig = socket.app.state.service.config
    if not may_enter(socket, config):
        await socket.close(1008)  # before it is accepted: the answer is a 403
        return
    offered = socket.scope.get("subprotocols", [])
    plain = [each for each in offered if not each.startswith(KEY_PROTOCOL)]
    await socket.accept(subprotocol=plain[0] if plain else None)
    session, begun, status = Session(socket), time.monotonic(), "closed"
    try:
        async with socket.app.state.gates["session"].entered():
            await talk(session)
        await session.close()
    except* WebSocketDisconnect:
        status = "gone"
    except* Exception as group:
        error = _first(group)
        status = str(as_api_error(error).status)
        await session.fail(error)
    finally:
        session.note(time.monotonic() - begun, status)


def may_enter(socket: WebSocket, config: ServerConfig) -> bool:
    """Whether the key is right, and the page it comes from (if any) is our own or allowed."""
    headers = list(socket.scope["headers"])
    for each in socket.scope.get("subprotocols", []):
        if each.startswith(KEY_PROTOCOL):
            key = each.removeprefix(KEY_PROTOCOL).encode()
            headers.append((b"authorization", b"Bearer " + key))
    if not has_key(config, headers):
        return False
    origin = socket.headers.get("origin")
    if origin is None or origin in config.cors_origins or "*" in config.cors_origins:
        return True
    return urlsplit(origin).netloc == socket.headers.get("host")


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
