"""Liveness, readiness and metrics: without a token or personal data, in bounded time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.api.contract.responses import errors
from app.api.deployment import Deployment, deployment
from app.base.errors import Issue, Refusal, refuse
from app.store.schema import current_revision, head_revision

router = APIRouter(tags=["Operations"])

#: Seconds that readiness waits for the database.
_DATABASE_WAIT_S = 2.0

_STATUS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string"}},
}


def _fine(status: str, description: str) -> dict[int | str, dict[str, Any]]:
    content = {"schema": _STATUS_SCHEMA, "example": {"status": status}}
    return {200: {"description": description, "content": {"application/json": content}}}


@router.get(
    "/health/live",
    operation_id="checkLiveness",
    summary="Is the process running?",
    responses={**_fine("live", "It runs."), **errors(405)},
)
async def live() -> Response:
    """Says that the process answers; nothing about the database. Restart it when this fails."""
    return _answer("live")


@router.get(
    "/health/ready",
    operation_id="checkReadiness",
    summary="Can the process serve?",
    responses={**_fine("ready", "The database answers and is migrated."), **errors(405, 503)},
)
async def ready(request: Request) -> Response:
    """Says whether the database answers and has the schema that this code needs.

    503 names the check that failed. Send no requests here until it is 200 again.
    """
    try:
        async with asyncio.timeout(_DATABASE_WAIT_S):
            revision = await current_revision(deployment(request).database)
    except (TimeoutError, Refusal):
        raise _not_ready("database", "The database does not answer.") from None
    if revision != head_revision():
        text = "The database has another schema than this code. Run `python -m app migrate`."
        raise _not_ready("migrations", text)
    return _answer("ready")


@router.get(
    "/metrics",
    operation_id="readMetrics",
    summary="Counts and times, for Prometheus",
    responses={
        200: {
            "description": "The metrics of this process, and those of the deliveries.",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": 'nwd_requests_total{method="GET",route="/fhir",status="200"} 1.0',
                }
            },
        },
        **errors(404, 405),
    },
    response_class=Response,
)
async def metrics(request: Request) -> Response:
    """Requests of this process by route template and status, with their times; and from the
    database what waits to be delivered, since when, what was tried and which endpoints are
    disabled: the same in every process. Not for the public: in production, and wherever
    METRICS_PORT is set, this path is 404, and the metrics are on that port.
    """
    parts = deployment(request)
    settings = parts.settings
    if settings.metrics_port or settings.environment == "production":
        raise refuse(404, "not-found", "The metrics are not shown here.")
    text = await _all_metrics(parts)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _all_metrics(parts: Deployment) -> bytes:
    """The metrics of this process, and those of the deliveries, in the format of Prometheus."""
    database = parts.started.database if parts.started else None
    return generate_latest() + await parts.figures.text(database, parts.clock)


#: Seconds that a request to METRICS_PORT may take, and bytes that its head may have.
_METRICS_WAIT_S, _LARGEST_HEAD = 5.0, 8 * 1024


@asynccontextmanager
async def metrics_port(parts: Deployment) -> AsyncIterator[None]:
    """Answers `GET /metrics` on METRICS_PORT while the block runs; does nothing without one."""
    if not parts.settings.metrics_port:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_METRICS_WAIT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await _shown(parts, head))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    settings = parts.settings
    async with await asyncio.start_server(
        answer, settings.host, settings.metrics_port, limit=_LARGEST_HEAD
    ):
        yield


async def _shown(parts: Deployment, head: bytes) -> bytes:
    """The whole answer to a request whose head this is."""
    asked = head.split(b" ", 2)[:2] == [b"GET", b"/metrics"]
    status = b"200 OK" if asked else b"404 Not Found"
    body = await _all_metrics(parts) if asked else b""
    fields = f"content-type: {CONTENT_TYPE_LATEST}\r\ncontent-length: {len(body)}\r\n"
    return b"HTTP/1.1 %b\r\n%bconnection: close\r\n\r\n%b" % (status, fields.encode(), body)


def _answer(status: str) -> Response:
    return Response(orjson.dumps({"status": status}), media_type="application/json")


def _not_ready(check: str, text: str) -> Refusal:
    return Refusal(503, [Issue("transient", text, detail_code=check)], {"Retry-After": "2"})
