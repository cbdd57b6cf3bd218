"""Answers to reads, histories and searches over HTTP: headers, links, page cursors."""

from collections.abc import Sequence
from dataclasses import replace

from fastapi import Request, Response

from app.api.deployment import deployment
from app.api.web.media import is_strict
from app.base.errors import refuse
from app.base.heavy_work import mark_if_heavy, to_thread_if_heavy
from app.fhir.directory import with_numbers
from app.fhir.outcome import FHIR_JSON, NO_STORE, is_known, version_headers
from app.fhir.searchset import Stored, searchset
from app.fhir.searchset import history as history_bundle
from app.fhir.subset import Subset
from app.model.caller import Caller
from app.store.database import Source
from app.store.reading.access import visibility
from app.store.reading.cursor import sign, verify
from app.store.reading.include import include
from app.store.reading.query import Query, pairs, read_query
from app.store.reading.read import Read, history, read_asked
from app.store.reading.revinclude import bounded, referring
from app.store.reading.search import Page, search
from app.store.reading.subset import of_read as subset_of_read
from app.store.reading.values import ABOUT_THE_FORM


def of_resource(read: Read) -> Response:
    """The answer with one version of a resource and its ETag."""
    headers = version_headers(read.stored.version, read.updated_at)
    return Response(_current(read.stored.body, read.numbers), headers=headers, media_type=FHIR_JSON)


async def of_read(request: Request, read: Read) -> Response:
    """The answer to a read, limited to what `_summary` and `_elements` ask for.

    304 where `If-None-Match` names the current version; never for an offer, whose numbers change
    without a new version, nor for what the member may permit or refuse without one.
    """
    subset, stored = subset_of_read(parameters_of(request)), read.stored
    headers = version_headers(stored.version, read.updated_at)
    known = is_known(request.headers.get("if-none-match"), headers["ETag"])
    if known and read.numbers is None and read.settled:
        return Response(status_code=304, headers=headers)
    if not subset.whole:
        mark_if_heavy(len(stored.body))
    whole = _current(stored.body, read.numbers)
    body = await to_thread_if_heavy(subset.of, stored.type, whole)
    return Response(body, headers=headers, media_type=FHIR_JSON)


async def of_search(request: Request, caller: Caller, kind: str, form: bytes = b"") -> Response:
    """Answers with the page of matches that the query string and `form` ask for."""
    parts = deployment(request)
    settings, source = parts.settings, parts.database
    base = settings.fhir_base
    query = read_query(kind, parameters_of(request, form), base=base, strict=is_strict(request))
    secret, link = settings.token_secret.get_secret_value(), query.link(base)
    bound_to = f"{caller.organization_id}\0{link}"
    position = verify(query.cursor, secret, bound_to) if query.cursor is not None else None
    page = await search(source, query, visibility(caller), position)
    links = [("self", link if query.cursor is None else query.link(base, query.cursor))]
    if page.after is not None:
        links.append(("next", query.link(base, sign(page.after, secret, bound_to))))
    body = searchset(
        base,
        await rows_as_sent(page, query.subset),
        included=await _included(source, query, page.rows, caller, base),
        links=links,
        total=_total(query, page),
        warnings=query.warnings,
    )
    return Response(body, headers=NO_STORE, media_type=FHIR_JSON)


async def _included(
    source: Source, query: Query, rows: Sequence[Stored], caller: Caller, base: str
) -> list[Stored]:
    """The resources that `_include` and `_revinclude` of the query add to the matches `rows`."""
    included = await include(source, query.includes, rows, caller, base)
    pages = await referring(source, query, rows, caller, base)
    referring_rows = [row for page in pages for row in await rows_as_sent(page, Subset())]
    return included + bounded(query, iter(referring_rows), [*rows, *included])


async def of_history(request: Request, caller: Caller, kind: str, resource_id: str) -> Response:
    """Answers with the page of a resource's versions that the query string asks for."""
    parts = deployment(request)
    settings, source = parts.settings, parts.database
    query = read_asked(parameters_of(request), strict=is_strict(request))
    address = f"{settings.fhir_base}/{kind}/{resource_id}/_history"
    secret = settings.token_secret.get_secret_value()
    bound_to = f"{caller.organization_id}\0{query.link(address)}"
    position = verify(query.cursor, secret, bound_to) if query.cursor is not None else None
    page = await history(source, kind, resource_id, visibility(caller), query, position)
    links = [("self", query.link(address, query.cursor))]
    if page.after is not None:
        links.append(("next", query.link(address, sign(page.after, secret, bound_to))))
    body = history_bundle(settings.fhir_base, page.shown, links=links, total=page.total)
    return Response(body, headers=NO_STORE, media_type=FHIR_JSON)


def _total(query: Query, page: Page) -> int | None:
    """The number of all matches, as the search counted them for `_total`.

    Without `_total` the number is known where the first page holds all matches; else None.
    """
    first = page.total is None and query.total is None and query.cursor is None
    return len(page.rows) if first and page.after is None else page.total


async def rows_as_sent(page: Page, subset: Subset) -> list[Stored]:
    """The rows as sent: offers with their current numbers, every row limited to `subset`."""
    if not page.numbers and subset.whole:
        return page.rows
    if not subset.whole:
        mark_if_heavy(sum(len(row.body) for row in page.rows))
    return await to_thread_if_heavy(_narrowed, page, subset)


def _narrowed(page: Page, subset: Subset) -> list[Stored]:
    return [
        replace(row, body=subset.of(row.type, _current(row.body, page.numbers.get(row.id))))
        for row in page.rows
    ]


def _current(body: bytes, numbers: tuple[int, int, str] | None) -> bytes:
    """The body of an offer with its current `numbers`, which no version stores; else unchanged."""
    return with_numbers(body, *numbers) if numbers is not None else body


def parameters_of(request: Request, form: bytes = b"") -> list[tuple[str, str]]:
    """The parameters of a request, from its query string and `form`. Raises `Refusal` (400)."""
    return pairs(request.scope["query_string"]) + (pairs(form) if form else [])


def refuse_condition(request: Request) -> None:
    """Raises 400 where `If-None-Exist` or the query gives a condition to a create that takes none.

    A create that ignored its condition could create what the caller wanted to avoid.
    """
    named = {name for name, _ in parameters_of(request)}
    if "if-none-exist" in request.headers or named - ABOUT_THE_FORM:
        text = "This create takes no condition. Search first, then send it without."
        raise refuse(400, "not-supported", text)
