"""Events of the record, written and sealed by a test; and what the record says of requests."""

from datetime import UTC, datetime, timedelta

from app.api.deployment import deployment_of
from app.store.audit.access import Access, Interaction
from app.store.audit.seal import seal
from app.store.audit.writer import insert_events

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
#: Later than any id that was made while the test ran.
LATER = datetime.now(UTC) + timedelta(hours=1)


def an_event(plan, number, client="hospital"):
    access = Access(lambda: NOW, lambda: Interaction("read", "Task"), actor=client)
    return access.row(plan, [f"Task/{number}", "Patient/p"], 200)


async def a_chain(database, plan="HPSM", events=6, batch=2, ids=()):
    """Events of a plan, written and sealed, some with each seal; their ids in order."""
    rows = [an_event(plan, number) for number in range(events)]
    rows = [{**row, "id": id_} for row, id_ in zip(rows, ids, strict=True)] if ids else rows
    await insert_events(database, rows)
    await seal(database, plan, NOW, batch)
    return [row["id"] for row in rows]


def database_of(service):
    return deployment_of(service.app).database


async def recorded(service, **wanted):
    """The rows of the record in order, with these values."""
    rows = await service.store.fetch("SELECT * FROM audit_event ORDER BY id")
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]
