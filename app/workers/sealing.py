"""Seals the record in the worker process, every second (`app.store.audit.seal`).

Any number of processes may do so at once. Between an event and its seal lies the window in which
nobody could tell that the event was taken out; a gauge shows how long it is.
"""

import asyncio
import logging
import time
from contextlib import suppress

from prometheus_client import Gauge

from app.base.clock import ServiceClock
from app.store.audit.seal import seal_all
from app.store.database import Database
from app.store.database_errors import DATABASE_ERRORS, report

_log = logging.getLogger(__name__)

EVERY_S = 1.0
_WINDOW = Gauge(
    "nwd_audit_unsealed_seconds",
    "How long the oldest event of the last pass waited for its seal; while passes fail, since when",
)


async def run_sealing(
    database: Database, clock: ServiceClock, *, stop: asyncio.Event, every: float = EVERY_S
) -> None:
    """Seals every `every` seconds until `stop`; waits for a database that is away."""
    passed = time.time()
    while not stop.is_set():
        try:
            sealed = await seal_all(database, clock.now())
        except DATABASE_ERRORS as error:
            report(_log, error, loop="run_sealing")
            _WINDOW.set(time.time() - passed)
        else:
            passed = time.time()
            _WINDOW.set(passed - sealed.oldest.timestamp() if sealed.oldest else 0)
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await stop.wait()
