"""History, messages and attempts lie in partitions by the month of their ids."""

import asyncio
import random
import re
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from app.base.ids import new_id
from app.base.settings import Settings
from app.commands.migrate import as_owner, upgrade
from app.store.database import driver_url, opened
from app.store.months import MONTHLY, make_months, month_after, partition
from app.workers.clocks import keep_months
from tests.journeys.payloads import EXTRA, a_referral, because, hopeless, parameters
from tests.journeys.service import furnish, serving
from tests.postgres import execute, token
from tests.receiver import Receiver

TODAY = datetime.now(UTC).date()
MONTHS = [month_after(TODAY, count) for count in range(4)]
MADE = """SELECT inhrelid::regclass::text FROM pg_inherits
WHERE inhparent::regclass::text = ANY ($1)"""
MESSAGE = """INSERT INTO message (plan, id, referral_id, seq, event_type, body, occurred_at)
VALUES ('HPSM', $1, $1, 1, 'x', '', now()) RETURNING tableoid::regclass::text"""
DENIED = parameters(reason=because("no-population"), note="Spoke with the clinic.")
#: Rights of the service's role on partitions; whether it, or everybody, may make one.
RIGHTS = """SELECT (SELECT count(*) FROM information_schema.role_table_grants
    JOIN pg_class ON relname = table_name WHERE relispartition AND grantee = 'nwd_service'),
has_function_privilege('nwd_service', 'nwd_make_month(text, date)', 'EXECUTE'),
has_function_privilege('public', 'nwd_make_month(text, date)', 'EXECUTE')"""
#: Those of these that the server has: the order of bytes, and (PostgreSQL 15) of languages.
COLLATIONS = ["C", "ucs_basic", "pg_c_utf8", "und-x-icu", "en-US-x-icu", "sv-SE-x-icu"]
#: Whoever compares two of them compares digits with digits: no collation has another order.
LIKE_AN_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
async def owner(fresh_database):
    connection = await asyncpg.connect(driver_url(fresh_database))
    yield connection
    await connection.close()


async def partitions(connection) -> set[str]:
    return {row[0] for row in await connection.fetch(MADE, list(MONTHLY))}


def id_at(moment: str, rest: str) -> str:
    digits = f"{int(datetime.fromisoformat(moment).timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-{rest}"


FIRST, LAST = "7000-8000-000000000000", "7fff-bfff-ffffffffffff"


@pytest.mark.parametrize(
    ("day", "first", "last", "after"),
    [
        ("2026-11-30", "2026-11-01T00:00Z", "2026-11-30T23:59:59.999Z", "2026-12-01T00:00Z"),
        ("2026-12-01", "2026-12-01T00:00Z", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00Z"),
        ("2027-02-28", "2027-02-01T00:00Z", "2027-02-28T23:59:59.999Z", "2027-03-01T00:00Z"),
        ("2028-02-10", "2028-02-01T00:00Z", "2028-02-29T23:59:59.999Z", "2028-03-01T00:00Z"),
        ("1970-01-31", "1970-01-01T00:00Z", "1970-01-31T23:59:59.999Z", "1970-02-01T00:00Z"),
    ],
)
async def test_a_month_is_a_range_of_ids(owner, day, first, last, after):
    await owner.execute("SET timezone = 'America/Los_Angeles'")
    since, until = await owner.fetchval("SELECT nwd_month_bounds($1)", date.fromisoformat(day))
    assert (since, until) == (id_at(first, FIRST), id_at(after, FIRST))
    assert since <= id_at(first, FIRST) < id_at(last, LAST) < until
    assert len(since) == len(until) == len(new_id())


async def test_ids_have_the_same_order_under_every_collation(owner):
    bounds = await owner.fetchval(
        "SELECT array_agg(b[1]) FROM generate_series(0, 24) n, nwd_month_bounds("
        " ('2026-11-01'::date + n * interval '1 month')::date) b"
    )
    ids = sorted({*bounds, *(new_id() for _ in range(20))})
    assert all(map(LIKE_AN_ID.fullmatch, ids))
    mixed = random.Random(7).sample(ids, len(ids))
    has = "SELECT collname FROM pg_collation WHERE collname = ANY ($1)"
    names = {row[0] for row in await owner.fetch(has, COLLATIONS)}
    assert "C" in names
    assert len(names) > 1
    for name in names:
        order = f'SELECT array_agg(id ORDER BY id COLLATE "{name}") FROM unnest($1::text[]) AS id'
        assert await owner.fetchval(order, mixed) == ids, name


@pytest.mark.parametrize(
    ("day", "count", "month"),
    [
        ("2026-11-30", 0, "2026-11-01"),
        ("2026-11-30", 1, "2026-12-01"),
        ("2026-12-31", 1, "2027-01-01"),
        ("2026-12-31", 14, "2028-02-01"),
        ("2027-01-15", -1, "2026-12-01"),
    ],
)
def test_months_follow_each_other(day, count, month):
    assert month_after(date.fromisoformat(day), count) == date.fromisoformat(month)


async def test_a_migrated_database_has_this_month_and_three_more(owner):
    months = {partition(table, month) for table in MONTHLY for month in MONTHS}
    assert await partitions(owner) == months | {f"{table}_default" for table in MONTHLY}


async def test_the_partitions_are_made_again_by_whoever_migrates(fresh_database, owner):
    before = await partitions(owner)
    for table in MONTHLY:
        await owner.execute(f"DROP TABLE {partition(table, MONTHS[3])}")
    await upgrade(fresh_database)
    assert await partitions(owner) == before


async def test_a_row_lies_in_the_month_of_its_id_and_any_other_in_the_default(owner):
    assert await owner.fetchval(MESSAGE, new_id()) == partition("message", TODAY)
    far = datetime.combine(MONTHS[2], datetime.min.time(), UTC).isoformat()
    assert await owner.fetchval(MESSAGE, id_at(far, FIRST)) == partition("message", MONTHS[2])
    for stranger in (id_at("2019-01-01T00:00Z", FIRST), "r", "zzz", ""):
        assert await owner.fetchval(MESSAGE, stranger) == "message_default"


async def test_two_workers_make_the_same_months_at_once(fresh_database, owner):
    before = await partitions(owner)
    later = MONTHS[0] + timedelta(days=190)
    settings = Settings(database_url=fresh_database)
    async with opened(settings, size=2) as one, opened(settings, size=2) as other:
        calls = [make_months(source, later) for source in (one, other) for _ in range(2)]
        while not all(await asyncio.gather(*calls)):  # who was kept waiting looks again
            calls = [make_months(one, later)]
    made = {partition(table, month_after(later, count)) for table in MONTHLY for count in range(4)}
    assert await partitions(owner) == before | made


async def test_a_worker_looks_at_the_months_once_a_day(fresh_database, owner):
    name = partition("message", MONTHS[3])
    now = datetime.now(UTC)
    async with opened(Settings(database_url=fresh_database), size=1) as database:
        due = await keep_months(database, now, now)
        assert due == now + timedelta(days=1)
        await owner.execute(f"DROP TABLE {name}")
        assert await keep_months(database, now + timedelta(hours=23), due) == due
        assert name not in await partitions(owner)
        assert await keep_months(database, due, due) == due + timedelta(days=1)
        assert name in await partitions(owner)


async def test_a_table_in_use_is_left_for_another_time(fresh_database, owner, caplog):
    name, now = partition("message", MONTHS[3]), datetime.now(UTC)
    await owner.execute(f"DROP TABLE {name}")
    async with opened(Settings(database_url=fresh_database), size=1) as database:
        async with owner.transaction():
            await owner.execute("LOCK TABLE message IN ACCESS SHARE MODE")
            due = await keep_months(database, now, now)
        assert due == now + timedelta(minutes=10)
        assert name not in await partitions(owner)
        assert [record.partition for record in caplog.records] == [name]
        await keep_months(database, due, due)
    assert name in await partitions(owner)


async def test_rows_that_are_in_the_default_partition_stay_there(fresh_database, owner, caplog):
    name = partition("message", MONTHS[3])
    await owner.execute(f"DROP TABLE {name}")
    early = id_at(datetime.combine(MONTHS[3], datetime.min.time(), UTC).isoformat(), FIRST)
    assert await owner.fetchval(MESSAGE, early) == "message_default"
    async with opened(Settings(database_url=fresh_database), size=1) as database:
        assert await make_months(database, TODAY)
    (said,) = caplog.records
    assert (said.levelname, said.partition) == ("WARNING", name)
    assert await owner.fetchval("SELECT count(*) FROM message WHERE id = $1", early) == 1


@pytest.mark.parametrize(
    ("table", "month"),
    [
        ("referral", TODAY),
        ("message_default", TODAY),
        ("pg_class", TODAY),
        ('message" (id); DROP TABLE "referral', TODAY),
        ("message", month_after(TODAY, -3)),
        ("message", month_after(TODAY, 15)),
    ],
)
async def test_the_service_makes_nothing_but_months_to_come(owner, table, month):
    await owner.execute("SET ROLE nwd_service")
    with pytest.raises(asyncpg.PostgresError) as refused:
        await owner.execute("SELECT nwd_make_month($1, $2)", table, month)
    assert refused.value.sqlstate == "NW002"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.execute("CREATE TABLE other ()")


async def test_nobody_else_makes_a_partition(owner):
    name = f"stranger_{token()}"
    await owner.execute(f"CREATE ROLE {name}")
    try:
        await owner.execute(f"SET ROLE {name}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute("SELECT nwd_make_month('message', $1)", TODAY)
    finally:
        await owner.execute("RESET ROLE")
        await owner.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize("table", ["default", f"{TODAY:%Y_%m}", f"{month_after(TODAY, 4):%Y_%m}"])
async def test_history_cannot_be_changed_through_a_partition(fresh_database, owner, table):
    async with opened(Settings(database_url=fresh_database), size=1) as database:
        await make_months(database, month_after(TODAY, 1))
    await owner.execute("SET ROLE nwd_service")
    for sql in (
        "UPDATE referral_history_{} SET note = ''",
        "DELETE FROM referral_history_{}",
        "TRUNCATE referral_history_{}",
        "INSERT INTO referral_history_{} DEFAULT VALUES",
        "SELECT FROM referral_history_{}",
        "DROP TABLE referral_history_{}",
        "ALTER TABLE referral_history DETACH PARTITION referral_history_{}",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(sql.format(table))


@pytest.mark.parametrize(
    "broken",
    [
        f"GRANT UPDATE ON {partition('referral_history', TODAY)} TO nwd_service",
        "GRANT SELECT ON message_default TO nwd_service",
        "REVOKE EXECUTE ON FUNCTION nwd_make_month(text, date) FROM nwd_service",
        "GRANT EXECUTE ON FUNCTION nwd_make_month(text, date) TO PUBLIC",
    ],
)
async def test_rights_on_partitions_are_put_right(fresh_database, owner, broken):
    right = (0, True, False)
    assert tuple(await owner.fetchrow(RIGHTS)) == right
    await owner.execute(broken)
    assert tuple(await owner.fetchrow(RIGHTS)) != right
    await upgrade(fresh_database)
    assert tuple(await owner.fetchrow(RIGHTS)) == right


#: Partitions of other months that somebody has looked into.
LOOKED_INTO = """SELECT relname FROM pg_stat_user_tables
WHERE relid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent::regclass::text = ANY ($1))
    AND relname <> ALL ($2) AND seq_scan + idx_scan > 0"""


async def test_what_is_asked_for_is_looked_for_in_one_partition(fresh_database, owner):
    """Referring, moving, reading and telling; sessions that end have said what they looked into."""
    for count in range(1, 25):
        month = month_after(TODAY, -count)
        since, until = await owner.fetchval("SELECT nwd_month_bounds($1)", month)
        for table in MONTHLY:
            await owner.execute(
                f"CREATE TABLE {partition(table, month)} PARTITION OF {table}"
                f" FOR VALUES FROM ('{since}') TO ('{until}')"
            )
    await owner.execute("SELECT pg_stat_force_next_flush()")
    await owner.execute("SELECT pg_stat_reset()")
    async with Receiver() as receiver:
        settings = Settings(
            database_url=fresh_database,
            token_secret="in one partition " * 4,
            webhook_allow_private=receiver.allowed,
        )
        await furnish(settings)
        async with serving(settings) as service:
            await service.listen(receiver, "hospital", "thin")
            await service.listen(receiver, "staff-hpsm", "full", payload="full")
            await service.refer(a_referral(EXTRA[0]))
            referral = await service.refer(hopeless(EXTRA[1]))
            answer = await service.do("staff-hpsm", "deny", referral, DENIED)
            assert answer.status_code == 200, answer.text
            async with service.delivering():
                await receiver.until(lambda: receiver.at("thin") and receiver.at("full"))
            for path in (
                f"/v1/referrals/{referral}/timeline",
                f"/fhir/Provenance?target=ServiceRequest/{referral}",
                f"/v1/deliveries?referral={referral}",
                "/v1/deliveries",
            ):
                assert (await service.ask("hospital", "GET", path)).status_code == 200
    # The worker looks for the chains of the record in the indexes of all its months.
    tables = [table for table in MONTHLY if table != "audit_event"]
    here = [partition(table, TODAY) for table in tables]
    assert await owner.fetch("SELECT 1 FROM pg_stat_user_tables WHERE idx_scan > 0 LIMIT 1")
    assert await owner.fetch(LOOKED_INTO, tables, here) == []
    assert len(await owner.fetch(LOOKED_INTO, tables, [])) == len(here)


ROWS = """
INSERT INTO referral (plan, id, version, state, organization_id, priority, intent, received_at,
    decision_due, holds_place, moves, announced, created_at, updated_at, details)
SELECT 'HPSM', id, 1, 'pending', 'o', 'routine', 'order', now(), now(), false, 1, 1, now(), now(),
    '{{}}' FROM unnest(ARRAY['{0}', 'r']) AS id;
INSERT INTO referral_history (plan, referral_id, seq, to_state, event, actor, at, reason)
SELECT 'HPSM', id, 1, 'pending', 'receive', 'rules', now(), '[]'
FROM unnest(ARRAY['{0}', 'r']) AS id;
INSERT INTO message (plan, id, referral_id, seq, event_type, body, occurred_at)
SELECT 'HPSM', id, id, 1, 'x', '', now() FROM unnest(ARRAY['{0}', 'r']) AS id;
INSERT INTO attempt (plan, message_id, endpoint_id, number, at, duration_ms, manual)
SELECT 'HPSM', id, 'e', 1, now(), 1, false FROM unnest(ARRAY['{0}', 'r']) AS id"""


async def test_history_follows_its_referral_to_another_plan(fresh_database):
    await execute(fresh_database, ROWS.format(new_id()))
    async with opened(as_owner(Settings(), fresh_database), size=1) as database:
        for table in MONTHLY:
            if table == "audit_event":  # it follows no referral
                continue
            rows = await database.fetch(f"SELECT tableoid::regclass::text AS part FROM {table}")
            parts = sorted(row["part"] for row in rows)
            assert parts == sorted([partition(table, TODAY), f"{table}_default"])
        await database.execute("UPDATE referral SET plan = 'HPSJ'")
        moved = await database.fetch("SELECT DISTINCT plan FROM referral_history")
        assert [row["plan"] for row in moved] == ["HPSJ"]
