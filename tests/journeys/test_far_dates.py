"""A date from the ends of the calendar harms nobody: it is refused, or read, and never stored as
infinity.
"""

import random

import pytest

from tests.journeys.payloads import EXTRA, a_bundle, a_coverage, a_referral, answer, visit
from tests.journeys.service import id_of
from tests.subscription.scene import asked

CIN = EXTRA[7]
FAR = "9999-12-31"
EDGES = ("9999-12-31", "9999-01-01", "9999", "9999-12", "0001-01-01", "0001", "0001-01")
MOMENTS = ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999-14:00", "0001-01-01T00:00:00+14:00")
STARTS = {
    "occurrencePeriod.start": {"occurrencePeriod": {"start": FAR}},
    "occurrenceDateTime": {"occurrenceDateTime": "9999-12-31T23:59:59Z"},
    "occurrenceTiming.event[0]": {"occurrenceTiming": {"event": [FAR]}},
    "occurrenceTiming.repeat.boundsPeriod.start": {
        "occurrenceTiming": {"repeat": {"boundsPeriod": {"start": "9999"}}}
    },
}


@pytest.mark.parametrize(("element", "said"), STARTS.items(), ids=STARTS)
async def test_a_start_further_off_than_plan_data_allows_is_refused(service, element, said):
    body = a_referral(CIN, **said)
    alone = await service.post(body)
    asked = await service.ask("hospital", "POST", "/fhir/ServiceRequest/$check", body)
    bundled = await service.post(a_bundle(body))
    for got in (alone, asked, bundled):
        (issue,) = got.json()["issue"]
        at = "Bundle.entry[0].resource" if got is bundled else "ServiceRequest"
        assert (got.status_code, issue["expression"]) == (422, [f"{at}.{element}"])
    assert await service.rows("SELECT 1 FROM referral") == []


@pytest.mark.parametrize(("start", "status"), [("2027-11-20", 201), ("2027-11-21", 422)])
async def test_twelve_months_ahead_is_the_last_day(service, start, status):
    got = await service.post(a_referral(CIN, occurrencePeriod={"start": start}))
    assert got.status_code == status


async def test_it_is_named_beside_the_other_faults(service):
    got = await service.post(a_referral(CIN, occurrenceDateTime=FAR, doNotPerform=True))
    found = [issue["expression"][0] for issue in got.json()["issue"]]
    assert found == ["ServiceRequest.doNotPerform", "ServiceRequest.occurrenceDateTime"]


async def test_an_authorization_that_is_stored_as_infinite_harms_itself_alone(service):
    """As rows of older versions were; the constraint is away while the row is made."""
    referral = await service.refer(a_referral(CIN))
    table = "service_authorization"
    await service.store.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_finite")
    await service.store.execute(f"UPDATE {table} SET ends_on = 'infinity'")
    try:
        answers = [
            await service.post(a_referral(CIN, service="MTM")),
            await service.post(a_referral(CIN), by="practice"),
            await service.ask("hospital", "POST", "/fhir/ServiceRequest/$check", a_referral(CIN)),
            await service.ask("hospital", "GET", f"/v1/referrals/{referral}/timeline"),
            await service.ask("hospital", "GET", f"/fhir/ClaimResponse/{referral}"),
            await service.do("staff-hpsm", "cancel", referral),
        ]
        assert [got.status_code for got in answers] == [201, 201, 200, 200, 200, 200]
    finally:
        await service.store.execute(f"UPDATE {table} SET ends_on = '9999-12-30'")
        await service.store.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_finite"
            " CHECK (isfinite(starts_on) AND isfinite(ends_on))"
        )


def _dated(chance: random.Random) -> dict:
    """A referral with dates from anywhere in the calendar wherever a rule or a search reads one."""

    def day() -> str:
        any_day = f"{chance.randint(1, 9999):04}-{chance.randint(1, 12):02}-28"
        return chance.choice([*EDGES, any_day, any_day[:7], "2026-11-01"])

    def moment() -> str:
        return chance.choice([*MOMENTS, day()])

    def period() -> dict[str, str]:
        return {"start": day(), "end": FAR} if chance.random() < 0.5 else {"end": day()}

    items = [answer("pregnancy_end_date", day()), answer("release_date", day()), visit(day())]
    body = a_referral(
        chance.choice([CIN, None]), visits=(), items=items, authoredOn=moment(), plan=None
    )
    body["contained"][0]["birthDate"] = day()
    body["contained"] += [
        a_coverage("HPSM", period=period()),
        {
            "resourceType": "Encounter",
            "status": chance.choice(["finished", "in-progress"]),
            "class": {"code": chance.choice(["EMER", "IMP", "NONAC"])},
            "period": {"start": moment()},
        },
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "a"},
            "effectiveDateTime": moment(),
        },
    ]
    body["insurance"] = [{"reference": "#coverage"}]
    if chance.random() < 0.7:
        body["occurrencePeriod"] = {"start": day()}
    return body


@pytest.mark.parametrize("seed", range(40))
async def test_dates_from_anywhere_in_the_calendar_are_answered(service, seed):
    chance = random.Random(seed)
    body = _dated(chance)
    on = chance.choice(["9999-12-31", "9999-12-25", "0001-01-01", "2026-11-20", "2026-12-05"])
    params = {"asOf": on}
    for by in ("hospital", "staff-hpsm"):
        asked = await service.ask(by, "POST", "/fhir/ServiceRequest/$check", body, params=params)
        assert asked.status_code in (200, 422), asked.text
    taken = await service.post(body)
    assert taken.status_code in (201, 422), taken.text
    if taken.status_code == 201:
        referral = id_of(taken)
        shown = await service.ask("hospital", "GET", f"/v1/referrals/{referral}/timeline")
        assert shown.status_code == 200


DOORS = {
    "/v1/work-queue?due_before=9999-12-31T23:59:59.999999-14:00": 200,
    "/v1/work-queue?due_before=0001-01-01T00:00:00%2B14:00": 200,
    "/v1/reports/outcomes?from=9999-12-31": 400,
    "/v1/reports/outcomes?to=0001-01-01": 400,
    "/v1/reports/outcomes?from=0001-01-01&to=9999-12-31": 400,
    "/v1/catalog/plans/HPSM/services?on=9999-12-31": 200,
    "/v1/catalog/plans/HPSM/services?on=0001-01-01": 200,
    "/fhir/ServiceRequest?authored=lt9999-12-31": 200,
    "/fhir/ServiceRequest?authored=0001-01-01": 200,
    "/fhir/Task?_lastUpdated=gt9999-12-31T23:59:59.999-14:00": 200,
    "/fhir/Patient?birthdate=0001-01-01": 200,
}


@pytest.mark.parametrize(("path", "status"), DOORS.items())
async def test_a_filter_takes_or_refuses_the_ends_of_the_calendar(service, path, status):
    got = await service.ask("staff-hpsm", "GET", path)
    assert got.status_code == status, got.text


@pytest.mark.parametrize("day", EDGES)
async def test_a_roster_takes_any_day(service, day):
    patient = {
        "resourceType": "Patient",
        "id": "far-roster",
        "birthDate": day,
        "identifier": [
            {"system": "https://nowrongdoor.example/fhir/sid/cin", "value": "95000001XA"}
        ],
    }
    coverage = a_coverage("HPSM", id="far-coverage", period={"start": "0001", "end": day})
    coverage |= {"beneficiary": {"reference": "Patient/far-roster"}, "subscriberId": "95000001XA"}
    for resource in (patient, coverage):
        path = f"/fhir/{resource['resourceType']}/{resource['id']}"
        got = await service.ask("staff-hpsm", "PUT", path, resource)
        assert got.status_code in (200, 201), got.text
    body = a_referral("95000001XA")
    asked = await service.ask("staff-hpsm", "POST", "/fhir/ServiceRequest/$check", body)
    assert asked.status_code == 200, asked.text


async def test_a_subscription_may_end_with_the_calendar(service):
    end = "9999-12-31T23:59:59.999999Z"
    body = asked(service.receiver.url("/far"), end=end)
    got = await service.ask("hospital", "POST", "/fhir/Subscription", body)
    assert (got.status_code, got.json()["end"]) == (201, end), got.text
