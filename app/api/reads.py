"""Routes of reads, histories and searches, five for every type, with their place in the contract.

The search parameters of a type come from `app.store.reading.catalog`, so that the contract, the
capability statement and the code cannot differ.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from app.api.answer import of_history, of_read, of_search
from app.api.asked import CURSOR_DESCRIBED, asked_of, modified
from app.api.caller import CallerDep, require
from app.api.caller import caller as identify
from app.api.capability import Searched, fhir
from app.api.contract.bodies import (
    HISTORY_OF,
    SEARCHSET_OF,
    fhir_response,
    in_query,
    search_body,
    versioned,
)
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.api.web.gate import read_body
from app.model.caller import Caller
from app.store.audit.access import asked_with
from app.store.reading.access import visibility
from app.store.reading.catalog import PARAMETERS, referring
from app.store.reading.include import INCLUDES
from app.store.reading.query import SORTS
from app.store.reading.read import IN_HISTORIES, read, vread
from app.store.reading.reader import MAX_COUNT
from app.store.reading.revinclude import MAX_SHOWN
from app.store.reading.subset import IN_READS, IN_SEARCHES
from app.store.reading.values import DATE_PATTERN, SEARCH_PATTERN, Described

#: Parameters of every search.
_COMMON: Described = {
    "_id": (
        {"type": "string", "pattern": SEARCH_PATTERN},
        "The id, or several separated by commas.",
    ),
    "_lastUpdated": (
        {"type": "string", "pattern": DATE_PATTERN},
        "When it last changed: `ge2026-11-20`, `lt2026-11-20T08:00:00Z`; no zone: California's.",
    ),
    "_count": (
        {"type": "integer", "minimum": 0, "maximum": 999_999_999, "default": 20},
        f"Matches on a page; at most {MAX_COUNT} are given. 0 asks for the total alone.",
    ),
    "_sort": (
        # No enumeration: an unknown sort is ignored with a warning.
        {"type": "string", "pattern": SEARCH_PATTERN},
        f"By id (as they were made; the default) or by the last change: {', '.join(SORTS)}.",
    ),
    "_total": (
        {"type": "string", "enum": ["none", "estimate", "accurate"]},
        "`accurate` counts all matches; left out, a total is given where one page holds them all.",
    ),
    "_cursor": CURSOR_DESCRIBED,
    **IN_SEARCHES,
}
_SEARCH_DESCRIPTION = (
    "Only what the caller may see is found. Repeated parameters must all hold, commas separate "
    "alternatives: at most ten conditions of twenty alternatives. A parameter that is not known "
    "or has no value, and a `_sort` that is not served, are ignored with a warning entry that "
    "names them, or refused under `Prefer: handling=strict`. Follow `next` links for more; a row "
    "that is written meanwhile neither repeats nor hides another."
)
#: No enumeration: an unknown value is ignored with a warning, as an unknown parameter is.
_ANY = {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]*$"}

_FAILURES = errors(400, 403, 404)


def add_reading(router: APIRouter, kind: str, tag: str, examples: list[str]) -> None:
    """Adds the routes of one type: read, vread, history, and search by GET and by POST."""
    _add_reads(router, kind, tag, examples)
    _add_history(router, kind, tag, examples[0])
    _add_searches(router, kind, tag, examples[0])


class DirectRoute(APIRoute):
    """A route that calls its handler with the request, the caller, and what the path names.

    Reads, searches and referrals are most requests, and the framework's own way from a request to
    the parameters of a handler takes longer than the database. The contract is made from the
    handler's signature as on every route. Parameters of the query that the signature names keep
    their defaults where the request has no query, and else are read by the framework; all others
    have to be read from the request.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[..., Coroutine[Any, Any, Response]] = self.endpoint
        by_framework = super().get_route_handler() if self.dependant.query_params else None

        async def handle(request: Request) -> Response:
            if by_framework is not None and request.scope["query_string"]:
                return await by_framework(request)
            return await handler(
                request=request, caller=await identify(request), **request.path_params
            )

        return handle


async def answer_read(request: Request, caller: Caller, kind: str, id: str) -> Response:
    """Answers a read of any type. 403 without the scope, 404 for what the caller may not see."""
    require(caller, kind, "r")
    source = deployment(request).database
    return await of_read(request, await read(source, kind, id, visibility(caller)))


async def answer_vread(
    request: Request, caller: Caller, kind: str, id: str, version: str
) -> Response:
    """Answers a read of one version. 403 without the scope, 404 for what the caller may not see."""
    require(caller, kind, "r")
    source = deployment(request).database
    return await of_read(request, await vread(source, kind, id, version, visibility(caller)))


def read_responses(kind: str, examples: list[str]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a read and of a read of one version."""
    return {
        200: fhir_response(kind, examples, "The resource.", versioned()),
        304: {"description": "Not changed since the `If-None-Match` that was sent."},
        **_FAILURES,
    }


def _add_reads(router: APIRouter, kind: str, tag: str, examples: list[str]) -> None:
    async def read_one(
        id: str,
        request: Request,
        caller: CallerDep,
    ) -> Response:
        return await answer_read(request, caller, kind, id)

    async def read_version(
        id: str,
        version: str,
        request: Request,
        caller: CallerDep,
    ) -> Response:
        return await answer_vread(request, caller, kind, id, version)

    responses = read_responses(kind, examples)
    router.add_api_route(
        f"/fhir/{kind}/{{id}}",
        read_one,
        route_class_override=DirectRoute,
        operation_id=f"read{kind}",
        summary=f"Read one {kind}",
        description="Its current version, with its ETag. What is not the caller's to see is 404.",
        tags=[tag],
        responses=responses,
        openapi_extra={
            "parameters": in_query(IN_READS),
            **fhir(kind, interaction="read", not_match=kind != "HealthcareService"),
        },
    )
    router.add_api_route(
        f"/fhir/{kind}/{{id}}/_history/{{version}}",
        read_version,
        route_class_override=DirectRoute,
        operation_id=f"readVersionOf{kind}",
        summary=f"Read one version of a {kind}",
        description="As it was stored then.",
        tags=[tag],
        responses=responses,
        openapi_extra={"parameters": in_query(IN_READS), **fhir(kind, interaction="vread")},
    )


def _add_history(router: APIRouter, kind: str, tag: str, example: str) -> None:
    async def read_history(
        id: str,
        request: Request,
        caller: CallerDep,
    ) -> Response:
        require(caller, kind, "r")
        return await of_history(request, caller, kind, id)

    bundle = fhir_response(
        "Bundle", [HISTORY_OF + example], "A Bundle of type history, newest first."
    )
    router.add_api_route(
        f"/fhir/{kind}/{{id}}/_history",
        read_history,
        route_class_override=DirectRoute,
        operation_id=f"readHistoryOf{kind}",
        summary=f"Read all versions of a {kind}",
        description="Every version that was ever stored, newest first. Follow `next` links for "
        f"more: a page holds at most {MAX_COUNT} versions, and fewer of large ones.",
        tags=[tag],
        responses={200: bundle, **_FAILURES},
        openapi_extra={
            "parameters": in_query(IN_HISTORIES),
            **fhir(kind, interaction="history-instance"),
        },
    )


@dataclass(frozen=True, slots=True)
class SearchRoutes:
    """A search in the contract: sent with GET, or with POST and a form to `_search`."""

    kind: str
    summary: str
    #: The description of the GET; `by_form` is the description of the POST.
    description: str
    by_form: str
    responses: Mapping[int | str, dict[str, Any]]
    described: Described
    searched: Searched
    #: The example of the form: parameter → values.
    example: Mapping[str, Any]
    #: The operation id after `search`; `kind` where the name is empty.
    name: str = ""


def add_search(
    router: APIRouter,
    path: str,
    search: SearchRoutes,
    answer: Callable[..., Awaitable[Response]],
    tags: list[str | Enum] | None = None,
    *,
    of_class: type[APIRoute] = APIRoute,
) -> None:
    """Adds both routes of a search. `answer` handles both, and gets the form by `form_of`."""
    responses, operation_id = {**search.responses}, f"search{search.name or search.kind}"
    about = fhir(search.kind, interaction="search-type", search=search.searched)
    router.add_api_route(
        path,
        answer,
        route_class_override=of_class,
        operation_id=operation_id,
        summary=search.summary,
        description=search.description,
        tags=tags,
        responses=responses,
        openapi_extra={"parameters": in_query(search.described), **about},
    )
    router.add_api_route(
        f"{path}/_search",
        answer,
        route_class_override=of_class,
        methods=["POST"],
        operation_id=f"{operation_id}ByForm",
        summary=f"{search.summary} with a form",
        description=search.by_form,
        tags=tags,
        responses=responses,
        openapi_extra={**search_body(search.described, search.example), **about},
    )


async def form_of(request: Request) -> bytes:
    """The form of a POST to `_search`, empty for a GET; noted for the record."""
    form = await read_body(request) if request.method == "POST" else b""
    asked_with(form or request.scope["query_string"])
    return form


def _add_searches(router: APIRouter, kind: str, tag: str, example: str) -> None:
    async def search(request: Request, caller: CallerDep) -> Response:
        require(caller, kind, "s")
        return await of_search(request, caller, kind, await form_of(request))

    bundle = fhir_response("Bundle", [SEARCHSET_OF + example], "A Bundle of type searchset.")
    types = {"_id": "token", "_lastUpdated": "date"}
    searched = Searched(
        types | {known.name: known.type for known in PARAMETERS[kind]},
        {known.name: _sentence(known.about) for known in PARAMETERS[kind] if known.ours},
        [f"{kind}:{name}" for name in INCLUDES.get(kind, ())],
        list(referring(kind)),
    )
    routes = SearchRoutes(
        kind=kind,
        summary=f"Search {kind}",
        description=_SEARCH_DESCRIPTION,
        by_form="The same search with its parameters in the body, where an identifier would "
        "otherwise stand in a URL. " + _SEARCH_DESCRIPTION,
        responses={200: bundle, **errors(400, 403)},
        described=described(kind),
        searched=searched,
        example=asked_of(kind),
    )
    add_search(router, f"/fhir/{kind}", routes, search, [tag], of_class=DirectRoute)


def described(kind: str) -> Described:
    """The search parameters of a type, for the contract."""
    listed = dict(_COMMON)
    for known in PARAMETERS[kind]:
        schema: dict[str, Any] = {"type": "string", "pattern": SEARCH_PATTERN}
        if known.kind == "date":
            schema = {"type": "string", "pattern": DATE_PATTERN}
        description = f"{_sentence(known.about)} ({known.type})."
        if known.modifiers:
            description += f" Modifiers: {', '.join(f'`:{name}`' for name in known.modifiers)}."
        listed[known.name] = (schema, description)
        listed |= modified(kind, known)
    if names := INCLUDES.get(kind):
        known_as = ", ".join(f"`{kind}:{name}`" for name in names)
        description = (
            f"Brings along what the matches refer to, where the caller may read it: {known_as}."
        )
        listed["_include"] = (_ANY, description)
    if referred := referring(kind):
        known_as = ", ".join(f"`{name}`" for name in referred)
        description = (
            f"Brings along what refers to the matches, where the caller may search it, {MAX_SHOWN} "
            f"of each at most: {known_as}."
        )
        listed["_revinclude"] = (_ANY, description)
    return listed


def _sentence(about: str) -> str:
    """The words `about` a parameter, with a capital letter first."""
    return about[0].upper() + about[1:]


def described_few(
    known: Mapping[str, tuple[str, str]], count: str, modifiers: Mapping[str, str] | None = None
) -> Described:
    """The search parameters of a type whose few resources are searched in memory, for the contract.

    `known`: parameter → its kind, and what the parameter selects. `count`: the description of
    `_count`. `modifiers`: modifier of string parameters → what the modifier does.
    """
    text = {"type": "string", "pattern": SEARCH_PATTERN}
    return {
        **{name: (text, f"{description} ({kind}).") for name, (kind, description) in known.items()},
        **{
            f"{name}:{modifier}": (text, f"`{name}`, {does}.")
            for name, (kind, _) in known.items()
            for modifier, does in (modifiers or {}).items()
            if kind == "string"
        },
        "_count": ({"type": "integer", "minimum": 0, "maximum": 999_999_999}, count),
        **IN_SEARCHES,
    }


router = APIRouter()

#: Type → its tag (who reads the type most), and examples.
_TYPES: dict[str, tuple[str, list[str]]] = {
    "ServiceRequest": ("Referrals", ["referral-approved"]),
    "Task": ("Providers", ["task"]),
    "ClaimResponse": ("Referrals", ["claim-response"]),
    "Communication": ("Referrals", ["communication"]),
    "CommunicationRequest": ("Referrals", ["communication-request"]),
    "QuestionnaireResponse": ("Referrals", ["questionnaire-response"]),
    "Condition": ("Referrals", ["condition"]),
    "Encounter": ("Referrals", ["encounter"]),
    "Observation": ("Referrals", ["observation"]),
    "DocumentReference": ("Referrals", ["document-reference"]),
    "Consent": ("Referrals", ["consent"]),
    "Provenance": ("Plan staff", ["provenance"]),
}

for _kind, (_tag, _examples) in _TYPES.items():
    add_reading(router, _kind, _tag, _examples)
