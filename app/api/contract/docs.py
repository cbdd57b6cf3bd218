"""`/docs` and `/openapi.json`: the contract to read and to try out, without any other server.

The assets are vendored (`static/README.md`). The page runs no inline script, so that its content
security policy allows this server and nothing else. `Served` holds the document as sent: rendered
and compressed once, with a tag that tells whether the document changed. `Served` and `takes_gzip`
are PURE, but for the compression.
"""

import asyncio
import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse

from app.base.errors import not_found

_CODING = re.compile(r"\s*([^\s;,]+)\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?")


@dataclass(frozen=True, slots=True)
class Served:
    """The bytes of a document, plain and compressed, and the tag of its content."""

    plain: bytes
    packed: bytes
    tag: str

    @classmethod
    def of(cls, document: Any) -> Self:
        """Renders a document; equal documents have equal bytes and tags in every process."""
        plain = orjson.dumps(document)
        return cls(plain, gzip.compress(plain, 9, mtime=0), hashlib.sha256(plain).hexdigest()[:32])

    def answer(self, accepted: str, known: str) -> tuple[int, bytes, dict[str, str]]:
        """Status, body, headers, by `Accept-Encoding` (`accepted`) and `If-None-Match` (`known`).

        The plain and the compressed bytes differ, so each form has a strong tag of its own.
        """
        small = takes_gzip(accepted)
        tag = f'"{self.tag}-gzip"' if small else f'"{self.tag}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if self._has(known):
            return 304, b"", headers
        if small:
            headers["Content-Encoding"] = "gzip"
        return 200, self.packed if small else self.plain, headers

    def _has(self, known: str) -> bool:
        """Whether the caller has this document, plain or compressed (RFC 9110, weak comparison)."""
        tags = {one.strip().removeprefix("W/") for one in known.split(",")}
        return bool(tags & {"*", f'"{self.tag}"', f'"{self.tag}-gzip"'})


def takes_gzip(accepted: str) -> bool:
    """Whether `Accept-Encoding` names gzip, or else `*`, with a weight above zero."""
    weights: dict[str, bool] = {}
    for part in accepted.split(","):
        if coding := _CODING.fullmatch(part):
            weight = coding[2] or "1"
            weights[coding[1].lower()] = weight.strip("0.") != ""
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


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
    """The OpenAPI document, as committed: made at the first question, which takes half a second of
    the processor, in a thread.
    """
    served = await asyncio.to_thread(_contract, request.app)
    accepted, known = (
        ",".join(request.headers.getlist(name)) for name in ("accept-encoding", "if-none-match")
    )
    status, body, headers = served.answer(accepted, known)
    return Response(body, status, headers, media_type="application/json" if body else None)


@lru_cache(maxsize=1)
def _contract(app: FastAPI) -> Served:
    return Served.of(app.openapi())
