"""What every webhook route asks: whose endpoint it is, whether it is active, what time it is."""

from datetime import datetime
from typing import Annotated

from fastapi import Path, Request
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.caller import require
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.base.errors import not_found, refuse
from app.journey.notification import store
from app.model.caller import Caller

PREFIX = "/v1/webhook-endpoints"
READING = errors(400, 403, 404)
CHANGING = errors(400, 403, 404, 409, 422)
#: Takes no body, and refuses one that is too slow, too large or no JSON.
WITHOUT_BODY = {**CHANGING, **errors(408, 413, 415)}

Id = Annotated[
    str, Path(description="The endpoint's id.", min_length=1, max_length=64, pattern=r"^[^\x00]+$")
]


async def mine(
    connection: AsyncConnection, caller: Caller, id_: str, letter: str = "r", *, lock: bool = False
) -> RowMapping:
    """The caller's endpoint; 404 for everybody else's. 403 without `letter` on Subscription, which
    is what an endpoint is in FHIR's words.
    """
    require(caller, "Subscription", letter)
    row = await store.endpoint(connection, caller.organization_id, id_, lock=lock)
    if row is None:
        raise not_found("webhook endpoint")
    return row


def must_be_active(row: RowMapping) -> None:
    """409 while the endpoint is disabled."""
    if row["status"] != "active":
        raise refuse(409, "conflict", "The endpoint is disabled. Enable it first.")


def now_of(request: Request) -> datetime:
    """The time by the service's clock."""
    return deployment(request).clock.now()
