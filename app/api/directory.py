"""Network and rosters: reads and writes of organizations, offers with their places, and members.

Every caller with the scope reads the network; only a plan's staff read its roster; only the parties
of a referral read the resources that came with the referral.

A plan writes its own roster (`nwd/roster`), its own offers and the organizations that it contracts
with (`nwd/network`; `app.store.directory.organization`). A provider keeps the capacity of its own
offers. `app.store.directory.store` writes the rows.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from app.api.answer import of_resource, refuse_condition
from app.api.caller import CallerDep, require, require_scope
from app.api.capability import fhir
from app.api.context import request_context
from app.api.contract.bodies import created_headers, fhir_body, fhir_response, versioned
from app.api.contract.responses import errors
from app.api.deployment import Connection, deployment
from app.api.reads import add_reading
from app.api.web.gate import read_body
from app.api.web.media import as_preferred
from app.base.errors import Refusal, refuse
from app.base.heavy_work import to_thread_if_heavy
from app.base.ids import new_id
from app.fhir.directory import plan_named
from app.fhir.outcome import FHIR_JSON, is_known
from app.fhir.payload import Resource, ResourceTree
from app.fhir.r4 import codes
from app.fhir.r4.strict_json import parse
from app.journey.intake.submission import read_tree, read_whole
from app.journey.notification.announce import announce_room
from app.journey.waitlist import promote_waiting
from app.model.caller import NETWORK, ROSTER, Caller
from app.store.audit.writer import record_within
from app.store.database import Transaction
from app.store.database_errors import ConstraintViolated
from app.store.directory.organization import (
    accepted,
    confirmers_in_words,
    may_change,
    plans_claimed,
    propose,
    standing_of,
    take_back,
    waits,
)
from app.store.directory.record import ROSTER_TYPES, DirectoryRefused, Overtaken
from app.store.directory.store import write
from app.store.reading.access import visibility
from app.store.reading.read import Read, check_if_match, names_version, read, stale
from app.views.proposals import PREFIX

router = APIRouter()

_ROSTER = (
    "For plan staff with `nwd/roster`, of their own plan. What the rules know of the member "
    "follows from it at once."
)
_NETWORK = "For plan staff with `nwd/network`, of their own plan's network."
_PROVIDER = (
    "For plan staff with `nwd/network`. An existing Organization is changed by a plan that "
    "contracts with it (has an active offer of it, or made it); one that is a plan, by that plan. "
    "An NPI is one Organization's: 409 names the one that has it. Where other plans contract with "
    "it too, or a client of its own can speak for it, an update that changes its name (alias), "
    "address (telecom, contact) or NPI is answered with 202 and waits, whole, for a second word: "
    "see `/v1/organization-proposals`."
)
_TYPES: dict[str, tuple[list[str], str]] = {
    "Organization": (["organization"], _PROVIDER),
    "HealthcareService": (
        ["healthcare-service"],
        _NETWORK
        + " The offer's own organization may update its capacity, status and hours. `taken` in "
        "an update counts all places taken, as a read shows it.",
    ),
    "Patient": (["patient"], _ROSTER),
    "Coverage": (["coverage"], _ROSTER),
    "QuestionnaireResponse": (["questionnaire-response"], _ROSTER),
}


#: The answer to an update of an organization that waits for a second word.
_WAITS: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Accepted, and nothing changed yet: it waits for a second word.",
        "headers": {
            "Location": {
                "description": "The proposal, where the second word is given",
                "schema": {"type": "string"},
            }
        },
        "content": {
            FHIR_JSON: {
                "schema": {"$ref": "#/components/schemas/OperationOutcome"},
                "example": accepted(["name", "address"], "staff of HPSJ with nwd/network"),
            }
        },
    }
}


def _add_writing(kind: str, examples: list[str], description: str) -> None:
    async def create_one(request: Request, caller: CallerDep, connection: Connection) -> Response:
        return await create(request, connection, caller, kind)

    async def update_one(
        id: str,
        request: Request,
        caller: CallerDep,
        connection: Connection,
    ) -> Response:
        return await update(request, connection, caller, kind, id)

    failures = errors(400, 403, 409, 422)
    made = fhir_response(kind, examples, "The resource under its id.", created_headers())
    router.add_api_route(
        f"/fhir/{kind}",
        create_one,
        methods=["POST"],
        operation_id=f"create{kind}",
        summary=f"Create a {kind}",
        description=description,
        tags=["Directory"],
        status_code=201,
        responses={201: made, **failures},
        openapi_extra={**fhir_body(kind, examples), **fhir(kind, interaction="create")},
    )
    router.add_api_route(
        f"/fhir/{kind}/{{id}}",
        update_one,
        methods=["PUT"],
        operation_id=f"update{kind}",
        summary=f"Update a {kind}, or create it under your id",
        description=description + " `If-Match` guards a version.",
        tags=["Directory"],
        responses={
            200: fhir_response(kind, examples, "The new version.", versioned()),
            201: made,
            **(_WAITS if kind == "Organization" else {}),
            **failures,
            **errors(404, 412),
        },
        openapi_extra={
            **fhir_body(kind, examples),
            **fhir(kind, interaction="update", creates=True),
        },
    )


for _kind, (_examples, _description) in _TYPES.items():
    if _kind != "QuestionnaireResponse":  # app.api.reads adds the reads of that type
        add_reading(router, _kind, "Directory", _examples)
    _add_writing(_kind, _examples, _description)


# The rules of writing

_PLAN = "SELECT plan FROM locator WHERE type = 'HealthcareService' AND id = $1"
#: Elements of an offer that its own organization may change; the plan keeps all others.
_OWNERS = frozenset(
    {"extension", "active", "comment", "telecom", "availableTime", "notAvailable", "text", "meta",
     "appointmentRequired", "availabilityExceptions", "extraDetails", "referralMethod",
     "communication", "photo", "endpoint", "location", "serviceProvisionCode"}
)  # fmt: skip


async def create(request: Request, transaction: Transaction, caller: Caller, kind: str) -> Response:
    """Answers a POST: writes a resource under an id of ours."""
    _may_create(caller, kind)
    refuse_condition(request)
    resource = await to_thread_if_heavy(read_tree, await read_body(request), [kind])
    resource["id"] = new_id()
    _own_plan(caller, resource)
    return await _store(request, transaction, caller, resource, new=True)


async def update(
    request: Request, transaction: Transaction, caller: Caller, kind: str, resource_id: str
) -> Response:
    """Answers a PUT: writes a new version, or a new resource under the caller's id.

    `If-Match` guards a version.
    """
    require(caller, kind, "u")
    resource = await to_thread_if_heavy(read_whole, await read_body(request), kind, resource_id)
    current = await _current(transaction, caller, kind, resource_id)
    header = request.headers.get("if-match")
    if current is None:
        if header is not None:
            raise refuse(412, "conflict", "There is no such version: the resource does not exist.")
        _may_create(caller, kind)
    else:
        check_if_match(header, current.stored.version)
        if is_known(request.headers.get("if-none-match"), f'W/"{current.stored.version}"'):
            raise refuse(412, "conflict", "There is such a resource. Read it, then change that.")
        _may_update(caller, resource, parse(current.stored.body))
    _own_plan(caller, resource)
    if kind == "Organization" and current is not None:
        return await _change(request, transaction, caller, resource, current)
    # The maker of an organization is on record: no other write may come between.
    guarded = kind == "Organization" or names_version(header)
    after = (current.stored.version if current else 0) if guarded else None
    return await _store(request, transaction, caller, resource, new=current is None, after=after)


async def _change(
    request: Request, transaction: Transaction, caller: Caller, resource: Resource, current: Read
) -> Response:
    """Writes a change of an organization, or keeps the change until a second word (202).

    The version that was read decides what is allowed, so it must still be the current version.
    """
    settings = deployment(request).settings
    now = deployment(request).clock.now()
    production = settings.environment == "production"
    standing = await standing_of(transaction, resource["id"], production=production)
    may_change(caller, standing)
    after = current.stored.version
    changes = waits(caller, standing, parse(current.stored.body), resource)
    if standing is None or not changes:
        response = await _store(request, transaction, caller, resource, new=False, after=after)
        await take_back(transaction, caller, resource["id"], now)
        return response
    with refusals_as_answers(request):
        proposal = await propose(transaction, caller, resource, changes, after, now)
    where = f"{settings.public_url.rstrip('/')}{PREFIX}/{proposal}"
    body = orjson.dumps(accepted(changes, confirmers_in_words(caller, standing)))
    return Response(body, 202, {"Location": where}, media_type=FHIR_JSON)


def _may_create(caller: Caller, kind: str) -> None:
    require(caller, kind, "c")
    require_scope(caller, ROSTER if kind in ROSTER_TYPES else NETWORK)
    if caller.plan is None:
        raise refuse(403, "forbidden", "Network and roster are written by plans.")


def _may_update(caller: Caller, resource: ResourceTree, stored: ResourceTree) -> None:
    kind = resource["resourceType"]
    owner = (stored.get("providedBy") or {}).get("reference")
    if kind == "HealthcareService" and owner == f"Organization/{caller.organization_id}":
        names = (set(resource) | set(stored)) - _OWNERS
        if any(resource.get(name) != stored.get(name) for name in names):
            text = (
                "Its owner changes an offer's capacity, status and hours; the rest is the plan's."
            )
            raise refuse(403, "forbidden", text)
        return
    _may_create(caller, kind)
    if kind != "Organization":
        _own_plan(caller, stored)


def _own_plan(caller: Caller, resource: ResourceTree) -> None:
    """Raises 403 where a plan writes under another plan's name.

    `_may_update` has checked a provider, who has no plan, against the offer.
    """
    if caller.plan is None:
        return
    kind = resource["resourceType"]
    own = {caller.organization_id: caller.plan}
    named: Sequence[str | None] = ()
    if kind == "HealthcareService":
        named = [
            coding.get("code")
            for concept in resource.get("program") or ()
            for coding in concept.get("coding") or ()
            if coding.get("system") == codes.PLAN
        ]
    elif kind == "Coverage":
        named = [plan_named(payor, own) or "" for payor in resource.get("payor") or ()]
    elif kind == "Patient":
        organization = resource.setdefault("managingOrganization", _plan_reference(caller.plan))
        named = [plan_named(organization, own) or ""]
    elif kind == "Organization":
        named = plans_claimed(caller, resource)
    if any(plan != caller.plan for plan in named):
        raise refuse(403, "forbidden", "A plan writes its own network and its own members only.")


def _plan_reference(plan: str) -> dict[str, Any]:
    return {"identifier": {"system": codes.PLAN_ID, "value": plan}}


async def _current(
    transaction: Transaction, caller: Caller, kind: str, resource_id: str
) -> Read | None:
    try:
        return await read(transaction, kind, resource_id, visibility(caller))
    except Refusal as refusal:
        if refusal.status != 404:
            raise
        return None


async def _store(
    request: Request,
    transaction: Transaction,
    caller: Caller,
    resource: Resource,
    *,
    new: bool,
    after: int | None = None,
) -> Response:
    settings = deployment(request).settings
    now = deployment(request).clock.now()
    with refusals_as_answers(request):
        await write(transaction, [resource], now, taken_in_all=not new, by=caller.plan, after=after)
    if resource["resourceType"] == "HealthcareService":
        row = await transaction.fetch_one(_PLAN, resource["id"])
        if row is not None:
            await announce_room(transaction, row["plan"], resource["id"], now, settings.fhir_base)
            await promote_waiting(
                transaction, row["plan"], resource["id"], request_context(request, caller)
            )
    stored = await read(transaction, resource["resourceType"], resource["id"], visibility(caller))
    response = of_resource(stored)
    await record_within(transaction)
    if new:
        response.status_code = 201
        where = f"{resource['resourceType']}/{resource['id']}/_history/{stored.stored.version}"
        response.headers["Location"] = f"{settings.fhir_base}/{where}"
    return as_preferred(request, response)


@contextmanager
def refusals_as_answers(request: Request) -> Iterator[None]:
    """Turns refusals of the store into answers: 409, 412 or 422."""
    try:
        yield
    except DirectoryRefused as refused:
        raise _refusal(refused) from None
    except (ConstraintViolated, Overtaken):
        if names_version(request.headers.get("if-match")):
            raise stale() from None
        text = "The same was written by another request just now. Read it again, then repeat."
        raise refuse(409, "conflict", text) from None


def _refusal(refused: DirectoryRefused) -> Refusal:
    issues = [issue for _, issue in refused.faults]
    taken = all(issue.code in ("duplicate", "conflict") for issue in issues)
    return Refusal(409 if taken else 422, issues)
