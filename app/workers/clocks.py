"""The clocks' loop in the worker process: every few seconds, each plan's due alarms.

Any number may run, beside any number of delivering workers; `sweep.py` sees to it that an alarm
fires once. A database that is away is waited for: whatever fell due meanwhile is caught up.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.base.clock import Clock
from app.base.errors import Refusal, unavailable
from app.base.settings import Settings
from app.journey.clock import CLOCK
from app.journey.intake.context import Door, rules
from app.model.caller import UNASSIGNED
from app.policy.library import FILES, Library, load_library
from app.policy.rules import Rules
from app.policy.switches import read_choice
from app.store.connect import RAISED
from app.store.database import create_engine
from app.store.waiting import answers
from app.workers.quarantine import Aside
from app.workers.sweep import Swept, sweep

_log = logging.getLogger(__name__)

#: What a database that is away raises through the engine.
_AWAY = (Refusal, DBAPIError, *RAISED)
#: How long a referral is left alone whose alarm could not be fired for a reason of its own.
ASIDE = timedelta(minutes=5)


async def run_clocks(
    settings: Settings, clock: Clock, *, stop: asyncio.Event, every: float
) -> None:
    """Sweeps every `every` seconds until `stop` is set; a sweep under way stops between alarms."""
    known = await asyncio.to_thread(rules_of, settings)
    aside = Aside(ASIDE)
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
    clock: Clock,
    fhir_base: str,
    stop: asyncio.Event | None = None,
    aside: Aside | None = None,
) -> Swept:
    """One sweep of every plan served, and of what has no plan yet.

    Where a plan's alarms cannot even be looked up, the other plans have theirs. Raises `Refusal`
    when the database is away.
    """
    total, aside = Swept(), aside or Aside(ASIDE)
    for plan in (*known.plans, UNASSIGNED):
        door = Door(known, clock.now(), CLOCK, fhir_base)
        try:
            swept = await sweep(engine, plan, door, aside, stop=stop)
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
