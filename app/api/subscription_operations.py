"""`$status` and `$events`: states of Subscriptions, and their events by number. GET and POST.

Source: Subscriptions R5 Backport 1.1.0, operations backport-subscription-status and -events.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.api.acting import CallersRows, CallersTransaction
from app.api.answer import parameters_of
from app.api.caller import CallerDep, require
from app.api.capability import fhir
from app.api.contract.bodies import fhir_body, fhir_response
from app.api.contract.responses import errors
from app.api.subscriptions import PREFIX, SubscriptionId, base_of, bundle, now_of
from app.api.web.gate import read_body
from app.base.errors import refuse
from app.base.heavy_work import to_thread_if_heavy
from app.base.ids import new_id
from app.fhir.parameters import Given, at, read_parts
from app.fhir.subscription import CONTENTS, fhir_status, notification, statuses
from app.journey.intake.submission import read_tree
from app.journey.notification import subscription_keep as keep
from app.journey.notification.subscription_content import CARRIES
from app.model.caller import Caller
from app.store.database import Source

router = APIRouter(prefix=PREFIX, tags=["Notifications"])

_LAST = 2**31 - 1

_CHOICE: list[dict[str, Any]] = [
    {
        "name": name,
        "in": "query",
        "description": text,
        "schema": {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]*$"},
    }
    for name, text in (
        ("id", "These Subscriptions: repeated, or separated by commas."),
        ("status", "Only of these statuses: active, error …"),
    )
]
First = Annotated[int, Query(ge=0, le=_LAST, description="From this number.")]
Last = Annotated[int, Query(ge=0, le=_LAST, description="To this number.")]
Content = Annotated[
    str | None,
    Query(pattern=f"^({'|'.join(CONTENTS)})$", description="Not more than the Subscription's."),
]


async def _posted(request: Request) -> Given:
    """The Parameters of a POST; none where the body is empty."""
    body = await read_body(request)
    return read_parts(await to_thread_if_heavy(read_tree, body, ["Parameters"]) if body else None)


async def read_statuses(request: Request, caller: CallerDep, source: CallersRows) -> Response:
    """Answers `$status` by GET: of all Subscriptions, or of those that the query chooses."""
    pairs = parameters_of(request)
    ids, words = ([value for name, value in pairs if name == each] for each in ("id", "status"))
    return await _statuses(request, caller, source, ids, words)


async def ask_statuses(request: Request, caller: CallerDep, source: CallersRows) -> Response:
    """Answers `$status` by POST: of all Subscriptions, or of those that the Parameters choose."""
    require(caller, "Subscription", "r")
    given = await _posted(request)
    ids = _strings(given, "id")
    return await _statuses(request, caller, source, ids, _strings(given, "status"))


async def read_status(
    id: SubscriptionId, request: Request, caller: CallerDep, source: CallersRows
) -> Response:
    """Answers `$status` of one Subscription by GET."""
    return await _status(request, caller, source, id)


async def ask_status(
    id: SubscriptionId, request: Request, caller: CallerDep, source: CallersRows
) -> Response:
    """Answers `$status` of one Subscription by POST; valid Parameters change nothing."""
    await _posted(request)
    return await _status(request, caller, source, id)


async def read_events(
    id: SubscriptionId,
    request: Request,
    caller: CallerDep,
    connection: CallersTransaction,
    eventsSinceNumber: First = 0,  # noqa: N803  FHIR's spelling
    eventsUntilNumber: Last = _LAST,  # noqa: N803
    content: Content = None,
) -> Response:
    """Answers `$events` by GET: the events that the query asks for."""
    numbers = (eventsSinceNumber, eventsUntilNumber)
    return await _events(request, caller, connection, id, numbers, content)


async def ask_events(
    id: SubscriptionId, request: Request, caller: CallerDep, connection: CallersTransaction
) -> Response:
    """Answers `$events` by POST: the events that the Parameters ask for."""
    require(caller, "Subscription", "r")
    given = await _posted(request)
    numbers = (
        _number(given, "eventsSinceNumber", 0),
        _number(given, "eventsUntilNumber", _LAST),
    )
    content = next(iter(_strings(given, "content")), None)
    if content is not None and content not in CONTENTS:
        text = f"`content` takes {', '.join(CONTENTS)}."
        raise refuse(400, "value", text, at("content"))
    return await _events(request, caller, connection, id, numbers, content)


@dataclass(frozen=True, slots=True)
class _Operation:
    """An operation with two routes: GET (`read`), and POST with Parameters (`ask`)."""

    path: str
    #: The name in FHIR, without `$`.
    name: str
    #: The operation id, after `read` and `ask`.
    called: str
    summary: str
    description: str
    responses: Mapping[int | str, dict[str, Any]]
    read: Callable[..., Awaitable[Response]]
    ask: Callable[..., Awaitable[Response]]
    #: The name of an example of the Parameters.
    example: str
    #: Parameters of the query, where `read` does not declare them.
    query: Mapping[str, Any] = field(default_factory=dict)
    #: The end of the summary of the POST; `post_description` ends its description.
    post_summary: str = "asked with Parameters"
    post_description: str = ""


_FAILURES = errors(400, 403)
_OF_ONE = errors(404, 410)
_STATUS = fhir_response("Bundle", ["subscription-status"], "A Bundle of type searchset.")
_EVENTS = fhir_response("Bundle", ["subscription-events"], "A Bundle of type history.")

_OPERATIONS = (
    _Operation(
        path="/$status",
        name="status",
        called="SubscriptionStatuses",
        summary="How your Subscriptions stand",
        description="A searchset of status Parameters, one for each of your organization's "
        "Subscriptions; `id` and `status` choose among them.",
        responses={200: _STATUS, **_FAILURES},
        read=read_statuses,
        ask=ask_statuses,
        example="subscription-status-parameters",
        query={"parameters": _CHOICE},
    ),
    _Operation(
        path="/{id}/$status",
        name="status",
        called="SubscriptionStatus",
        summary="How a Subscription stands",
        description="Its status, what is wrong, and how many events there have been, delivered "
        "or not.",
        responses={200: _STATUS, **_FAILURES, **_OF_ONE},
        read=read_status,
        ask=ask_status,
        example="subscription-status-parameters",
        post_summary="asked with a POST",
        post_description=" Parameters are ignored here.",
    ),
    _Operation(
        path="/{id}/$events",
        name="events",
        called="SubscriptionEvents",
        summary="Events of a Subscription by number",
        description="For a receiver that finds a gap: the events from `eventsSinceNumber` to "
        f"`eventsUntilNumber`, both included, at most {keep.MOST_EVENTS:,}. `content` may ask for "
        "less than the Subscription does; what it may see is asked anew.",
        responses={200: _EVENTS, **_FAILURES, **_OF_ONE},
        read=read_events,
        ask=ask_events,
        example="subscription-events-parameters",
    ),
)


def _add(operation: _Operation) -> None:
    about = fhir("Subscription", operation=operation.name)
    router.add_api_route(
        operation.path,
        operation.read,
        operation_id=f"read{operation.called}",
        summary=operation.summary,
        description=operation.description,
        responses={**operation.responses},
        openapi_extra={**operation.query, **about},
    )
    router.add_api_route(
        operation.path,
        operation.ask,
        methods=["POST"],
        operation_id=f"ask{operation.called}",
        summary=f"{operation.summary}, {operation.post_summary}",
        description=operation.description + operation.post_description,
        responses={**operation.responses, **errors(422)},
        openapi_extra={
            **fhir_body("Parameters", [operation.example], required=False),
            **about,
        },
    )


for _operation in _OPERATIONS:
    _add(_operation)


def _strings(given: Given, name: str) -> list[str]:
    """The ids, codes and strings under a name."""
    values = (
        part.get(kind)
        for part in given.parts.get(name, ())
        for kind in ("valueId", "valueCode", "valueString")
    )
    return [value for value in values if isinstance(value, str)]


def _number(given: Given, name: str, default: int) -> int:
    """Reads a number, a string by the guide, because R4 has no 64-bit integer. 400 out of range."""
    whole = given.integer(name)
    word = next(iter(_strings(given, name)), default if whole is None else whole)
    if not str(word).isascii() or not str(word).isdigit() or int(str(word)[:20]) > _LAST:
        text = f"`{name}` takes a whole number from 0 to {_LAST}, as a string."
        raise refuse(400, "value", text, at(name))
    return int(word)


async def _statuses(
    request: Request,
    caller: Caller,
    source: Source,
    ids: Sequence[str],
    wanted: Sequence[str],
) -> Response:
    require(caller, "Subscription", "r")
    named = {one for each in ids for one in each.split(",")}
    words = {one for each in wanted for one in each.split(",")}
    rows = [
        row
        for row in await keep.all_of(source, caller.organization_id)
        if (not named or row["id"] in named) and (not words or fhir_status(row["status"]) in words)
    ]
    base = base_of(request)
    standings = zip(await keep.standings(source, rows), rows, strict=True)
    shown = [(standing, row["content"]) for standing, row in standings]
    return bundle(statuses(base, shown, f"{base}/Subscription/$status"))


async def _status(request: Request, caller: Caller, source: Source, id_: str) -> Response:
    require(caller, "Subscription", "r")
    row = await keep.find(source, caller.organization_id, id_)
    base = base_of(request)
    (standing,) = await keep.standings(source, [row])
    return bundle(
        statuses(base, [(standing, row["content"])], f"{base}/Subscription/{id_}/$status")
    )


async def _events(
    request: Request,
    caller: Caller,
    source: Source,
    id_: str,
    numbers: tuple[int, int],
    content: str | None,
) -> Response:
    """Answers with events. First numbers the events without a number, so that none is missing."""
    require(caller, "Subscription", "r")
    row = await keep.find(source, caller.organization_id, id_)
    # Never more than the Subscription asked for: the Subscription set what its receiver may see.
    level = min(CONTENTS.index(content or row["content"]), CONTENTS.index(row["content"]))
    full = CONTENTS[level] == "full-resource"
    if full:
        for kind in CARRIES.get(row["focus"], (row["focus"],)):
            require(caller, kind, "r")
    now, base = now_of(request), base_of(request)
    standing, events = await keep.events(source, row, *numbers, full=full, base=base, now=now)
    return bundle(
        notification(
            base, standing, "query-event", CONTENTS[level], id_=new_id(), at=now, events=events
        )
    )
