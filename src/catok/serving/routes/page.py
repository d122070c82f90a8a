"""`/`: the page, and the files that it is made of."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from catok.serving.errors import ApiError

router = APIRouter()
KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; media-src blob:; "
    "connect-src 'self' ws: wss: blob:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@router.get("/", include_in_schema=False)
async def index() -> Response:
    """The page."""
    return _answer("index.html")


@router.get("/page/{name}", include_in_schema=False)
async def part(name: str) -> Response:
    """A file of it."""
    return _answer(name)


def _answer(name: str) -> Response:
    content = _files().get(name)
    if content is None:
        raise ApiError(404, "there is no such page")
    kind = KINDS[name.rpartition(".")[2]]
    return Response(content, media_type=f"{kind}; charset=utf-8", headers=HEADERS)


@cache
def _files() -> dict[str, bytes]:
    """All files, by name: nothing that a client says becomes a path."""
    folder = files("catok.serving.page")
    return {
        each.name: each.read_bytes()
        for each in folder.iterdir()
        if each.name.rpartition(".")[2] in KINDS
    }
