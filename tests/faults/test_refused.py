"""What PostgreSQL itself refuses: history rewritten, moves outside the table, two of one thing."""

import asyncpg
import pytest

from app.store.database import driver_url
from tests.journeys.payloads import a_referral, incomplete

APPEND_ONLY = [
    "referral_history",
    "determination",
    "resource_set",
    "directory_version",
    "attempt",
]


@pytest.fixture
async def as_service(service):
    """A connection with the role that the service has, on a database with one referral."""
    service.referral = await service.refer(a_referral())
    connection = await asyncpg.connect(driver_url(service.settings.database_url))
    await connection.execute("SET ROLE nwd_service")
    yield connection
    await connection.close()


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET plan = plan", "TRUNCATE {}"])
async def test_what_was_written_is_never_changed(as_service, table, change):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_service.execute(change.format(table))


@pytest.mark.parametrize("change", ["DROP TABLE referral_history", "CREATE TABLE mine (id int)"])
async def test_the_schema_is_not_the_services(as_service, change):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_service.execute(change)


@pytest.mark.parametrize(
    ("before", "event", "after"),
    [
        ("denied", "approve", "approved"),
        ("approved", "deny", "denied"),
        ("cancelled", "cancel", "cancelled"),
        ("void", "add-information", "pending"),
        ("pending", "approve", "denied"),
        (None, "approve", "approved"),
        ("pending", "forget", "pending"),
    ],
)
async def test_a_move_outside_the_table_cannot_be_written(
    service, as_service, before, event, after
):
    with pytest.raises(asyncpg.CheckViolationError):
        await as_service.execute(
            "INSERT INTO referral_history (plan, referral_id, seq, from_state, to_state, event,"
            " actor, at, reason) VALUES ('HPSM', $1, 99, $2, $3, $4, 'x', now(), '[]')",
            service.referral,
            before,
            after,
            event,
        )


async def test_a_row_of_history_is_written_once(service, as_service):
    with pytest.raises(asyncpg.UniqueViolationError):
        await as_service.execute(
            "INSERT INTO referral_history (plan, referral_id, seq, from_state, to_state, event,"
            " actor, at, reason) VALUES ('HPSM', $1, 2, 'pending', 'denied', 'deny', 'x', now(),"
            " '[]')",
            service.referral,
        )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE referral SET state = 'lost'",
        "UPDATE referral SET business_status = 'somewhere'",
        "UPDATE referral SET state = 'denied', holds_place = false",  # with a business status
        "UPDATE referral SET holds_place = true, offer_id = NULL",
        "UPDATE offer SET taken = -1",
        "UPDATE service_authorization SET ends_on = starts_on - 1",
        "UPDATE service_authorization SET status = 'lost'",
    ],
)
async def test_a_state_that_cannot_be_cannot_be_written(as_service, change):
    with pytest.raises(asyncpg.CheckViolationError):
        await as_service.execute(change)


async def test_a_referral_is_not_deleted_by_the_service(service, as_service):
    for table in ("referral", "message", "delivery", "service_authorization", "party"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await as_service.execute(f"DELETE FROM {table}")


async def test_history_has_no_gaps_and_each_row_begins_where_the_last_ended(service):
    referral = await service.refer(incomplete())
    for operation in ("cancel", "cancel"):
        await service.do("hospital", operation, referral)
    rows = await service.rows(
        "SELECT seq, from_state, to_state FROM referral_history WHERE referral_id = $1"
        " ORDER BY seq",
        referral,
    )
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    ends = [None, *(row[2] for row in rows)]
    assert [row[1] for row in rows] == ends[:-1]
