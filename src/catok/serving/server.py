"""uvicorn, with connections that cannot be held open for nothing."""

import asyncio
import socket
from types import FrameType
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from catok.serving.app import drain
from catok.serving.config import ServerConfig

KEEP_ALIVE = 15  # seconds between two requests of one connection
BACKLOG = 512
LONGEST_FRAME = 4 << 20  # bytes of a WebSocket's message: some of every session may wait


class GracefulServer(uvicorn.Server):
    """Ends in peace: a signal to stop is no failure, and who waits for his turn is told at once."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """As uvicorn's, without raising the signal again at the end."""
        super().handle_exit(sig, frame)
        self._captured_signals.clear()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, once what runs is done: it would end WebSockets at once."""
        await drain(self.config.app)  # type: ignore[arg-type]
        await super().shutdown(sockets)


def make_server(app: FastAPI, config: ServerConfig) -> uvicorn.Server:
    """A server that is not running yet: `server.run()`, or `await server.serve()`.

    It ends at SIGINT and SIGTERM: what runs is finished, for `stop_seconds` at most.
    """
    settings = uvicorn.Config(
        app,
        host=config.host,
        port=config.port,
        http=_protocol(config),
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        ws_max_size=LONGEST_FRAME,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, round(config.stop_seconds)),
        backlog=BACKLOG,
        access_log=False,
        server_header=False,
        log_config=None,
        proxy_headers=False,
    )
    return GracefulServer(settings)


def _protocol(config: ServerConfig) -> type[H11Protocol]:
    """Connections that send no whole request, or do not take what is left for them, are closed."""

    class Connection(H11Protocol):
        _watch: asyncio.TimerHandle | None = None
        _idle_before: Any = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._schedule_check()

        def connection_lost(self, exc: Exception | None) -> None:
            if self._watch is not None:
                self._watch.cancel()
            super().connection_lost(exc)

        def _schedule_check(self) -> None:
            seconds = max(config.read_seconds, KEEP_ALIVE + 1)
            self._watch = self.loop.call_later(seconds, self._check_idle)

        def _check_idle(self) -> None:
            if self.transport.get_protocol() is not self:  # a WebSocket now
                return
            if self.transport.is_closing():
                self.transport.abort()  # what waits to be sent is never read
                return
            idle = self.conn.their_state is h11.IDLE and (
                self.cycle is None or self.cycle.response_complete
            )
            if idle and self._idle_before is (self.cycle or self):
                self.transport.close()
            self._idle_before = (self.cycle or self) if idle else None
            self._schedule_check()

    return Connection
