"""Who may write what of network and rosters through the API, and the answer to it.

A plan writes its own roster (`nwd/roster`), its own offers and the organizations that it contracts
with (`nwd/network`; `app.store.directory.organization`); a provider keeps the capacity of its own
offers. Rows are `app.store.directory.store`'s.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from fastapi import Request, Response
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.answer import of_resource
from app.api.caller import require, require_scope
from app.api.deployment import deployment
from app.api.door import door_of
from app.api.web.gate import read_body
from app.api.web.prefer import as_preferred
from app.base.aside import aside
from app.base.errors import Refusal, refuse
from app.base.ids import new_id
from app.fhir import codes
from app.fhir.directory import plan_named
from app.fhir.headers import is_known
from app.fhir.outcome import FHIR_JSON
from app.fhir.r4.strict_json import parse
from app.journey.intake.submission import read_tree, read_whole
from app.journey.notification.room import announce_room
from app.journey.waitlist import move_up
from app.model.caller import NETWORK, ROSTER, Caller
from app.store.database import fetch_one
from app.store.directory.organization import may_change, plans_claimed, standing_of
from app.store.directory.proposal import propose, take_back
from app.store.directory.record import ROSTER_TYPES, DirectoryRefused, Overtaken, Resource
from app.store.directory.second_word import accepted, waits, whose
from app.store.directory.store import write
from app.store.reading.access import sight
from app.store.reading.read import (
    Read,
    check_if_match,
    names_version,
    read,
    refuse_condition,
    stale,
)
from app.views.proposals import PREFIX

_PLAN = "SELECT plan FROM locator WHERE type = 'HealthcareService' AND id = $1"
#: What an offer's own organization may change of it; the contract is the plan's.
_OWNERS = frozenset(
    {"extension", "active", "comment", "telecom", "availableTime", "notAvailable", "text", "meta",
     "appointmentRequired", "availabilityExceptions", "extraDetails", "referralMethod",
     "communication", "photo", "endpoint", "location", "serviceProvisionCode"}
)  # fmt: skip


async def create(
    request: Request, connection: AsyncConnection, caller: Caller, kind: str
) -> Response:
    """POST: a resource under an id of ours."""
    _may_create(caller, kind)
    refuse_condition(request)
    resource = await aside(read_tree, await read_body(request), [kind])
    resource["id"] = new_id()
    _own_plan(caller, resource)
    return await _store(request, connection, caller, resource, new=True)


async def update(
    request: Request, connection: AsyncConnection, caller: Caller, kind: str, resource_id: str
) -> Response:
    """PUT: a new version, or a resource under the caller's id. `If-Match` guards a version."""
    require(caller, kind, "u")
    resource = await aside(read_whole, await read_body(request), kind, resource_id)
    current = await _current(connection, caller, kind, resource_id)
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
        return await _change(request, connection, caller, resource, current)
    # Whoever makes an organization is on record as its maker: nobody may have come between.
    guarded = kind == "Organization" or names_version(header)
    after = (current.stored.version if current else 0) if guarded else None
    return await _store(request, connection, caller, resource, new=current is None, after=after)


async def _change(
    request: Request, connection: AsyncConnection, caller: Caller, resource: Resource, current: Read
) -> Response:
    """A change of an organization: written, or where it needs a second word kept until then (202).

    What is allowed was decided by the version that was read: it must still be the current one.
    """
    settings = deployment(request).settings
    now = deployment(request).clock.now()
    production = settings.environment == "production"
    standing = await standing_of(connection, resource["id"], production=production)
    may_change(caller, standing)
    after = current.stored.version
    changes = waits(caller, standing, parse(current.stored.body), resource)
    if standing is None or not changes:
        response = await _store(request, connection, caller, resource, new=False, after=after)
        await take_back(connection, caller, resource["id"], now)
        return response
    with told(request):
        proposal = await propose(connection, caller, resource, changes, after, now)
    where = f"{settings.public_url.rstrip('/')}{PREFIX}/{proposal}"
    body = orjson.dumps(accepted(changes, whose(caller, standing)))
    return Response(body, 202, {"Location": where}, media_type=FHIR_JSON)


def _may_create(caller: Caller, kind: str) -> None:
    require(caller, kind, "c")
    require_scope(caller, ROSTER if kind in ROSTER_TYPES else NETWORK)
    if caller.plan is None:
        raise refuse(403, "forbidden", "Network and roster are written by plans.")


def _may_update(caller: Caller, resource: Resource, stored: Resource) -> None:
    kind = resource["resourceType"]
    owner = (stored.get("providedBy") or {}).get("reference")
    if kind == "HealthcareService" and owner == f"Organization/{caller.organization_id}":
        names = (set(resource) | set(stored)) - _OWNERS
        if any(resource.get(name) != stored.get(name) for name in names):
            said = (
                "Its owner changes an offer's capacity, status and hours; the rest is the plan's."
            )
            raise refuse(403, "forbidden", said)
        return
    _may_create(caller, kind)
    if kind != "Organization":
        _own_plan(caller, stored)


def _own_plan(caller: Caller, resource: Resource) -> None:
    """A plan writes under its own name only; a provider (no plan) was checked against the offer."""
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
    connection: AsyncConnection, caller: Caller, kind: str, resource_id: str
) -> Read | None:
    try:
        return await read(connection, kind, resource_id, sight(caller))
    except Refusal as refusal:
        if refusal.status != 404:
            raise
        return None


async def _store(
    request: Request,
    connection: AsyncConnection,
    caller: Caller,
    resource: Resource,
    *,
    new: bool,
    after: int | None = None,
) -> Response:
    settings = deployment(request).settings
    now = deployment(request).clock.now()
    with told(request):
        await write(connection, [resource], now, taken_in_all=not new, by=caller.plan, after=after)
    if resource["resourceType"] == "HealthcareService":
        row = await fetch_one(connection, _PLAN, (resource["id"],))
        if row is not None:
            await announce_room(connection, row[0], resource["id"], now, settings.fhir_base)
            await move_up(connection, row[0], resource["id"], door_of(request, caller))
    stored = await read(connection, resource["resourceType"], resource["id"], sight(caller))
    response = of_resource(stored)
    if new:
        response.status_code = 201
        where = f"{resource['resourceType']}/{resource['id']}/_history/{stored.stored.version}"
        response.headers["Location"] = f"{settings.fhir_base}/{where}"
    return as_preferred(request, response)


@contextmanager
def told(request: Request) -> Iterator[None]:
    """Turns what the store refuses into answers."""
    try:
        yield
    except DirectoryRefused as refused:
        raise _refusal(refused) from None
    except (IntegrityError, Overtaken):
        if names_version(request.headers.get("if-match")):
            raise stale() from None
        said = "The same was written by another request just now. Read it again, then repeat."
        raise refuse(409, "conflict", said) from None


def _refusal(refused: DirectoryRefused) -> Refusal:
    issues = [issue for _, issue in refused.faults]
    taken = all(issue.code in ("duplicate", "conflict") for issue in issues)
    return Refusal(409 if taken else 422, issues)
