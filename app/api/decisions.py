"""Operations by which people move a referral: those of plan staff, and those of the requester.

`OPERATIONS` is the table of the operations. Each operation makes one move (`app.journey.move`) and
answers with the new version of the ServiceRequest. A move that is illegal now is 409; every
operation honours `If-Match`; a referral that the caller may not see is 404.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter, Request, Response

from app.api.caller import CallerDep, require, require_scope
from app.api.capability import fhir
from app.api.context import request_context
from app.api.contract.bodies import fhir_body, fhir_response, versioned
from app.api.contract.responses import errors
from app.api.deployment import Statements
from app.api.web.gate import read_body
from app.base.errors import refuse
from app.base.heavy_work import to_thread_if_heavy
from app.fhir.outcome import FHIR_JSON
from app.fhir.parameters import (
    DECIDER,
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
from app.journey.answer import answer_current
from app.journey.approve import approve_by_person, assign_by_person
from app.journey.inform import (
    add_information,
    adds_consents,
    ask_by_person,
    keep_consents,
    read_added,
)
from app.journey.intake.context import RequestContext
from app.journey.intake.submission import Copy, read_tree
from app.journey.move import make_move
from app.journey.refuse import cancel_by_party, deny_by_person, void_by_person
from app.model.caller import DECIDE, UNASSIGNED, Caller
from app.model.lifecycle import State
from app.store.database import Database, Source
from app.store.reading.access import Visibility, shown_least, visibility
from app.store.reading.read import check_if_match, names_version
from app.store.referral.draft import Draft
from app.store.referral.reopen import Opened, reopen

router = APIRouter(prefix="/fhir/ServiceRequest")


@dataclass(frozen=True, slots=True)
class SentOperation:
    """The body of an operation, as read: parameters, or the resources to add."""

    given: Given = field(default_factory=lambda: Given({}))
    added: Sequence[Copy] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation: its caller, its body, and its referral."""

    source: Source
    caller: Caller
    context: RequestContext
    seen: Visibility
    sent: SentOperation
    opened: Opened
    #: Whether `If-Match` names the version that the caller has read.
    matched: bool

    @property
    def draft(self) -> Draft:
        return self.opened.draft

    @property
    def given(self) -> Given:
        return self.sent.given


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of ServiceRequest: its documentation, its callers, and its move."""

    name: str
    operation_id: str
    summary: str
    description: str
    tag: str
    examples: list[str]
    #: Composes the move.
    move: Callable[[Call], Awaitable[None]]
    #: Raises 403, before the body is read, for a caller that may never call the operation.
    may: Callable[[Caller], None]
    #: The parameters by name; None for an operation that takes resources to add.
    takes: Mapping[str, Takes] | None
    body: str | list[str] = "Parameters"
    #: Whether a body must be sent.
    required: bool = True
    #: Statuses that this operation answers beside those of all operations.
    statuses: tuple[int, ...] = ()
    #: Whether the body may tell who the member is, which may change the referral's plan.
    identifying: bool = False


async def _answer(
    operation: Operation, request: Request, caller: Caller, id_: str, database: Database
) -> Response:
    """Reads the body, makes the move, answers with the referral as it then is."""
    operation.may(caller)
    sent = await _read(operation, request, caller, id_)
    context, seen = request_context(request, caller), visibility(caller)
    header = request.headers.get("if-match")

    async def compose(source: Source) -> Draft:
        opened = await reopen(
            source,
            id_,
            seen,
            now=context.now,
            fhir_base=context.fhir_base,
            identifying=operation.identifying,
        )
        check_if_match(header, opened.draft.after.version)
        matched = names_version(header)
        await operation.move(Call(source, caller, context, seen, sent, opened, matched))
        return opened.draft

    changes = await make_move(database, compose, context)
    answer, after, body = answer_current(changes), changes.after, None
    # The new information may have moved the referral to another plan.
    if not seen.has(after.plan, after.organization_id):
        body = await shown_least("ServiceRequest", answer.body)
    return Response(body or answer.body, 200, answer.headers, media_type=FHIR_JSON)


async def _read(operation: Operation, request: Request, caller: Caller, id_: str) -> SentOperation:
    body = await read_body(request)
    if operation.takes is not None:
        tree = await to_thread_if_heavy(read_tree, body, ["Parameters"]) if body else None
        return SentOperation(given(tree, operation.takes))
    tree = await to_thread_if_heavy(read_tree, body, ["Parameters", "Bundle"])
    documents = request_context(request, caller).documents
    added = await to_thread_if_heavy(read_added, tree, id_, documents)
    for kind in dict.fromkeys(item.type for item in added):
        require(caller, kind, "c")
    return SentOperation(added=added)


def _require_staff(caller: Caller) -> None:
    require_scope(caller, DECIDE)


def _require_update(caller: Caller) -> None:
    require(caller, "ServiceRequest", "u")


async def _approve(call: Call) -> None:
    await approve_by_person(
        call.source,
        call.draft,
        call.opened.question,
        call.given,
        call.context,
        matched=call.matched,
    )


async def _deny(call: Call) -> None:
    deny_by_person(call.draft, call.given, call.context)


async def _void(call: Call) -> None:
    void_by_person(call.draft, call.given, call.context)


async def _ask(call: Call) -> None:
    ask_by_person(call.draft, call.given, call.context)


async def _assign(call: Call) -> None:
    await assign_by_person(call.source, call.draft, call.given, call.context)


async def _add(call: Call) -> None:
    _by_requester_or_staff(call)
    _require_identity_only(call)
    added, pending = call.sent.added, call.draft.after.state is State.PENDING
    if adds_consents(added) and not pending:
        keep_consents(call.draft, added, call.context)
    else:
        await add_information(call.source, call.draft, added, call.context, call.seen)


async def _cancel(call: Call) -> None:
    _by_requester_or_staff(call)
    cancel_by_party(call.draft, call.given, call.context)


def _by_requester_or_staff(call: Call) -> None:
    """Raises 403 for a performer, who sees the referral, but may not add information or cancel."""
    after, caller = call.draft.after, call.caller
    if caller.organization_id != after.organization_id and after.plan not in caller.staff_plans:
        raise refuse(403, "forbidden", "Only its requester and the staff of its plan do this.")


def _require_identity_only(call: Call) -> None:
    """Raises 403 where staff who are no party add more than the member to an unassigned referral.

    While the plan is not known, staff of any plan may add Patient and Coverage, and no more.
    """
    after = call.draft.after
    more = any(item.type not in ("Patient", "Coverage") for item in call.sent.added)
    if more and after.plan == UNASSIGNED and not call.seen.has(after.plan, after.organization_id):
        text = "Its plan is not known yet. Send the member's Patient or Coverage, and no more."
        raise refuse(403, "forbidden", text)


OPERATIONS = (
    Operation(
        name="approve",
        operation_id="approveReferral",
        summary="Approve a referral",
        description=(
            "Approves a pending referral: an authorization is made and a place taken. Against the "
            "recommendation of the rules, send `reason` `exception-granted` and a `note` that says "
            "why. Against an exclusion (not a member, not offered, another program …) it takes two "
            "calls: the first records the exception and the referral stays pending, the second, "
            "with `If-Match` and the ETag that the first answered with, confirms it (428 without). "
            "`decided-by` is your name and role, which the letters give."
        ),
        tag="Plan staff",
        examples=["approve-blank", "approve-exception"],
        move=_approve,
        may=_require_staff,
        takes={"note": NOTE, "reason": REASON, "performer": PERFORMER, "decided-by": DECIDER},
        required=False,
        statuses=(428,),
    ),
    Operation(
        name="deny",
        operation_id="denyReferral",
        summary="Deny a referral",
        description=(
            "Denies a pending referral with at least one reason. The member is told by a notice. "
            "`decided-by` is your name and role (`Ada Example, RN, medical reviewer`): the notice "
            "names who decided."
        ),
        tag="Plan staff",
        examples=["deny-blank", "deny"],
        move=_deny,
        may=_require_staff,
        takes={"reason": DENIAL, "note": NOTE, "decided-by": DECIDER},
    ),
    Operation(
        name="void",
        operation_id="voidReferral",
        summary="Close a referral whose information never came",
        description=(
            "Only where the clock itself could: information was asked for, none came, and the time "
            "that the plan gives is over. A complete referral is never voided."
        ),
        tag="Plan staff",
        examples=["void-blank"],
        move=_void,
        may=_require_staff,
        takes={"note": NOTE},
        required=False,
    ),
    Operation(
        name="request-information",
        operation_id="requestInformation",
        summary="Ask the requester for information",
        description=(
            "Names facts of the dictionary or puts questions in words. The void clock starts."
        ),
        tag="Plan staff",
        examples=["request-information-blank", "request-information"],
        move=_ask,
        may=_require_staff,
        takes={"fact": WORDS, "question": WORDS, "note": NOTE},
    ),
    Operation(
        name="assign",
        operation_id="assignReferral",
        summary="Give an approved referral to another performer",
        description=(
            "Takes a place with the performer named, and frees the one held before. Where nobody "
            "has room there, the member waits."
        ),
        tag="Plan staff",
        examples=["assign-blank", "assign"],
        move=_assign,
        may=_require_staff,
        takes={"performer": PERFORMER, "reason": REASON, "note": NOTE},
    ),
    Operation(
        name="add-information",
        operation_id="addInformation",
        summary="Add information to a referral",
        description=(
            "Parameters with `resource` parts, or a Bundle. The void clock stops and the rules are "
            "asked again: the referral may be decided at once. Consents alone may also be added "
            "once it is approved: what the member permits or refuses holds from the next read on."
        ),
        tag="Referrals",
        examples=["add-information-blank", "add-information"],
        move=_add,
        may=_require_update,
        takes=None,
        body=["Parameters", "Bundle"],
        identifying=True,
    ),
    Operation(
        name="cancel",
        operation_id="cancelReferral",
        summary="Take a referral back",
        description=(
            "While pending, or approved with no service begun: then the authorization ends and the "
            "place is free."
        ),
        tag="Referrals",
        examples=["cancel-blank"],
        move=_cancel,
        may=_require_update,
        takes={"reason": WITHDRAWAL, "note": NOTE},
        required=False,
    ),
)

_STATUSES = (400, 403, 404, 409, 412, 422)


def _add_route(operation: Operation) -> None:
    """Adds the route of an operation."""

    async def answer(
        request: Request, caller: CallerDep, id: str, database: Statements
    ) -> Response:
        return await _answer(operation, request, caller, id, database)

    example, text = f"referral-after-{operation.name}", "The referral as it now is."
    router.add_api_route(
        f"/{{id}}/${operation.name}",
        answer,
        methods=["POST"],
        name=operation.operation_id,
        operation_id=operation.operation_id,
        summary=operation.summary,
        description=operation.description,
        tags=[operation.tag],
        responses={
            200: fhir_response("ServiceRequest", [example], text, versioned()),
            **errors(*_STATUSES, *operation.statuses),
        },
        openapi_extra={
            **fhir_body(operation.body, operation.examples, required=operation.required),
            **fhir("ServiceRequest", operation=operation.name),
        },
    )


for _operation in OPERATIONS:
    _add_route(_operation)
