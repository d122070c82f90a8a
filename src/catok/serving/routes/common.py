"""What the routes share."""

import logging
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from catok.serving.gate import Gate
from catok.serving.metrics import Metrics
from catok.serving.service import Service


async def service_of(request: Request) -> Service:
    """The service of the application. (Asynchronous: FastAPI calls others in threads.)"""
    return request.app.state.service


def metrics_of(request: Request) -> Metrics:
    """Its figures."""
    return request.app.state.metrics


async def enter(request: Request, kind: str) -> None:
    """Wait for one's turn; the place is given back when the request is over."""
    gate: Gate = request.app.state.gates[kind]
    try:
        await request.state.resources.enter_async_context(gate.entered())
    except Exception as error:
        metrics_of(request).refused.labels(getattr(error, "code", None) or "error").inc()
        raise


def note_text(request: Request, what: str, text: str) -> None:
    """Write a text into the log, where the configuration says so."""
    if request.app.state.service.config.log_texts:
        log.info(what, extra={"fields": {"id": request.state.request_id, "text": text}})


log = logging.getLogger("catok.serving")
ServiceOf = Annotated[Service, Depends(service_of)]
