"""The clocks' loop in the worker process: every few seconds, each plan's due alarms.

Any number may run, beside any number of delivering workers; `sweep.py` sees to it that an alarm
fires once. A database that is away is waited for: whatever fell due meanwhile is caught up.
"""

import asyncio
import logging
from contextlib import suppress
from functools import cache
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.caller.model import UNASSIGNED
from app.clock import Clock
from app.clocks.fire import CLOCK
from app.clocks.sweep import Swept, sweep
from app.database import create_engine
from app.errors import Refusal
from app.intake.door import Door
from app.notification.connect import LOST
from app.policy.library import FILES, Library, load_library
from app.policy.switches import read_choice
from app.rules import Rules, rules
from app.settings import Settings

_log = logging.getLogger(__name__)

#: What a database that is away raises through the engine.
_AWAY = (Refusal, DBAPIError, *LOST)


async def run_clocks(
    settings: Settings, clock: Clock, *, stop: asyncio.Event, every: float
) -> None:
    """Sweeps every `every` seconds until `stop` is set; a sweep under way stops between alarms."""
    known = await asyncio.to_thread(rules_of, settings)
    engine = create_engine(settings, pool_size=1)
    try:
        while not stop.is_set():
            try:
                await sweep_all(engine, known, clock, settings.fhir_base, stop)
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
) -> Swept:
    """One sweep of every plan served, and of what has no plan yet."""
    total = Swept()
    for plan in (*known.plans, UNASSIGNED):
        door = Door(known, clock.now(), CLOCK, fhir_base)
        swept = await sweep(engine, plan, door, stop=stop)
        total.fired += swept.fired
        total.left += swept.left
    return total


def rules_of(settings: Settings) -> Rules:
    """The rules that the service of the same settings decides by."""
    return rules(settings, _library(settings.policy_path, settings.policy_switches))


@cache
def _library(path: str, switches: str) -> Library:
    return load_library(Path(path) if path else FILES, read_choice(switches))
