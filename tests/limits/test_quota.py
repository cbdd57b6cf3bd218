"""A quota is one count for all processes, and comes back evenly."""

import asyncio

import pytest

from app.store.database import Database
from app.store.limits import (
    Leases,
    Quota,
    ask_about,
    forget_unused,
    locked_s,
    see,
    strike,
    take,
)

TEN = Quota("ten", 10, 60)
#: A member, as its hash is stored.
MEMBER = [f"{number:043d}" for number in range(20)]


@pytest.fixture
async def other(database_settings):
    """Another process on the same database."""
    pool = Database(database_settings)
    yield pool
    await pool.close()


@pytest.mark.parametrize(
    ("uses", "given"),
    [
        # (when, how many) → how many of them were given, what is left, when all is there again
        ([(0, 1)], (1, 9, 6)),
        ([(0, 10)], (10, 0, 60)),
        ([(0, 11)], (10, 0, 60)),
        ([(0, 10), (0, 1)], (0, 0, 60)),
        ([(0, 10), (5.9, 1)], (0, 0, 55)),
        ([(0, 10), (6, 1)], (1, 0, 60)),
        ([(0, 10), (30, 10)], (5, 0, 60)),
        ([(0, 10), (60, 10)], (10, 0, 60)),
        ([(0, 10), (6000, 3)], (3, 7, 18)),
        ([(9e6, 10), (0, 1), (6, 1)], (1, 0, 60)),  # the clock was set back
    ],
)
async def test_a_bucket(database, uses, given):
    taken = None
    for at, cost in uses:
        taken = await take(database, TEN, "k", 1000.0 + at, cost)
    assert (taken.granted, taken.left, taken.resets_s) == given
    assert taken.refused == (taken.granted == 0)


async def test_sources_and_quotas_do_not_touch_each_other(database):
    assert (await take(database, TEN, "one", 0.0, 10)).granted == 10
    assert (await take(database, TEN, "two", 0.0, 10)).granted == 10
    assert (await take(database, Quota("five", 5, 60), "one", 0.0, 10)).granted == 5
    assert (await see(database, TEN, "three", 0.0)).left == 10
    assert (await see(database, TEN, "one", 6.0)).left == 1


async def test_processes_share_one_count(database, other):
    many = [take(pool, TEN, "k", 5.0) for pool in (database, other) for _ in range(20)]
    assert sum(taken.granted for taken in await asyncio.gather(*many)) == 10


DAY, HOUR = 86_400, 3600
BOTH = Quota("members", 5, DAY), Quota("misses", 3, HOUR)


async def test_a_member_counts_once_a_day(database):
    async def ask(number, at, client="c"):
        return await ask_about(database, BOTH, client, MEMBER[number], at)

    for number in range(5):
        for _ in range(3):
            assert not (await ask(number, 0.0)).refused
    refused = await ask(5, 1.0)
    assert (refused.refused, refused.left, refused.wait_s) == (True, 0, DAY // 5)
    assert not (await ask(4, 1.0)).refused
    assert not (await ask(5, 1.0, "d")).refused
    assert (await ask(5, 2.0)).refused  # a refusal notes nobody
    assert (await ask(0, DAY + 1.0)).left == 4


async def test_after_too_many_misses_nobody_is_asked_about(database):
    for _ in range(3):
        assert not (await ask_about(database, BOTH, "c", MEMBER[0], 0.0)).refused
        await take(database, BOTH[1], "c", 0.0)
    for member, at, refused in (
        (MEMBER[0], 0.0, True),  # known or new: the answer is the same
        (MEMBER[1], 0.0, True),
        (MEMBER[0], 1199.0, True),
        (MEMBER[0], 1200.0, False),
    ):
        asked = await ask_about(database, BOTH, "c", member, at)
        assert asked.refused == refused
        assert asked.wait_s == (max(1, 1200 - at) if refused else 1)
        assert asked.left == 4
    assert not (await ask_about(database, BOTH, "d", MEMBER[0], 0.0)).refused


async def test_failures_lock_for_longer_each_time(database):
    waits, now = [], 0.0
    for _ in range(6):
        for _ in range(10):
            assert await strike(database, TEN, "k", now) == 0
        waits.append(await strike(database, TEN, "k", now))
        assert await strike(database, TEN, "k", now) == waits[-1]  # within a lock is no other
        assert await locked_s(database, ["ten"], ["k", "x"], now + 1) == waits[-1] - 1
        assert await locked_s(database, ["ten"], ["x"], now) == 0
        now += waits[-1] + 60
    assert waits == [60, 120, 240, 480, 900, 900]
    now += 3600
    for _ in range(10):
        await strike(database, TEN, "k", now)
    assert await strike(database, TEN, "k", now) == 60


async def test_a_process_takes_slices(database, other):
    hundred = Quota("hundred", 100, 60)
    clock = [0.0]
    one, two = (Leases(hundred, lambda: clock[0]) for _ in range(2))
    given = [await one.use(database, "k") for _ in range(3)]
    assert [(t.granted, t.left) for t in given] == [(1, 99), (1, 98), (1, 97)]
    assert (await see(database, hundred, "k", 0.0)).left == 95
    both = [
        await leases.use(pool, "k")
        for _ in range(60)
        for leases, pool in ((one, database), (two, other))
    ]
    assert sum(taken.granted for taken in both) + 3 == 100
    refused = await one.use(database, "k")
    assert refused.refused
    assert refused.resets_s == 3
    clock[0] = 3.0
    assert not (await one.use(database, "k")).refused


async def test_many_at_once_take_one_slice(database):
    leases = Leases(Quota("hundred", 100, 60), lambda: 0.0)
    await asyncio.gather(*(leases.use(database, "k") for _ in range(5)))
    assert (await see(database, leases.quota, "k", 0.0)).left == 95


async def test_without_a_database_nobody_is_refused(database_settings):
    nowhere = database_settings.model_copy(
        update={"database_url": "postgresql://nobody@127.0.0.1:1/none"}
    )
    away, leases = Database(nowhere), Leases(TEN, lambda: 0.0)
    assert not any([(await leases.use(away, "k")).refused for _ in range(30)])


async def test_what_no_longer_counts_is_deleted(database):
    for number in range(20):
        await take(database, TEN, f"k{number}", 0.0)
        short = Quota("m", 50, 60), BOTH[1]
        await ask_about(database, short, f"c{number}", MEMBER[number], 0.0)
    await take(database, TEN, "later", 1e6)
    for _ in range(11):
        await strike(database, TEN, "locked", 0.0)
    assert await forget_unused(database, 61.0, batch=7) == 60
    assert await forget_unused(database, 3700.0) == 1
    assert (await see(database, TEN, "later", 1e6)).left == 9
