"""The referral forms as FHIR Questionnaires: read and search. Made once from the policies.

Every published form (facts.md 1.1) is shown to every caller who may read Questionnaires.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Path, Request, Response

from app.caller.dependency import CallerDep, require
from app.caller.model import Caller
from app.errors import Issue, not_found
from app.fhir.capability import fhir
from app.fhir.outcome import FHIR_JSON, operation_outcome
from app.fhir.questionnaire import render
from app.forms.form import build_forms, load_words
from app.forms.search import CURSOR, PARAMETERS, FormSearch, read_search
from app.openapi.bodies import fhir_response, search_body
from app.openapi.responses import errors
from app.policy.library import Library
from app.reading.answer import is_strict
from app.reading.query import pairs
from app.reading.values import TEXT_PATTERN
from app.web.gate import read_body

router = APIRouter()

_TAG = "Directory"
_KIND = "Questionnaire"
_SEARCH = {name: kind for name, (kind, _) in PARAMETERS.items()}
_HEADERS = {"Cache-Control": "private, max-age=300"}
_SAID = (
    "The referral forms, one per family of services, asking what the policies read. What comes "
    "back as a QuestionnaireResponse goes with the referral; nothing in it is required."
)


@dataclass(frozen=True, slots=True)
class Published:
    """Every form of this deployment, as resource and as sent."""

    forms: Mapping[str, Mapping[str, Any]]
    bodies: Mapping[str, bytes]


def publish(library: Library) -> Published:
    """All forms, rendered from the policies."""
    words = load_words()
    forms = {name: render(form, words) for name, form in build_forms(library).items()}
    return Published(forms, {name: orjson.dumps(form) for name, form in forms.items()})


def _published(request: Request) -> Published:
    known: Published | None = getattr(request.app.state, "forms", None)
    if known is None:
        known = request.app.state.forms = publish(request.app.state.rules.library)
    return known


@router.get(
    "/fhir/Questionnaire/{id}",
    operation_id="readQuestionnaire",
    summary="Read one referral form",
    description=f"{_SAID} Texts are English, with Spanish in the translation extension.",
    tags=[_TAG],
    responses={
        200: fhir_response(
            _KIND, ["questionnaire"], "The form.", {"ETag": "Changes when the form does"}
        ),
        304: {"description": "Not changed since the `If-None-Match` that was sent."},
        **errors(400, 401, 403, 404, 406),
    },
    openapi_extra=fhir(_KIND, interaction="read"),
)
async def read_form(
    request: Request,
    caller: CallerDep,
    id: Annotated[str, Path(description="The form's name.", examples=["ecm"])],
) -> Response:
    """A form by its name."""
    require(caller, _KIND, "r")
    published = _published(request)
    if id not in published.forms:
        raise not_found(_KIND)
    tag = f'W/"{published.forms[id]["version"]}"'
    headers = {**_HEADERS, "ETag": tag}
    known = {one.strip() for one in request.headers.get("if-none-match", "").split(",")}
    if known & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(published.bodies[id], headers=headers, media_type=FHIR_JSON)


_QUERY: list[dict[str, Any]] = [
    {
        "name": name,
        "in": "query",
        "description": f"{said} ({kind}).",
        "schema": {"type": "string", "pattern": TEXT_PATTERN},
    }
    for name, (kind, said) in PARAMETERS.items()
] + [
    {
        "name": "_count",
        "in": "query",
        "description": "Matches on a page. 0 asks for the total alone.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    },
    {
        "name": CURSOR,
        "in": "query",
        "description": "Where a page begins: taken from a `next` link.",
        "schema": {"type": "string"},
    },
]
_FOUND = {
    200: fhir_response("Bundle", ["questionnaire-search"], "A Bundle of type searchset."),
    **errors(400, 401, 403, 406),
}


@router.get(
    "/fhir/Questionnaire",
    operation_id="searchQuestionnaire",
    summary="Search the referral forms",
    description=f"{_SAID} `context=EAA` finds the form for a service.",
    tags=[_TAG],
    responses=_FOUND,
    openapi_extra={
        "parameters": _QUERY,
        **fhir(_KIND, interaction="search-type", search=_SEARCH),
    },
)
async def search_forms(request: Request, caller: CallerDep) -> Response:
    """The forms that the query asks for."""
    return _search(request, caller, b"")


@router.post(
    "/fhir/Questionnaire/_search",
    operation_id="searchQuestionnaireByForm",
    summary="Search the referral forms with a form",
    description="The same search with its parameters in the body.",
    tags=[_TAG],
    responses={**_FOUND, **errors(408, 413, 415)},
    openapi_extra={
        **search_body({one["name"]: (one["schema"], one["description"]) for one in _QUERY}),
        **fhir(_KIND, interaction="search-type", search=_SEARCH),
    },
)
async def search_forms_by_form(request: Request, caller: CallerDep) -> Response:
    """The forms that the body asks for."""
    return _search(request, caller, await read_body(request))


def _search(request: Request, caller: Caller, form: bytes) -> Response:
    require(caller, _KIND, "s")
    asked = pairs(request.url.query.encode()) + (pairs(form) if form else [])
    search = read_search(asked, strict=is_strict(request.headers.get("prefer", "")))
    forms = list(_published(request).forms.values())
    bundle = _bundle(request.app.state.settings.fhir_base, search, forms)
    return Response(orjson.dumps(bundle), headers=_HEADERS, media_type=FHIR_JSON)


def _bundle(base: str, search: FormSearch, forms: list[Mapping[str, Any]]) -> dict[str, Any]:
    page, total, following = search.find(forms)
    after = [(CURSOR, search.after)] if search.after else []
    links = [{"relation": "self", "url": _link(base, [*search.used, *after])}]
    if following is not None:
        links.append({"relation": "next", "url": _link(base, [*search.used, (CURSOR, following)])})
    entries: list[dict[str, Any]] = [
        {
            "fullUrl": f"{base}/{_KIND}/{found['id']}",
            "resource": found,
            "search": {"mode": "match"},
        }
        for found in page
    ]
    entries += [_warning(search.warnings)] if search.warnings else []
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": total, "link": links}
    return bundle | ({"entry": entries} if entries else {})


def _warning(warnings: list[Issue]) -> dict[str, Any]:
    return {"resource": operation_outcome(warnings), "search": {"mode": "outcome"}}


def _link(base: str, used: list[tuple[str, str]]) -> str:
    encoded = urlencode(used, safe=":/|,")
    return f"{base}/{_KIND}" + (f"?{encoded}" if encoded else "")
