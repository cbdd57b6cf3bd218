"""One row that PostgreSQL refuses, or that we cannot read, holds up no other.

A policy of row security that divides by zero stands for whatever is wrong with a row: the worker's
role cannot touch it, everybody else's rows are well.
"""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest

from app.base.logs import LogLine
from app.store.database_errors import DatabaseLost, named_errors, worth_waiting
from app.workers.quarantine import split_on_failure
from tests.delivery.outage import reached
from tests.delivery.scene import HOSPITAL, PLAN


@asynccontextmanager
async def poisoned(scene, table, which):
    """Whoever reads or writes one of these rows of the table is refused."""
    await scene.connection.execute(
        f"CREATE POLICY poison ON {table} AS RESTRICTIVE"
        f" USING (1 / (CASE WHEN {which} THEN 0 ELSE 1 END) = 1)"
    )
    try:
        yield
    finally:
        await scene.connection.execute(f"DROP POLICY poison ON {table}")


async def store(scene, referrals):
    """What a full payload shows of the referrals: the one who asks is the plan, and may see it."""
    await scene.connection.execute(
        "INSERT INTO organization (id, name, plan, active, version, updated_at)"
        " VALUES ($1, 'Plan', $2, true, 1, now())",
        HOSPITAL,
        PLAN,
    )
    await scene.connection.execute(
        "INSERT INTO client (id, organization_id, scopes, active, demonstration, created_at)"
        " VALUES ('a-client', $1, '{system/*.cruds}', true, false, now())",
        HOSPITAL,
    )
    await scene.connection.execute(
        "INSERT INTO resource_set (plan, referral_id, version, number, updated_at, names,"
        " versions, bodies) SELECT $1, id, 1, '0', '2020-01-01', '{ServiceRequest}',"
        " '{1}', ARRAY['{}'::bytea] FROM unnest($2::text[]) id",
        PLAN,
        referrals,
    )


def lines(caplog, message):
    form = LogLine()
    return [form.format(record) for record in caplog.records if record.message == message]


def about(receiver):
    return sorted(got.data["data"]["referral_id"] for got in receiver.received)


async def waits_aside(scene, message, now):
    """The one is nobody's, due a minute after it failed, and no try of its schedule is used up."""
    (row,) = [each for each in await scene.deliveries() if each["message_id"] == message]
    assert (row["state"], row["lease_until"]) == ("pending", None)
    assert 30 < (row["next_attempt_at"] - now).total_seconds() <= 60
    assert row["attempts"] == row["round_start"]


async def test_one_whose_body_cannot_be_made_holds_up_no_other(scene, receiver, caplog):
    await scene.endpoint(receiver.url(), payload="full")
    referrals = [f"r{n}" for n in range(7)]
    await store(scene, referrals)
    sent = {referral: await scene.announce(referral) for referral in referrals}
    async with scene.worker():
        async with poisoned(scene, "resource_set", "referral_id = 'r4'"):
            await scene.until_states(*["delivered"] * 4, "pending", *["delivered"] * 2)
            await waits_aside(scene, sent["r4"], scene.clock.now())
        assert sorted(got.id for got in receiver.received) == sorted(
            id_ for referral, id_ in sent.items() if referral != "r4"
        )
        scene.move(seconds=61)
        await scene.until_states(*["delivered"] * 7)
    assert receiver.received[-1].id == sent["r4"]
    (said,) = lines(caplog, "set aside")
    assert sent["r4"] in said
    assert "DivisionByZeroError" in said
    assert "division by zero" not in said


async def test_one_that_cannot_be_recorded_is_sent_again_later_and_holds_up_no_other(
    scene, receiver
):
    await scene.endpoint(receiver.url())
    sent = [await scene.announce(f"r{n}") for n in range(6)]
    async with scene.worker():
        async with poisoned(scene, "attempt", f"message_id = '{sent[2]}'"):
            await scene.until_states("delivered", "delivered", "pending", *["delivered"] * 3)
            await scene.until_attempts(5)
            await scene.announce("r9")  # the recording goes on
            await scene.until_attempts(6)
            await waits_aside(scene, sent[2], scene.clock.now())
        scene.move(seconds=61)
        await scene.until_states(*["delivered"] * 7)
    assert [got.id for got in receiver.received].count(sent[2]) == 2


async def test_a_plan_whose_queue_cannot_be_read_holds_up_no_other_plan(scene, receiver, caplog):
    await scene.endpoint(receiver.url())
    await scene.announce("before", plan="CCAH")
    await scene.announce("after", plan="HPSM")
    async with scene.worker():
        async with poisoned(scene, "message", "plan = 'CCAH'"):
            await receiver.count(1)
            await scene.announce("later", plan="HPSM")
            await receiver.count(2)
            assert about(receiver) == ["after", "later"]
        scene.move(seconds=61)
        await scene.until_states(*["delivered"] * 3)
    (said,) = lines(caplog, "plan passed over")  # and not once more at every poll
    assert "CCAH" in said


async def test_a_statement_that_is_refused_says_so_and_is_tried_again(scene, receiver, caplog):
    """Whatever a loop is refused before it knows any plan: nothing can be sent, and it says why."""
    await scene.endpoint(receiver.url())
    async with scene.worker():
        async with poisoned(scene, "delivery", "true"):
            await scene.announce("r1")
            async with asyncio.timeout(30):  # nothing arrives that could tell
                await reached(lambda: lines(caplog, "refused by the database; trying again"))
        await scene.until_states("delivered")
    assert lines(caplog, "database lost; trying again") == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError(), True),
        (asyncpg.ConnectionDoesNotExistError("gone"), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.InternalClientError("unexpected state"), True),
        (asyncpg.AdminShutdownError("restart"), True),
        (asyncpg.CrashShutdownError("crash"), True),
        (asyncpg.CannotConnectNowError("starting up"), True),
        (asyncpg.TooManyConnectionsError("full"), True),
        (asyncpg.DiskFullError("full"), True),
        (asyncpg.PostgresIOError("disk"), True),
        (asyncpg.ReadOnlySQLTransactionError("a standby"), True),
        (asyncpg.DeadlockDetectedError("again"), True),
        (asyncpg.InvalidCachedStatementError("a column more"), True),
        (asyncpg.SerializationError("again"), True),
        (asyncpg.LockNotAvailableError("busy"), True),
        (asyncpg.DivisionByZeroError("value"), False),
        (asyncpg.CheckViolationError("value"), False),
        (asyncpg.CharacterNotInRepertoireError("value"), False),
        (asyncpg.DataCorruptedError("row"), False),
        (asyncpg.QueryCanceledError("too long"), False),
        (asyncpg.UndefinedColumnError("schema"), False),
        (asyncpg.ClientConfigurationError("value"), False),
        (TimeoutError(), False),
        (ValueError("body"), False),
        (KeyError("ours"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_what_is_waited_for_and_what_is_set_aside(error, expected):
    with pytest.raises(Exception) as raised, named_errors():  # noqa: PT011  of any class
        raise error
    assert worth_waiting(raised.value) is expected


@pytest.mark.parametrize("bad", [set(), {0}, {6}, {2, 3}, set(range(7))], ids=str)
async def test_all_but_those_at_fault_are_done_once_and_in_order(bad):
    done, faulty = [], []

    async def work(items):
        if bad & set(items):
            raise ValueError
        done.extend(items)
        return len(items)

    async def at_fault(item, error):
        assert isinstance(error, ValueError)
        faulty.append(item)

    sizes = await split_on_failure(range(7), work, at_fault)
    assert sum(sizes) == len(done) == 7 - len(bad)
    assert done == [n for n in range(7) if n not in bad]
    assert faulty == sorted(bad)


async def test_a_lost_database_is_nobodys_fault():
    async def work(items):
        raise DatabaseLost

    async def at_fault(item, error):
        raise AssertionError(item)

    with pytest.raises(DatabaseLost):
        await split_on_failure([1, 2], work, at_fault)
