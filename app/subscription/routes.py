"""FHIR topic-based Subscriptions (R5 backport for R4): made, changed, ended, and asked about."""

from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy import RowMapping

from app.caller.dependency import CallerDep, require
from app.caller.model import Caller
from app.database import Connection
from app.errors import refuse
from app.fhir.capability import fhir
from app.fhir.fault import Fault
from app.fhir.outcome import FHIR_JSON
from app.fhir.searchset import Stored, searchset
from app.fhir.subscription import CONTENTS, Wanted, fhir_status, read_subscription
from app.fhir.subscription_status import notification, statuses
from app.ids import new_id
from app.intake.submission import read_tree, refuse_faults
from app.notification.secrets import Vault
from app.notification.targets import Guard
from app.openapi.bodies import created, fhir_body, fhir_response, versioned
from app.openapi.responses import errors
from app.reading.read import check_if_match
from app.subscription import keep
from app.web.gate import read_body

router = APIRouter(prefix="/fhir/Subscription", tags=["Notifications"])

_BODY = fhir_body("Subscription", ["subscription"])
_FAULTS = (400, 401, 403, 406, 408, 409, 413, 415, 422, 503)
_SEARCH = {"status": "token", "criteria": "string", "url": "uri", "_id": "token"}
_LAST = 2**31 - 1
Id = Annotated[str, Path(max_length=64, description="The Subscription's id.")]


def _now(request: Request) -> datetime:
    moment: datetime = request.app.state.clock.now()
    return moment


def _vault(request: Request) -> Vault:
    return Vault(request.app.state.settings)


async def _wanted(request: Request) -> tuple[dict[str, Any], Wanted]:
    tree = read_tree(await read_body(request), ["Subscription"])
    settings = request.app.state.settings
    wanted, faults = read_subscription(tree, settings.fhir_base)
    url = tree["channel"].get("endpoint")
    blocked = Guard.of(settings).fault(url) if isinstance(url, str) else None
    if blocked is not None:
        faults.append(Fault("value", "Subscription.channel.endpoint", blocked))
    if wanted is None or faults:
        raise refuse_faults(faults, 422)
    return tree, wanted


def _answer(request: Request, row: RowMapping, status: int = 200) -> Response:
    body = orjson.dumps(keep.as_resource(row, _vault(request), _now(request)))
    headers = {"ETag": f'W/"{row["version"]}"', "Cache-Control": "no-store"}
    if status == 201:
        base = request.app.state.settings.fhir_base
        headers["Location"] = f"{base}/Subscription/{row['id']}/_history/{row['version']}"
    return Response(body, status, headers, media_type=FHIR_JSON)


def _check_version(request: Request, row: RowMapping) -> None:
    header = request.headers.get("if-match")
    if header is None:
        text = 'Send the version that you have read: `If-Match: W/"1"`.'
        raise refuse(428, "conflict", text)
    check_if_match(header, row["version"])


@router.post(
    "",
    operation_id="createSubscription",
    summary="Subscribe to a topic",
    description="A rest-hook on a topic: Gravity's Task and Servicerequest, or PAS. `criteria` is "
    "topic's URL; the extension backport-payload-content says empty, id-only or full-resource. It "
    "is `requested` until a handshake is answered with a 2xx.",
    status_code=201,
    responses={
        201: fhir_response("Subscription", ["subscription"], "Asked for.", created()),
        **errors(*_FAULTS),
    },
    openapi_extra={**_BODY, **fhir("Subscription", interaction="create")},
)
async def create_subscription(
    request: Request, caller: CallerDep, connection: Connection
) -> Response:
    """The worker sends the handshake after the answer."""
    require(caller, "Subscription", "c")
    tree, wanted = await _wanted(request)
    row = await keep.create(
        connection, caller.organization_id, tree, wanted, _vault(request), _now(request)
    )
    return _answer(request, row, 201)


@router.get(
    "",
    operation_id="searchSubscriptions",
    summary="List your organization's Subscriptions",
    description="By `status`, `criteria` (the topic), `url` and `_id`.",
    responses={
        200: fhir_response("Bundle", ["searchset"], "A searchset."),
        **errors(400, 401, 403, 406, 503),
    },
    openapi_extra=fhir("Subscription", interaction="search-type", search=_SEARCH),
)
async def search_subscriptions(
    request: Request,
    caller: CallerDep,
    connection: Connection,
    status: Annotated[str | None, Query(max_length=64, description="FHIR status.")] = None,
    criteria: Annotated[str | None, Query(max_length=512, description="The topic.")] = None,
    url: Annotated[str | None, Query(max_length=2048, description="The endpoint.")] = None,
    _id: Annotated[str | None, Query(max_length=64, description="The id.")] = None,
) -> Response:
    """Only the caller's organization's."""
    require(caller, "Subscription", "s")
    found = [
        row
        for row in await keep.all_of(connection, caller.organization_id)
        if status in (None, fhir_status(row["status"]))
        and criteria in (None, row["topic"])
        and url in (None, row["url"])
        and _id in (None, row["id"])
    ]
    vault, now = _vault(request), _now(request)
    stored = [
        Stored(
            "Subscription",
            row["id"],
            row["version"],
            orjson.dumps(keep.as_resource(row, vault, now)),
        )
        for row in found
    ]
    base = request.app.state.settings.fhir_base
    body = searchset(base, stored, links=[("self", f"{base}/Subscription")])
    return Response(body, headers={"Cache-Control": "no-store"}, media_type=FHIR_JSON)


async def _statuses(
    request: Request, connection: Connection, rows: list[RowMapping], link: str
) -> Response:
    base = request.app.state.settings.fhir_base
    stand = [(await keep.standing(connection, row), row["content"]) for row in rows]
    body = statuses(base, stand, f"{base}/{link}")
    return Response(body, headers={"Cache-Control": "no-store"}, media_type=FHIR_JSON)


@router.get(
    "/$status",
    operation_id="readSubscriptionStatuses",
    summary="How all your Subscriptions stand",
    description="A searchset of status Parameters, one for each Subscription.",
    responses={
        200: fhir_response("Bundle", ["subscription-status"], "The statuses."),
        **errors(400, 401, 403, 406, 503),
    },
    openapi_extra=fhir("Subscription", operation="status"),
)
async def read_statuses(request: Request, caller: CallerDep, connection: Connection) -> Response:
    """Type level."""
    require(caller, "Subscription", "r")
    rows = await keep.all_of(connection, caller.organization_id)
    return await _statuses(request, connection, rows, "Subscription/$status")


@router.get(
    "/{id}/$status",
    operation_id="readSubscriptionStatus",
    summary="How a Subscription stands",
    description="Its status, and how many events there have been, delivered or not.",
    responses={
        200: fhir_response("Bundle", ["subscription-status"], "The status."),
        **errors(400, 401, 403, 404, 406, 410, 503),
    },
    openapi_extra=fhir("Subscription", operation="status"),
)
async def read_status(
    id: Id, request: Request, caller: CallerDep, connection: Connection
) -> Response:
    """Instance level."""
    require(caller, "Subscription", "r")
    row = await keep.find(connection, caller.organization_id, id)
    return await _statuses(request, connection, [row], f"Subscription/{id}/$status")


@router.get(
    "/{id}/$events",
    operation_id="readSubscriptionEvents",
    summary="Events of a Subscription by number",
    description="For a receiver that finds a gap: the events from one number to another, both "
    "included, at most 1,000.",
    responses={
        200: fhir_response("Bundle", ["subscription-events"], "A Bundle of type history."),
        **errors(400, 401, 403, 404, 406, 410, 503),
    },
    openapi_extra=fhir("Subscription", operation="events"),
)
async def read_events(
    id: Id,
    request: Request,
    caller: CallerDep,
    connection: Connection,
    eventsSinceNumber: Annotated[  # noqa: N803  FHIR's spelling
        int, Query(ge=0, le=_LAST, description="From this number.")
    ] = 0,
    eventsUntilNumber: Annotated[  # noqa: N803
        int, Query(ge=0, le=_LAST, description="To this number.")
    ] = _LAST,
    content: Annotated[
        str | None,
        Query(pattern=f"^({'|'.join(CONTENTS)})$", description="Not more than asked for."),
    ] = None,
) -> Response:
    """Numbers whatever has none yet, so that nothing is missing."""
    require(caller, "Subscription", "r")
    row = await keep.find(connection, caller.organization_id, id)
    # More than the Subscription asked for is not given: what a receiver may see was set with it.
    wanted = content or row["content"]
    level = min(CONTENTS.index(wanted), CONTENTS.index(row["content"]))
    full = CONTENTS[level] == "full-resource"
    now = _now(request)
    standing, found = await keep.events(
        connection, row, eventsSinceNumber, eventsUntilNumber, full=full, now=now
    )
    base = request.app.state.settings.fhir_base
    body = notification(
        base, standing, "query-event", CONTENTS[level], id_=new_id(), at=now, events=found
    )
    return Response(body, headers={"Cache-Control": "no-store"}, media_type=FHIR_JSON)


@router.get(
    "/{id}",
    operation_id="readSubscription",
    summary="Read a Subscription",
    description="As asked for, with its status; header values are masked.",
    responses={
        200: fhir_response("Subscription", ["subscription"], "The Subscription.", versioned()),
        **errors(400, 401, 403, 404, 406, 410, 503),
    },
    openapi_extra=fhir("Subscription", interaction="read"),
)
async def read_one(id: Id, request: Request, caller: CallerDep, connection: Connection) -> Response:
    """Another organization's is 404."""
    require(caller, "Subscription", "r")
    return _answer(request, await keep.find(connection, caller.organization_id, id))


@router.put(
    "/{id}",
    operation_id="updateSubscription",
    summary="Change a Subscription, stop it, or start it again",
    description="`status` off stops it; requested asks for a new handshake, after an error too. "
    "`If-Match` is required.",
    responses={
        200: fhir_response("Subscription", ["subscription"], "As it now is.", versioned()),
        **errors(*_FAULTS, 404, 410, 412, 428),
    },
    openapi_extra={**_BODY, **fhir("Subscription", interaction="update")},
)
async def update_subscription(
    id: Id, request: Request, caller: CallerDep, connection: Connection
) -> Response:
    """What is waiting is sent after the handshake."""
    require(caller, "Subscription", "u")
    row = await _locked(id, caller, connection)
    _check_version(request, row)
    tree, wanted = await _wanted(request)
    if tree.get("id", id) != id:
        raise refuse(400, "value", "The body's id is not that of the address.", "Subscription.id")
    changed = await keep.update(connection, row, tree, wanted, _vault(request), _now(request))
    return _answer(request, changed)


@router.delete(
    "/{id}",
    operation_id="deleteSubscription",
    summary="End a Subscription",
    description="Nothing more is sent. What it was sent stays on record.",
    status_code=204,
    responses={
        204: {"description": "It has ended."},
        **errors(400, 401, 403, 404, 406, 410, 412, 503),
    },
    openapi_extra=fhir("Subscription", interaction="delete"),
)
async def delete_subscription(
    id: Id, request: Request, caller: CallerDep, connection: Connection
) -> Response:
    """`If-Match` is honoured."""
    require(caller, "Subscription", "d")
    row = await _locked(id, caller, connection)
    check_if_match(request.headers.get("if-match"), row["version"])
    await keep.end(connection, row, _now(request))
    return Response(status_code=204)


async def _locked(id_: str, caller: Caller, connection: Connection) -> RowMapping:
    return await keep.find(connection, caller.organization_id, id_, lock=True)
