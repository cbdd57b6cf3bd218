"""FHIR topic-based Subscriptions (R5 backport for R4): create, read, search, update, delete.

An organization has few Subscriptions, so a search reads all of them and answers with one page.
`app.api.subscription_operations` uses the shared parts of the routes, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar

import orjson
from fastapi import APIRouter, Depends, Path, Request, Response

from app.api.acting import CallersRows, CallersTransaction
from app.api.answer import parameters_of, refuse_condition
from app.api.caller import CallerDep, require
from app.api.capability import Searched, fhir
from app.api.contract.bodies import created_headers, fhir_body, fhir_response, in_query, versioned
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.api.reads import SearchRoutes, add_search, described_few, form_of
from app.api.web.gate import read_body
from app.api.web.media import as_preferred, is_strict
from app.api.web.refusals import wrong_method
from app.base.errors import Issue, not_found, refuse
from app.base.heavy_work import to_thread_if_heavy
from app.fhir.outcome import FHIR_JSON, version_headers
from app.fhir.reference import is_id
from app.fhir.searchset import Stored, searchset
from app.fhir.subscription import fhir_status
from app.fhir.subset import Subset
from app.journey.intake.submission import read_tree, read_whole, refuse_faults
from app.journey.notification import subscription_keep as keep
from app.journey.notification.secrets import Vault
from app.journey.notification.subscription_content import CARRIES
from app.journey.notification.subscription_read import WantedSubscription, read_subscription
from app.journey.notification.targets import Guard
from app.model.caller import Caller
from app.store.database import Row, Source
from app.store.reading.read import check_if_match
from app.store.reading.reader import Search, read_into, whole_number
from app.store.reading.subset import IN_READS, narrowed, of_read, unknown
from app.store.reading.values import ABOUT_THE_FORM, UnreadableValue, words

# The search

#: Parameter → its kind, and the part of a Subscription that the parameter selects by.
PARAMETERS: Mapping[str, tuple[str, str]] = {
    "_id": ("token", "The Subscription's id"),
    "criteria": ("string", "The topic's canonical URL"),
    "payload": ("token", "The Content-Type of its notifications"),
    "status": ("token", "`requested`, `active`, `error` or `off`"),
    "type": ("token", "The channel: `rest-hook` is the only one"),
    "url": ("uri", "The endpoint's URL, exactly"),
}


@dataclass(slots=True)
class SubscriptionSearch(Search):
    """The conditions that a Subscription must meet. All matches fit one page."""

    kind: str = "Subscription"
    tests: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    #: Whether the total is asked for without the Subscriptions.
    alone: bool = False

    PASSED_OVER: ClassVar[frozenset[str]] = ABOUT_THE_FORM | {"_total"}
    PAGED: ClassVar[bool] = False

    def take(self, name: str, value: str, *, strict: bool) -> Issue | None:
        """Adds a condition."""
        if name not in PARAMETERS:
            return unknown(self.kind, name, strict=strict)
        wanted = frozenset(words(value))
        if not wanted:
            raise UnreadableValue("needs a value.")
        self.tests.append((name, wanted))
        self.used.append((name, value))
        return None

    def show(self, count: str) -> None:
        """Reads `_count`, of which 0 alone matters: the total without the Subscriptions."""
        self.alone = whole_number(count, "takes a whole number.") == 0 or self.alone

    def narrow(self, name: str, value: str) -> None:
        """Reads `_summary` and `_elements`; `_summary=count` asks for the total alone."""
        self.subset = narrowed(self.subset, name, value)
        self.alone = self.alone or self.subset.counts

    def finds(self, row: Row) -> bool:
        """Whether a Subscription meets every condition."""
        has = {
            "_id": row["id"],
            "criteria": row["topic"],
            "payload": row["mime"],
            "status": fhir_status(row["status"]),
            "type": "rest-hook",
            "url": row["url"],
        }
        return all(has[name] in wanted for name, wanted in self.tests)


def read_search(asked: Sequence[tuple[str, str]], *, strict: bool) -> SubscriptionSearch:
    """Reads a search from name-value pairs. Raises `Refusal` (400) with every fault at once."""
    search = SubscriptionSearch()
    read_into(search, asked, strict=strict)
    return search


# Shared parts of the routes

PREFIX = "/fhir/Subscription"


async def _id(
    request: Request,
    id: Annotated[str, Path(max_length=64, description="The Subscription's id.")],
) -> str:
    """The id in the path. Raises 404 for an id that FHIR does not allow.

    `_search` and `$status` are no ids: 405 where they do not take the method.
    """
    if not is_id(id):
        raise wrong_method(request.scope) or not_found("Subscription")
    return id


SubscriptionId = Annotated[str, Depends(_id)]


def now_of(request: Request) -> datetime:
    """The time by the service's clock."""
    return deployment(request).clock.now()


def vault_of(request: Request) -> Vault:
    """The vault that opens the stored headers and keys."""
    return Vault(deployment(request).settings)


def base_of(request: Request) -> str:
    """The base URL of our FHIR API."""
    return deployment(request).settings.fhir_base


def bundle(body: bytes) -> Response:
    """The answer with a Bundle that no cache keeps."""
    return Response(body, headers={"Cache-Control": "no-store"}, media_type=FHIR_JSON)


# The routes

router = APIRouter(prefix=PREFIX, tags=["Notifications"])

_WHOLE = Subset()
_BODY = fhir_body("Subscription", ["subscription"])
_FAULTS = (400, 403, 409, 422)


async def _wanted(
    request: Request,
    caller: Caller,
    source: Source,
    before: Row | None = None,
) -> tuple[dict[str, Any], WantedSubscription]:
    """Reads the body, and the Subscription wanted by it.

    422 with every fault at once; 403 where the caller may not read what full content carries.
    """
    body = await read_body(request)
    if before is None:
        tree = await to_thread_if_heavy(read_tree, body, ["Subscription"])
    else:
        tree = await to_thread_if_heavy(read_whole, body, "Subscription", before["id"])
    headers = vault_of(request).open_headers(before["headers"]) if before else {}
    known = {name.lower() for name in headers}
    wanted, faults = read_subscription(tree, base_of(request), now_of(request), known)
    faults += _unsendable(request, caller, tree)
    if before is not None and tree["criteria"] != before["topic"]:
        text = "The topic stays, since event numbers go with it. Make another Subscription."
        faults.append(Issue("business-rule", text, "Subscription.criteria"))
    if wanted is not None:
        faults += await keep.identify(source, wanted)
    if wanted is None or faults:
        raise refuse_faults(faults, 422)
    if wanted.content == "full-resource":
        for kind in CARRIES.get(wanted.topic.focus, (wanted.topic.focus,)):
            require(caller, kind, "r")
    return tree, wanted


def _unsendable(request: Request, caller: Caller, tree: Mapping[str, Any]) -> list[Issue]:
    url = tree["channel"].get("endpoint")
    guard = Guard.of(deployment(request).settings)
    blocked = guard.fault(url, caller.organization_id) if isinstance(url, str) else None
    return [Issue("value", blocked, "Subscription.channel.endpoint")] if blocked else []


def _answer(request: Request, row: Row, status: int = 200, subset: Subset = _WHOLE) -> Response:
    body = orjson.dumps(keep.as_resource(row, vault_of(request), now_of(request)))
    headers = version_headers(row["version"], row["updated_at"])
    if status == 201:
        headers["Location"] = f"{base_of(request)}/Subscription/{row['id']}"
    return Response(subset.of("Subscription", body), status, headers, media_type=FHIR_JSON)


@router.post(
    "",
    operation_id="createSubscription",
    summary="Subscribe to a topic",
    description="A rest-hook on a topic: Gravity's Task and Servicerequest, or PAS. `criteria` is "
    "the topic's URL; the extension backport-payload-content says empty, id-only or full-resource. "
    "It is `requested` until a handshake is answered with a 2xx.",
    status_code=201,
    responses={
        201: fhir_response("Subscription", ["subscription"], "Asked for.", created_headers()),
        **errors(*_FAULTS),
    },
    openapi_extra={**_BODY, **fhir("Subscription", interaction="create")},
)
async def create_subscription(request: Request, caller: CallerDep, source: CallersRows) -> Response:
    """The worker sends the handshake after the answer."""
    require(caller, "Subscription", "c")
    refuse_condition(request)
    tree, wanted = await _wanted(request, caller, source)
    row = await keep.create(source, caller, tree, wanted, vault_of(request), now_of(request))
    return as_preferred(request, _answer(request, row, 201))


async def search_subscriptions(
    request: Request, caller: CallerDep, source: CallersRows
) -> Response:
    """Answers with the Subscriptions that the query or the form asks for."""
    require(caller, "Subscription", "s")
    search = read_search(parameters_of(request, await form_of(request)), strict=is_strict(request))
    vault, now, base = vault_of(request), now_of(request), base_of(request)
    stored = [
        Stored(
            "Subscription",
            row["id"],
            row["version"],
            search.subset.of("Subscription", orjson.dumps(keep.as_resource(row, vault, now))),
        )
        for row in await keep.all_of(source, caller.organization_id)
        if search.finds(row)
    ]
    page, total = [] if search.alone else stored, len(stored)
    links = [("self", search.link(base))]
    return bundle(searchset(base, page, links=links, total=total, warnings=search.warnings))


_SEARCH = SearchRoutes(
    kind="Subscription",
    name="Subscriptions",
    summary="List your organization's Subscriptions",
    description="All of them, or those that fit; other organizations' are never found.",
    by_form="The same search with its parameters in the body.",
    responses={
        200: fhir_response("Bundle", ["searchset-of-subscription"], "A Bundle of type searchset."),
        **errors(400, 403),
    },
    described=described_few(PARAMETERS, "There is one page. 0 asks for the total alone."),
    searched=Searched({name: kind for name, (kind, _) in PARAMETERS.items()}),
    example={"status": ["active"]},
)
add_search(router, "", _SEARCH, search_subscriptions)


@router.get(
    "/{id}",
    operation_id="readSubscription",
    summary="Read a Subscription",
    description="As asked for, with its status and what is wrong; header values are masked.",
    responses={
        200: fhir_response("Subscription", ["subscription"], "The Subscription.", versioned()),
        **errors(400, 403, 404, 410),
    },
    openapi_extra={
        "parameters": in_query(IN_READS),
        **fhir("Subscription", interaction="read"),
    },
)
async def read_one(
    id: SubscriptionId, request: Request, caller: CallerDep, source: CallersRows
) -> Response:
    """Another organization's is 404."""
    require(caller, "Subscription", "r")
    subset = of_read(parameters_of(request))
    row = await keep.find(source, caller.organization_id, id)
    return _answer(request, row, subset=subset)


@router.put(
    "/{id}",
    operation_id="updateSubscription",
    summary="Change a Subscription, stop it, or start it again",
    description="`status` off stops it; requested asks for a new handshake, after an error too. "
    "The topic stays. A header whose masked value is sent back keeps its value. `If-Match` is "
    "required.",
    responses={
        200: fhir_response("Subscription", ["subscription"], "As it now is.", versioned()),
        **errors(*_FAULTS, 404, 410, 412, 428),
    },
    openapi_extra={**_BODY, **fhir("Subscription", interaction="update")},
)
async def update_subscription(
    id: SubscriptionId, request: Request, caller: CallerDep, connection: CallersTransaction
) -> Response:
    """What is waiting is sent after the handshake."""
    require(caller, "Subscription", "u")
    row = await keep.find(connection, caller.organization_id, id, lock=True)
    header = request.headers.get("if-match")
    if header is None:
        text = 'Send the version that you have read: `If-Match: W/"1"`.'
        raise refuse(428, "conflict", text)
    check_if_match(header, row["version"])
    tree, wanted = await _wanted(request, caller, connection, row)
    changed = await keep.update(
        connection, row, caller, tree, wanted, vault_of(request), now_of(request)
    )
    return as_preferred(request, _answer(request, changed))


@router.delete(
    "/{id}",
    operation_id="deleteSubscription",
    summary="End a Subscription",
    description="Nothing more is sent. What it was sent stays on record. A second time changes "
    "nothing.",
    status_code=204,
    responses={
        204: {"description": "It has ended."},
        **errors(400, 403, 404, 412),
    },
    openapi_extra=fhir("Subscription", interaction="delete"),
)
async def delete_subscription(
    id: SubscriptionId, request: Request, caller: CallerDep, connection: CallersTransaction
) -> Response:
    """`If-Match` is honoured. What has ended already is as the caller wants it."""
    require(caller, "Subscription", "d")
    row = await keep.find(connection, caller.organization_id, id, lock=True, deleted=True)
    if keep.is_deleted(row):
        return Response(status_code=204)
    check_if_match(request.headers.get("if-match"), row["version"])
    await keep.end(connection, row, now_of(request))
    return Response(status_code=204)
