"""Messages of a webhook endpoint: deliveries, attempts, statistics, and sending again.

The worker sends the messages that these routes make due; the worker gets a hint after the commit.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request

from app.api.acting import CallersRows
from app.api.caller import CallerDep
from app.api.webhooks import (
    CHANGING,
    PREFIX,
    READING,
    WITHOUT_BODY,
    EndpointId,
    must_be_active,
    now_of,
    own_endpoint,
)
from app.base.errors import not_found, refuse
from app.journey.notification import store
from app.journey.notification.endpoint import (
    Attempt,
    AttemptList,
    Deliveries,
    Delivery,
    Recovered,
    Recovery,
    Statistics,
)
from app.model.caller import Caller
from app.store.database import Row, Source

router = APIRouter(prefix=PREFIX, tags=["Notifications"])

#: The position of the first page, after every message.
_NEVER = (datetime(9000, 1, 1, tzinfo=UTC), "")

MessageId = Annotated[
    str, Path(description="The `webhook-id`.", min_length=1, max_length=64, pattern=r"^[^\x00]+$")
]
MessageState = Annotated[
    Literal["pending", "delivered", "dead", "held"] | None, Query(description="Only these.")
]
Before = Annotated[
    str | None,
    Query(
        description="`next` of the page before.",
        pattern=r"^[0-9]{1,17}-[A-Za-z0-9.-]{1,64}$",
    ),
]
PageLimit = Annotated[int, Query(ge=1, le=200, description="Messages a page.")]


@router.get("/{id}/messages", operation_id="listWebhookMessages", responses=READING)
async def list_messages(
    id: EndpointId,
    caller: CallerDep,
    source: CallersRows,
    state: MessageState = None,
    before: Before = None,
    limit: PageLimit = 50,
) -> Deliveries:
    """List the messages for an endpoint, newest first."""
    await own_endpoint(source, caller, id)
    rows = await store.deliveries(
        source,
        caller.organization_id,
        id,
        state=state,
        before=_cursor(before) if before else _NEVER,
        limit=limit,
    )
    last = rows[-1] if len(rows) == limit else None
    return Deliveries(
        messages=[Delivery(**row) for row in rows],
        next=f"{_micros(last['created_at'])}-{last['message_id']}" if last else None,
    )


@router.get(
    "/{id}/messages/{message_id}/attempts",
    operation_id="listWebhookAttempts",
    responses=READING,
)
async def list_attempts(
    id: EndpointId,
    message_id: MessageId,
    caller: CallerDep,
    source: CallersRows,
) -> AttemptList:
    """List the attempts to deliver one message, in order."""
    await _message(source, caller, id, message_id)
    rows = await store.attempts(source, caller.organization_id, id, message_id)
    return AttemptList(attempts=[Attempt(**row) for row in rows])


@router.post(
    "/{id}/messages/{message_id}/redeliver",
    operation_id="redeliverWebhookMessage",
    status_code=202,
    responses=WITHOUT_BODY,
)
async def redeliver(
    id: EndpointId,
    message_id: MessageId,
    request: Request,
    caller: CallerDep,
    source: CallersRows,
) -> Delivery:
    """Send one message again, under the same `webhook-id`, with the whole schedule before it."""
    must_be_active(await own_endpoint(source, caller, id, "u"))
    await _message(source, caller, id, message_id)
    plans = await store.resend(
        source,
        caller.organization_id,
        id,
        now_of(request),
        message=message_id,
        delivered=True,
    )
    if not plans:
        raise refuse(409, "conflict", "The message is being sent at this moment.", Retry_After="20")
    return Delivery(**await _message(source, caller, id, message_id))


@router.post(
    "/{id}/recover", operation_id="recoverWebhookMessages", status_code=202, responses=CHANGING
)
async def recover(
    id: EndpointId,
    request: Request,
    caller: CallerDep,
    recovery: Recovery,
    source: CallersRows,
) -> Recovered:
    """Send again everything since a moment that did not arrive, under the same ids, in order."""
    must_be_active(await own_endpoint(source, caller, id, "u"))
    plans = await store.resend(
        source,
        caller.organization_id,
        id,
        now_of(request),
        since=recovery.since,
        delivered=recovery.include_delivered,
    )
    return Recovered(messages=len(plans))


@router.get("/{id}/statistics", operation_id="readWebhookStatistics", responses=READING)
async def read_statistics(
    id: EndpointId,
    caller: CallerDep,
    source: CallersRows,
) -> Statistics:
    """How the endpoint is doing: counts by state, the oldest that waits, the last delivered."""
    await own_endpoint(source, caller, id)
    return Statistics(**await store.statistics(source, caller.organization_id, id))


async def _message(source: Source, caller: Caller, id_: str, message: str) -> Row:
    rows = await store.deliveries(
        source, caller.organization_id, id_, message=message, before=_NEVER, limit=1
    )
    if not rows:
        raise not_found("message of this endpoint")
    return rows[0]


def _micros(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def _cursor(before: str) -> tuple[datetime, str]:
    micros, _, message = before.partition("-")
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(micros)), message
