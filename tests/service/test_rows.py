"""What the demonstration's hospital referral takes in the database, and that it takes no more.

Rows and index entries are those in PostgreSQL's own log of the post (`bench.written`): every index
counts in which the row has an entry. Bytes are what copies of the referral take on disk: tables,
indexes and values stored out of line (`bench.stock`).
"""

from datetime import UTC, datetime

import asyncpg
import pytest

from app.base.settings import Settings
from app.store.database import driver_url
from bench.stock import Stock, a_referral, sizes
from bench.written import position, written_since
from demo.referral import hospital_bundle, new_member, roster_entry
from tests.journeys.service import furnish, serving
from tests.receiver import Receiver

#: Whose endpoints hear of it → rows, index entries and bytes at most. They only go down, towards
#: 16, 50 and 15,000 as `make run` has it: with the hospital listening, and the performer.
AT_MOST = {
    (): (20, 41, 23_300),
    ("hospital", "ecm-provider"): (26, 65, 25_800),
}
COPIES = 1_000


@pytest.fixture
async def alone(own_postgres):
    """A service on a server of its own, whose log has nothing else, and members to refer."""
    settings = Settings(database_url=own_postgres.url, token_secret="rows " * 8)
    members = [new_member() for _ in range(2 * len(AT_MOST))]
    async with Receiver() as receiver:
        settings = settings.model_copy(update={"webhook_allow_private": receiver.allowed})
        known = [
            resource
            for member in members
            for resource in roster_entry(member)
            if resource["id"].endswith(member.cin.lower())
        ]
        await furnish(settings, extra=(), more=known)
        async with serving(settings) as service:
            service.receiver, service.members = receiver, iter(members)
            await service.store.execute("CREATE EXTENSION pg_walinspect")
            yield service


async def written(service, listeners):
    """Two referrals, what PostgreSQL wrote for the second, and the tables it wrote to."""
    for client in listeners:
        await service.listen(service.receiver, client, f"/{client}")
    models = []
    for member in (next(service.members), next(service.members)):
        since = await position(service.store)
        models.append(await service.refer(hospital_bundle(member, datetime.now(UTC))))
    return models, await written_since(service.store, since)


async def bytes_each(service, models, tables):
    """What a copy of a model takes on disk."""
    connection = await asyncpg.connect(driver_url(service.settings.database_url))
    stock = Stock(connection, models, list(tables))
    await stock.grow(COPIES // 10)  # until then, tables grow by what they never grow again
    before, copied = await sizes(connection), stock.copied
    await stock.grow(COPIES)
    each = a_referral(before, await sizes(connection), (stock.copied - copied) * len(models))
    await connection.close()
    return sum(map(sum, each.values()))


async def test_a_referral_takes_no_more_rows_entries_and_bytes(alone):
    posted = {listeners: await written(alone, listeners) for listeners in AT_MOST}
    found = {
        listeners: (wrote.rows, wrote.entries, await bytes_each(alone, models, wrote.tables))
        for listeners, (models, wrote) in posted.items()
    }
    over = {
        listeners: found[listeners]
        for listeners, most in AT_MOST.items()
        if any(value > bound for value, bound in zip(found[listeners], most, strict=True))
    }
    assert over == {}
