"""`_revinclude`: what refers to the matches of a search, on the same page.

Each is a search of its own by the parameter that is named (`Task:focus`), for the same caller: only
what may be seen is found, and only of types that its scopes let it search; the rest is left out, as
if it were not there (FHIR R4, "Search", including other resources). What is brought along is
bounded; where more refers to the matches, a warning says how to search for it.
"""

from collections.abc import Iterator, Sequence

from app.base.errors import Issue
from app.fhir.searchset import Stored
from app.model.caller import Caller
from app.store.database import ReadSource
from app.store.reading.access import visibility
from app.store.reading.parameters import Parameter, SearchCriterion
from app.store.reading.query import Query
from app.store.reading.search import Page, search
from app.store.reading.values import Reference

#: Resources that one `_revinclude` brings along, and bytes that all of them do.
MAX_SHOWN, MAX_BYTES = 200, 5_000_000


async def referring(
    source: ReadSource, query: Query, rows: Sequence[Stored], caller: Caller, base: str
) -> list[Page]:
    """What refers to the rows: a page for each type and parameter that was asked for."""
    asked = [each for each in query.revincludes if rows and caller.may(each[0], "s")]
    references = tuple(Reference(row.type, row.id) for row in rows)
    found = []
    for kind, parameter in asked:
        criterion = SearchCriterion(parameter, references=references, base=base)
        wanted = Query(kind, criteria=[criterion], count=MAX_SHOWN)
        page = await search(source, wanted, visibility(caller), None)
        found.append(page)
        if page.after is not None:
            query.warnings.append(_more(kind, parameter))
    return found


def bounded(query: Query, shown: Iterator[Stored], others: Sequence[Stored]) -> list[Stored]:
    """Of these each once, without what is on the page already, as many as a page has room for."""
    known, size = {(one.type, one.id) for one in others}, 0
    found: list[Stored] = []
    for one in shown:
        if (one.type, one.id) in known:
            continue
        known.add((one.type, one.id))
        size += len(one.body)
        if size > MAX_BYTES:
            said = (
                "`_revinclude` brought more than a page has room for. Ask for a smaller `_count`."
            )
            query.warnings.append(Issue("incomplete", said, severity="warning"))
            break
        found.append(one)
    return found


def _more(kind: str, parameter: Parameter) -> Issue:
    said = (
        f"`_revinclude` {kind}:{parameter.name} brought the first {MAX_SHOWN}. Search {kind} by "
        f"`{parameter.name}` for all, or ask for a smaller `_count`."
    )
    return Issue("incomplete", said, severity="warning")
