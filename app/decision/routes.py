"""What people do to a referral: the operations of plan staff, and the requester's.

Each locks the referral, makes one move and answers with the ServiceRequest as it now is. Illegal
now is 409; `If-Match` is honoured on all; what is not the caller's to see is 404.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from app.aside import aside
from app.caller.dependency import CallerDep, require, require_scope
from app.caller.model import DECIDE, UNASSIGNED, Caller
from app.capacity.waitlist import give_on
from app.decision.added import read_added
from app.decision.finish import finish, illegal
from app.decision.grant import approve_by_person, assign_by_person
from app.decision.inform import add_information, ask_by_person
from app.decision.refuse import cancel_by_party, deny_by_person, void_by_person
from app.deployment import Connection
from app.errors import refuse
from app.fhir.capability import fhir
from app.fhir.outcome import FHIR_JSON
from app.fhir.parameters import (
    DENIAL,
    NOTE,
    PERFORMER,
    REASON,
    WITHDRAWAL,
    WORDS,
    Given,
    Takes,
    given,
)
from app.intake.answer import current
from app.intake.door import Door
from app.intake.routes import door_of
from app.intake.submission import Copy, read_tree
from app.openapi.bodies import fhir_body, fhir_response, versioned
from app.openapi.responses import errors
from app.reading.access import Sight, shown_least, sight
from app.reading.read import check_if_match, names_version
from app.referral.lifecycle import IllegalMove
from app.referral.reopen import Opened, reopen
from app.web.gate import read_body

router = APIRouter(prefix="/fhir/ServiceRequest")

Work = Callable[[Opened, Door, Sight], Awaitable[None]]


async def _move(
    request: Request,
    caller: Caller,
    connection: Connection,
    id_: str,
    work: Work,
    *,
    identifying: bool = False,
) -> Response:
    """Locks, works, writes, answers."""
    door, seen = door_of(request, caller), sight(caller)
    opened = await reopen(
        connection, id_, seen, now=door.now, fhir_base=door.fhir_base, identifying=identifying
    )
    check_if_match(request.headers.get("if-match"), opened.draft.after.version)
    try:
        await work(opened, door, seen)
    except IllegalMove as move:
        raise illegal(move) from None
    changes = await finish(connection, opened.draft)
    await give_on(connection, opened.draft, door)
    answer, after, body = current(changes), changes.after, None
    if not seen.has(after.plan, after.organization_id):  # they said whose it is: another plan's
        body = await shown_least("ServiceRequest", answer.body)
    return Response(body or answer.body, 200, answer.headers, media_type=FHIR_JSON)


async def _parameters(request: Request, **takes: Takes) -> Given:
    body = await read_body(request)
    return given(await aside(read_tree, body, ["Parameters"]) if body else None, takes)


def _documented(
    name: str,
    examples: list[str],
    *,
    body: str | list[str] = "Parameters",
    required: bool = True,
    more: tuple[int, ...] = (),
) -> dict[str, Any]:
    return {
        "responses": {
            200: fhir_response(
                "ServiceRequest",
                [f"referral-after-{name}"],
                "The referral as it now is.",
                versioned(),
            ),
            **errors(400, 401, 403, 404, 406, 408, 409, 412, 413, 415, 422, *more, 429, 503),
        },
        "openapi_extra": {
            **fhir_body(body, examples, required=required),
            **fhir("ServiceRequest", operation=name),
        },
    }


def _staff(caller: Caller) -> None:
    require_scope(caller, DECIDE)


@router.post(
    "/{id}/$approve",
    operation_id="approveReferral",
    summary="Approve a referral",
    description="Approves a pending referral: an authorization is made and a place taken. "
    "Against the "
    "recommendation of the rules, send `reason` `exception-granted` and a `note` that says why. "
    "Against an exclusion (not a member, not offered, another program …) it takes two calls: the "
    "first records the exception and the referral stays pending, the second, with `If-Match` and "
    "the ETag that the first answered with, confirms it (428 without).",
    tags=["Plan staff"],
    **_documented("approve", ["approve-blank", "approve-exception"], required=False, more=(428,)),
)
async def approve_referral(
    request: Request, caller: CallerDep, id: str, connection: Connection
) -> Response:
    """By plan staff."""
    _staff(caller)
    asked = await _parameters(request, note=NOTE, reason=REASON, performer=PERFORMER)

    async def work(opened: Opened, door: Door, _: Sight) -> None:
        matched = names_version(request.headers.get("if-match"))
        await approve_by_person(
            connection, opened.draft, opened.question, asked, door, matched=matched
        )

    return await _move(request, caller, connection, id, work)


@router.post(
    "/{id}/$deny",
    operation_id="denyReferral",
    summary="Deny a referral",
    description="Denies a pending referral with at least one reason. The member is told by a "
    "notice.",
    tags=["Plan staff"],
    **_documented("deny", ["deny-blank", "deny"]),
)
async def deny_referral(
    request: Request, caller: CallerDep, id: str, connection: Connection
) -> Response:
    """By plan staff."""
    _staff(caller)
    asked = await _parameters(request, reason=DENIAL, note=NOTE)

    async def work(opened: Opened, door: Door, _: Sight) -> None:
        deny_by_person(opened.draft, asked, door)

    return await _move(request, caller, connection, id, work)


@router.post(
    "/{id}/$void",
    operation_id="voidReferral",
    summary="Close a referral whose information never came",
    description="Only where the clock itself could: information was asked for, none came, and "
    "the time "
    "that the plan gives is over. A complete referral is never voided.",
    tags=["Plan staff"],
    **_documented("void", ["void-blank"], required=False),
)
async def void_referral(
    request: Request, caller: CallerDep, id: str, connection: Connection
) -> Response:
    """By plan staff."""
    _staff(caller)
    asked = await _parameters(request, note=NOTE)

    async def work(opened: Opened, door: Door, _: Sight) -> None:
        void_by_person(opened.draft, asked, door)

    return await _move(request, caller, connection, id, work)


@router.post(
    "/{id}/$request-information",
    operation_id="requestInformation",
    summary="Ask the requester for information",
    description="Names facts of the dictionary or puts questions in words. The void clock starts.",
    tags=["Plan staff"],
    **_documented("request-information", ["request-information-blank", "request-information"]),
)
async def request_information(
    request: Request, caller: CallerDep, id: str, connection: Connection
) -> Response:
    """By plan staff."""
    _staff(caller)
    asked = await _parameters(request, fact=WORDS, question=WORDS, note=NOTE)

    async def work(opened: Opened, door: Door, _: Sight) -> None:
        ask_by_person(opened.draft, asked, door)

    return await _move(request, caller, connection, id, work)


@router.post(
    "/{id}/$assign",
    operation_id="assignReferral",
    summary="Give an approved referral to another performer",
    description="Takes a place with the performer named, and frees the one held before. Where "
    "nobody has "
    "room there, the member waits.",
    tags=["Plan staff"],
    **_documented("assign", ["assign-blank", "assign"]),
)
async def assign_referral(
    request: Request, caller: CallerDep, id: str, connection: Connection
) -> Response:
    """By plan staff."""
    _staff(caller)
    asked = await _parameters(request, performer=PERFORMER, reason=REASON, note=NOTE)

    async def work(opened: Opened, door: Door, _: Sight) -> None:
        await assign_by_person(connection, opened.draft, asked, door)

    return await _move(request, caller, connection, id, work)


@router.post(
    "/{id}/$add-information",
    operation_id="addInformation",
    summary="Add information to a referral",
    description="Parameters with `resource` parts, or a Bundle. The void clock stops and the "
    "rules are "
    "asked again: the referral may be decided at once.",
    tags=["Referrals"],
    **_documented(
        "add-information",
        ["add-information-blank", "add-information"],
        body=["Parameters", "Bundle"],
    ),
)
async def add_to_referral(
    request: Request, caller: CallerDep, id: str, connection: Connection
) -> Response:
    """By the requester or plan staff."""
    require(caller, "ServiceRequest", "u")
    tree = await aside(read_tree, await read_body(request), ["Parameters", "Bundle"])
    documents = door_of(request, caller).documents
    added = await aside(read_added, tree, documents)
    for kind in dict.fromkeys(item.type for item in added):
        require(caller, kind, "c")

    async def work(opened: Opened, door: Door, seen: Sight) -> None:
        _by_requester_or_staff(caller, opened)
        _only_whose(opened, added, seen)
        await add_information(connection, opened.draft, added, door, seen)

    return await _move(request, caller, connection, id, work, identifying=True)


@router.post(
    "/{id}/$cancel",
    operation_id="cancelReferral",
    summary="Take a referral back",
    description="While pending, or approved with no service begun: then the authorization ends "
    "and the "
    "place is free.",
    tags=["Referrals"],
    **_documented("cancel", ["cancel-blank"], required=False),
)
async def cancel_referral(
    request: Request, caller: CallerDep, id: str, connection: Connection
) -> Response:
    """By the requester, or by plan staff on the member's word."""
    require(caller, "ServiceRequest", "u")
    asked = await _parameters(request, reason=WITHDRAWAL, note=NOTE)

    async def work(opened: Opened, door: Door, _: Sight) -> None:
        _by_requester_or_staff(caller, opened)
        cancel_by_party(opened.draft, asked, door)

    return await _move(request, caller, connection, id, work)


def _by_requester_or_staff(caller: Caller, opened: Opened) -> None:
    """A performer sees the referral and may not do this to it."""
    after = opened.draft.after
    if caller.organization_id != after.organization_id and after.plan not in caller.staff_plans:
        raise refuse(403, "forbidden", "Only its requester and the staff of its plan do this.")


def _only_whose(opened: Opened, added: Sequence[Copy], seen: Sight) -> None:
    """While nobody knows whose it is, staff who are no party say that, and add nothing else."""
    after = opened.draft.after
    more = any(item.type not in ("Patient", "Coverage") for item in added)
    if more and after.plan == UNASSIGNED and not seen.has(after.plan, after.organization_id):
        text = "Its plan is not known yet. Send the member's Patient or Coverage, and no more."
        raise refuse(403, "forbidden", text)
