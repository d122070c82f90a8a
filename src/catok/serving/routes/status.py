"""Models, health and figures."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from catok.serving.errors import ApiError
from catok.serving.routes.common import ServiceOf, metrics_of

router = APIRouter()


@router.get("/v1/models")
async def models(service: ServiceOf) -> dict[str, Any]:
    """What is loaded. Requests may name any model: there is one of each kind."""
    return {"object": "list", "data": [_model(name) for name in service.models.names]}


@router.get("/v1/models/{name:path}")
async def model(name: str, service: ServiceOf) -> dict[str, Any]:
    """One of them."""
    if name not in service.models.names:
        raise ApiError(404, "there is no such model here", code="model_not_found")
    return _model(name)


@router.get("/health")
async def health(service: ServiceOf) -> Response:
    """200 while the models are at work."""
    alive = service.scheduler.alive
    return JSONResponse({"status": "ok" if alive else "failed"}, 200 if alive else 500)


@router.get("/ready")
async def ready(request: Request, service: ServiceOf) -> Response:
    """200 while new requests are let in."""
    open_ = service.scheduler.alive and not request.app.state.stopping
    return JSONResponse({"status": "ready" if open_ else "stopping"}, 200 if open_ else 503)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    text, kind = metrics_of(request).text()
    return Response(text, media_type=kind)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "catok"}
