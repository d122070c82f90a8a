"""A client of an application in the same process, and a server in a thread of its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx2 as httpx

from catok.serving.app import create_app
from catok.serving.config import ServerConfig
from catok.serving.models import Models

QUICK: dict[str, Any] = {"max_seconds": 1.2, "queue_seconds": 5.0, "stop_seconds": 5.0}


@asynccontextmanager
async def in_process(models: Models, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application itself, without a network; `client.app` is the application."""
    app = create_app(models, ServerConfig(**(QUICK | settings)))
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client,
    ):
        client.app = app  # type: ignore[attr-defined]
        yield client


def ask(models: Models, talk: Callable[[httpx.AsyncClient], Coroutine], **settings: Any) -> Any:
    """What a conversation with an application comes to."""

    async def run() -> Any:
        async with in_process(models, **settings) as client:
            return await talk(client)

    return asyncio.run(run())


@contextmanager
def running(models: Models, **settings: Any) -> Iterator[tuple[str, Any]]:
    """A real server on a free port: its address and its application."""
    from catok.serving.server import make_server

    config = ServerConfig(**(QUICK | {"port": 0} | settings))
    app = create_app(models, config)
    server = make_server(app, config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            threading.Event().wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", app
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "the server does not stop"
