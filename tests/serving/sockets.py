"""A WebSocket client of an application in the same process."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from catok.serving.app import create_app
from catok.serving.config import ServerConfig
from catok.serving.models import Models
from tests.serving.client import QUICK


class Closed(Exception):
    """The server closed the connection, with a code."""


class Socket:
    """One connection; `receive` gives objects and bytes."""

    def __init__(self, app: Any, path: str, headers: dict[str, str], protocols: list[str]) -> None:
        self._in: asyncio.Queue[Any] = asyncio.Queue()
        self._out: asyncio.Queue[Any] = asyncio.Queue()
        where, _, query = path.partition("?")
        scope = {
            "type": "websocket",
            "path": where,
            "raw_path": where.encode(),
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            "subprotocols": protocols,
            "scheme": "ws",
            "server": ("test", 80),
            "state": {},
        }
        self._in.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(app(scope, self._in.get, self._out.put))

    async def opened(self) -> str | None:
        """The subprotocol. Raises Closed where the server does not accept."""
        message = await self._out.get()
        if message["type"] != "websocket.accept":
            raise Closed(message["code"])
        return message.get("subprotocol")

    async def send(self, message: Any) -> None:
        """An object, text as it stands, or bytes."""
        if isinstance(message, bytes):
            await self._in.put({"type": "websocket.receive", "bytes": message})
            return
        text = message if isinstance(message, str) else json.dumps(message)
        await self._in.put({"type": "websocket.receive", "text": text})

    async def receive(self) -> Any:
        """The next message. Raises Closed at the end."""
        message = await asyncio.wait_for(self._out.get(), 30)
        if message["type"] == "websocket.close":
            raise Closed(message.get("code", 1000))
        data = message.get("bytes")
        return json.loads(message["text"]) if data is None else data

    async def until(self, kind: str) -> list[Any]:
        """All messages up to the first of a type; an error message fails."""
        found = []
        while True:
            message = await self.receive()
            found.append(message)
            if isinstance(message, dict):
                if message["type"] == kind:
                    return found
                assert message["type"] != "error", message

    async def leave(self) -> None:
        """Go away without a word, and wait until the server has noticed."""
        await self._in.put({"type": "websocket.disconnect", "code": 1006})
        await asyncio.wait_for(self._task, 30)


Opener = Callable[..., Coroutine[Any, Any, Socket]]


def talk(models: Models, conversation: Callable[[Any, Opener], Coroutine], **settings: Any) -> Any:
    """What a conversation with an application comes to; it is given the app and an opener."""

    async def run() -> Any:
        app = create_app(models, ServerConfig(**(QUICK | settings)))
        async with app.router.lifespan_context(app):

            async def connect(
                path: str,
                headers: dict[str, str] | None = None,
                protocols: list[str] | None = None,
            ) -> Socket:
                found = Socket(app, path, headers or {}, protocols or [])
                await found.opened()
                return found

            return await conversation(app, connect)

    return asyncio.run(run())
