"""The referral forms as FHIR Questionnaires, rendered once from the policies: read and search.

Every caller who may read Questionnaires sees every published form (facts.md 1.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request, Response

from app.api.answer import parameters_of
from app.api.asked import CURSOR_DESCRIBED
from app.api.caller import CallerDep, require
from app.api.capability import Searched, fhir
from app.api.contract.bodies import fhir_response, in_query
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.api.reads import SearchRoutes, add_search, described_few, form_of
from app.api.web.media import is_strict
from app.base.errors import not_found
from app.base.local_time import local_date
from app.fhir.outcome import FHIR_JSON, is_known
from app.fhir.searchset import Stored, searchset
from app.policy.library import Library
from app.policy.rules import Rules
from app.store.reading.reader import CURSOR
from app.store.reading.subset import IN_READS, of_read
from app.views.forms.search import MODIFIERS, PARAMETERS, FormSearch, read_search
from app.views.forms.summary import render_all

router = APIRouter()

_TAG = "Directory"
_KIND = "Questionnaire"
_HEADERS = {"Cache-Control": "private, max-age=300"}
_DESCRIPTION = (
    "The referral forms, one per family of services: each begins with a summary of the criteria of "
    "every plan, and asks what the policies read. What comes "
    "back as a QuestionnaireResponse goes with the referral; nothing in it is required."
)


@dataclass(frozen=True, slots=True)
class Published:
    """Every form of this deployment, as resource and as the bytes sent."""

    forms: Mapping[str, Mapping[str, Any]]
    bodies: Mapping[str, bytes]


def publish(rules: Rules, on: date) -> Published:
    """Renders all forms from the policies in force on a day; a process that serves calls this once
    at its start. A later day renders them again only if another policy is in force.
    """
    return _rendered(rules.library, tuple(policy.version for policy in rules.in_force(on)))


@lru_cache(maxsize=4)
def _rendered(library: Library, versions: tuple[str, ...]) -> Published:
    forms = render_all(library, [library.versions[version] for version in versions])
    return Published(forms, {name: orjson.dumps(form) for name, form in forms.items()})


def _published(request: Request) -> Published:
    here = deployment(request)
    return publish(here.rules, local_date(here.clock.now()))


@router.get(
    "/fhir/Questionnaire/{id}",
    operation_id="readQuestionnaire",
    summary="Read one referral form",
    description=f"{_DESCRIPTION} Texts are English, with Spanish in the translation extension.",
    tags=[_TAG],
    responses={
        200: fhir_response(
            _KIND, ["questionnaire"], "The form.", {"ETag": "Changes when the form does"}
        ),
        304: {"description": "Not changed since the `If-None-Match` that was sent."},
        **errors(400, 403, 404),
    },
    openapi_extra={
        "parameters": in_query(IN_READS),
        **fhir(_KIND, interaction="read", not_match=True),
    },
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
    subset = of_read(parameters_of(request))
    tag = f'W/"{published.forms[id]["version"]}"'
    headers = {**_HEADERS, "ETag": tag}
    if is_known(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(subset.of(_KIND, published.bodies[id]), headers=headers, media_type=FHIR_JSON)


async def search_forms(request: Request, caller: CallerDep) -> Response:
    """Answers with the forms that the query or the body asks for."""
    require(caller, _KIND, "s")
    search = read_search(parameters_of(request, await form_of(request)), strict=is_strict(request))
    bundle = _bundle(deployment(request).settings.fhir_base, search, _published(request))
    return Response(bundle, headers=_HEADERS, media_type=FHIR_JSON)


_SEARCH = SearchRoutes(
    kind=_KIND,
    summary="Search the referral forms",
    description=f"{_DESCRIPTION} `context=EAA` finds the form for a service.",
    by_form="The same search with its parameters in the body.",
    responses={
        200: fhir_response("Bundle", ["searchset-of-questionnaire"], "A Bundle of type searchset."),
        **errors(400, 403),
    },
    described={
        **described_few(PARAMETERS, "Matches on a page. 0 asks for the total alone.", MODIFIERS),
        CURSOR: CURSOR_DESCRIBED,
    },
    searched=Searched({name: kind for name, (kind, _) in PARAMETERS.items()}),
    example={"context": ["EAA"]},
)
add_search(router, "/fhir/Questionnaire", _SEARCH, search_forms, [_TAG])


def _bundle(base: str, search: FormSearch, published: Published) -> bytes:
    page, total, following = search.find(published.forms.values())
    links = [("self", search.link(base, search.cursor))]
    if following is not None:
        links.append(("next", search.link(base, following)))
    stored = [
        Stored(_KIND, name, 1, search.subset.of(_KIND, published.bodies[name]))
        for name in (form["id"] for form in page)
    ]
    return searchset(base, stored, links=links, total=total, warnings=search.warnings)
