"""Sends the handshakes and heartbeats of FHIR Subscriptions, in the worker process.

A Subscription is `requested` until a 2xx answers its handshake; then its held deliveries are due.
One try decides: a client asks again by an update. A heartbeat goes out only if the client asked for
one and no event came for its period. A failed heartbeat changes nothing, because the retries of
events show a failing endpoint. A Subscription that reaches its `end` is off.

Due rows are leased, sent and recorded. Any number of keepers may run: the lease is the row's
`next_beat_at`.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from app.base.clock import ServiceClock
from app.base.ids import new_id
from app.fhir.subscription import SubscriptionStanding, notification, problem
from app.journey.notification.claim import Claim
from app.journey.notification.deliver import Sender
from app.journey.notification.store import resume
from app.journey.notification.subscription_keep import unnumbered
from app.store.database import Database
from app.store.database_errors import DATABASE_ERRORS, report, worth_waiting

_log = logging.getLogger(__name__)

#: The lease outlasts one attempt; when it ends, another keeper tries.
LEASE = timedelta(seconds=60)
AT_ONCE = 16

_DUE = """WITH due AS (
  SELECT organization_id, id FROM webhook_endpoint
  WHERE next_beat_at <= $1 AND status IN ('requested', 'active')
  ORDER BY next_beat_at LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE webhook_endpoint e SET next_beat_at = $2 FROM due
WHERE e.organization_id = due.organization_id AND e.id = due.id
RETURNING e.organization_id, e.id, e.url, e.secrets, e.headers, e.mime, e.topic, e.content,
  e.status, e.version, e.events, e.heartbeat_s, e.last_event_at, e.failing_since"""

_ACTIVE = """UPDATE webhook_endpoint SET status = 'active', version = version + 1,
  disabled_reason = NULL, failing_since = NULL, paused_until = NULL, updated_at = $4,
  next_beat_at = $5
WHERE organization_id = $1 AND id = $2 AND status = 'requested' AND version = $3 RETURNING id"""
_ERROR = """UPDATE webhook_endpoint SET status = 'error', version = version + 1,
  disabled_reason = $5, updated_at = $4, next_beat_at = NULL
WHERE organization_id = $1 AND id = $2 AND status = 'requested' AND version = $3"""
_NEXT = """UPDATE webhook_endpoint SET next_beat_at = $4
WHERE organization_id = $1 AND id = $2 AND version = $3 AND status = 'active'"""
_END = """UPDATE webhook_endpoint SET status = 'disabled', version = version + 1,
  disabled_reason = 'ended', updated_at = $1, next_beat_at = NULL
WHERE ends_at <= $1 AND status <> 'disabled'"""

#: The reason for a Subscription in error, as its owner reads it.
NO_HANDSHAKE = "handshake"


async def keep_subscriptions(
    database: Database,
    sender: Sender,
    clock: ServiceClock,
    fhir_base: str,
    *,
    stop: asyncio.Event,
    every: float,
) -> None:
    """Looks for due rows every `every` seconds until `stop`; waits for a database that is away."""
    keeper = Keeper(database, sender, clock, fhir_base)
    try:
        while not stop.is_set():
            try:
                await keeper.look()
            except DATABASE_ERRORS as error:
                report(_log, error, loop="keep_subscriptions")
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await stop.wait()
    finally:
        await keeper.close()


class Keeper:
    """The handshakes and heartbeats of one process."""

    def __init__(
        self, database: Database, sender: Sender, clock: ServiceClock, fhir_base: str
    ) -> None:
        self._database = database
        self._base = fhir_base
        self._sender = sender
        self._clock = clock
        self._under_way: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Stops the sends under way; their leases end, and another keeper takes them."""
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def look(self) -> None:
        """Starts what is due now, `AT_ONCE` at most: a receiver that hangs holds up no other."""
        now = self._clock.now()
        await self._database.execute(_END, now)
        room = AT_ONCE - len(self._under_way)
        rows = await self._database.fetch(_DUE, now, now + LEASE, room) if room else ()
        for row in rows:
            task = asyncio.create_task(self._keep(row, now))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _keep(self, row: Any, now: datetime) -> None:
        try:
            if row["status"] == "requested":
                await self._shake_hands(row, now)
            elif row["heartbeat_s"] is not None:
                await self._beat(row, now)
        except Exception as error:  # noqa: BLE001  a wrong key for the secret, or a bug
            # The lease ends either way, and then another try follows.
            failure = {"endpoint_id": row["id"], "error": type(error).__name__}
            if worth_waiting(error):
                _log.warning("database lost", extra=failure)
            else:
                _log.exception("subscription not kept", extra=failure)

    async def _shake_hands(self, row: Any, now: datetime) -> None:
        # No event precedes the first handshake; a later handshake counts the events missed.
        count = 0 if row["version"] == 1 else await self._count(row)
        accepted = await self._post(row, "handshake", count, now)
        subscription = (row["organization_id"], row["id"], row["version"])
        after = self._clock.now()
        async with self._database.begin() as transaction:
            if not accepted:
                await transaction.execute(_ERROR, *subscription, after, NO_HANDSHAKE)
            elif await transaction.fetch_one(_ACTIVE, *subscription, after, _later(row, after)):
                await resume(transaction, row["organization_id"], row["id"], after)

    async def _beat(self, row: Any, now: datetime) -> None:
        last = row["last_event_at"]
        quiet_until = _later(row, last) if last else None
        if quiet_until is None or quiet_until <= now:
            await self._post(row, "heartbeat", await self._count(row), now)
            quiet_until = _later(row, now)
        await self._database.execute(
            _NEXT, row["organization_id"], row["id"], row["version"], quiet_until
        )

    async def _count(self, row: Any) -> int:
        waiting = await unnumbered(self._database, [row["id"]])
        return int(row["events"]) + waiting.get(row["id"], 0)

    async def _post(self, row: Any, kind: str, events: int, now: datetime) -> bool:
        """Sends one notification without an event; returns whether a 2xx answered it."""
        wrong = problem(row["status"], None, row["failing_since"])
        standing = SubscriptionStanding(row["id"], row["topic"], row["status"], events, wrong)
        id_ = new_id()
        body = notification(self._base, standing, kind, row["content"], id_=id_, at=now)
        sent = await self._sender.send(_as_claim(row, id_, body), now)
        return sent.answer.status is not None and 200 <= sent.answer.status < 300


def _later(row: Any, moment: datetime) -> datetime | None:
    """Computes when the next heartbeat is due after a moment; None if none was asked for."""
    period = row["heartbeat_s"]
    return None if period is None else moment + timedelta(seconds=period)


def _as_claim(row: Any, id_: str, body: bytes) -> Claim:
    """Makes a claim for the sender. The claim is no delivery, and nothing of it is recorded."""
    return Claim(
        plan="",
        message_id=id_,
        endpoint_id=row["id"],
        organization_id=row["organization_id"],
        referral_id="",
        seq=0,
        number=1,
        tried=1,
        manual=False,
        url=row["url"],
        secrets=row["secrets"],
        headers=row["headers"],
        full_payload=True,
        failing_since=row["failing_since"],
        body=body,
        subscribed=True,
        mime=row["mime"],
    )
