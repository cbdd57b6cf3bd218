"""Finds the resources that refer to the matches of a search, for the same page (`_revinclude`).

Each `_revinclude` (`Task:focus`) is a search of its own by the named parameter, for the same
caller: it finds only resources that the caller may see, of types that its scopes let it search. All
others are left out, as if they did not exist (FHIR R4, "Search", including other resources). Their
number is bounded; where more resources refer to the matches, a warning says how to search for them.
"""

from collections.abc import Iterator, Sequence

from app.base.errors import Issue
from app.fhir.searchset import Stored
from app.model.caller import Caller
from app.store.database import Source
from app.store.reading.access import visibility
from app.store.reading.parameters import Parameter, SearchCriterion
from app.store.reading.query import Query
from app.store.reading.search import Page, search
from app.store.reading.values import Reference

#: The most resources that one `_revinclude` adds to a page, and bytes that all of them add.
MAX_SHOWN, MAX_BYTES = 200, 5_000_000


async def referring(
    source: Source, query: Query, rows: Sequence[Stored], caller: Caller, base: str
) -> list[Page]:
    """Searches the resources that refer to the rows: one page for each `_revinclude`."""
    asked = [each for each in query.revincludes if rows and caller.may(each[0], "s")]
    references = tuple(Reference(row.type, row.id) for row in rows)
    pages = []
    for kind, parameter in asked:
        criterion = SearchCriterion(parameter, references=references, base=base)
        wanted = Query(kind, criteria=[criterion], count=MAX_SHOWN)
        page = await search(source, wanted, visibility(caller), None)
        pages.append(page)
        if page.after is not None:
            query.warnings.append(_more(kind, parameter))
    return pages


def bounded(query: Query, shown: Iterator[Stored], others: Sequence[Stored]) -> list[Stored]:
    """Lists each resource once, without those in `others`, until the page is full."""
    known, size = {(one.type, one.id) for one in others}, 0
    fitting: list[Stored] = []
    for one in shown:
        if (one.type, one.id) in known:
            continue
        known.add((one.type, one.id))
        size += len(one.body)
        if size > MAX_BYTES:
            text = (
                "`_revinclude` brought more than a page has room for. Ask for a smaller `_count`."
            )
            query.warnings.append(Issue("incomplete", text, severity="warning"))
            break
        fitting.append(one)
    return fitting


def _more(kind: str, parameter: Parameter) -> Issue:
    text = (
        f"`_revinclude` {kind}:{parameter.name} brought the first {MAX_SHOWN}. Search {kind} by "
        f"`{parameter.name}` for all, or ask for a smaller `_count`."
    )
    return Issue("incomplete", text, severity="warning")
