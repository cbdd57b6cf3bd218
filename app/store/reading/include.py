"""`_include`: what the matches of a search refer to, on the same page.

Only what the caller may see and its scopes let it read is included; the rest is left out, as if it
were not there (FHIR R4, "Search", including other resources).
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import orjson

from app.fhir.reference import place_of
from app.fhir.searchset import Stored
from app.model.caller import Caller
from app.store.database import ReadSource, fetch
from app.store.reading.access import (
    NETWORK_TYPES,
    WHOLE,
    WHOLE_OR_LEAST,
    Visibility,
    shown_least,
    visibility,
)

#: Type → name of an include → the element that refers. Source: Gravity SDOHCC 3.0.0, what its
#: clients ask of a server.
INCLUDES: dict[str, dict[str, str]] = {
    "ServiceRequest": {
        "patient": "subject",
        "subject": "subject",
        "requester": "requester",
        "performer": "performer",
        "based-on": "basedOn",
        "supporting-info": "supportingInfo",
    },
    "Task": {
        "focus": "focus",
        "patient": "for",
        "subject": "for",
        "owner": "owner",
        "requester": "requester",
        "part-of": "partOf",
    },
}
_INCLUDE = re.compile(r"([A-Za-z]+):([a-z-]+)(?::([A-Z][A-Za-z]*))?")
#: An offer's numbers change without a new version, so that its stored form is not shown.
_NOT_AS_STORED = frozenset({"HealthcareService", "Provenance"})
_WHOLE = WHOLE.replace("$6::bool", "l.type = ANY ($6::text[])")
_SQL = f"""SELECT l.type, l.id, v.version, v.body, s.whole
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY wanted (type, id, place)
JOIN locator l ON l.type = wanted.type AND l.id = wanted.id {_WHOLE}
CROSS JOIN LATERAL (SELECT v.version, v.body FROM resource_version v
    WHERE v.plan = l.plan AND v.type = l.type AND v.id = l.id ORDER BY v.version DESC LIMIT 1) v
WHERE {WHOLE_OR_LEAST} ORDER BY wanted.place"""


class Followed(NamedTuple):
    """An element whose references are followed: to one type, or (empty) to any."""

    element: str
    target: str = ""


def read_include(kind: str, value: str) -> Followed | None:
    """What `Task:focus`, or `Task:requester:Organization`, follows; None: no such."""
    found = _INCLUDE.fullmatch(value)
    element = INCLUDES.get(kind, {}).get(found[2]) if found and found[1] == kind else None
    return Followed(element, found[3] or "") if found and element else None


async def include(
    source: ReadSource,
    followed: Sequence[Followed],
    rows: Sequence[Stored],
    caller: Caller,
    base: str,
) -> list[Stored]:
    """The current versions of what the rows refer to in these elements, each once. A reference may
    carry a version, or this server's address (`base`).
    """
    if not followed or not rows:
        return []
    shown = {(row.type, row.id) for row in rows}
    wanted = [
        place
        for place in dict.fromkeys(_referred(followed, rows, base))
        if place not in shown and place[0] not in _NOT_AS_STORED and caller.may(place[0], "r")
    ]
    return await visible(source, wanted, visibility(caller))


async def visible(
    source: ReadSource, wanted: Sequence[tuple[str, str]], seen: Visibility
) -> list[Stored]:
    """The current versions of these (type, id), of what may be seen; scopes are the caller's to
    look at.
    """
    parameters = (
        [kind for kind, _ in wanted],
        [id_ for _, id_ in wanted],
        seen.organization_id,
        list(seen.staff_plans),
        list(seen.roster_plans),
        list(NETWORK_TYPES),
    )
    return [
        Stored(kind, id_, version, body if whole else await shown_least(kind, body))
        for kind, id_, version, body, whole in await fetch(source, _SQL, parameters)
    ]


def _referred(
    followed: Sequence[Followed], rows: Sequence[Stored], base: str
) -> Iterator[tuple[str, str]]:
    """(type, id) of every reference to a resource of ours."""
    for row in rows:
        body = orjson.loads(row.body)
        for element, target in followed:
            held = body.get(element) or []
            for reference in held if isinstance(held, list) else [held]:
                place = place_of(reference.get("reference"), base)
                if place and target in ("", place[0]):
                    yield place
