"""Keeps a process told of tokens that ended early, so that no request has to ask the database.

A client that is switched off, or whose secret or keys are replaced at once, begins a new series of
tokens. Every process reads those series once a second (`app.store.clients.ended_series`).
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.api.bearer import Tokens
from app.store.clients import ended_series
from app.store.database import Database
from app.store.database_errors import DATABASE_ERRORS

_log = logging.getLogger(__name__)

#: Seconds between two looks.
PAUSE_S = 1.0


@asynccontextmanager
async def told_of_ended(tokens: Tokens, database: Database) -> AsyncIterator[None]:
    """Looks at once, then again and again while the block runs."""
    await _look(tokens, database)
    looking = asyncio.create_task(_look_forever(tokens, database))
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait([looking])


async def _look_forever(tokens: Tokens, database: Database) -> None:
    while True:
        await asyncio.sleep(PAUSE_S)
        await _look(tokens, database)


async def _look(tokens: Tokens, database: Database) -> None:
    """Reads the series. While the database is away nothing else can be read with a token either."""
    try:
        tokens.ended = await ended_series(database)
    except DATABASE_ERRORS as error:
        _log.warning("ended tokens not read", extra={"error": type(error).__name__})
