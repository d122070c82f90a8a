"""The ASGI application: routes around a service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from catok.serving.config import ServerConfig
from catok.serving.errors import ApiError, as_api_error
from catok.serving.gate import Gate
from catok.serving.guard import Guard
from catok.serving.metrics import Metrics
from catok.serving.models import Models
from catok.serving.routes import page, speech, status, tokens, transcriptions, voices
from catok.serving.service import Service
from catok.serving.sockets import realtime
from catok.serving.sockets import speech as speech_socket
from catok.serving.sockets import tokens as token_sockets

HTTP = (speech, transcriptions, tokens, voices, status, page)
SOCKETS = (speech_socket, token_sockets, realtime)


def create_app(models: Models, config: ServerConfig) -> FastAPI:
    """The application of these models; its lifespan starts and stops the scheduler.

    Raises ValueError on a folder of voices that cannot be read.
    """
    service, metrics = Service(models, config), Metrics()
    limits = {
        "speech": config.speech_limit,
        "transcription": config.transcription_limit,
        "codec": config.codec_limit,
    }
    gates = {
        kind: Gate(kind, limit, config.queue_limit, config.queue_seconds)
        for kind, limit in limits.items()
    }
    gates["session"] = Gate("session", config.session_limit, 0, 0.0)
    metrics.watch(service.scheduler, list(gates.values()))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        wyoming = None
        if config.wyoming_port:
            from catok.serving.wyoming import start_wyoming

            port = config.wyoming_port
            wyoming = await start_wyoming(service, gates, metrics, config.host, port)
        try:
            yield
        finally:
            await drain(app)
            if wyoming is not None:
                wyoming.close()
            await asyncio.to_thread(service.stop)

    app = FastAPI(
        title="catok", lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.state.service, app.state.metrics, app.state.gates = service, metrics, gates
    app.state.stopping = False
    for routes in (*HTTP, *SOCKETS):
        app.include_router(routes.router)
    app.add_exception_handler(ApiError, _answered)
    app.add_exception_handler(ValueError, _answered)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    if config.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(config.cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["authorization", "content-type"],
        )
    app.add_middleware(Guard, config=config, metrics=metrics)
    return app


def close_gates(app: FastAPI) -> None:
    """Let nobody in any more."""
    app.state.stopping = True
    for gate in app.state.gates.values():
        gate.close()


async def drain(app: FastAPI) -> None:
    """Let nobody in, and wait until those inside are done or `stop_seconds` are over."""
    close_gates(app)
    gates: list[Gate] = list(app.state.gates.values())
    gates.remove(app.state.gates["session"])  # a session that does nothing is not waited for
    config: ServerConfig = app.state.service.config
    deadline = asyncio.get_running_loop().time() + config.stop_seconds
    while any(gate.inside for gate in gates):
        if asyncio.get_running_loop().time() >= deadline:
            break
        await asyncio.sleep(0.05)


async def _answered(request: Request, error: Exception) -> Response:
    api_error = as_api_error(error)
    return Response(api_error.data(), api_error.status, api_error.headers())


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first: Any = error.errors()[0]
    where = str(first["loc"][-1])
    return await _answered(request, ApiError(400, f"{where}: {first['msg']}", param=where))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return await _answered(request, ApiError(error.status_code, str(error.detail)))
