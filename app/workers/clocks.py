"""The clocks' loop in the worker process: every few seconds, each plan's due alarms.

Any number may run, beside any number of delivering workers; `sweep.py` sees to it that an alarm
fires once. A database that is away is waited for: whatever fell due meanwhile is caught up.

Finds what is due in one plan, and fires it: each alarm once, however many workers run.

Candidates come in batches, the earliest due first whichever clock it is, so that what was missed
during a downtime is caught up in order. Each is then locked by itself (`SKIP LOCKED`: another
worker has it), read again, asked about in `due.py` and written by the guarded update of every other
move. When to run is `run.py`'s; the time is passed in.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.base.clock import ServiceClock
from app.base.errors import Refusal, is_too_costly, unavailable
from app.base.local_time import local_date
from app.base.settings import Settings
from app.journey.clock import CLOCK, fire, pass_on
from app.journey.intake.context import RequestContext, rules
from app.journey.waitlist import write_move
from app.model.caller import UNASSIGNED
from app.model.record import Alarm
from app.policy.library import FILES, Library, load_library, read_choice
from app.policy.rules import Rules
from app.store.connect import RAISED
from app.store.database import answers, begin, create_engine, fetch, fetch_one
from app.store.referral.reopen import opened
from app.store.referral.store import REFERRAL_COLUMNS, to_referral
from app.workers.quarantine import Quarantine

#: How many candidates are looked up at once; each is a transaction of its own.
BATCH = 100

# $1 plan, $2 the last moment that is over, $3 now, $4 today, $5 days of notice, $6 not these,
# $7 limit. One index probe a clock; where two are due at the same moment, void comes before
# overdue: a referral that ends then is not late.
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

_LOCK = f"""SELECT {REFERRAL_COLUMNS} FROM referral r
WHERE r.plan = $1 AND r.id = $2 FOR UPDATE SKIP LOCKED"""


@dataclass(slots=True)
class Swept:
    """What one sweep of a plan came to."""

    fired: int = 0
    #: Referrals left for the next sweep: another worker has them, or they could not be written.
    left: int = 0


async def sweep(
    engine: AsyncEngine,
    plan: str,
    context: RequestContext,
    aside: Quarantine,
    *,
    batch: int = BATCH,
    stop: asyncio.Event | None = None,
) -> Swept:
    """Fires everything that is due in a plan at `context.now`. Safe to repeat, and to run at once.

    Ends between two alarms when `stop` is set. `aside` has the referrals that are left alone
    because their alarm failed, and gets those that fail now.
    """
    swept = Swept()
    passed_over = aside.still(context.now)
    while True:
        async with begin(engine) as connection:
            found = await candidates(connection, plan, context, passed_over, batch)
        if not found:
            return swept
        for alarm, referral_id in found:
            if stop is not None and stop.is_set():
                return swept
            if referral_id in passed_over:
                continue
            if await _one(engine, plan, referral_id, alarm, context, aside):
                swept.fired += 1
            else:
                passed_over.add(referral_id)
                swept.left += 1


async def candidates(
    connection: AsyncConnection,
    plan: str,
    context: RequestContext,
    passed_over: set[str],
    limit: int,
) -> Sequence[tuple[Alarm, str]]:
    """What seems due, the earliest first; not locked yet."""
    today = local_date(context.now)
    known = plan if plan in context.rules.plans else None
    notice = context.rules.clocks(known, today).data.expiring_days_before
    over = context.now - timedelta(seconds=1)
    values = (plan, over, context.now, today, notice, sorted(passed_over), limit)
    return [(Alarm(alarm), id_) for alarm, id_ in await fetch(connection, _DUE, values)]


async def _one(
    engine: AsyncEngine,
    plan: str,
    referral_id: str,
    alarm: Alarm,
    context: RequestContext,
    aside: Quarantine,
) -> bool:
    """One alarm in its own transaction. What one referral cannot do holds up no other.

    Raises `Refusal` when the database is away: not when it answers, whatever it said of this one.
    """
    about = {"plan": plan, "referral_id": referral_id, "alarm": alarm.value}
    for again in (True, False):  # a connection that was lost meanwhile is made anew
        try:
            async with begin(engine) as connection:
                return await claim_and_fire(connection, plan, referral_id, alarm, context)
        except Exception as error:
            if isinstance(error, Refusal) and error.status < 500 and not is_too_costly(error):
                _log.warning("clock passed over", extra=about)
                return False
            if not await answers(engine):
                raise unavailable() from error
            if again:
                continue
            said = {**about, "error": type(error).__name__}
            _log.exception("clock not fired; set aside", extra=said)
    aside.put(referral_id, context.now)
    return False


async def claim_and_fire(
    connection: AsyncConnection, plan: str, referral_id: str, alarm: Alarm, context: RequestContext
) -> bool:
    """Locks one referral and fires its alarm; False where it is locked, or nothing is due."""
    row = await fetch_one(connection, _LOCK, (plan, referral_id))
    if row is None:
        return False
    found = await opened(connection, to_referral(row), now=context.now, fhir_base=context.fhir_base)
    if not fire(found.draft, alarm, context):
        return False
    await write_move(connection, found.draft, context, pass_on)
    return True


_log = logging.getLogger(__name__)

#: What a database that is away raises through the engine.
_AWAY = (Refusal, DBAPIError, *RAISED)
#: How long a referral is left alone whose alarm could not be fired for a reason of its own.
ASIDE = timedelta(minutes=5)


async def run_clocks(
    settings: Settings, clock: ServiceClock, *, stop: asyncio.Event, every: float
) -> None:
    """Sweeps every `every` seconds until `stop` is set; a sweep under way stops between alarms."""
    known = await asyncio.to_thread(rules_of, settings)
    aside = Quarantine(ASIDE)
    engine = create_engine(settings, pool_size=1)
    try:
        while not stop.is_set():
            try:
                await sweep_all(engine, known, clock, settings.fhir_base, stop, aside)
            except _AWAY as error:
                _log.warning("database lost; clocks wait", extra={"error": type(error).__name__})
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await stop.wait()
    finally:
        await engine.dispose()


async def sweep_all(
    engine: AsyncEngine,
    known: Rules,
    clock: ServiceClock,
    fhir_base: str,
    stop: asyncio.Event | None = None,
    aside: Quarantine | None = None,
) -> Swept:
    """One sweep of every plan served, and of what has no plan yet.

    Where a plan's alarms cannot even be looked up, the other plans have theirs. Raises `Refusal`
    when the database is away.
    """
    total, aside = Swept(), aside or Quarantine(ASIDE)
    for plan in (*known.plans, UNASSIGNED):
        context = RequestContext(known, clock.now(), CLOCK, fhir_base)
        try:
            swept = await sweep(engine, plan, context, aside, stop=stop)
        except Exception as error:
            if not await answers(engine):
                raise unavailable() from error
            said = {"plan": plan, "error": type(error).__name__}
            _log.exception("clocks of a plan not looked at", extra=said)
            continue
        total.fired += swept.fired
        total.left += swept.left
    return total


def rules_of(settings: Settings) -> Rules:
    """The rules that the service of the same settings decides by."""
    return rules(settings, _library(settings.policy_path, settings.policy_switches))


@cache
def _library(path: str, switches: str) -> Library:
    return load_library(Path(path) if path else FILES, read_choice(switches))
