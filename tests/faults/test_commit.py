"""A commit that fails after the handler has returned: nobody is told of what is not there."""

import pytest

from tests.faults.wire import CUT_AFTER, CUT_BEFORE, PASS
from tests.journeys.payloads import a_referral

FAILING = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'; END $$;
CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON referral
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail();
"""
ANSWERS = [("53100", 503), ("57P01", 503), ("40001", 409), ("23514", 500)]


async def untouched(service, before):
    return {name: number for name, number in (await service.counts()).items() if number} == {
        name: number for name, number in before.items() if number
    }


@pytest.mark.parametrize(("code", "status"), ANSWERS)
async def test_a_commit_that_the_database_refuses_is_never_a_201(wired, code, status):
    before = await wired.counts()
    await wired.store.execute(FAILING.format(code=code))
    answer = await wired.post(a_referral(), Idempotency_Key="c-1")
    assert answer.status_code == status
    assert ("retry-after" in answer.headers) == (status != 500)
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert await untouched(wired, before)
    assert await wired.taken("offer-tidepool-ecm") == 0
    await wired.store.execute("DROP FUNCTION fail CASCADE")
    assert (await wired.post(a_referral(), Idempotency_Key="c-1")).status_code == 201


async def test_a_commit_that_never_arrives_is_503_and_nothing_is_there(wired):
    await wired.token("hospital")
    before = await wired.counts()
    wired.wire.at_commit = CUT_BEFORE
    answer = await wired.post(a_referral(), Idempotency_Key="c-2")
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    wired.wire.at_commit = PASS
    assert await untouched(wired, before)
    again = await wired.post(a_referral(), Idempotency_Key="c-2")
    assert again.status_code == 201


async def test_a_commit_whose_answer_is_lost_is_found_by_the_repeat(wired):
    await wired.token("hospital")
    wired.wire.at_commit = CUT_AFTER
    answer = await wired.post(a_referral(), Idempotency_Key="c-3")
    assert answer.status_code == 503
    wired.wire.at_commit = PASS
    again = await wired.post(a_referral(), Idempotency_Key="c-3")
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert (await wired.counts())["referral"] == 1
    assert await wired.taken("offer-tidepool-ecm") == 1
