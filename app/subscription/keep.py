"""One organization's Subscriptions as rows of `webhook_endpoint`: made, changed and ended.

What a Subscription may ask for is `app.fhir.subscription`'s; handshakes and heartbeats are
`keeper.py`'s. Every statement names the organization: another's Subscription is unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app.database import fetch
from app.errors import not_found, refuse
from app.fhir.subscription import MASK, Wanted, fhir_status, kept, shown
from app.fhir.subscription_status import Event, Standing
from app.ids import new_id
from app.notification import store
from app.notification.secrets import Secret, Vault, new_secret
from app.notification.signature import public_key
from app.subscription.number import PLANS, number_all
from app.subscription.prepare import BODY, ENTITLED

#: How many Subscriptions one organization may have.
MOST = 50

_EVENTS = f"""{PLANS} SELECT d.event_number, m.occurred_at, d.focus,
  CASE WHEN $4::bool AND {ENTITLED} THEN {BODY} END
FROM known JOIN delivery d ON d.plan = known.plan AND d.endpoint_id = $1
  AND d.event_number BETWEEN $2 AND $3
JOIN message m ON m.plan = d.plan AND m.id = d.message_id
WHERE d.organization_id = $5 ORDER BY d.event_number LIMIT 1000"""
_UNNUMBERED = f"""{PLANS} SELECT count(*)::int FROM known JOIN delivery d ON d.plan = known.plan
  AND d.endpoint_id = $1 AND d.focus IS NOT NULL AND d.event_number IS NULL"""


async def create(
    connection: AsyncConnection,
    organization: str,
    tree: Mapping[str, Any],
    wanted: Wanted,
    vault: Vault,
    now: datetime,
) -> RowMapping:
    """A new Subscription, `requested` until its handshake is answered."""
    if len(await store.endpoints(connection, organization, "subscription")) >= MOST:
        raise refuse(409, "too-costly", f"An organization has at most {MOST} Subscriptions.")
    row = {
        **_columns(tree, wanted, vault, {}, now),
        "organization_id": organization,
        "id": new_id(),
        "kind": "subscription",
        "plans": [],
        "payload": "thin",
        "secrets": vault.seal_secrets([Secret(new_secret(asymmetric=True))]),
        "version": 1,
        "created_at": now,
    }
    await store.add(connection, row)
    return await find(connection, organization, row["id"])


async def update(
    connection: AsyncConnection,
    row: RowMapping,
    tree: Mapping[str, Any],
    wanted: Wanted,
    vault: Vault,
    now: datetime,
) -> RowMapping:
    """Another version: `off` stops it, anything else asks for a new handshake."""
    columns = _columns(tree, wanted, vault, vault.open_headers(row["headers"]), now)
    columns["version"] = row["version"] + 1
    await store.change(connection, row["organization_id"], row["id"], columns)
    return await find(connection, row["organization_id"], row["id"])


async def end(connection: AsyncConnection, row: RowMapping, now: datetime) -> None:
    """Off for good: nothing more is written for it; what it was sent stays on record."""
    await store.change(
        connection,
        row["organization_id"],
        row["id"],
        {
            "status": "disabled",
            "disabled_reason": "deleted",
            "next_beat_at": None,
            "version": row["version"] + 1,
            "updated_at": now,
        },
    )


async def find(
    connection: AsyncConnection, organization: str, id_: str, *, lock: bool = False
) -> RowMapping:
    """One Subscription of the organization; 404 for another's, 410 for one that was deleted."""
    row = await store.endpoint(connection, organization, id_, lock=lock, kind="subscription")
    if row is None:
        raise not_found("Subscription")
    if row["disabled_reason"] == "deleted":
        raise refuse(410, "deleted", "This Subscription was deleted.")
    return row


async def all_of(connection: AsyncConnection, organization: str) -> list[RowMapping]:
    """The organization's Subscriptions that were not deleted, oldest first."""
    found = await store.endpoints(connection, organization, "subscription")
    return [row for row in found if row["disabled_reason"] != "deleted"]


def _columns(
    tree: Mapping[str, Any],
    wanted: Wanted,
    vault: Vault,
    before: Mapping[str, str],
    now: datetime,
) -> dict[str, Any]:
    headers = {n: before.get(n, "") if v == MASK else v for n, v in wanted.headers}
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
        "resource": orjson.dumps(kept(dict(tree))),
        "updated_at": now,
    }


def as_resource(row: RowMapping, vault: Vault, now: datetime) -> dict[str, Any]:
    """The Subscription as its owner reads it."""
    secret = vault.open_secrets(row["secrets"], now)[0]
    reason = row["disabled_reason"] if row["status"] == "error" else None
    return shown(
        orjson.loads(row["resource"]),
        id_=row["id"],
        status=row["status"],
        version=row["version"],
        updated_at=row["updated_at"],
        public_key=public_key(secret.value) if secret.asymmetric else None,
        error=reason,
    )


async def standing(connection: AsyncConnection, row: RowMapping) -> Standing:
    """How it stands; events that have no number yet are counted too."""
    waiting = (await fetch(connection, _UNNUMBERED, (row["id"],)))[0][0]
    failing = row["status"] == "error" or row["failing_since"] is not None
    status = fhir_status(row["status"])
    return Standing(row["id"], row["topic"], status, row["events"] + waiting, failing)


async def events(
    connection: AsyncConnection,
    row: RowMapping,
    first: int,
    last: int,
    *,
    full: bool,
    now: datetime,
) -> tuple[Standing, list[Event]]:
    """The events numbered `first` to `last`, both included; numbers what has none first."""

    async def run(sql: str, *parameters: Any) -> Sequence[Sequence[Any]]:
        return await fetch(connection, sql, parameters)

    organization = row["organization_id"]
    await number_all(run, organization, row["id"], now)
    rows = await fetch(connection, _EVENTS, (row["id"], first, last, full, organization))
    now_row = await find(connection, organization, row["id"])
    stands = replace(await standing(connection, row), events=now_row["events"])
    return stands, [Event(*each) for each in rows]
