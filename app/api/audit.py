"""`AuditEvent`: who reached or changed what, for the staff of the plan whose data it was.

Reading the record is recorded, too. What belongs to no plan (refused tokens, searches that found
nothing) is the operators' to read: `python -m app audit export --plan '*'`.
"""

from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Request, Response

from app.api.acting import CallersRows
from app.api.answer import parameters_of
from app.api.asked import CURSOR_DESCRIBED
from app.api.caller import CallerDep, require, require_scope
from app.api.capability import Searched, fhir
from app.api.contract.bodies import fhir_response, in_query
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.api.reads import SearchRoutes, add_search, described_few, form_of
from app.api.web.media import is_strict
from app.base.errors import not_found
from app.fhir.outcome import FHIR_JSON, NO_STORE
from app.fhir.render_audit import audit_event
from app.fhir.searchset import Stored, searchset
from app.model.caller import DECIDE, Caller
from app.store.audit.access import reached
from app.store.database import Row
from app.store.reading.access import check_id
from app.store.reading.audit import (
    PARAMETERS,
    AuditSearch,
    events_page,
    events_total,
    one_event,
    read_audit_search,
)
from app.store.reading.cursor import Position, sign, verify
from app.store.reading.reader import CURSOR
from app.store.reading.subset import IN_READS, of_read

router = APIRouter()

_KIND = "AuditEvent"
_TAG = "Plan staff"
_ABOUT = (
    "Every access to a member's data, every move and every message that was sent leaves one, in "
    "the shape of IHE's BALP. They cannot be changed; `python -m app audit verify` tells whether "
    "somebody did. For plan staff, about their own plan's members."
)


def _plan_of(caller: Caller, letter: str) -> str:
    """The plan whose record the caller reads. 403 for everybody but plan staff."""
    require(caller, _KIND, letter)
    require_scope(caller, DECIDE)
    if caller.plan is None:
        raise not_found(_KIND)
    return caller.plan


@router.get(
    "/fhir/AuditEvent/{id}",
    operation_id="readAuditEvent",
    summary="Read one entry of the record",
    description=_ABOUT,
    tags=[_TAG],
    responses={
        200: fhir_response(_KIND, ["audit-event"], "The event."),
        **errors(400, 403, 404),
    },
    openapi_extra={"parameters": in_query(IN_READS), **fhir(_KIND, interaction="read")},
)
async def read_event(
    request: Request,
    caller: CallerDep,
    source: CallersRows,
    id: Annotated[str, Path(description="The event's id.")],
) -> Response:
    """Another plan's is 404."""
    plan = _plan_of(caller, "r")
    subset = of_read(parameters_of(request))
    row = await one_event(source, plan, check_id(_KIND, id))
    if row is None:
        raise not_found(_KIND)
    reached(plan, f"{_KIND}/{id}")
    body = subset.of(_KIND, _rendered(row, deployment(request).settings.fhir_base))
    return Response(body, headers=NO_STORE, media_type=FHIR_JSON)


async def search_events(request: Request, caller: CallerDep, source: CallersRows) -> Response:
    """Answers with the page of events that the query or the body asks for."""
    plan = _plan_of(caller, "s")
    settings = deployment(request).settings
    base, secret = settings.fhir_base, settings.token_secret.get_secret_value()
    form = await form_of(request)
    search = read_audit_search(parameters_of(request, form), base, strict=is_strict(request))
    link = search.link(base)
    bound_to = f"{caller.organization_id}\0{link}"
    after = verify(search.cursor, secret, bound_to) if search.cursor is not None else None
    reached(plan)
    links = [("self", search.link(base, search.cursor))]
    if search.alone:
        total = await events_total(source, plan, search)
        body = searchset(base, [], links=links, total=total, warnings=search.warnings)
        return Response(body, headers=NO_STORE, media_type=FHIR_JSON)
    rows = await events_page(source, plan, search, after)
    shown = rows[: search.count]
    if len(rows) > len(shown):
        following = Position(shown[-1]["recorded"], shown[-1]["id"])
        links.append(("next", search.link(base, sign(following, secret, bound_to))))
    body = searchset(base, _stored(shown, search, base), links=links, warnings=search.warnings)
    return Response(body, headers=NO_STORE, media_type=FHIR_JSON)


def _stored(rows: list[Row], search: AuditSearch, base: str) -> list[Stored]:
    return [
        Stored(_KIND, row["id"], 1, search.subset.of(_KIND, _rendered(row, base))) for row in rows
    ]


def _rendered(row: Row, base: str) -> bytes:
    return orjson.dumps(audit_event(dict(row), base))


_SEARCH = SearchRoutes(
    kind=_KIND,
    summary="Search the record",
    description=f"{_ABOUT} Newest first. `patient=Patient/…` finds who reached a member's data; "
    "`agent=Organization/…` what an organization reached, or was told.",
    by_form="The same search with its parameters in the body.",
    responses={
        200: fhir_response("Bundle", ["searchset-of-audit-event"], "A Bundle of type searchset."),
        **errors(400, 403),
    },
    described={
        **described_few(PARAMETERS, "Events on a page. 0 asks for the total alone."),
        CURSOR: CURSOR_DESCRIBED,
    },
    searched=Searched({name: kind for name, (kind, _) in PARAMETERS.items()}),
    example={"action": ["E"], "outcome": ["4"]},
)
add_search(router, "/fhir/AuditEvent", _SEARCH, search_events, [_TAG])
