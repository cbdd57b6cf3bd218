"""Stores, changes and ends one organization's Subscriptions, as rows of `webhook_endpoint`.

`app.fhir.subscription` defines what a Subscription may ask for; `app.workers.subscriptions` sends
handshakes and heartbeats. Every statement names the organization: another organization's
Subscription is unknown.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import case, func, null, select

from app.base.errors import Issue, not_found, refuse
from app.base.ids import new_id
from app.base.text import as_key
from app.fhir.subscription import (
    MASK,
    NotificationEvent,
    SubscriptionStanding,
    as_read,
    as_stored,
    fhir_status,
    problem,
)
from app.journey.notification import store
from app.journey.notification.entitled import (
    ENTITLED,
    FOCUS_THEN,
    MESSAGE_OF,
    PURPOSE,
    STANDING,
    D,
    M,
)
from app.journey.notification.secrets import Secret, Vault, new_secret, public_key
from app.journey.notification.subscription_content import OF_PAS, bundled, event_for, number_all
from app.journey.notification.subscription_read import WantedSubscription
from app.model.caller import Caller
from app.store.audit.access import reached_by
from app.store.database import Row, Source
from app.store.reading.access import plan_keys
from app.store.reading.match import tokens
from app.store.reading.tables import people_of
from app.store.reading.values import token
from app.store.statement import Compiled, compiled, constant, number_given, text_given, texts_given

#: The most Subscriptions of one organization.
MOST = 50
#: The most events in one answer of `$events`.
MOST_EVENTS = 1000

_UNNUMBERED = """SELECT d.endpoint_id, count(*)::int AS waiting
FROM unnest($1::text[]) AS known(plan) JOIN delivery d ON d.plan = known.plan
  AND d.endpoint_id = ANY ($2::text[]) AND d.focus IS NOT NULL AND d.event_number IS NULL
GROUP BY 1"""
_IDENTIFIED = """SELECT w.value, o.id FROM unnest($1::text[]) AS w(value)
CROSS JOIN LATERAL (
  SELECT id FROM directory_index WHERE plan = '*' AND type = 'Organization'
    AND name = 'identifier' AND value = w.value
  UNION SELECT id FROM organization WHERE id = w.value) AS o"""


async def identify(source: Source, wanted: WantedSubscription) -> list[Issue]:
    """Resolves the identifiers of PAS' filter to organizations; a fault if one names none."""
    if not wanted.identifiers:
        return []
    words = [as_key(each) for each in tokens([token(text) for text in wanted.identifiers])]
    rows = await source.fetch(_IDENTIFIED, words)
    if set(words) - {row["value"] for row in rows}:
        text = "org-identifier takes identifiers of organizations that this network knows."
        return [Issue("not-found", text, "Subscription.criteria.extension")]
    wanted.requesters = sorted({row["id"] for row in rows})
    return []


async def create(
    source: Source,
    caller: Caller,
    tree: Mapping[str, Any],
    wanted: WantedSubscription,
    vault: Vault,
    now: datetime,
) -> Row:
    """Stores a new Subscription, `requested` until its handshake is answered."""
    organization = caller.organization_id
    if len(await all_of(source, organization)) >= MOST:
        raise refuse(409, "too-costly", f"An organization has at most {MOST} Subscriptions.")
    row = {
        **_columns(tree, wanted, vault, {}, now),
        "organization_id": organization,
        "client_id": caller.client_id,
        "id": new_id(),
        "kind": "subscription",
        "plans": [],
        "payload": "thin",
        "secrets": vault.seal_secrets([Secret(new_secret(asymmetric=True))]),
        "version": 1,
        "created_at": now,
    }
    await store.add(source, row)
    return await find(source, organization, row["id"])


async def update(
    source: Source,
    row: Row,
    caller: Caller,
    tree: Mapping[str, Any],
    wanted: WantedSubscription,
    vault: Vault,
    now: datetime,
) -> Row:
    """Stores another version: `off` stops it, any other status asks for a new handshake."""
    columns = _columns(tree, wanted, vault, vault.open_headers(row["headers"]), now)
    columns |= {"version": row["version"] + 1, "client_id": caller.client_id}
    await store.change(source, row["organization_id"], row["id"], columns)
    return await find(source, row["organization_id"], row["id"])


async def end(source: Source, row: Row, now: datetime) -> None:
    """Ends a Subscription for good: it gets no more messages; the messages sent stay on record."""
    await store.change(
        source,
        row["organization_id"],
        row["id"],
        {
            "status": "disabled",
            "disabled_reason": "deleted",
            "next_beat_at": None,
            "headers": None,
            "version": row["version"] + 1,
            "updated_at": now,
        },
    )


async def find(
    source: Source,
    organization: str,
    id_: str,
    *,
    lock: bool = False,
    deleted: bool = False,
) -> Row:
    """Reads one Subscription of the organization.

    404 for another organization's; 410 for a deleted Subscription, unless `deleted` allows it.
    """
    row = await store.endpoint(source, organization, id_, lock=lock, kind="subscription")
    if row is None:
        raise not_found("Subscription")
    if is_deleted(row) and not deleted:
        raise refuse(410, "deleted", "This Subscription was deleted.")
    return row


def is_deleted(row: Row) -> bool:
    """Whether the Subscription has ended for good."""
    return bool(row["disabled_reason"] == "deleted")


async def all_of(source: Source, organization: str) -> list[Row]:
    """Lists the organization's Subscriptions that were not deleted, oldest first."""
    rows = await store.endpoints(source, organization, "subscription")
    return [row for row in rows if not is_deleted(row)]


def _columns(
    tree: Mapping[str, Any],
    wanted: WantedSubscription,
    vault: Vault,
    before: Mapping[str, str],
    now: datetime,
) -> dict[str, Any]:
    stored = {name.lower(): value for name, value in before.items()}
    headers = {n: stored.get(n.lower(), "") if v == MASK else v for n, v in wanted.headers}
    requested = wanted.status == "requested"
    return {
        "url": wanted.url,
        "description": None,
        "event_types": [str(event) for event in wanted.topic.events],
        "status": "requested" if requested else "disabled",
        "disabled_reason": None if requested else "owner",
        "headers": vault.seal_headers(headers),
        "topic": wanted.topic.url,
        "focus": wanted.topic.focus,
        "content": wanted.content,
        "mime": wanted.mime,
        "filter_statuses": wanted.statuses,
        "filter_owners": wanted.owners,
        "filter_requesters": wanted.requesters,
        "heartbeat_s": wanted.heartbeat_s,
        "next_beat_at": now if requested else None,
        "ends_at": wanted.ends_at,
        "resource": orjson.dumps(as_stored(dict(tree))),
        "updated_at": now,
    }


def as_resource(row: Row, vault: Vault, now: datetime) -> dict[str, Any]:
    """Writes the Subscription as the resource that its owner reads."""
    secret = vault.open_secrets(row["secrets"], now)[0]
    wrong = problem(row["status"], row["disabled_reason"], row["failing_since"])
    return as_read(
        orjson.loads(row["resource"]),
        id_=row["id"],
        status=row["status"],
        version=row["version"],
        updated_at=row["updated_at"],
        public_key=public_key(secret.value) if secret.asymmetric else None,
        error=wrong.text if wrong else None,
    )


async def unnumbered(source: Source, ids: Sequence[str]) -> dict[str, int]:
    """Counts the events without a number of each of these Subscriptions that has some."""
    rows = await source.fetch(_UNNUMBERED, list(plan_keys()), list(ids))
    return {row["endpoint_id"]: row["waiting"] for row in rows}


async def standings(source: Source, rows: Sequence[Row]) -> list[SubscriptionStanding]:
    """Computes the standing of each Subscription; counts events without a number too."""
    waiting = await unnumbered(source, [row["id"] for row in rows])
    return [
        SubscriptionStanding(
            row["id"],
            row["topic"],
            fhir_status(row["status"]),
            row["events"] + waiting.get(row["id"], 0),
            problem(row["status"], row["disabled_reason"], row["failing_since"]),
        )
        for row in rows
    ]


async def events(
    source: Source,
    row: Row,
    first: int,
    last: int,
    *,
    full: bool,
    base: str,
    now: datetime,
) -> tuple[SubscriptionStanding, list[NotificationEvent]]:
    """Reads the events numbered `first` to `last`, both included; first numbers the new events."""
    organization = row["organization_id"]
    await number_all(source, organization, row["id"], now)
    statement = _numbered(full).called(
        plans=plan_keys(),
        organization=organization,
        endpoint=row["id"],
        first=first,
        last=last,
        at=now,
        purpose=PURPOSE,
    )
    rows = await source.fetch(*statement)
    for each in rows:
        reached_by("ServiceRequest", each["referral_id"], each)
    numbered = [await event_for(each) for each in rows]
    (stands,) = await standings(source, [await find(source, organization, row["id"])])
    if full and row["focus"] == OF_PAS:
        return stands, await bundled(source, numbered, base)
    return stands, [each.event for each in numbered]


@cache
def _numbered(full: bool) -> Compiled:
    """Selects the events of a Subscription by number; their resources with `full`."""
    body = case((ENTITLED, FOCUS_THEN)) if full else null()
    numbers = (number_given("first"), number_given("last"))
    return compiled(
        select(
            D.c.message_id,
            D.c.referral_id,
            D.c.event_number,
            M.c.occurred_at,
            D.c.focus,
            body.label("body"),
            D.c.plan,
            people_of(D.c.plan, D.c.referral_id),
            STANDING,
        )
        .join_from(D, M, MESSAGE_OF)
        .where(
            D.c.plan == func.any(texts_given("plans")),
            D.c.organization_id == text_given("organization"),
            D.c.endpoint_id == text_given("endpoint"),
            D.c.event_number.between(*numbers),
        )
        .order_by(D.c.event_number)
        .limit(constant(MOST_EVENTS))
    )
