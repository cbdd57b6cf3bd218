"""The fixtures that the other tests rely on: what one test leaves, the next does not find."""

import time

import pytest

from app.store.database import driver_url
from app.store.tables.metadata import metadata
from tests.postgres import emptying, execute


@pytest.mark.parametrize("_turn", [1, 2])
async def test_every_test_starts_with_an_empty_database(database, database_url, _turn):
    (found,) = await database.fetch("SELECT count(*) FROM webhook_endpoint")
    assert found["count"] == 0
    await execute(
        database_url,
        "INSERT INTO webhook_endpoint (organization_id, id, url, event_types, plans, payload,"
        " status, secrets, created_at, updated_at)"
        " VALUES ('o', 'e', 'https://r.example', '{}', '{}', 'thin', 'active', '', now(), now())",
    )


async def test_the_service_has_the_restricted_role(database):
    (found,) = await database.fetch("SELECT current_user AS role")
    assert found["role"] == "nwd_service"


async def test_emptying_is_quick(database_url):
    begun = time.monotonic()
    await execute(database_url, emptying())
    assert time.monotonic() - begun < 1.0
    assert emptying().count("DELETE") == len(metadata.tables)


async def test_a_server_of_ones_own_can_go_away_and_come_back(own_postgres):
    own_postgres.stop(immediately=True)
    with pytest.raises(OSError):  # noqa: PT011 (whichever the system chooses)
        await execute(own_postgres.url, "SELECT 1")
    own_postgres.start()
    await execute(own_postgres.url, "SELECT 1")


def test_urls_for_both_drivers():
    url = "postgresql+asyncpg://nwd@/x?host=/s"
    assert driver_url(url).startswith("postgresql://nwd@/x?host=")
