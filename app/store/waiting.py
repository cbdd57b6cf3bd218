"""A process that starts before its database waits for it, but not for ever."""

import asyncio
import logging
import time

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.base.errors import Refusal, Stopped
from app.base.settings import Settings
from app.store.database import begin, create_engine

log = logging.getLogger(__name__)


class DatabaseAway(Stopped):
    """The database did not answer in time."""


async def answers(engine: AsyncEngine) -> bool:
    """Whether the database answers at all."""
    try:
        async with begin(engine) as connection:
            await connection.exec_driver_sql("SELECT 1")
    except (Refusal, DBAPIError):
        return False
    return True


async def wait_for_database(engine: AsyncEngine, seconds: float) -> None:
    """Returns when the database answers; raises `DatabaseAway` when it does not in time."""
    deadline = time.monotonic() + seconds
    pause = 0.1
    while not await answers(engine):
        if time.monotonic() + pause > deadline:
            raise DatabaseAway(
                f"The database did not answer within {seconds:g} s. Check that it runs, that "
                "DATABASE_URL names it, and that `python -m app migrate` has been run."
            )
        log.warning("waiting for the database")
        await asyncio.sleep(pause)
        pause = min(pause * 2, 2.0)


async def until_it_answers(chosen: Settings) -> None:
    """The same for a process that has no engine yet, with DATABASE_START_WAIT_S."""
    engine = create_engine(chosen, pool_size=1)
    try:
        await wait_for_database(engine, chosen.database_start_wait_s)
    finally:
        await engine.dispose()
