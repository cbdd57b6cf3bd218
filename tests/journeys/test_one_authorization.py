"""A member has one open authorization of a service, whichever way a second one is asked for."""

from tests.journeys.payloads import (
    VISITS,
    a_referral,
    because,
    hopeless,
    incomplete,
    parameters,
    responses,
)
from tests.journeys.service import issue

YES = parameters(reason=because("exception-granted"), note="As agreed.")


async def reasons(service, referral):
    task = await service.read("Task", referral)
    return {coding["code"] for coding in task["statusReason"]["coding"]}


async def goes_to_a_person(service, referral):
    assert await service.words(referral) == ["pending", "in-review"]
    assert "already-authorized" in await reasons(service, referral)
    assert await service.rows("SELECT count(*) FROM service_authorization") == [(1,)]


async def test_information_that_comes_when_another_referral_was_approved(service):
    waits = await service.refer(incomplete())
    service.later(days=1)
    await service.refer(a_referral())
    more = parameters(resource={"resource": responses({}, VISITS)})
    answer = await service.do("hospital", "add-information", waits, more)
    assert answer.status_code == 200, answer.text
    await goes_to_a_person(service, waits)


async def test_one_that_begins_later_counts_too(service):
    await service.refer(a_referral(occurrencePeriod={"start": "2027-01-04"}))
    await goes_to_a_person(service, await service.refer(a_referral()))


async def test_what_was_continued_is_not_continued_again(service):
    first = await service.refer(a_referral())
    on = [{"reference": f"ServiceRequest/{first}"}]
    await service.refer(a_referral(basedOn=on))
    again = await service.refer(a_referral(basedOn=on))
    assert await service.words(again) == ["pending", "in-review"]
    assert "already-authorized" in await reasons(service, again)
    rows = await service.rows("SELECT count(*) FROM service_authorization")
    assert rows == [(2,)]


async def test_a_person_does_not_approve_it_twice_either(service):
    second = await service.refer(hopeless())
    service.later(days=1)
    first = await service.refer(a_referral())
    ((number,),) = await service.rows("SELECT number FROM service_authorization")
    before = await service.counts()
    answer = await service.do("staff-hpsm", "approve", second, YES)
    assert (answer.status_code, issue(answer)["code"]) == (409, "duplicate")
    assert number in issue(answer)["diagnostics"]
    assert await service.counts() == before
    assert (await service.do("hospital", "cancel", first)).status_code == 200
    assert (await service.do("staff-hpsm", "approve", second, YES)).status_code == 200
