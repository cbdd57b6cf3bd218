"""The CapabilityStatement, made from the routes: the statement claims only what has a route.

A route states its meaning in FHIR with `openapi_extra={**fhir("Task", interaction="read")}`.
Source: FHIR R4 4.0.1 CapabilityStatement; SMART App Launch 2.2 (`oauth-uris`).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute

from app.api.contract.bodies import fhir_response
from app.api.contract.responses import errors
from app.api.deployment import deployment_of
from app.base.settings import VERSION, Settings
from app.fhir.outcome import FHIR_JSON, is_known
from app.fhir.r4 import codes
from app.fhir.subscription import TOPIC_CANONICAL, TOPICS

router = APIRouter()

KEY = "x-fhir"
#: The interactions of R4 in the order of the specification; other routes are operations.
_CODES = (
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
_SYSTEM_CODES = ("transaction", "batch", "search-system", "history-system")
#: Operations that published guides define → their canonical URLs.
_PUBLISHED = {
    ("Claim", "submit"): codes.PAS_SUBMIT,
    ("Claim", "inquire"): codes.PAS_INQUIRE,
    ("Subscription", "status"): codes.BACKPORT_STATUS,
    ("Subscription", "events"): codes.BACKPORT_EVENTS,
}
#: Published roles whose demands this server meets in full. Gravity's coordination platform is not
#: listed: the server does not meet some of its demands (for example XML).
_INSTANTIATES = [codes.BACKPORT_SERVER]
_DOCUMENTATION = (
    "A transaction creates one ServiceRequest and what goes with it: its entries are POST alone. "
    "Reads and searches take `_summary` and `_elements`; searches also `_count`, `_total` and "
    "`_sort` by `_id` and `_lastUpdated`; histories `_count`, `_since` and `_at`. Writes honour "
    "`Prefer: return=…`, searches `Prefer: handling=…`: unless told otherwise a parameter that is "
    "unknown, empty or not served is ignored with a warning that names it. HEAD is answered "
    "wherever GET is. A date without a zone, stored or asked, is a day of California "
    "(America/Los_Angeles); names are compared without case and accents."
)
#: Changed by hand when the statement changes in kind; the rest follows from the routes.
_DATE = "2026-11-28"


@dataclass(frozen=True, slots=True)
class Searched:
    """The parameters that a search takes."""

    #: Parameter → type (`token`, `reference`, `date` …).
    types: Mapping[str, str]
    #: Parameter that R4 does not define → what the parameter selects.
    ours: Mapping[str, str] = field(default_factory=dict)
    #: Values of `_include`.
    include: Sequence[str] = ()
    #: Values of `_revinclude`.
    revinclude: Sequence[str] = ()


def fhir(
    resource: str | None,
    *,
    interaction: str | None = None,
    operation: str | None = None,
    search: Searched | None = None,
    conditional: bool = False,
    not_match: bool = False,
    creates: bool = False,
) -> dict[str, Any]:
    """The meaning of a route in FHIR, for its `openapi_extra`.

    `resource` None: the whole system. Either an R4 `interaction` or the name of an `operation`,
    without `$`. `conditional`: the create honours `If-None-Exist`. `not_match`: the read honours
    `If-None-Match`. `creates`: the update creates what does not exist.
    """
    meaning: dict[str, Any] = {
        "type": resource,
        "interaction": interaction,
        "operation": operation,
        "conditional": conditional,
        "not_match": not_match,
        "creates": creates,
    }
    if search is not None:
        meaning |= {"search": search.types, "ours": search.ours}
        meaning |= {"include": search.include, "revinclude": search.revinclude}
    return {KEY: {name: value for name, value in meaning.items() if value}}


def fhir_each(kinds: Iterable[str], **meaning: Any) -> dict[str, Any]:
    """The meaning in FHIR of a route that serves several types; `meaning` as `fhir` takes it."""
    return {KEY: {**fhir(None, **meaning)[KEY], "types": list(kinds)}}


@router.get(
    "/fhir/metadata",
    operation_id="readCapabilities",
    summary="What this server can do",
    tags=["Access"],
    openapi_extra={"security": []},
    responses={
        200: fhir_response(
            "CapabilityStatement",
            ["capability-statement"],
            "The capability statement, made from the routes of this very process.",
            {"ETag": "Changes when the statement does"},
        ),
        304: {"description": "Not changed since the `If-None-Match` that was sent."},
        **errors(405),
    },
)
async def read_capabilities(request: Request) -> Response:
    """The CapabilityStatement (FHIR R4). No token is needed."""
    body, tag = _rendered(request.app)
    headers = {"ETag": tag, "Cache-Control": "public, max-age=300"}
    if is_known(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=FHIR_JSON, headers=headers)


@lru_cache(maxsize=1)
def _rendered(app: FastAPI) -> tuple[bytes, str]:
    """The statement of an application and its ETag, rendered at the first request."""
    routes = (route for route in app.routes if isinstance(route, APIRoute))
    body = orjson.dumps(statement(routes, deployment_of(app).settings))
    return body, f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'


def statement(routes: Iterable[APIRoute], settings: Settings) -> dict[str, Any]:
    """Makes the statement from the routes that carry `x-fhir`."""
    extras = (route.openapi_extra or {} for route in routes)
    meanings = [meaning for extra in extras if KEY in extra for meaning in _each(extra[KEY])]
    types = sorted({meaning["type"] for meaning in meanings if "type" in meaning})
    whole = [meaning for meaning in meanings if "type" not in meaning]
    rest: dict[str, Any] = {
        "mode": "server",
        "documentation": _DOCUMENTATION,
        "security": _security(settings),
    }
    if types:
        rest["resource"] = [
            _resource(kind, [meaning for meaning in meanings if meaning.get("type") == kind])
            for kind in types
        ]
    system = {meaning.get("interaction") for meaning in whole}
    if system & set(_SYSTEM_CODES):
        rest["interaction"] = [{"code": code} for code in _SYSTEM_CODES if code in system]
    return {
        "resourceType": "CapabilityStatement",
        "url": settings.fhir_base + "/metadata",
        "version": VERSION,
        "name": "NoWrongDoor",
        "title": "No Wrong Door: referrals for Enhanced Care Management and Community Supports",
        "status": "active",
        "date": _DATE,
        "kind": "instance",
        **({"instantiates": _INSTANTIATES} if "Subscription" in types else {}),
        "software": {"name": "No Wrong Door", "version": VERSION},
        "implementation": {"description": "No Wrong Door", "url": settings.fhir_base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        **({"patchFormat": ["application/json-patch+json"]} if _patches(meanings) else {}),
        "rest": [rest],
    }


def _each(meaning: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The meaning of a route for each type that it serves."""
    return (
        [{**meaning, "type": kind} for kind in meaning["types"]]
        if "types" in meaning
        else [meaning]
    )


def _patches(meanings: list[dict[str, Any]]) -> bool:
    return any(meaning.get("interaction") == "patch" for meaning in meanings)


def _security(settings: Settings) -> dict[str, Any]:
    return {
        "cors": False,
        "service": [{"coding": [{"system": codes.SECURITY_SERVICE, "code": "SMART-on-FHIR"}]}],
        "extension": [
            {
                "url": codes.OAUTH_URIS,
                "extension": [{"url": "token", "valueUri": settings.token_url}],
            }
        ],
    }


def _resource(kind: str, meanings: list[dict[str, Any]]) -> dict[str, Any]:
    interactions = {meaning.get("interaction") for meaning in meanings}
    parameters: dict[str, str] = {}
    ours: dict[str, str] = {}
    for meaning in meanings:
        parameters |= meaning.get("search", {})
        ours |= meaning.get("ours", {})
    resource: dict[str, Any] = {"type": kind}
    if kind == "Subscription":
        resource["extension"] = [{"url": TOPIC_CANONICAL, "valueCanonical": url} for url in TOPICS]
        resource["supportedProfile"] = [codes.BACKPORT + "backport-subscription"]
    if interactions & set(_CODES):
        resource["interaction"] = [{"code": code} for code in _CODES if code in interactions]
    resource["versioning"] = (
        "versioned-update" if interactions & {"update", "patch"} else "versioned"
    )
    if "history-instance" in interactions:
        resource["readHistory"] = True
    if interactions & {"update"}:
        resource["updateCreate"] = any(meaning.get("creates") for meaning in meanings)
    if any(meaning.get("conditional") for meaning in meanings):
        resource["conditionalCreate"] = True
    if any(meaning.get("not_match") for meaning in meanings):
        resource["conditionalRead"] = "not-match"
    if parameters:
        resource["searchParam"] = [
            _parameter(kind, name, type_, ours.get(name))
            for name, type_ in sorted(parameters.items())
        ]
    for element, key in (("searchInclude", "include"), ("searchRevInclude", "revinclude")):
        if names := {name for meaning in meanings for name in meaning.get(key, ())}:
            resource[element] = sorted(names)
    operations = sorted({meaning["operation"] for meaning in meanings if "operation" in meaning})
    if operations:
        resource["operation"] = [_operation(kind, name) for name in operations]
    return resource


def _parameter(kind: str, name: str, type_: str, about: str | None) -> dict[str, Any]:
    """A search parameter; one that R4 does not define has `about`, which tells what it selects."""
    if about is None:
        return {"name": name, "type": type_}
    definition = f"{codes.SEARCH_PARAMETER}{kind}-{name}"
    return {"name": name, "definition": definition, "type": type_, "documentation": about}


def _operation(kind: str, name: str) -> dict[str, Any]:
    known = _PUBLISHED.get((kind, name))
    return {"name": name, "definition": known or codes.OPERATION + name}
