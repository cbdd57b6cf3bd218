"""Makes the full content of messages: resources as the event left them, if they may be seen.

A notification shows the resource as it stood at the event, not as it stands now: so every attempt
carries the same bytes, and the present state is there to be read. What the member permits is read
anew at each attempt: what is no longer permitted is not sent. The worker sends.

Numbers: the events of a FHIR Subscription have numbers without gaps, given before the first attempt
under a lock on the Subscription. A delivery keeps its number over retries, restarts and `$events`.
The lock and the numbers are two statements, because the second must see what the former holder of
the lock wrote.

Subscriptions: `prepare` numbers the claimed deliveries, then makes their notifications with one
query.

Webhooks: `attach_full_payload` makes the body for endpoints that asked for full payloads. The thin
payload, which names no person, stays in its place for a receiver that is no party any more; for a
client that may no longer read each type (it was switched off, or its scopes shrank); and for a body
over `MOST_BYTES`, where its links lead to the rest. `app.fhir` writes the Bundles.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import orjson
from sqlalchemy import FromClause, Text, and_, case, column, func, select, true
from sqlalchemy.dialects.postgresql import array, distinct_on

from app.base.ids import place_of_id
from app.fhir.searchset import TYPES, Stored, full_payload
from app.fhir.subscription import (
    NotificationEvent,
    SubscriptionStanding,
    notification,
    response_bundle,
)
from app.journey.notification.claim import Claim
from app.journey.notification.entitled import (
    ENDPOINT_OF,
    ENTITLED,
    FOCUS_THEN,
    MESSAGE_OF,
    PURPOSE,
    STANDING,
    D,
    E,
    M,
    vouched,
)
from app.journey.notification.record import LOCK_ENDPOINTS
from app.store.database import Database, Row, Source
from app.store.reading.access import plan_keys
from app.store.reading.standing import part_shown
from app.store.statement import Compiled, compiled, constant, text_given, texts_given
from app.store.tables.referral import resource_version

# Event numbers

_NUMBER = """WITH fresh AS (
  SELECT d.plan, d.message_id, d.endpoint_id, d.organization_id,
    row_number() OVER (PARTITION BY d.endpoint_id ORDER BY d.created_at, d.referral_id, d.seq)::int
    AS n
  FROM unnest($2::text[], $3::text[], $4::text[]) AS c(plan, message_id, endpoint_id)
  JOIN delivery d ON d.plan = c.plan AND d.message_id = c.message_id
    AND d.endpoint_id = c.endpoint_id
  WHERE d.event_number IS NULL AND d.focus IS NOT NULL
), given AS (
  UPDATE delivery d SET event_number = e.events + fresh.n
  FROM fresh JOIN webhook_endpoint e
    ON e.organization_id = fresh.organization_id AND e.id = fresh.endpoint_id
  WHERE d.plan = fresh.plan AND d.message_id = fresh.message_id
    AND d.endpoint_id = fresh.endpoint_id
), counted AS (
  SELECT organization_id, endpoint_id, count(*)::int AS events FROM fresh GROUP BY 1, 2
)
UPDATE webhook_endpoint e SET events = e.events + counted.events, last_event_at = $1::timestamptz
FROM counted WHERE e.organization_id = counted.organization_id AND e.id = counted.endpoint_id"""
_WITHOUT_NUMBER = """SELECT d.plan, d.message_id FROM unnest($1::text[]) AS known(plan)
JOIN delivery d ON d.plan = known.plan AND d.endpoint_id = $2::text
  AND d.event_number IS NULL AND d.focus IS NOT NULL"""


async def number_messages(
    source: Source, plan: str, deliveries: Sequence[tuple[str, str, str]], now: datetime
) -> None:
    """Numbers deliveries of a plan: (message, endpoint, organization). Needs a transaction."""
    messages, endpoints, organizations = (list(each) for each in zip(*deliveries, strict=True))
    await source.execute(LOCK_ENDPOINTS, organizations, endpoints)
    await source.execute(_NUMBER, now, [plan] * len(messages), messages, endpoints)


async def number_all(source: Source, organization: str, endpoint: str, now: datetime) -> None:
    """Numbers every delivery of a Subscription that has no number. Needs a transaction."""
    await source.execute(LOCK_ENDPOINTS, [organization], [endpoint])
    rows = await source.fetch(_WITHOUT_NUMBER, list(plan_keys()), endpoint)
    if rows:
        plans, messages = [row["plan"] for row in rows], [row["message_id"] for row in rows]
        await source.execute(_NUMBER, now, plans, messages, [endpoint] * len(rows))


# Subscriptions

#: The type in focus of PAS' topic, whose notifications carry a Bundle.
OF_PAS = "ClaimResponse"
#: Type in focus → the types that a notification carries: for PAS, also the types referred to.
CARRIES = {OF_PAS: (OF_PAS, "Organization", "Patient", "ServiceRequest")}
#: SQL: the referenced resources that the reader may see: the referral's own, and the network.
_REFERRED_TO = """SELECT a.message_id, a.name, v.body
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[])
  AS a(message_id, referral_id, at, name, place)
JOIN locator l ON l.id = a.place AND l.type IN (split_part(a.name, '/', 1), 'ServiceRequest')
  AND (l.referral_id = a.referral_id OR l.referral_id IS NULL AND l.type = 'Organization')
CROSS JOIN LATERAL (
  (SELECT o.body FROM resource_version o WHERE o.plan = l.plan AND o.referral_id = l.referral_id
    AND o.type = split_part(a.name, '/', 1) AND o.id = split_part(a.name, '/', 2)
    AND o.updated_at <= a.at ORDER BY o.version DESC LIMIT 1)
  UNION ALL (SELECT n.body FROM directory_version n WHERE l.referral_id IS NULL
    AND n.plan = l.plan AND n.type = 'Organization' AND n.id = l.id
    ORDER BY n.version DESC LIMIT 1)) AS v"""


class EventFor(NamedTuple):
    """An event of a message about a referral, for a reader of this standing."""

    message: str
    referral: str
    event: NotificationEvent
    standing: Sequence[str] | None


async def event_for(row: Row) -> EventFor:
    """Reads an event with as much of its resource as its reader may see."""
    body = row["body"]
    if body is not None:
        body = await part_shown(row["focus"].partition("/")[0], body, row["standing"])
    event = NotificationEvent(row["event_number"], row["occurred_at"], row["focus"], body)
    return EventFor(row["message_id"], row["referral_id"], event, row["standing"])


async def bundled(source: Source, events: Sequence[EventFor], base: str) -> list[NotificationEvent]:
    """Makes PAS' response Bundle the body of each event of PAS' topic.

    An event whose resource may not be seen stays without a body. Reads with one statement for all.
    """
    named = [
        (each.message, each.referral, each.event.at, name, place_of_id(name.partition("/")[2]))
        for each in events
        for name in _references(each.event)
    ]
    rows = (
        await source.fetch(_REFERRED_TO, *(list(each) for each in zip(*named, strict=True)))
        if named
        else ()
    )
    said = {each.message: each.standing for each in events}
    referred_to: dict[str, dict[str, bytes]] = {}
    for row in rows:
        message, name = row["message_id"], row["name"]
        part = await part_shown(name.partition("/")[0], row["body"], said[message])
        if part is not None:
            referred_to.setdefault(message, {})[name] = part
    return [
        _bundle(each.event, each.message, referred_to.get(each.message, {}), base)
        for each in events
    ]


def _bundle(
    event: NotificationEvent, message: str, referred_to: dict[str, bytes], base: str
) -> NotificationEvent:
    if event.body is None:
        return event
    id_ = str(uuid5(UUID(message), "response"))
    body = response_bundle(base, id_, event.at, {event.about: event.body, **referred_to})
    return NotificationEvent(event.number, event.at, event.about, body, id_)


def _references(event: NotificationEvent) -> list[str]:
    """Lists the `Type/id` of each resource that the event's resource references, once each."""
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


@cache
def _claimed() -> FromClause:
    """Makes the rows of some claims of one plan: delivery, message and endpoint.

    The referral of each names the partition of its message.
    """
    named = ("message_id", "endpoint_id", "referral_id")
    given = map(texts_given, ("messages", "endpoints", "referrals"))
    claims = func.unnest(*given).table_valued(*(column(name, Text()) for name in named))
    c = claims.render_derived()
    own = (D.c[name] == c.c[name] for name in named)
    rows = c.join(D, and_(D.c.plan == text_given("plan"), *own))
    return rows.join(M, MESSAGE_OF).join(E, ENDPOINT_OF)


@cache
def _events_of_claims() -> Compiled:
    carried = case((E.c.focus == constant(OF_PAS), texts_given("of_pas")), else_=array([E.c.focus]))
    full = and_(E.c.content == constant("full-resource"), ENTITLED, vouched(carried))
    return compiled(
        select(
            D.c.message_id,
            D.c.endpoint_id,
            D.c.referral_id,
            D.c.event_number,
            D.c.focus,
            M.c.occurred_at,
            E.c.topic,
            E.c.focus.label("kind"),
            E.c.content,
            case((full, FOCUS_THEN)).label("body"),
            STANDING,
        ).select_from(_claimed())
    )


async def prepare(
    database: Database, plan: str, claims: Sequence[Claim], base: str, now: datetime
) -> list[Claim]:
    """Returns the claims in their order; those of Subscriptions have a notification as body.

    `base`: this service's FHIR base URL. Leaves out a claim whose
    referral has moved to another plan.
    """
    subscribed = [claim for claim in claims if claim.subscribed]
    if not subscribed:
        return list(claims)
    async with database.begin() as transaction:
        await number_messages(
            transaction,
            plan,
            [(each.message_id, each.endpoint_id, each.organization_id) for each in subscribed],
            now,
        )
    statement = _events_of_claims().called(
        plan=plan,
        messages=[each.message_id for each in subscribed],
        endpoints=[each.endpoint_id for each in subscribed],
        referrals=[each.referral_id for each in subscribed],
        of_pas=CARRIES[OF_PAS],
        at=now,
        purpose=PURPOSE,
    )
    rows = await database.fetch(*statement)
    bodies = {
        (row["message_id"], row["endpoint_id"]): await _body(database, row, base, now)
        for row in rows
    }
    # A delivery whose referral moved to another plan is claimed there once the lease has ended.
    return [
        replace(each, body=bodies[each.message_id, each.endpoint_id]) if each.subscribed else each
        for each in claims
        if not each.subscribed or (each.message_id, each.endpoint_id) in bodies
    ]


async def _body(source: Source, row: Row, base: str, now: datetime) -> bytes:
    message, number = row["message_id"], row["event_number"]
    # The standing at this event, so that a later attempt repeats the same number.
    standing = SubscriptionStanding(row["endpoint_id"], row["topic"], "active", number)
    found = await event_for(row)
    event = found.event
    if row["kind"] == OF_PAS:
        (event,) = await bundled(source, [found], base)
    return notification(
        base, standing, "event-notification", row["content"], id_=message, at=now, events=[event]
    )


# Webhooks

#: The largest body of a webhook.
MOST_BYTES = 64 * 1024


@cache
def _resources() -> Compiled:
    v = resource_version.alias("v")
    types = texts_given("types")
    then = (
        select(v.c.type, v.c.id, v.c.version, v.c.body)
        .ext(distinct_on(v.c.type, v.c.id))
        .where(
            v.c.plan == text_given("plan"),
            v.c.referral_id == D.c.referral_id,
            v.c.type == func.any(types),
            v.c.updated_at <= M.c.occurred_at,
        )
        .order_by(v.c.type, v.c.id, v.c.version.desc())
        .lateral("then")
    )
    shown = select(D.c.message_id, D.c.endpoint_id, M.c.event_type, M.c.occurred_at, then, STANDING)
    rows = shown.select_from(_claimed().join(then, true()))
    return compiled(rows.where(ENTITLED, vouched(types)))


async def attach_full_payload(
    source: Source, plan: str, claims: Sequence[Claim], base: str, now: datetime
) -> list[Claim]:
    """Returns the claims in their order, with full bodies where asked for and allowed.

    `base`: this service's FHIR base URL. A body shows what the member permits `now`.
    """
    wanted = [claim for claim in claims if claim.full_payload and not claim.subscribed]
    if not wanted:
        return list(claims)
    statement = _resources().called(
        plan=plan,
        messages=[claim.message_id for claim in wanted],
        endpoints=[claim.endpoint_id for claim in wanted],
        referrals=[claim.referral_id for claim in wanted],
        types=TYPES,
        at=now,
        purpose=PURPOSE,
    )
    rows = await source.fetch(*statement)
    resources: dict[tuple[str, str], list[tuple[Row, Stored]]] = defaultdict(list)
    for row in rows:
        part = await part_shown(row["type"], row["body"], row["standing"])
        if part is not None:
            stored = Stored(row["type"], row["id"], row["version"], part)
            resources[row["message_id"], row["endpoint_id"]].append((row, stored))
    return [
        _with_full_payload(claim, resources.get((claim.message_id, claim.endpoint_id)), base)
        for claim in claims
    ]


def _with_full_payload(
    claim: Claim, found: Sequence[tuple[Row, Stored]] | None, base: str
) -> Claim:
    if not found:
        return claim
    about, _ = found[0]
    body = full_payload(
        about["event_type"],
        about["occurred_at"],
        claim.message_id,
        base,
        [stored for _, stored in found],
    )
    return claim if len(body) > MOST_BYTES else replace(claim, body=body)
