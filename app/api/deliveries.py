"""`/v1/deliveries`: did a message arrive? Of a referral, an endpoint, or all the caller may see."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.acting import CallersRows
from app.api.caller import CallerDep, require
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.api.web.media import prefers
from app.model.caller import Caller
from app.store.audit.access import reached
from app.store.database import Row, Source
from app.store.reading.access import visibility
from app.store.reading.cursor import PageFilters, Pages, Position, page_cursor, page_limit
from app.views.deliveries import store
from app.views.deliveries.model import Channel, DeliveriesPage, Outcome
from app.views.deliveries.show import deliveries_document, delivery_shown, letter
from app.views.page import HTML, html_response

router = APIRouter(prefix="/v1/deliveries", tags=["Notifications"])

_FAILURES = errors(400, 403)
_ID = r"^[A-Za-z0-9.-]{1,64}$"


class DeliveryFilters(PageFilters):
    """The filters of the list: a delivery must pass every filter that is given."""

    referral: str | None = Field(None, description="Only about this referral.", pattern=_ID)
    endpoint: str | None = Field(
        None, description="Only to this webhook endpoint or Subscription.", pattern=_ID
    )
    state: Outcome | None = Field(None, description="Only these.")
    kind: Channel | None = Field(None, description="Only webhooks, or only Subscriptions.")
    limit: int = page_limit("Deliveries")
    cursor: str | None = page_cursor(400)


@router.get(
    "",
    operation_id="listDeliveries",
    summary="Did they get it?",
    description="Each message, to whom, how often it was tried and with what result, newest first; "
    "for one `referral`, also the letters to those whom no endpoint tells. You see what was sent "
    "to your own organization; plan staff see what was sent to anybody about their plan's "
    "referrals. `Accept: text/html` answers with the page.",
    response_model=DeliveriesPage,
    responses={
        200: {"description": "The deliveries.", "content": html_response("")["content"]},
        **_FAILURES,
    },
)
async def list_deliveries(
    request: Request,
    caller: CallerDep,
    source: CallersRows,
    filters: Annotated[DeliveryFilters, Query()],
) -> DeliveriesPage | Response:
    """By every client that keeps Subscriptions or webhook endpoints, and plan staff."""
    require(caller, "Subscription", "r")
    page = await _page_of(request, caller, source, filters)
    if prefers(request.headers.get("accept", ""), HTML):
        return deliveries_document(page, filters.referral, deployment(request).clock.now())
    return page


@router.get(
    ".html",
    operation_id="readDeliveriesPage",
    summary="Did they get it? On a page",
    description="The same as a page to read or to print.",
    response_class=Response,
    responses={200: html_response("The page."), **_FAILURES},
)
async def read_deliveries_page(
    request: Request,
    caller: CallerDep,
    source: CallersRows,
    filters: Annotated[DeliveryFilters, Query()],
) -> Response:
    """By every client that keeps Subscriptions or webhook endpoints, and plan staff."""
    require(caller, "Subscription", "r")
    page = await _page_of(request, caller, source, filters, path=".html")
    return deliveries_document(page, filters.referral, deployment(request).clock.now())


async def _page_of(
    request: Request,
    caller: Caller,
    source: Source,
    filters: DeliveryFilters,
    path: str = "",
) -> DeliveriesPage:
    link = filters.link(f"{router.prefix}{path}")
    pages = Pages(deployment(request).settings, caller, link)
    wanted = store.DeliveriesQuery(
        seen=visibility(caller),
        referral=filters.referral,
        endpoint=filters.endpoint,
        state=filters.state,
        kind=filters.kind,
        after=_after(pages.after(filters.cursor)),
        limit=filters.limit,
    )
    rows = await store.deliveries_page(source, wanted)
    letters: Sequence[Row] = ()
    if filters.referral is not None and caller.may("ServiceRequest", "r"):
        letters = await store.letters(source, filters.referral, wanted.seen)
    shown = rows[: filters.limit]
    for row in shown:
        reached(row["plan"], f"ServiceRequest/{row['referral_id']}")
    return DeliveriesPage(
        deliveries=[delivery_shown(row, caller.organization_id, pages.public_url) for row in shown],
        letters=[letter(row) for row in letters],
        next=_next(pages, shown[-1]) if len(rows) > filters.limit else None,
    )


def _after(position: Position | None) -> tuple[Any, str, str] | None:
    """The place in the list after which to read: a row is a message at an endpoint."""
    if position is None:
        return None
    message, _, endpoint = position.id.partition("/")
    return position.at, message, endpoint


def _next(pages: Pages, last: Row) -> str:
    return pages.next(last["created_at"], f"{last['message_id']}/{last['endpoint_id']}")
