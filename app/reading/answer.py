"""What a read and a search answer over HTTP: headers, links, the page's cursor."""

from datetime import UTC
from email.utils import format_datetime

from fastapi import Request, Response

from app.caller.model import Caller
from app.database import Source
from app.fhir.directory import with_numbers
from app.fhir.outcome import FHIR_JSON
from app.fhir.searchset import Stored, searchset
from app.fhir.subset import Subset
from app.reading.access import sight
from app.reading.cursor import seal, unseal
from app.reading.include import include
from app.reading.query import Query, pairs, read_query
from app.reading.read import Read
from app.reading.search import Page, search
from app.reading.subset import of_read as subset_of_read
from app.settings import Settings
from app.web.prefer import is_strict

#: Answers carry members' data: nobody on the way keeps them.
NO_STORE = {"Cache-Control": "no-store"}
_WHOLE = Subset()


def of_resource(read: Read) -> Response:
    """A version with its ETag."""
    body = read.stored.body
    if read.numbers is not None:
        body = with_numbers(body, *read.numbers)
    return Response(body, headers=_headers(read), media_type=FHIR_JSON)


def of_read(request: Request, read: Read) -> Response:
    """As much of a version as was asked for; 304 where the client has it already."""
    query: bytes = request.scope["query_string"]
    subset = subset_of_read(pairs(query)) if query else _WHOLE
    known = request.headers.get("if-none-match")
    if known is not None and read.numbers is None and _same(known, read.stored.version):
        return Response(status_code=304, headers=_headers(read))
    answer = of_resource(read)
    if subset.whole:
        return answer
    part = subset.of(read.stored.type, bytes(answer.body))
    return Response(part, headers=_headers(read), media_type=FHIR_JSON)


def _headers(read: Read) -> dict[str, str]:
    return {
        **NO_STORE,
        "ETag": f'W/"{read.stored.version}"',
        "Last-Modified": format_datetime(read.updated_at.astimezone(UTC), usegmt=True),
    }


def _same(header: str, version: int) -> bool:
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return str(version) in tags or "*" in tags


async def of_search(
    request: Request, source: Source, caller: Caller, kind: str, form: bytes = b""
) -> Response:
    """The page that the query string and the form ask for."""
    settings: Settings = request.app.state.settings
    base = settings.fhir_base
    asked = pairs(request.url.query.encode()) + (pairs(form) if form else [])
    query = read_query(kind, asked, base=base, strict=is_strict(request))
    secret = settings.token_secret.get_secret_value()
    bound_to = f"{caller.organization_id}\0{query.link(base)}"
    position = unseal(query.cursor, secret, bound_to) if query.cursor is not None else None
    page = await search(source, query, sight(caller), position)
    links = [("self", query.link(base, query.cursor))]
    if page.after is not None:
        links.append(("next", query.link(base, seal(page.after, secret, bound_to))))
    body = searchset(
        base,
        shown(page, query.subset),
        included=await include(source, query.includes, page.rows, caller),
        links=links,
        total=_total(query, page),
        warnings=query.warnings,
    )
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
        Stored(row.type, row.id, row.version, subset.of(row.type, _current(page, row)))
        for row in page.rows
    ]


def _current(page: Page, row: Stored) -> bytes:
    numbers = page.numbers.get(row.id)
    return with_numbers(row.body, *numbers) if numbers else row.body
