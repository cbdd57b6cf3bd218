"""Liveness, readiness and metrics: without a token or personal data, in bounded time."""

import asyncio
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.base.errors import Issue, Refusal
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
        **errors(405),
    },
    response_class=Response,
)
async def metrics(request: Request) -> Response:
    """Requests of this process by route template and status, with their times; and from the
    database what waits to be delivered, since when, what was tried and which endpoints are
    disabled: the same in every process. Not for the public: see to it.
    """
    parts = deployment(request)
    database = parts.started.database if parts.started else None
    text = generate_latest() + await parts.figures.text(database, parts.clock)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _answer(status: str) -> Response:
    return Response(orjson.dumps({"status": status}), media_type="application/json")


def _not_ready(check: str, text: str) -> Refusal:
    return Refusal(503, [Issue("transient", text, detail_code=check)], {"Retry-After": "2"})
