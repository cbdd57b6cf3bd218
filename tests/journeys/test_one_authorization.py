"""A member has one open authorization of a service, whichever way a second one is asked for."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest

from app.store.database import driver_url
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


LATER = {"start": "2027-01-04"}
#: Overlaps what either approval of the tests below gives.
RIVAL = """INSERT INTO service_authorization (plan, referral_id, number, cin, service, starts_on,
  ends_on, status, created_at, updated_at)
SELECT plan, id, 'HPSM-RIVAL', cin, service, $2::text::date, $3::text::date, $4, now(), now()
FROM referral WHERE id = $1"""


@asynccontextmanager
async def both_waiting(service, held, *values):
    """Holds what the statement holds until two sessions wait for it, then lets go at once: whoever
    waited first is first.
    """
    holder = await asyncpg.connect(driver_url(service.settings.database_url))
    try:
        await holder.execute("BEGIN")
        await holder.execute(held, *values)
        yield
        await until_waiting(service, 2)
    finally:
        await holder.close()


async def until_waiting(service, wanted):
    async with asyncio.timeout(10):
        while await waiting(service) < wanted:  # noqa: ASYNC110  the database's own sessions
            await asyncio.sleep(0.01)


async def waiting(service):
    ((sessions,),) = await service.rows(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return sessions


def approve(service, referral):
    return asyncio.create_task(service.do("staff-hpsm", "approve", referral, YES))


async def two_to_decide(service):
    """Two referrals of one member that wait for a person; the second is wanted from later on."""
    await service.token("staff-hpsm")
    return [
        await service.refer(hopeless()),
        await service.refer(hopeless(occurrencePeriod=LATER)),
    ]


async def one_of_two_is_approved(service, referrals, answers):
    """The other is as it was, and nothing was announced of it."""
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    lost = next(n for n, answer in enumerate(answers) if answer.status_code == 409)
    assert (await service.words(referrals[1 - lost]))[0] == "approved"
    assert await service.words(referrals[lost]) == ["pending", "in-review"]
    assert await service.rows("SELECT count(*) FROM service_authorization") == [(1,)]
    told = await service.rows(
        "SELECT event_type FROM message WHERE referral_id = $1", referrals[lost]
    )
    assert told == [("referral.received",)]
    again = await service.do("staff-hpsm", "approve", referrals[lost], YES)
    assert (again.status_code, issue(again)["code"]) == (409, "duplicate")
    return issue(answers[lost])["code"]


async def test_of_two_approved_at_the_same_moment_from_different_days_one_is(service):
    """Both have looked before either has written: the database tells them apart."""
    referrals = await two_to_decide(service)
    async with both_waiting(service, "SELECT 1 FROM offer WHERE service = 'ECM' FOR UPDATE"):
        approvals = [approve(service, referral) for referral in referrals]
    answers = await asyncio.gather(*approvals)
    assert await one_of_two_is_approved(service, referrals, answers) == "duplicate"
    assert await service.rows("SELECT sum(taken) FROM offer") == [(1,)]


@pytest.fixture
async def nobody_offers_it(service):
    change = "UPDATE offer SET active = $1 WHERE plan = 'HPSM' AND service = 'ECM'"
    await service.store.execute(change, False)
    yield
    await service.store.execute(change, True)


async def test_of_two_that_wait_for_each_other_one_is_told_to_come_again(service, nobody_offers_it):
    """No offer's row to queue at: both have written when each finds the other's."""
    rival = await service.refer(incomplete())
    referrals = await two_to_decide(service)
    values = (rival, "2027-02-01", "2027-03-01", "open")
    async with both_waiting(service, RIVAL, *values):
        approvals = [approve(service, referral) for referral in referrals]
    answers = await asyncio.gather(*approvals)
    assert await one_of_two_is_approved(service, referrals, answers) == "lock-error"
    assert [a.headers["retry-after"] for a in answers if a.status_code == 409] == ["1"]


async def test_of_two_posted_at_the_same_moment_for_different_days_one_goes_to_a_person(service):
    await service.token("hospital")
    async with both_waiting(service, "SELECT 1 FROM offer WHERE service = 'ECM' FOR UPDATE"):
        posts = [
            asyncio.create_task(service.post(body))
            for body in (a_referral(), a_referral(occurrencePeriod=LATER))
        ]
    answers = await asyncio.gather(*posts)
    assert [answer.status_code for answer in answers] == [201, 201]
    words = sorted([await service.words(answer.json()["id"]) for answer in answers])
    assert words == [["approved", "assigned"], ["pending", "in-review"]]
    assert await service.rows("SELECT count(*) FROM service_authorization") == [(1,)]


async def test_information_that_comes_at_the_same_moment_is_asked_for_again(service):
    waits = await service.refer(incomplete())
    service.later(days=1)
    more = parameters(resource={"resource": responses({}, VISITS)})
    async with both_waiting(service, "SELECT 1 FROM offer WHERE service = 'ECM' FOR UPDATE"):
        first = asyncio.create_task(service.post(a_referral()))
        await until_waiting(service, 1)
        second = asyncio.create_task(service.do("hospital", "add-information", waits, more))
    assert (await first).status_code == 201
    lost = await second
    assert (lost.status_code, issue(lost)["code"]) == (409, "duplicate")
    assert await service.words(waits) == ["pending", "information-needed"]
    again = await service.do("hospital", "add-information", waits, more)
    assert again.status_code == 200, again.text
    await goes_to_a_person(service, waits)


PERIODS = [
    ("2026-11-20", "2027-11-19", "open", False),
    ("2027-11-19", "2028-05-18", "open", False),
    ("2026-01-01", "2026-11-20", "open", False),
    ("2027-02-01", "2027-02-01", "open", False),
    ("2027-11-20", "2028-05-19", "open", True),
    ("2026-01-01", "2026-11-19", "open", True),
    ("2026-11-20", "2027-11-19", "ended", True),
]


@pytest.mark.parametrize(("first", "last", "status", "taken"), PERIODS)
async def test_the_database_has_no_two_open_on_one_day(service, first, last, status, taken):
    other = await service.refer(incomplete())
    await service.refer(a_referral())  # 2026-11-20 to 2027-11-19
    write = service.store.execute(RIVAL, other, first, last, status)
    if taken:
        await write
        return
    with pytest.raises((asyncpg.ExclusionViolationError, asyncpg.UniqueViolationError)):
        await write
