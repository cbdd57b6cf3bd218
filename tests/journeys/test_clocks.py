"""When a decision is due, as the referral itself says; holidays and weekends of November 2026."""

import pytest

from tests.journeys.payloads import OURS, incomplete

#: Received, priority, due (all in California). 11, 26 and 27 November are state holidays.
DUE = [
    ("2026-11-20T10:00-08:00", "routine", "2026-11-27 23:59:59"),
    ("2026-11-21T10:00-08:00", "routine", "2026-11-28 23:59:59"),
    ("2026-11-02T10:00-08:00", "routine", "2026-11-09 23:59:59"),
    ("2025-11-05T10:00-08:00", "routine", "2025-11-13 23:59:59"),
    ("2025-11-08T10:00-08:00", "routine", "2025-11-18 23:59:59"),
    ("2026-11-20T10:00-08:00", "urgent", "2026-11-23 10:00:00"),
    ("2026-11-25T23:30-08:00", "asap", "2026-11-28 23:30:00"),
    ("2026-10-30T10:00-07:00", "stat", "2026-11-02 09:00:00"),
]


@pytest.mark.parametrize(("received", "priority", "due"), DUE)
async def test_a_decision_is_due(service, received, priority, due):
    service.at(received)
    referral = await service.refer(incomplete(priority=priority))
    ((stored,),) = await service.rows(
        "SELECT date_trunc('minute', decision_due AT TIME ZONE 'America/Los_Angeles')::text"
        " FROM referral"
    )
    assert stored[:16] == due[:16]
    task = await service.read("Task", referral)
    assert task["restriction"]["period"]["end"]


def paper(moment):
    return [{"url": f"{OURS}StructureDefinition/received", "valueDateTime": moment}]


async def test_paper_counts_from_its_receipt_when_staff_enter_it(service):
    body = incomplete(extension=paper("2026-11-16T09:00:00-08:00"))
    await service.refer(body, "staff-hpsm")
    rows = await service.rows(
        "SELECT (decision_due AT TIME ZONE 'America/Los_Angeles')::text FROM referral"
    )
    assert rows == [("2026-11-23 23:59:59",)]


async def test_from_anybody_else_the_receipt_is_kept_and_has_no_effect(service):
    body = incomplete(extension=paper("2026-11-16T09:00:00-08:00"))
    referral = await service.refer(body)
    assert (await service.read("ServiceRequest", referral))["extension"] == body["extension"]
    rows = await service.rows(
        "SELECT (decision_due AT TIME ZONE 'America/Los_Angeles')::text FROM referral"
    )
    assert rows == [("2026-11-27 23:59:59",)]


@pytest.mark.parametrize("moment", ["2026-11-21T09:00:00-08:00", "2026-10-01T09:00:00-08:00"])
async def test_a_receipt_in_the_future_or_long_ago_is_refused(service, moment):
    answer = await service.post(incomplete(extension=paper(moment)), "staff-hpsm")
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"]
