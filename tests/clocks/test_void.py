"""Void, reminder and overdue: at the end of the day in California, once, and never on a complete
referral. Friday 20 November 2026; Thanksgiving and the day after lie in between.
"""

import pytest

from tests.clocks.scene import at, due, moves, strike, told
from tests.journeys.payloads import EXTRA, VISITS, a_referral, hopeless, incomplete, responses

ENOUGH = responses({}, VISITS)
#: Five business days after 20 November: 23, 24, 25, 30 November, 1 December.
LAST_DAY = "2026-12-01 23:59:59"
#: Two business days before: 25 November.
REMINDED = "2026-11-25T00:00-08:00"
VOIDED = "referral.voided"
ASKED = "referral.information_requested"


async def test_void_after_five_business_days_and_not_before(service):
    referral = await service.refer(incomplete())
    assert await due(service, referral) == LAST_DAY
    await at(service, "2026-12-01T23:59:59.5-08:00")
    assert await service.words(referral) == ["pending", "information-needed"]
    assert await at(service, "2026-12-02T00:00-08:00") == 1
    assert await service.words(referral) == ["void"]
    ((to, actor, reasons),) = await moves(service, referral, "void")
    assert (to, actor) == ("void", "clock")
    assert '"information-not-received"' in reasons
    assert await told(service, referral, VOIDED) == [VOIDED]
    assert await due(service, referral) is None
    assert (await service.read("ServiceRequest", referral))["status"] == "revoked"


async def test_a_second_sweep_finds_nothing(service):
    referral = await service.refer(incomplete())
    assert await at(service, "2026-12-05T00:00-08:00") == 2  # overdue since 27 November, and void
    before = await service.counts()
    assert (await strike(service)).fired == 0
    assert await service.counts() == before
    assert await told(service, referral, VOIDED) == [VOIDED]


async def test_the_reminder_goes_out_once_two_business_days_before_the_end(service):
    referral = await service.refer(incomplete())
    assert await at(service, "2026-11-24T23:59:59-08:00") == 0
    assert await at(service, REMINDED) == 1
    assert await at(service, "2026-11-25T12:00-08:00") == 0
    assert await told(service, referral, ASKED) == [ASKED, ASKED]
    rows = await service.rows(
        "SELECT attempts, reminded_at IS NOT NULL FROM information_request WHERE referral_id = $1",
        referral,
    )
    assert rows == [(2, True)]
    letters = await service.rows(
        "SELECT count(*) FROM correspondence WHERE referral_id = $1 AND outcome = $2"
        " AND recipient = 'requesting'",
        referral,
        "information-needed",
    )
    assert letters == [(2,)]
    assert await service.words(referral) == ["pending", "information-needed"]


async def test_information_stops_the_clock(service):
    referral = await service.refer(incomplete())
    service.at("2026-11-30T10:00-08:00")
    answer = await service.do("hospital", "add-information", referral, parameters_of(ENOUGH))
    assert answer.status_code == 200, answer.text
    assert await service.words(referral) == ["approved", "assigned"]
    await at(service, "2026-12-15T00:00-08:00")
    assert await told(service, referral, VOIDED, "referral.overdue") == []


async def test_partial_information_starts_the_clock_again(service):
    """V69: asked on Monday 7 August 2023, answered in part on the 10th."""
    service.at("2023-08-07T10:00-07:00")
    referral = await service.refer(incomplete())
    assert await due(service, referral) == "2023-08-14 23:59:59"
    service.at("2023-08-10T15:00-07:00")
    part = parameters_of(responses({"homeless": False}))
    answer = await service.do("hospital", "add-information", referral, part)
    assert answer.status_code == 200, answer.text
    assert await service.words(referral) == ["pending", "information-needed"]
    assert await due(service, referral) == "2023-08-17 23:59:59"
    await at(service, "2023-08-15T12:00-07:00")
    assert await told(service, referral, VOIDED) == []
    await at(service, "2023-08-18T00:00-07:00")
    assert await told(service, referral, VOIDED) == [VOIDED]


@pytest.mark.parametrize("workers", [2, 4])
async def test_overdue_is_told_once_however_many_workers(service, workers):
    referrals = [await service.refer(hopeless(cin)) for cin in EXTRA[:6]]
    assert await due(service, referrals[0], "decision_due") == "2026-11-27 23:59:59"
    assert await at(service, "2026-11-27T23:59:59-08:00", workers=workers) == 0
    assert await at(service, "2026-11-28T00:00-08:00", workers=workers) == 6
    assert await at(service, "2026-12-28T00:00-08:00", workers=workers) == 0
    for referral in referrals:
        assert await told(service, referral, "referral.overdue") == ["referral.overdue"]
        assert await service.words(referral) == ["pending", "in-review"]


async def test_many_workers_void_each_referral_once(service):
    referrals = [await service.refer(incomplete(cin)) for cin in EXTRA[:8]]
    fired = await at(service, "2026-12-02T00:00-08:00", workers=4)
    assert fired == 16
    for referral in referrals:
        assert len(await moves(service, referral, "void")) == 1
        assert await told(service, referral, VOIDED) == [VOIDED]


async def test_a_complete_referral_is_never_void(service):
    waiting = await service.refer(hopeless())
    done = await service.refer(a_referral(EXTRA[1]))
    taken_back = await service.refer(incomplete(EXTRA[2]))
    await service.do("hospital", "cancel", taken_back)
    await at(service, "2027-05-01T00:00-07:00")
    assert await service.words(waiting) == ["pending", "in-review"]
    assert (await service.words(done))[0] == "approved"
    assert await service.words(taken_back) == ["cancelled"]
    for referral in (waiting, done, taken_back):
        assert await moves(service, referral, "void") == []


async def test_a_week_without_a_worker_is_caught_up_in_order(service):
    early = await service.refer(incomplete(EXTRA[0]))
    service.at("2026-11-24T10:00-08:00")
    late = await service.refer(hopeless(EXTRA[1]))
    await at(service, "2026-12-10T08:00-08:00")
    rows = await service.rows(
        "SELECT referral_id, event_type FROM message WHERE occurred_at >= '2026-12-10'"
        " ORDER BY occurred_at, seq, referral_id"
    )
    assert set(rows) == {
        (early, "referral.overdue"),
        (early, VOIDED),
        (late, "referral.overdue"),
    }
    assert await told(service, early) == ["referral.received", ASKED, "referral.overdue", VOIDED]


async def test_what_ends_in_the_same_moment_is_void_and_not_late(service):
    service.at("2025-11-03T10:00-08:00")  # no cap of calendar days yet: both end on 10 November
    referral = await service.refer(incomplete())
    assert await due(service, referral) == await due(service, referral, "decision_due")
    await at(service, "2025-11-20T10:00-08:00")
    assert await told(service, referral, VOIDED, "referral.overdue") == [VOIDED]


async def test_staff_may_close_it_only_when_the_clock_could(service):
    referral = await service.refer(incomplete())
    service.at("2026-12-01T23:59-08:00")
    assert (await service.do("staff-hpsm", "void", referral)).status_code == 409
    service.at("2026-12-02T00:00-08:00")
    assert (await service.do("staff-hpsm", "void", referral)).status_code == 200
    assert (await strike(service)).fired == 0
    assert await told(service, referral, VOIDED) == [VOIDED]


async def test_one_that_cannot_be_moved_holds_up_no_other(service):
    stuck = await service.refer(incomplete(EXTRA[0]))
    free = await service.refer(incomplete(EXTRA[1]))
    held = service.store.transaction()
    await held.start()
    await service.store.execute("SELECT 1 FROM referral WHERE id = $1 FOR UPDATE", stuck)
    await at(service, "2026-12-02T00:00-08:00")
    await held.rollback()
    assert (await service.words(free), await service.words(stuck)) == (
        ["void"],
        ["pending", "information-needed"],
    )
    await strike(service)
    assert await service.words(stuck) == ["void"]


def parameters_of(*resources):
    parts = [{"name": "resource", "resource": resource} for resource in resources]
    return {"resourceType": "Parameters", "parameter": parts}
