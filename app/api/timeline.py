"""`/v1/referrals/{id}/timeline`: state and history of a referral, for its parties."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app.api.acting import CallersRows
from app.api.caller import CallerDep, require
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.api.detail import Detail, DetailAsked
from app.api.web.media import prefers
from app.fhir.r4 import codes
from app.model.caller import Caller
from app.policy.deadlines import URGENT
from app.policy.library import Library
from app.store.database import Source
from app.store.reading.access import visibility
from app.views.page import HTML, html_response
from app.views.timeline.document import timeline_document
from app.views.timeline.gather import Found, gather
from app.views.timeline.model import Timeline
from app.views.timeline.stages import clocks, stages, state_in_words
from app.views.timeline.tell import entries

router = APIRouter(prefix="/v1/referrals", tags=["Referrals"])

TimelineReferralId = Annotated[
    str,
    Path(
        description="The referral's id.",
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9.-]+$",
    ),
]
_FAILURES = errors(400, 403, 404)


@router.get(
    "/{id}/timeline",
    operation_id="readTimeline",
    summary="Follow a referral",
    description="Where it stands, its clocks, and what happened, in plain words and in order. For "
    "everybody who is party to the referral; messages are those to your own organization, plan "
    "staff see all. With `detail=full` each answer of the rules is explained, criterion by "
    "criterion. `Accept: text/html` answers with the page.",
    response_model=Timeline,
    responses={
        200: {
            "description": "The timeline.",
            "content": html_response("")["content"],
        },
        **_FAILURES,
    },
)
async def read_timeline(
    id: TimelineReferralId,
    request: Request,
    caller: CallerDep,
    source: CallersRows,
    detail: DetailAsked = Detail.SHORT,
) -> Timeline | Response:
    """By any party."""
    shown = await _read(request, caller, source, id, detail)
    if prefers(request.headers.get("accept", ""), HTML):
        return timeline_document(shown, deployment(request).clock.now())
    return shown


@router.get(
    "/{id}/timeline.html",
    operation_id="readTimelinePage",
    summary="Follow a referral on a page",
    description="The timeline as a page to read or to print, with a picture of the journey.",
    response_class=Response,
    responses={200: html_response("The page."), **_FAILURES},
)
async def read_timeline_page(
    id: TimelineReferralId, request: Request, caller: CallerDep, source: CallersRows
) -> Response:
    """By any party."""
    shown = await _read(request, caller, source, id)
    return timeline_document(shown, deployment(request).clock.now())


async def _read(
    request: Request, caller: Caller, source: Source, id_: str, detail: Detail = Detail.SHORT
) -> Timeline:
    require(caller, "ServiceRequest", "r")
    gathered = await gather(source, id_, visibility(caller), explained=detail is Detail.FULL)
    parts = deployment(request)
    return timeline(gathered, parts.clock.now(), parts.rules.library)


def timeline(found: Found, now: datetime, library: Library) -> Timeline:
    """The timeline of a referral, in words, from its rows."""
    referral = found.referral
    return Timeline(
        referral=referral["id"],
        plan=referral["plan"],
        plan_name=referral["plan_name"],
        service=referral["service"],
        service_name=codes.SERVICES.get(referral["service"]) if referral["service"] else None,
        cin=referral["cin"],
        requester=referral["requester"],
        performer=referral["performer"],
        urgent=referral["priority"] in URGENT,
        received=referral["received_at"],
        state=referral["state"],
        business_status=referral["business_status"],
        now=state_in_words(referral),
        stages=stages(found),
        clocks=clocks(found, now),
        entries=entries(found, library),
    )
