"""`/docs` and `/openapi.json`: the contract to read and to try out, with no network but ours.

The assets are vendored (`static/README.md`). The page runs no inline script, so that its content
security policy allows this server and nothing else.
"""

from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse

from app.api.contract.served import Served
from app.base.errors import not_found

router = APIRouter(include_in_schema=False)

_STATIC = Path(__file__).parent / "static"
_ASSETS = {
    "docs.js": "text/javascript",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
# Swagger UI sets styles on its elements and draws its icons from data: addresses.
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
_A_DAY = "public, max-age=86400"


@router.get("/docs")
async def page() -> Response:
    """The interactive documentation."""
    headers = {"Content-Security-Policy": _POLICY}
    return FileResponse(_STATIC / "docs.html", media_type="text/html", headers=headers)


@router.get("/docs/{name}")
async def asset(name: str) -> Response:
    """One file of the page."""
    if name not in _ASSETS:
        raise not_found("file")
    headers = {"Cache-Control": _A_DAY}
    return FileResponse(_STATIC / name, media_type=_ASSETS[name], headers=headers)


@router.get("/openapi.json")
async def document(request: Request) -> Response:
    """The OpenAPI document, as committed: rendered and compressed at the first question."""
    served = _contract(request.app)
    accepted, known = (
        ",".join(request.headers.getlist(name)) for name in ("accept-encoding", "if-none-match")
    )
    status, body, headers = served.answer(accepted, known)
    return Response(body, status, headers, media_type="application/json" if body else None)


@lru_cache(maxsize=1)
def _contract(app: FastAPI) -> Served:
    return Served.of(app.openapi())
