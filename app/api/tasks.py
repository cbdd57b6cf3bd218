"""Moves of a referral by Task and by ServiceRequest: update, JSON Patch, and a referrer's own Task.

An update or a patch requires `If-Match`, so that nobody moves what they have not read. Each change
checks the version that it is made on, writes, and answers with the resource.
`app.journey.serve` decides what a Task's move is and who may make it; `app.api.decisions` has the
operations of plan staff.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from app.api.answer import of_resource, refuse_condition
from app.api.caller import CallerDep, require
from app.api.capability import fhir
from app.api.context import request_context
from app.api.contract.bodies import created_headers, fhir_body, fhir_response, patch_body, versioned
from app.api.contract.responses import errors
from app.api.deployment import Statements, deployment
from app.api.web.gate import read_body
from app.api.web.media import as_preferred
from app.base.errors import Refusal, refuse
from app.base.heavy_work import to_thread_if_heavy
from app.fhir.json_patch import patched, read_patch
from app.fhir.outcome import FHIR_JSON, version_headers
from app.fhir.payload import ResourceTree
from app.fhir.r4.check import check_resource
from app.fhir.r4.service import find_unsupported
from app.fhir.r4.strict_json import dumps
from app.fhir.task import asks_to_cancel, focus_of, is_adopted, read_adopted, read_update, reason_of
from app.journey.answer import answer_current
from app.journey.inform import add_information
from app.journey.intake.context import RequestContext
from app.journey.intake.submission import read_tree, read_whole, refuse_faults
from app.journey.move import make_move
from app.journey.refuse import cancel_by_party
from app.journey.revise import read_revision
from app.journey.serve import (  # fmt: skip
    annotate,
    change_referral_task,
    change_service_task,
    parties_of,
    require_annotation,
)
from app.model.caller import Caller
from app.model.lifecycle import Party, State
from app.store.database import Database, Source
from app.store.reading.access import visibility
from app.store.reading.read import check_if_match, names_version, read
from app.store.referral.changes import Changes
from app.store.referral.draft import Act, Draft
from app.store.referral.reopen import Opened, reopen

router = APIRouter(prefix="/fhir")

_FAILURES = errors(400, 403, 404, 409, 412, 422, 428)
_MOVES = (
    "The performer moves its own service Task: `accepted`, `rejected` with `statusReason.text` "
    "(the next performer is tried), `on-hold`, `in-progress`, `completed` with `output`, `failed` "
    "with `statusReason.text`; it may write `output` later, too. The requester moves the "
    "referral's Task: `cancelled` or `entered-in-error`, and adds `input` and `note`. Plan staff "
    "set it to `accepted` or `rejected` with `statusReason`. `If-Match` is required."
)


@router.put(
    "/Task/{id}",
    operation_id="updateTask",
    summary="Move a referral or its service",
    description=_MOVES,
    tags=["Providers"],
    responses={
        200: fhir_response("Task", ["task-accepted"], "The Task as it now is.", versioned()),
        **_FAILURES,
    },
    openapi_extra={
        **fhir_body("Task", ["task-blank", "task-accept", "task-reject"]),
        **fhir("Task", interaction="update"),
    },
)
async def update_task(
    request: Request, caller: CallerDep, id: str, database: Statements
) -> Response:
    """By the performer, the requester or plan staff."""
    require(caller, "Task", "u")
    version = required_version(request)
    tree = await to_thread_if_heavy(read_whole, await read_body(request), "Task", id)

    def wanted(_current: ResourceTree) -> ResourceTree:
        return tree

    return as_preferred(request, await _change_task(request, caller, database, id, version, wanted))


@router.patch(
    "/Task/{id}",
    operation_id="patchTask",
    summary="Move a referral or its service with a JSON Patch",
    description="RFC 6902. " + _MOVES,
    tags=["Providers"],
    responses={
        200: fhir_response("Task", ["task-accepted"], "The Task as it now is.", versioned()),
        **_FAILURES,
    },
    openapi_extra={**patch_body(["task-look", "task-patch"]), **fhir("Task", interaction="patch")},
)
async def patch_task(
    request: Request, caller: CallerDep, id: str, database: Statements
) -> Response:
    """As an update with the patched Task."""
    require(caller, "Task", "u")
    version = required_version(request)
    steps = await to_thread_if_heavy(read_patch, await read_body(request))

    def wanted(current: ResourceTree) -> ResourceTree:
        return _patched_task(current, steps)

    return as_preferred(request, await _change_task(request, caller, database, id, version, wanted))


@dataclass(frozen=True, slots=True)
class _FoundTask:
    """A Task that somebody changes: its current version, and its referral."""

    current: ResourceTree
    opened: Opened
    #: Whether the Task is the performer's own service Task.
    performers: bool


async def _find_task(
    source: Source, caller: Caller, context: RequestContext, task_id: str, version: str
) -> _FoundTask:
    """Reads the referral of a Task. 404, 409 where the Task has ended, 412 for another version."""
    opened = await reopen(
        source,
        task_id,
        visibility(caller),
        now=context.now,
        fhir_base=context.fhir_base,
        kind="Task",
    )
    performers = task_id == opened.draft.service_task_id
    current = opened.draft.service_kept if performers else opened.draft.adopted
    if current is None or current["id"] != task_id:
        raise refuse(409, "conflict", "This Task has ended: the referral is with another.")
    check_if_match(version, int(current["meta"]["versionId"]))
    return _FoundTask(dict(current), opened, performers)


def _patched_task(current: ResourceTree, steps: Sequence[Mapping[str, Any]]) -> ResourceTree:
    """Applies a JSON Patch, and checks the Task as an update with the whole Task is checked."""
    tree = patched(current, steps)
    if (tree.get("resourceType"), tree.get("id")) != ("Task", current["id"]):
        raise refuse(400, "value", "A Task keeps its type and id.", "Task.id")
    if faults := check_resource(tree):
        raise refuse_faults(faults, 400)
    if faults := find_unsupported(tree):
        raise refuse_faults(faults, 422)
    return tree


class _Unchanged(Exception):
    """The resource is as it is wanted already: nothing is written."""


async def _change_task(
    request: Request,
    caller: Caller,
    database: Database,
    task_id: str,
    version: str,
    wanted: Callable[[ResourceTree], ResourceTree],
) -> Response:
    """Makes the move that the wanted Task asks for; writes nothing where the Task is unchanged."""
    context = request_context(request, caller)

    async def compose(source: Source) -> Draft:
        target = await _find_task(source, caller, context, task_id, version)
        tree = await to_thread_if_heavy(wanted, target.current)
        await _move_task(request, source, caller, target, tree, context, version)
        return target.opened.draft

    try:
        return task_answer(await make_move(database, compose, context), task_id)
    except _Unchanged:
        return of_resource(await read(database, "Task", task_id, visibility(caller)))


async def _move_task(
    request: Request,
    source: Source,
    caller: Caller,
    target: _FoundTask,
    tree: ResourceTree,
    context: RequestContext,
    version: str,
) -> None:
    current, opened, performers = target.current, target.opened, target.performers
    update = await to_thread_if_heavy(
        read_update, tree, current, base=context.fhir_base, performers=performers
    )
    if not update:
        raise _Unchanged
    if update.grown or update.output is not None:
        check_size(request, {**current, **update.grown, "output": update.output or []})
    if performers:
        await change_service_task(source, opened, caller, update, context)
    else:
        matched = names_version(version)
        await change_referral_task(source, opened, caller, update, context, matched=matched)


@router.post(
    "/Task",
    operation_id="adoptTask",
    summary="Send your own Task about a referral",
    description="A Task with `focus` on a referral of yours becomes the referral's own Task: its "
    "identifiers, inputs and notes are kept; status, owner and business status are ours; there is "
    "never a second one. Answers with Task/{the referral's id}. With the code "
    "`abort` or `cancel` it takes the referral back as `$cancel` does; other codes are 422.",
    tags=["Referrals"],
    status_code=201,
    responses={
        201: fhir_response("Task", ["task"], "Adopted.", created_headers()),
        200: fhir_response("Task", ["task"], "Adopted before: the Task as it now is.", versioned()),
        **errors(400, 403, 409, 422),
    },
    openapi_extra={**fhir_body("Task", ["task-adopt"]), **fhir("Task", interaction="create")},
)
async def adopt_task(request: Request, caller: CallerDep, database: Statements) -> Response:
    """By the requester."""
    require(caller, "Task", "c")
    refuse_condition(request)
    sent = await to_thread_if_heavy(read_tree, await read_body(request), ["Task"])
    cancels = asks_to_cancel(sent)
    if cancels:
        require(caller, "ServiceRequest", "u")
    context, seen = request_context(request, caller), visibility(caller)
    status = 201

    async def compose(source: Source) -> Draft:
        nonlocal status
        draft = (await _focused(source, caller, sent, context)).draft
        own: Mapping[str, Any] = draft.adopted or {}
        added = read_adopted(sent, own)
        if not added and not cancels:
            raise _Unchanged
        status = 200 if is_adopted(own) else 201
        draft.adopted = {**own, **added}
        check_size(request, {"resourceType": "Task", **draft.adopted})
        if cancels:
            cancel_by_party(draft, reason_of(sent), context)
        else:
            _annotate(draft, context)
        return draft

    try:
        changes = await make_move(database, compose, context)
    except _Unchanged:
        current = await read(database, "Task", focus_of(sent, context.fhir_base) or "", seen)
        answer = of_resource(current)
        answer.headers["Location"] = _location(context, current.stored.id, current.stored.version)
        return as_preferred(request, answer)
    after = changes.after
    located = {"Location": _location(context, after.id, after.version)}
    return as_preferred(request, task_answer(changes, after.id, status, located))


def _location(context: RequestContext, task_id: str, version: int) -> str:
    return f"{context.fhir_base}/Task/{task_id}/_history/{version}"


async def _focused(
    source: Source, caller: Caller, sent: ResourceTree, context: RequestContext
) -> Opened:
    """Reads the caller's own referral that the Task is about; 422 for any other, known or not."""
    referral_id = focus_of(sent, context.fhir_base)
    text = "Point `focus` to a ServiceRequest of yours: a Task is about a referral."
    unknown = refuse(422, "not-found", text, "Task.focus")
    if referral_id is None:
        raise unknown
    try:
        opened = await reopen(
            source,
            referral_id,
            visibility(caller),
            now=context.now,
            fhir_base=context.fhir_base,
        )
    except Refusal as refusal:
        raise unknown if refusal.status == 404 else refusal from None
    if Party.REQUESTER not in parties_of(caller, opened.draft.after):
        raise unknown
    return opened


def _annotate(draft: Draft, context: RequestContext) -> None:
    require_annotation(draft)
    annotate(draft, Act(context.actor, draft.details, None))


@router.put(
    "/ServiceRequest/{id}",
    operation_id="updateReferral",
    summary="Take a referral back, or add to it",
    description="By the requester. `status` `revoked`, or `entered-in-error` for one that was sent "
    "by mistake, takes it back as `$cancel` does; `note`, `supportingInfo` and `contained` may be "
    "added: while it is pending, the latter two stop the void clock and the rules are asked again. "
    "`If-Match` is required.",
    tags=["Referrals"],
    responses={
        200: fhir_response(
            "ServiceRequest", ["referral-after-cancel"], "The referral as it now is.", versioned()
        ),
        **_FAILURES,
    },
    openapi_extra={
        **fhir_body("ServiceRequest", ["referral-revoke"]),
        **fhir("ServiceRequest", interaction="update"),
    },
)
async def update_referral(
    request: Request, caller: CallerDep, id: str, database: Statements
) -> Response:
    """The requester's revoke and additions only."""
    require(caller, "ServiceRequest", "u")
    version = required_version(request)
    sent = await to_thread_if_heavy(read_whole, await read_body(request), "ServiceRequest", id)
    context, seen = request_context(request, caller), visibility(caller)

    async def compose(source: Source) -> Draft:
        opened = await reopen(source, id, seen, now=context.now, fhir_base=context.fhir_base)
        draft = opened.draft
        if Party.REQUESTER not in parties_of(caller, draft.after):
            raise refuse(403, "forbidden", "Only its requester updates a referral.")
        check_if_match(version, draft.after.version)
        revision = await to_thread_if_heavy(read_revision, sent, draft.sent)
        if not revision:
            raise _Unchanged
        draft.contained = revision.new("contained", draft.sent)
        draft.sent = {**draft.sent, **revision.grown}
        if revision.grown:
            check_size(request, draft.sent)
        if revision.taken_back is not None:
            mistaken = revision.taken_back == "entered-in-error"
            cancel_by_party(draft, revision.given, context, mistaken=mistaken)
        elif revision.informs and draft.after.state is State.PENDING:
            await add_information(source, draft, [], context, seen)
        else:
            _annotate(draft, context)
        return draft

    try:
        answer = answer_current(await make_move(database, compose, context))
    except _Unchanged:
        same = of_resource(await read(database, "ServiceRequest", id, seen))
        return as_preferred(request, same)
    return as_preferred(request, Response(answer.body, 200, answer.headers, media_type=FHIR_JSON))


def check_size(request: Request, kept: Mapping[str, Any] | None) -> None:
    """Raises 422 where an addition makes a resource larger than a body may be.

    Without this limit the resource would grow by every change, and be read whole each time.
    """
    settings = deployment(request).settings
    if kept is not None and len(dumps(kept)) > settings.body_limit_mb * 1024 * 1024:
        kind = kept["resourceType"]
        text = (
            f"With this the {kind} would be larger than {settings.body_limit_mb} MB. Nothing was "
            "kept. Add less, and send large documents by reference."
        )
        raise refuse(422, "too-long", text, kind)


def task_answer(
    changes: Changes, task_id: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answers with the Task as the change leaves it, and its ETag."""
    body, after = changes.body("Task", task_id), changes.after
    all_headers = {
        **version_headers(after.version, after.updated_at),
        **(headers or {}),
    }
    return Response(body, status, all_headers, media_type=FHIR_JSON)


def required_version(request: Request) -> str:
    """The `If-Match` header; 428 without: nobody moves what they have not read."""
    header = request.headers.get("if-match")
    if header is None:
        text = 'Send the version you have read: `If-Match: W/"3"`.'
        raise refuse(428, "conflict", text)
    return header
