"""What events carry in full: the resource as the event left it, to whoever may still see it.

As the event left it, because a notification says what happened and a repeat of it says the same;
what is so now is there to be read. Sending and numbering are others' work.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID, uuid5

import orjson

from app.fhir.subscription_status import Event, response_bundle
from app.journey.notification.subscription_number import Run

#: The type in focus of PAS' topic, which is told of in a Bundle.
OF_PAS = "ClaimResponse"
#: Whether the organization of delivery `d` may see its referral now, as `app.store.reading.access`
#: says.
ENTITLED = """(EXISTS (SELECT 1 FROM party p WHERE p.plan = d.plan
    AND p.organization_id = d.organization_id AND p.referral_id = d.referral_id
    AND p.until IS NULL)
  OR EXISTS (SELECT 1 FROM organization o WHERE o.id = d.organization_id AND o.plan = d.plan))"""


def vouched(types: str) -> str:
    """Whether the client that asked for full content at endpoint `e` may still read each of these
    types (an SQL array); where that client is not on record, any one of its organization.
    """
    return f"""EXISTS (SELECT 1 FROM client c WHERE c.organization_id = e.organization_id
  AND c.active AND (e.client_id IS NULL OR c.id = e.client_id)
  AND NOT EXISTS (SELECT 1 FROM unnest({types}) t WHERE NOT EXISTS (
    SELECT 1 FROM unnest(c.scopes) s WHERE s LIKE 'system/%'
      AND split_part(s, '.', 1) IN ('system/*', 'system/' || t)
      AND split_part(split_part(s, '.', 2), '?', 1) LIKE '%r%')))"""


#: What a notification of each type in focus carries: PAS' in a Bundle with what it refers to.
CARRIES = {OF_PAS: (OF_PAS, "Organization", "Patient", "ServiceRequest")}
#: The same in SQL, for a Subscription at endpoint `e`.
FOCUS_VOUCHED = vouched(
    f"CASE WHEN e.focus = '{OF_PAS}' THEN"
    f" ARRAY[{', '.join(repr(kind) for kind in CARRIES[OF_PAS])}] ELSE ARRAY[e.focus] END"
)
#: The resource that delivery `d` is about, as message `m` left it.
BODY = """(SELECT v.body FROM resource_version v WHERE v.plan = d.plan
    AND v.type = split_part(d.focus, '/', 1) AND v.id = split_part(d.focus, '/', 2)
    AND v.updated_at <= m.occurred_at ORDER BY v.version DESC LIMIT 1)"""

#: What a resource refers to and its reader sees: the referral's own, and the network.
_REFERRED_TO = """SELECT a.message_id, a.name, v.body
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
  AS a(message_id, referral_id, at, name)
JOIN locator l ON l.type = split_part(a.name, '/', 1) AND l.id = split_part(a.name, '/', 2)
  AND (l.referral_id = a.referral_id OR l.referral_id IS NULL AND l.type = 'Organization')
CROSS JOIN LATERAL (SELECT v.body FROM resource_version v
  WHERE v.plan = l.plan AND v.type = l.type AND v.id = l.id
    AND (l.referral_id IS NULL OR v.updated_at <= a.at) ORDER BY v.version DESC LIMIT 1) AS v"""


async def bundled(run: Run, events: Sequence[tuple[str, str, Event]], base: str) -> list[Event]:
    """Events of PAS' topic, (message, referral, event), each with PAS' response Bundle as body.

    What may not be seen stays without a body. One statement for all of them.
    """
    named = [
        (message, referral, event.at, name)
        for message, referral, event in events
        for name in _references(event)
    ]
    rows = (
        await run(_REFERRED_TO, *(list(each) for each in zip(*named, strict=True))) if named else ()
    )
    found: dict[str, dict[str, bytes]] = {}
    for message, name, body in rows:
        found.setdefault(message, {})[name] = body
    return [_bundle(event, message, found.get(message, {}), base) for message, _, event in events]


def _bundle(event: Event, message: str, referred_to: dict[str, bytes], base: str) -> Event:
    if event.body is None:
        return event
    id_ = str(uuid5(UUID(message), "response"))
    body = response_bundle(base, id_, event.at, {event.about: event.body, **referred_to})
    return Event(event.number, event.at, event.about, body, id_)


def _references(event: Event) -> list[str]:
    """`Type/id` of everything that the event's resource refers to, once each."""
    tree = orjson.loads(event.body) if event.body is not None else None
    return list(dict.fromkeys(name for name in _literal(tree) if name != event.about))


def _literal(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _literal(item)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == "reference" and isinstance(value, str) and value.count("/") == 1:
                yield value
            else:
                yield from _literal(value)
