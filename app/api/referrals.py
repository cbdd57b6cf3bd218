"""Routes that take a referral: one ServiceRequest, or a transaction Bundle; and `$check` before.

`Prefer: return=representation` puts the stored resources into the response to a transaction.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request, Response

from app.api.caller import CallerDep, require
from app.api.capability import fhir
from app.api.context import request_context
from app.api.contract.bodies import created_headers, fhir_body, fhir_response
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.api.detail import Detail, DetailAsked
from app.api.questions import Questions
from app.api.reads import DirectRoute
from app.api.web.gate import read_body
from app.api.web.media import APPLIED, Day, as_preferred, preferences
from app.base.heavy_work import to_thread_if_heavy
from app.fhir.bundle import entry_types
from app.fhir.outcome import FHIR_JSON
from app.journey.check import check
from app.journey.intake.condition import Answer, read_condition, read_entry_condition, read_key
from app.journey.intake.referenced import referenced_resources
from app.journey.intake.submission import read_submission, read_tree
from app.journey.refer import RepeatPolicy, post
from app.model.caller import Caller
from app.store.clients import SCOPED
from app.store.database import Database
from app.store.reading.access import visibility
from app.store.reading.include import visible

router = APIRouter(route_class=DirectRoute)

_TAG = "Referrals"
_REPEATABLE = (
    "Safe to repeat: the same `Idempotency-Key` and body, the same `If-None-Exist`, or the same "
    "`identifier` of yours gives the first answer again, however many are sent at once."
)


def _repeat_policy(request: Request, caller: Caller) -> RepeatPolicy:
    headers = request.headers
    return RepeatPolicy(
        client_id=caller.client_id,
        key=read_key(headers.get("idempotency-key")),
        condition=read_condition(
            headers.getlist("if-none-exist"),
            request.scope["query_string"],
            deployment(request).settings.fhir_base,
        ),
        seen=visibility(caller),
    )


async def _receive(request: Request, caller: Caller, kind: str) -> Answer:
    database = deployment(request).database
    context = request_context(request, caller)
    repeats = _repeat_policy(request, caller)
    tree = await to_thread_if_heavy(read_tree, await read_body(request), [kind])
    for sent in dict.fromkeys(entry_types(tree)):
        if sent in SCOPED:
            require(caller, sent, "c")
    referenced = await referenced_resources(database, tree, caller, context)
    submission = await to_thread_if_heavy(read_submission, tree, context, referenced)
    if submission.if_none_exist is not None:
        condition = read_entry_condition(submission.if_none_exist, context.fhir_base)
        repeats = replace(repeats, condition=condition)
    counting = Questions(deployment(request), caller)
    return await post(database, submission, repeats, context, counting.missed)


def to_response(answer: Answer) -> Response:
    """The HTTP response of an answer."""
    return Response(answer.body, answer.status, answer.headers, media_type=FHIR_JSON)


@router.post(
    "/fhir/ServiceRequest",
    operation_id="createReferral",
    summary="Refer a member",
    description="Takes one referral with its facts as `contained` resources, or named by reference "
    "where they are on this server and yours to read, and answers with the decision where the "
    "rules make one. Ineligible and incomplete referrals are taken too: that is a state, never an "
    "error. " + _REPEATABLE,
    tags=[_TAG],
    status_code=201,
    responses={
        201: fhir_response(
            "ServiceRequest",
            ["referral-decided"],
            "Received, and decided if it could be.",
            created_headers(),
        ),
        200: fhir_response(
            "ServiceRequest", ["referral-decided"], "Sent before: the referral as it now is."
        ),
        **errors(400, 403, 409, 412, 422),
    },
    openapi_extra={
        **fhir_body("ServiceRequest", ["referral-ecm-contained", "referral-bare"]),
        **fhir("ServiceRequest", interaction="create", conditional=True),
    },
)
async def create_referral(
    request: Request,
    caller: CallerDep,
) -> Response:
    """One ServiceRequest in, one referral on its way."""
    require(caller, "ServiceRequest", "c")
    answer = await _receive(request, caller, "ServiceRequest")
    return as_preferred(request, to_response(answer))


@router.post(
    "/fhir",
    operation_id="createReferralBundle",
    summary="Refer a member with a transaction Bundle",
    description="Takes one ServiceRequest and the resources that go with it, referring to each "
    "other by `urn:uuid` or absolute URL. Patients, Coverages and Organizations become copies that "
    "belong to the referral. Entries create (POST): others, and a `batch`, are refused with 422. "
    "`Prefer: return=representation` puts the resources into the answer. " + _REPEATABLE,
    tags=[_TAG],
    responses={
        200: fhir_response(
            "Bundle", ["referral-bundle-response"], "One response entry per entry, in order."
        ),
        **errors(400, 403, 409, 412, 422),
    },
    openapi_extra={
        **fhir_body("Bundle", ["referral-ecm-bundle"]),
        **fhir(None, interaction="transaction"),
    },
)
async def create_referral_bundle(
    request: Request,
    caller: CallerDep,
) -> Response:
    """A transaction in, all of it or nothing."""
    require(caller, "ServiceRequest", "c")
    answer = await _receive(request, caller, "Bundle")
    if preferences(request).get("return") == "representation":
        answer = await represented(deployment(request).database, answer, caller)
    return to_response(answer)


@router.post(
    "/fhir/ServiceRequest/$check",
    operation_id="checkReferral",
    summary="Ask first: would this person qualify, and who has room?",
    description="Takes the payload that intake takes and writes nothing. Answers what the plan's "
    "rules say, criterion by criterion with their sources, what is missing, and who could take the "
    "member. The CIN counts with the full birth date, and the family name where one is sent; else "
    "the answer is that of an unknown CIN. What the plan alone knows is told by result. For a day "
    "more than 30 days from today, and without a CIN, the payload is taken at its word.",
    tags=[_TAG],
    responses={
        200: fhir_response(
            "Parameters", ["check-approved", "check-pending"], "What the rules say."
        ),
        **errors(400, 403, 422),
    },
    openapi_extra={
        **fhir_body(["ServiceRequest", "Bundle"], ["referral-ecm-contained", "referral-bare"]),
        **fhir("ServiceRequest", operation="check"),
    },
)
async def check_referral(
    request: Request,
    caller: CallerDep,
    as_of: Annotated[
        Day,
        Query(
            alias="asOf",
            description="The date to answer for (noon in California); today where left out.",
            examples=["2024-03-04"],
        ),
    ] = None,
    detail: DetailAsked = Detail.SHORT,
) -> Response:
    """The rules' answer without a referral."""
    require(caller, "ServiceRequest", "c")
    context = request_context(request, caller)
    tree = await to_thread_if_heavy(
        read_tree, await read_body(request), ["ServiceRequest", "Bundle"]
    )
    parts, full = deployment(request), detail is Detail.FULL
    counting = Questions(parts, caller)
    answer = await check(parts.database, tree, caller, context, as_of, counting, full=full)
    return Response(answer.body, media_type=FHIR_JSON)


async def represented(database: Database, answer: Answer, caller: Caller) -> Answer:
    """The answer with the current resource in each entry that the caller's scopes may read."""
    bundle = orjson.loads(answer.body)
    entries = bundle["entry"]
    keys = [_type_and_id(entry["response"]["location"]) for entry in entries]
    readable = [key for key in keys if caller.may(key[0], "r")]
    bodies = {
        (stored.type, stored.id): orjson.Fragment(stored.body)
        for stored in await visible(database, readable, visibility(caller))
    }
    bundle["entry"] = [
        {"resource": bodies[key], **entry} if key in bodies else entry
        for key, entry in zip(keys, entries, strict=True)
    ]
    headers = {**answer.headers, APPLIED: "return=representation"}
    return Answer(answer.status, headers, orjson.dumps(bundle))


def _type_and_id(location: str) -> tuple[str, str]:
    """Reads a location: `https://host/fhir/Patient/1/_history/1` → (`Patient`, `1`)."""
    parts: Sequence[str] = location.split("/")
    return parts[-4], parts[-3]
