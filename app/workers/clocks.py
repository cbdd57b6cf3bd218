"""Runs the clocks in the worker process: every few seconds it fires the due alarms of each plan.

The loop (`run_clocks`, `sweep_all`): any number of processes may run it, beside any number of
delivering workers. It waits for a database that is away, and then catches up on what fell due. At
its start, and once a day, it makes the partitions of the months to come (`app.store.months`).

One plan (`sweep`): candidates come in batches, the earliest due first, whichever clock it is, so
that alarms missed during a downtime fire in order. Each candidate is locked by itself (`SKIP
LOCKED` passes over one that another worker has), read again, checked again (`app.model.record`),
and written by the guarded update of every move: so each alarm fires once, however many workers run.
The caller passes the time in.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.base.clock import ServiceClock
from app.base.errors import Refusal, is_too_costly
from app.base.local_time import local_date
from app.base.settings import Settings
from app.journey.clock import CLOCK, fire, keep_or_release
from app.journey.intake.context import RequestContext, rules_of
from app.journey.move import write_move
from app.model.caller import UNASSIGNED
from app.model.record import Alarm
from app.policy.rules import Rules
from app.store.database import Database, Transaction, database_answers
from app.store.database_errors import DATABASE_ERRORS, DatabaseLost
from app.store.limits import forget_unused
from app.store.months import make_months
from app.store.referral.reopen import load_for_move
from app.workers.quarantine import Quarantine

_log = logging.getLogger(__name__)

#: The time for which a referral is left alone after its alarm failed for a reason of its own.
ASIDE = timedelta(minutes=5)
#: The time after which the months to come are looked at again; and if one could not be made.
_MONTHS_AGAIN, _MONTHS_SOON = timedelta(days=1), timedelta(minutes=10)
#: The time after which what callers have used is looked through again.
_FORGET_AGAIN = timedelta(minutes=10)


@dataclass(slots=True)
class Swept:
    """The result of one sweep."""

    fired: int = 0
    #: The referrals left for the next sweep: another worker has them, or writing them failed.
    left: int = 0


# The loop


async def run_clocks(
    settings: Settings,
    database: Database,
    clock: ServiceClock,
    *,
    stop: asyncio.Event,
    every: float,
) -> None:
    """Sweeps all plans every `every` seconds until `stop`; ends a sweep between two alarms."""
    known = await asyncio.to_thread(rules_of, settings)
    aside, months_due, forget_due = Quarantine(ASIDE), clock.now(), clock.now()
    while not stop.is_set():
        try:
            months_due = await keep_months(database, clock.now(), months_due)
            if clock.now() >= forget_due:
                forget_due = clock.now() + _FORGET_AGAIN
                await forget_unused(database, time.time())
            await sweep_all(database, known, clock, settings.fhir_base, stop, aside)
        except DATABASE_ERRORS as error:
            _log.warning("database lost; clocks wait", extra={"error": type(error).__name__})
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await stop.wait()


async def keep_months(database: Database, now: datetime, due: datetime) -> datetime:
    """Makes the partitions of the months to come if that is due; returns when it is due next."""
    if now < due:
        return due
    made = await make_months(database, now.date())
    return now + (_MONTHS_AGAIN if made else _MONTHS_SOON)


async def sweep_all(
    database: Database,
    known: Rules,
    clock: ServiceClock,
    fhir_base: str,
    stop: asyncio.Event | None = None,
    aside: Quarantine | None = None,
) -> Swept:
    """Sweeps every plan served once, and the referrals without a plan.

    If the lookup of one plan's alarms fails, the other plans are still swept. Raises `Refusal` if
    the database is away.
    """
    total, aside = Swept(), aside or Quarantine(ASIDE)
    for plan in (*known.plans, UNASSIGNED):
        context = RequestContext(known, clock.now(), CLOCK, fhir_base)
        try:
            swept = await sweep(database, plan, context, aside, stop=stop)
        except Exception as error:
            if not await database_answers(database):
                raise DatabaseLost() from error
            failure = {"plan": plan, "error": type(error).__name__}
            _log.exception("clocks of a plan not looked at", extra=failure)
            continue
        total.fired += swept.fired
        total.left += swept.left
    return total


# One plan

#: The number of candidates that are looked up at once; each fires in a transaction of its own.
BATCH = 100

# $1 plan, $2 the last moment that is over, $3 now, $4 today, $5 days of notice, $6 ids to leave
# out, $7 limit. One index probe a clock. If two clocks are due at the same moment, void comes
# before overdue, because a referral that ends then is not late.
_DUE = """
SELECT alarm, id FROM (
  (SELECT void_due AS due, 0 AS rank, 'void' AS alarm, id FROM referral
   WHERE plan = $1 AND state = 'pending' AND void_due IS NOT NULL AND void_due <= $2
     AND id <> ALL ($6::text[])
   ORDER BY void_due LIMIT $7)
  UNION ALL
  (SELECT remind_at, 1, 'reminder', referral_id FROM information_request
   WHERE plan = $1 AND ended_at IS NULL AND reminded_at IS NULL AND remind_at IS NOT NULL
     AND remind_at <= $3 AND void_due > $2 AND referral_id <> ALL ($6::text[])
   ORDER BY remind_at LIMIT $7)
  UNION ALL
  (SELECT decision_due, 2, 'overdue', id FROM referral
   WHERE plan = $1 AND state = 'pending' AND overdue_told_at IS NULL AND decision_due <= $2
     AND id <> ALL ($6::text[])
   ORDER BY decision_due LIMIT $7)
  UNION ALL
  (SELECT (ends_on - $5::int)::timestamptz, 3, 'expiring', referral_id FROM service_authorization
   WHERE plan = $1 AND status = 'open' AND expiring_told_at IS NULL AND expired_told_at IS NULL
     AND ends_on <= $4::date + $5::int AND ends_on >= $4::date AND ends_on - $5::int > starts_on
     AND referral_id <> ALL ($6::text[])
   ORDER BY ends_on LIMIT $7)
  UNION ALL
  (SELECT (ends_on + 1)::timestamptz, 4, 'expired', referral_id FROM service_authorization
   WHERE plan = $1 AND status = 'open' AND expired_told_at IS NULL AND ends_on < $4::date
     AND referral_id <> ALL ($6::text[])
   ORDER BY ends_on LIMIT $7)
) AS clocks ORDER BY due, rank, id LIMIT $7
"""

_LOCK = "SELECT 1 FROM referral WHERE plan = $1 AND id = $2 FOR UPDATE SKIP LOCKED"


async def sweep(
    database: Database,
    plan: str,
    context: RequestContext,
    aside: Quarantine,
    *,
    batch: int = BATCH,
    stop: asyncio.Event | None = None,
) -> Swept:
    """Fires every alarm of a plan due at `context.now`. Safe to repeat, and to run in parallel.

    Ends between two alarms when `stop` is set. `aside` holds the referrals that are left alone
    because their alarm failed; referrals that fail now join them.
    """
    swept = Swept()
    passed_over = aside.still(context.now)
    while True:
        due = await candidates(database, plan, context, passed_over, batch)
        if not due:
            return swept
        for alarm, referral_id in due:
            if stop is not None and stop.is_set():
                return swept
            if referral_id in passed_over:
                continue
            if await _try_to_fire(database, plan, referral_id, alarm, context, aside):
                swept.fired += 1
            else:
                passed_over.add(referral_id)
                swept.left += 1


async def candidates(
    database: Database,
    plan: str,
    context: RequestContext,
    passed_over: set[str],
    limit: int,
) -> Sequence[tuple[Alarm, str]]:
    """Finds alarms that seem due, the earliest first. Locks nothing yet."""
    today = local_date(context.now)
    known = plan if plan in context.rules.plans else None
    notice = context.rules.clocks(known, today).data.expiring_days_before
    over = context.now - timedelta(seconds=1)
    values = (plan, over, context.now, today, notice, sorted(passed_over), limit)
    return [(Alarm(row["alarm"]), row["id"]) for row in await database.fetch(_DUE, *values)]


async def _try_to_fire(
    database: Database,
    plan: str,
    referral_id: str,
    alarm: Alarm,
    context: RequestContext,
    aside: Quarantine,
) -> bool:
    """Fires one alarm in its own transaction; a failure of one referral holds up no other.

    Returns False if the referral is left for later. Raises `Refusal` if the database is away; an
    error of a database that still answers concerns this referral alone.
    """
    about = {"plan": plan, "referral_id": referral_id, "alarm": alarm.value}
    for again in (True, False):  # twice, since a lost connection is made anew
        try:
            async with database.begin() as transaction:
                return await claim_and_fire(transaction, plan, referral_id, alarm, context)
        except Exception as error:
            if isinstance(error, Refusal) and error.status < 500 and not is_too_costly(error):
                _log.warning("clock passed over", extra=about)
                return False
            if not await database_answers(database):
                raise DatabaseLost() from error
            if again:
                continue
            failure = {**about, "error": type(error).__name__}
            _log.exception("clock not fired; set aside", extra=failure)
    aside.put(referral_id, context.now)
    return False


async def claim_and_fire(
    transaction: Transaction, plan: str, referral_id: str, alarm: Alarm, context: RequestContext
) -> bool:
    """Locks one referral and fires its alarm; False if another has the lock or nothing is due."""
    if await transaction.fetch_one(_LOCK, plan, referral_id) is None:
        return False
    due = await load_for_move(
        transaction, plan, referral_id, now=context.now, fhir_base=context.fhir_base
    )
    if not fire(due.draft, alarm, context):
        return False
    await write_move(transaction, due.draft, context, keep_or_release)
    return True
