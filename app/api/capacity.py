"""`HealthcareService/$capacity`: an offer's organization or its plan states its capacity."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from app.api.answer import of_resource
from app.api.caller import CallerDep, require
from app.api.capability import fhir
from app.api.context import request_context
from app.api.contract.bodies import fhir_body, fhir_response, versioned
from app.api.contract.responses import errors
from app.api.deployment import Connection, deployment
from app.api.web.gate import read_body
from app.base.errors import Issue, Refusal, not_found, refuse
from app.base.heavy_work import to_thread_if_heavy
from app.fhir.directory import CAPACITY_STATUSES, MAX_PLACES, set_capacity
from app.fhir.r4.strict_json import parse
from app.journey.intake.submission import read_tree
from app.journey.notification.announce import announce_room
from app.journey.waitlist import promote_waiting
from app.model.caller import NETWORK, Caller
from app.store.database import Source
from app.store.directory.store import stamped
from app.store.reading.access import visibility
from app.store.reading.read import check_if_match, read
from app.store.reading.words import words

router = APIRouter()

_KIND = "HealthcareService"
_LOCK = """SELECT o.plan, o.organization_id, o.places, o.taken_outside, o.capacity_status,
    o.version, o.updated_at
FROM locator l JOIN offer o ON o.plan = l.plan AND o.id = l.id
WHERE l.type = 'HealthcareService' AND l.id = $1 FOR UPDATE OF o"""
_UPDATE = """UPDATE offer SET places = $3, taken_outside = $4, capacity_status = $5, version = $6,
    updated_at = $7 WHERE plan = $1 AND id = $2"""
_BODY = """SELECT body FROM directory_version
WHERE plan = $1 AND type = 'HealthcareService' AND id = $2 AND version = $3"""
_VERSION = """INSERT INTO directory_version (plan, type, id, version, updated_at, body, words)
VALUES ($1, 'HealthcareService', $2, $3, $4, $5, $6)"""


@dataclass(frozen=True, slots=True)
class Stated:
    """The caller's statement; None keeps a value. `taken`: places taken outside this service."""

    places: int | None = None
    taken: int | None = None
    status: str | None = None


@router.post(
    "/fhir/HealthcareService/{id}/$capacity",
    operation_id="stateCapacity",
    summary="State an offer's capacity",
    description="By the offer's own organization, or the staff of its plan. `places`: all places; "
    "`taken`: those taken outside this service (the ones our approvals hold are counted by us and "
    "added); `status`: the Gravity capacity status. What is left out stays. Whoever waits here "
    "moves up as far as there is room now; going to `no-capacity` affects later referrals only. "
    "`If-Match` is honoured. Answers with the offer as it now is.",
    tags=["Providers"],
    responses={
        200: fhir_response(_KIND, ["healthcare-service"], headers=versioned()),
        **errors(400, 403, 404, 409, 412, 422),
    },
    openapi_extra={
        **fhir_body("Parameters", ["capacity-blank", "capacity-parameters"]),
        **fhir(_KIND, operation="capacity"),
    },
)
async def state_capacity(
    id: str,
    request: Request,
    caller: CallerDep,
    connection: Connection,
) -> Response:
    """Writes the numbers and a version of the offer that shows them."""
    require(caller, _KIND, "u")
    stated = read_stated(
        await to_thread_if_heavy(read_tree, await read_body(request), ["Parameters"])
    )
    await read(connection, _KIND, id, visibility(caller))  # 404 for an offer the caller cannot see
    now = deployment(request).clock.now()
    plan = await _write(connection, caller, id, stated, request.headers.get("if-match"), now)
    await announce_room(connection, plan, id, now, deployment(request).settings.fhir_base)
    await promote_waiting(connection, plan, id, request_context(request, caller))
    return of_resource(await read(connection, _KIND, id, visibility(caller)))


async def _write(
    source: Source,
    caller: Caller,
    offer_id: str,
    stated: Stated,
    if_match: str | None,
    now: datetime,
) -> str:
    """Locks the offer, writes `stated` as a new version, and returns the plan of the offer.

    404 for an unknown offer; 403 unless the caller is the offer's organization or staff of its
    plan; 412 where `if_match` names another version.
    """
    row = await source.fetch_one(_LOCK, offer_id)
    if row is None:
        raise not_found(_KIND)
    plan, version = row["plan"], row["version"]
    staff = caller.plan == plan and (caller.staff or NETWORK in caller.scopes)
    if not staff and row["organization_id"] != caller.organization_id:
        raise refuse(
            403, "forbidden", "Its own organization or its plan states an offer's capacity."
        )
    check_if_match(if_match, version)
    places = row["places"] if stated.places is None else stated.places
    taken = row["taken_outside"] if stated.taken is None else stated.taken
    status = row["capacity_status"] if stated.status is None else stated.status
    (stored,) = await source.fetch(_BODY, plan, offer_id, version)
    offer = set_capacity(parse(stored["body"]), places, taken, status)
    # Another process may have written the last version by a clock ahead of ours.
    now = max(now, row["updated_at"])
    written = stamped(offer, version + 1, now)
    await source.execute(_UPDATE, plan, offer_id, places, taken, status, version + 1, now)
    await source.execute(_VERSION, plan, offer_id, version + 1, now, written, words(offer))
    return str(plan)


def read_stated(parameters: dict[str, Any]) -> Stated:
    """Reads the Parameters of `$capacity`. 422 with every fault."""
    values: dict[str, Any] = {}
    faults: list[Issue] = []
    for index, part in enumerate(parameters.get("parameter") or ()):
        name = part["name"]
        at = f"Parameters.parameter[{index}]"
        element = {"places": "valueInteger", "taken": "valueInteger", "status": "valueCode"}.get(
            name
        )
        if element is None or name in values:
            faults.append(Issue("value", "Send places, taken and status, each at most once.", at))
            continue
        values[name] = part.get(element)
        if not _fits(name, values[name]):
            text = (
                f"`status` takes {', '.join(CAPACITY_STATUSES)} as valueCode."
                if name == "status"
                else f"`{name}` takes an integer from 0 on as valueInteger."
            )
            faults.append(Issue("value", text, f"{at}.{element}"))
    if not values and not faults:
        faults.append(Issue("required", "Send places, taken or status.", "Parameters.parameter"))
    if faults:
        raise Refusal(422, faults)
    return Stated(**values)


def _fits(name: str, value: object) -> bool:
    if name == "status":
        return value in CAPACITY_STATUSES
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_PLACES
