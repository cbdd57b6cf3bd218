"""Who asks about many members, or guesses who they are, is refused; the operators hear of it."""

import pytest

from tests.faults.conftest import ending, settings_for
from tests.journeys.payloads import EXTRA, a_bundle, a_referral
from tests.journeys.service import furnish, serving

__all__ = ["ending"]

CHECK = "/fhir/ServiceRequest/$check"
MEMBERS, MISSES = 6, 4
NOBODY = [f"9999{number:04d}XA" for number in range(20)]


@pytest.fixture
async def watched(fresh_database, ending):
    """Two processes that let a client ask about six members a day, and miss four an hour."""
    await furnish(settings_for(fresh_database))
    settings = settings_for(
        fresh_database, checked_members_per_day=MEMBERS, checked_misses_per_hour=MISSES
    )
    return [await ending.enter_async_context(serving(settings)) for _ in range(2)]


async def asked(service, cin, by="hospital", **more):
    return await service.ask(by, "POST", CHECK, a_referral(cin, **more))


async def statuses(services, cins, by="hospital"):
    return [(await asked(services[n % 2], cin, by)).status_code for n, cin in enumerate(cins)]


def refused(answer):
    (issue,) = answer.json()["issue"]
    return answer.status_code, issue["code"], int(answer.headers["retry-after"]) > 0


async def test_members_are_counted_once_and_over_all_processes(watched):
    cins = EXTRA[:MEMBERS]
    assert await statuses(watched, [*cins, *cins, *cins]) == [200] * 3 * MEMBERS
    answer = await asked(watched[0], EXTRA[MEMBERS])
    assert refused(answer) == (429, "throttled", True)
    assert EXTRA[MEMBERS] not in answer.text
    assert await statuses(watched, cins) == [200] * MEMBERS
    # Others have a count of their own; without a number nobody is looked up; a referral is taken.
    assert (await asked(watched[0], EXTRA[MEMBERS], "practice")).status_code == 200
    assert (await asked(watched[0], None)).status_code == 200
    assert (await watched[0].post(a_referral(EXTRA[MEMBERS]))).status_code == 201


async def test_after_too_many_misses_known_and_unknown_are_refused_alike(watched):
    assert await statuses(watched, [EXTRA[0], *NOBODY[:MISSES]]) == [200] * (MISSES + 1)
    answers = [await asked(watched[0], cin) for cin in (EXTRA[0], EXTRA[1], NOBODY[9], NOBODY[0])]
    assert {refused(answer) for answer in answers} == {(429, "throttled", True)}
    assert len({answer.content for answer in answers}) == 1
    assert (await asked(watched[0], EXTRA[0], "practice")).status_code == 200


async def test_a_wrong_birth_date_is_a_miss_too(watched):
    for number in range(MISSES):
        body = a_referral(EXTRA[0])
        body["contained"][0]["birthDate"] = f"1950-01-0{number + 1}"
        answer = await watched[number % 2].ask("hospital", "POST", CHECK, body)
        assert answer.status_code == 200
    assert (await asked(watched[0], EXTRA[0])).status_code == 429


async def test_a_plans_staff_are_counted_for_members_of_other_plans_alone(watched):
    many = EXTRA[: 2 * MEMBERS]
    assert await statuses(watched, many, "staff-hpsm") == [200] * len(many)
    assert await statuses(watched, NOBODY[:MISSES], "staff-hpsm") == [200] * MISSES
    assert (await asked(watched[0], NOBODY[9], "staff-hpsm")).status_code == 429
    assert (await asked(watched[0], EXTRA[0], "staff-hpsm")).status_code == 200
    others = await statuses(watched, many, "staff-hpsj")
    assert others == [200] * MEMBERS + [429] * MEMBERS


async def test_fishing_raises_an_alarm_that_names_no_member(watched, caplog):
    for cin in NOBODY[:MISSES]:  # by referrals, which are never refused
        assert (await watched[0].post(a_referral(cin))).status_code == 201
    for cin in NOBODY[:MISSES]:
        bundle = a_bundle(a_referral(cin, identifier=f"B-{cin}"))
        assert (await watched[1].post(bundle)).status_code == 200
    lines = [record for record in caplog.records if record.getMessage() == "fishing"]
    assert {(line.client, line.limit) for line in lines} == {("hospital", "misses")}
    assert [line.count for line in lines][:2] == [3, 4]
    told = (await watched[0].http.get("/metrics")).text
    assert 'nwd_fishing_alarms_total{client="hospital",limit="misses"}' in told
    assert not any(cin in told or cin in caplog.text for cin in NOBODY)


async def test_no_number_of_a_member_is_kept(watched):
    await asked(watched[0], EXTRA[0])
    rows = await watched[0].store.fetch("SELECT * FROM asked_member")
    assert len(rows) == 1
    assert EXTRA[0] not in str([tuple(row) for row in rows])
