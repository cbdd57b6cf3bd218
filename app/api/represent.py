"""A transaction's response with the resources themselves, for who prefers the representation."""

from collections.abc import Sequence

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.web.prefer import APPLIED
from app.journey.intake.repeat import Answer
from app.model.caller import Caller
from app.store.reading.access import sight
from app.store.reading.include import visible


async def represented(connection: AsyncConnection, answer: Answer, caller: Caller) -> Answer:
    """Each entry with its resource as it now is, where the caller's scopes let it be read."""
    bundle = orjson.loads(answer.body)
    entries = bundle["entry"]
    places = [_place(entry["response"]["location"]) for entry in entries]
    readable = [place for place in places if caller.may(place[0], "r")]
    bodies = {
        (found.type, found.id): orjson.Fragment(found.body)
        for found in await visible(connection, readable, sight(caller))
    }
    bundle["entry"] = [
        {"resource": bodies[place], **entry} if place in bodies else entry
        for place, entry in zip(places, entries, strict=True)
    ]
    headers = {**answer.headers, APPLIED: "return=representation"}
    return Answer(answer.status, headers, orjson.dumps(bundle))


def _place(location: str) -> tuple[str, str]:
    """(type, id) of `https://host/fhir/Patient/1/_history/1`."""
    parts: Sequence[str] = location.split("/")
    return parts[-4], parts[-3]
