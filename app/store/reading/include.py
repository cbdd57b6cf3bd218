"""Finds the resources that the matches of a search refer to, for the same page (`_include`).

A page includes only resources that the caller may see, of types that its scopes let it read; all
others are left out, as if they did not exist (FHIR R4, "Search", including other resources).
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import orjson
from sqlalchemy import Text, and_, column, func, select, true

from app.base.ids import place_of_id
from app.fhir.reference import place_of
from app.fhir.searchset import Stored
from app.model.caller import Caller
from app.store.acting import for_caller
from app.store.audit.access import found_by
from app.store.database import Source
from app.store.reading.access import (
    Visibility,
    is_place_of,
    seen_by,
    shown_least,
    visibility,
    whole_or_least,
)
from app.store.reading.standing import part_shown, standing
from app.store.reading.tables import PLACE, current, people_of
from app.store.statement import Compiled, compiled, texts_given

#: Type → name of an include → the element that refers. Source: Gravity SDOHCC 3.0.0, the includes
#: that its clients ask of a server.
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
#: Types that are not shown in their stored form: an offer's numbers change without a new version.
_NOT_AS_STORED = frozenset({"HealthcareService", "Provenance"})


class Followed(NamedTuple):
    """An element whose references are followed: to one type, or to any type (empty)."""

    element: str
    target: str = ""


def read_include(kind: str, value: str) -> Followed | None:
    """Reads `Task:focus` or `Task:requester:Organization`; None for an unknown include."""
    match = _INCLUDE.fullmatch(value)
    element = INCLUDES.get(kind, {}).get(match[2]) if match and match[1] == kind else None
    return Followed(element, match[3] or "") if match and element else None


async def include(
    source: Source,
    followed: Sequence[Followed],
    rows: Sequence[Stored],
    caller: Caller,
    base: str,
) -> list[Stored]:
    """Reads the current version of each resource that the rows refer to in these elements, once.

    A reference may have a version, or begin with this server's address (`base`).
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
    source: Source, wanted: Sequence[tuple[str, str]], seen: Visibility
) -> list[Stored]:
    """Reads the current versions of those (type, id) in `wanted` that the client may see.

    Whoever calls this function checks the scopes.
    """
    if not wanted:
        return []
    values = {
        "kinds": [kind for kind, _ in wanted],
        "ids": [id_ for _, id_ in wanted],
        "places": [place_of_id(id_) for _, id_ in wanted],
    }
    statement = _visible(staff=seen.staff).called(**values, **seen_by(seen))
    rows = await for_caller(source, seen.who).fetch(*statement)
    found = []
    for row in rows:
        kind = row["type"]
        body = row["body"] if row["whole"] else await shown_least(kind, row["body"])
        if (part := await part_shown(kind, body, row["standing"])) is not None:
            found_by(kind, [row])
            found.append(Stored(kind, row["id"], row["version"], part))
    return found


@cache
def _visible(*, staff: bool) -> Compiled:
    wanted = (
        func.unnest(texts_given("kinds"), texts_given("ids"), texts_given("places"))
        .table_valued(
            column("type", Text()),
            column("id", Text()),
            column("place", Text()),
            with_ordinality="number",
        )
        .render_derived(name="wanted")
    )
    whole, visible_at_all = whole_or_least(staff=staff, kind=wanted.c.type)
    v = current(PLACE.c.plan, wanted.c.type, wanted.c.id, "version", "body").lateral("v")
    named = and_(is_place_of(wanted.c.type), PLACE.c.id == wanted.c.place)
    return compiled(
        select(
            wanted.c.type,
            wanted.c.id,
            v.c.version,
            v.c.body,
            whole.label("whole"),
            PLACE.c.plan,
            people_of(PLACE.c.plan, PLACE.c.referral_id),
            standing(PLACE.c.plan, PLACE.c.referral_id, staff=staff).label("standing"),
        )
        .select_from(wanted.join(PLACE, named).join(v, true()))
        .where(visible_at_all)
        .order_by(wanted.c.number)
    )


def _referred(
    followed: Sequence[Followed], rows: Sequence[Stored], base: str
) -> Iterator[tuple[str, str]]:
    """Yields the (type, id) of every reference to a resource of ours."""
    for row in rows:
        body = orjson.loads(row.body)
        for element, target in followed:
            held = body.get(element) or []
            for reference in held if isinstance(held, list) else [held]:
                place = place_of(reference.get("reference"), base)
                if place and target in ("", place[0]):
                    yield place
