"""A connection kept at hand serves the next statement, whoever waits and whatever breaks."""

import asyncio

import asyncpg
import pytest

from app.store.database import Database, driver_url
from app.store.database_errors import DatabaseLost

_OWN = "SELECT pg_backend_pid() AS pid"


@pytest.fixture
async def one(database_settings):
    """A pool of one connection."""
    database = Database(database_settings.model_copy(update={"database_wait_s": 1}), size=1)
    yield database
    await database.close()


async def pid_of(database):
    return (await database.fetch_one(_OWN))["pid"]


async def test_one_connection_serves_statements_and_transactions_in_turn(one):
    first = await pid_of(one)
    async with one.begin() as transaction:
        assert (await transaction.fetch_one(_OWN))["pid"] == first
    assert await pid_of(one) == first


async def test_those_who_wait_get_the_connection_in_turn(one):
    await pid_of(one)
    assert len(set(await asyncio.gather(*(pid_of(one) for _ in range(5))))) == 1


async def test_nobody_waits_longer_than_a_request_may_wait(one):
    async with one.begin():
        with pytest.raises(DatabaseLost):
            await pid_of(one)
    assert await pid_of(one)


async def test_a_statement_that_is_refused_leaves_a_connection_that_serves(one):
    with pytest.raises(asyncpg.DivisionByZeroError):
        await one.execute("SELECT 1 / 0")
    assert await pid_of(one)


async def test_an_error_of_the_block_itself_stays_what_it_is(one):
    with pytest.raises(TimeoutError):
        async with one.begin():
            raise TimeoutError
    assert await pid_of(one)


async def test_a_connection_that_was_cut_at_hand_is_replaced(one, database_settings):
    first = await pid_of(one)
    owner = await asyncpg.connect(driver_url(database_settings.database_url))
    assert await owner.fetchval("SELECT pg_terminate_backend($1, 5000)", first)
    await owner.close()
    try:
        second = await pid_of(one)
    except DatabaseLost:  # the end of the connection had not arrived here yet
        second = await pid_of(one)
    assert second != first
