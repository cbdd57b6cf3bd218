"""What a read and a search answer over HTTP: headers, links, the page's cursor."""

from collections.abc import Sequence
from dataclasses import replace

from fastapi import Request, Response

from app.api.deployment import deployment
from app.api.web.media import is_strict
from app.base.errors import refuse
from app.fhir.directory import with_numbers
from app.fhir.outcome import FHIR_JSON, NO_STORE, is_known, version_headers
from app.fhir.searchset import Stored, searchset
from app.fhir.searchset import history as history_bundle
from app.fhir.subset import Subset
from app.model.caller import Caller
from app.store.database import ReadSource
from app.store.reading.access import (
    visibility,
)
from app.store.reading.cursor import sign, verify
from app.store.reading.include import include
from app.store.reading.query import Query, pairs, read_query
from app.store.reading.read import Read, history, read_asked
from app.store.reading.revinclude import bounded, referring
from app.store.reading.search import Page, search
from app.store.reading.subset import of_read as subset_of_read
from app.store.reading.values import (
    ABOUT_THE_FORM,
)


def of_resource(read: Read) -> Response:
    """A version with its ETag."""
    headers = version_headers(read.stored.version, read.updated_at)
    return Response(_current(read.stored.body, read.numbers), headers=headers, media_type=FHIR_JSON)


def of_read(request: Request, read: Read) -> Response:
    """As much of a version as was asked for; 304 where the client has it already."""
    subset, stored = subset_of_read(asked(request)), read.stored
    headers = version_headers(stored.version, read.updated_at)
    known = is_known(request.headers.get("if-none-match"), headers["ETag"])
    if known and read.numbers is None:
        return Response(status_code=304, headers=headers)
    body = subset.of(stored.type, _current(stored.body, read.numbers))
    return Response(body, headers=headers, media_type=FHIR_JSON)


async def of_search(
    request: Request, source: ReadSource, caller: Caller, kind: str, form: bytes = b""
) -> Response:
    """The page that the query string and the form ask for."""
    settings = deployment(request).settings
    base = settings.fhir_base
    query = read_query(kind, asked(request, form), base=base, strict=is_strict(request))
    secret = settings.token_secret.get_secret_value()
    bound_to = f"{caller.organization_id}\0{query.link(base)}"
    position = verify(query.cursor, secret, bound_to) if query.cursor is not None else None
    page = await search(source, query, visibility(caller), position)
    links = [("self", query.link(base, query.cursor))]
    if page.after is not None:
        links.append(("next", query.link(base, sign(page.after, secret, bound_to))))
    body = searchset(
        base,
        shown(page, query.subset),
        included=await _along(source, query, page.rows, caller, base),
        links=links,
        total=_total(query, page),
        warnings=query.warnings,
    )
    return Response(body, headers=NO_STORE, media_type=FHIR_JSON)


async def _along(
    source: ReadSource, query: Query, rows: Sequence[Stored], caller: Caller, base: str
) -> list[Stored]:
    """What the rows refer to, and what refers to them, where that was asked for."""
    included = await include(source, query.includes, rows, caller, base)
    pages = await referring(source, query, rows, caller, base)
    found = (one for page in pages for one in shown(page, Subset()))
    return included + bounded(query, found, [*rows, *included])


async def of_history(
    request: Request, source: ReadSource, caller: Caller, kind: str, resource_id: str
) -> Response:
    """The page of a resource's versions that the query string asks for."""
    settings = deployment(request).settings
    query = read_asked(asked(request), strict=is_strict(request))
    address = f"{settings.fhir_base}/{kind}/{resource_id}/_history"
    secret = settings.token_secret.get_secret_value()
    bound_to = f"{caller.organization_id}\0{query.link(address)}"
    position = verify(query.cursor, secret, bound_to) if query.cursor is not None else None
    found = await history(source, kind, resource_id, visibility(caller), query, position)
    links = [("self", query.link(address, query.cursor))]
    if found.after is not None:
        links.append(("next", query.link(address, sign(found.after, secret, bound_to))))
    body = history_bundle(settings.fhir_base, found.shown, links=links, total=found.total)
    return Response(body, headers=NO_STORE, media_type=FHIR_JSON)


def _total(query: Query, page: Page) -> int | None:
    """Counted where that was asked for; else known where all matches are on this page."""
    whole = page.total is None and query.total is None and query.cursor is None
    return len(page.rows) if whole and page.after is None else page.total


def shown(page: Page, subset: Subset) -> list[Stored]:
    """The rows as sent: an offer shows its present numbers, each no more than was asked for."""
    if not page.numbers and subset.whole:
        return page.rows
    return [
        replace(row, body=subset.of(row.type, _current(row.body, page.numbers.get(row.id))))
        for row in page.rows
    ]


def _current(body: bytes, numbers: tuple[int, int, str] | None) -> bytes:
    """An offer with its present numbers, which are not stored in it; anything else as it is."""
    return with_numbers(body, *numbers) if numbers is not None else body


def asked(request: Request, form: bytes = b"") -> list[tuple[str, str]]:
    """What a request asks for, by its query string and its form. Raises `Refusal` (400)."""
    return pairs(request.scope["query_string"]) + (pairs(form) if form else [])


def refuse_condition(request: Request) -> None:
    """400 where a create that has no condition is given one, as `If-None-Exist` or as its query:
    a condition that is not understood must not create.
    """
    named = {name for name, _ in asked(request)}
    if "if-none-exist" in request.headers or named - ABOUT_THE_FORM:
        said = "This create takes no condition. Search first, then send it without."
        raise refuse(400, "not-supported", said)
