"""An authorization's end is announced thirty days before and when it is over, once each."""

import pytest

from tests.clocks.scene import at, strike, told
from tests.journeys.payloads import EXTRA, a_referral

EXPIRING, EXPIRED = "authorization.expiring", "authorization.expired"
OFFER = "offer-tidepool-ecm"


async def approved(service, cin=EXTRA[0], **more):
    referral = await service.refer(a_referral(cin, asks_for="org-tidepool", **more))
    assert (await service.words(referral))[0] == "approved"
    return referral


async def places(service, number):
    await service.store.execute("UPDATE offer SET places = $1 WHERE id = $2", number, OFFER)


@pytest.fixture
async def one_place(service):
    ((before,),) = await service.rows("SELECT places FROM offer WHERE id = $1", OFFER)
    ((outside,),) = await service.rows("SELECT taken_outside FROM offer WHERE id = $1", OFFER)
    others = "UPDATE offer SET active = $1 WHERE service = 'ECM' AND plan = 'HPSM' AND id <> $2"
    await service.store.execute(others, False, OFFER)
    await places(service, outside + 1)
    yield
    await places(service, before)
    await service.store.execute(others, True, OFFER)


async def test_told_thirty_days_before_and_at_the_end_once(service):
    referral = await approved(service)  # 2026-11-20 to 2027-11-19
    assert await at(service, "2027-10-19T23:59:59-07:00") == 0
    assert await at(service, "2027-10-20T00:00-07:00", workers=3) == 1
    assert await told(service, referral, EXPIRING, EXPIRED) == [EXPIRING]
    assert await at(service, "2027-11-19T23:59:59-08:00") == 0
    assert await at(service, "2027-11-20T00:00-08:00", workers=3) == 1
    assert await at(service, "2028-11-20T00:00-08:00") == 0
    assert await told(service, referral, EXPIRING, EXPIRED) == [EXPIRING, EXPIRED]
    given = (await service.found(f"ClaimResponse?referral=ServiceRequest/{referral}"))[0]
    assert (given["status"], given["preAuthPeriod"]["end"]) == ("active", "2027-11-19")


async def test_after_a_year_without_a_worker_only_the_end_is_told(service):
    referral = await approved(service)
    assert await at(service, "2028-03-01T00:00-08:00") == 1
    assert await told(service, referral, EXPIRING, EXPIRED) == [EXPIRED]


async def test_an_authorization_taken_back_ends_in_silence(service):
    referral = await approved(service)
    assert (await service.do("hospital", "cancel", referral)).status_code == 200
    await at(service, "2027-10-25T00:00-07:00")
    await at(service, "2028-03-01T00:00-08:00")
    assert await told(service, referral, EXPIRING, EXPIRED) == []


async def test_the_place_goes_to_whoever_waits(service, one_place):
    first = await approved(service)
    second = await approved(service, EXTRA[1])
    assert await service.words(second) == ["approved", "waitlisted"]
    service.at("2027-06-01T10:00-07:00")
    await service.store.execute(
        "UPDATE service_authorization SET ends_on = '2028-05-31' WHERE referral_id = $1", second
    )
    await at(service, "2027-11-20T00:00-08:00", workers=2)
    assert await service.words(second) == ["approved", "assigned"]
    assert await service.taken(OFFER) == 1
    assert await told(service, second, "service.assigned") == ["service.assigned"]
    held = await service.rows("SELECT holds_place FROM referral WHERE id = $1", first)
    assert held == [(False,)]


async def test_who_still_waits_at_the_end_waits_no_longer(service, one_place):
    await approved(service)
    second = await approved(service, EXTRA[1])
    await at(service, "2027-11-20T00:00-08:00")
    await strike(service)
    assert await service.words(second) == ["approved", "unassigned"]
    assert await told(service, second, EXPIRED) == [EXPIRED]
    assert await service.taken(OFFER) == 0


async def test_a_reauthorization_keeps_the_place_before_all_who_wait(service, one_place):
    first = await approved(service, identifier="first")
    stranger = await approved(service, EXTRA[1], priority="urgent")
    service.at("2027-11-01T10:00-07:00")
    again = await approved(
        service,
        visits=("2027-05-10", "2027-06-02", "2027-07-14", "2027-08-20", "2027-09-30"),
        basedOn=[{"reference": f"ServiceRequest/{first}"}],
        identifier="again",
    )
    await service.store.execute(
        "UPDATE service_authorization SET ends_on = '2028-05-31' WHERE referral_id = $1", stranger
    )
    await at(service, "2027-11-20T00:00-08:00", workers=2)
    assert await service.words(again) == ["approved", "assigned"]
    assert await service.words(stranger) == ["approved", "waitlisted"]
    assert await service.taken(OFFER) == 1
    assert await told(service, first, EXPIRED) == [EXPIRED]
