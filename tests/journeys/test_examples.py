"""The shared examples, each answered as their README says."""

import pytest

from tests.journeys.payloads import example
from tests.journeys.service import id_of

BY = {
    "04": "community",
    "05": "practice",
    "06": "practice",
    "07": "practice",
    "08": "ecm-provider",
    "12": "practice",
}
HOURS_72, SEVEN_DAYS = "2026-11-23T12:00:00", "2026-11-27T23:59:59"

CHECKED = [
    ("01", "approved", ["population-met"], {"POF1A", "POF2"}, HOURS_72),
    ("02", "approved", ["population-met"], {"POF1A", "POF2"}, HOURS_72),
    ("03", "approved", ["service-criteria-met"], set(), HOURS_72),
    ("04", "approved", ["service-criteria-met"], set(), SEVEN_DAYS),
    ("06", "denied", ["delegated-plan"], set(), None),
    ("07", "denied", ["line-of-business"], set(), None),
    ("12", "pending", ["facts-missing"], set(), SEVEN_DAYS),
]


@pytest.mark.parametrize(("name", "outcome", "reasons", "populations", "due"), CHECKED)
async def test_a_question_is_answered(service, name, outcome, reasons, populations, due):
    said = await service.check(example(name), BY.get(name, "hospital"), on="2026-11-20")
    assert (said.outcome, said.codes("reason")) == (outcome, reasons)
    assert set(said.codes("population")) == populations
    if due:
        assert said.one("decisionDue", "valueDateTime").startswith(due)
    assert (await service.counts())["referral"] == 0


async def test_who_names_its_authorization_needs_no_birth_date(service):
    alone = await service.check(example("08"), "ecm-provider", on="2026-11-20")
    assert "member-unidentified" in alone.codes("reason")
    await service.refer(example("01"))
    said = await service.check(example("08"), "ecm-provider", on="2026-11-20")
    assert (said.outcome, said.codes("reason")) == ("approved", ["population-met"])
    assert said.codes("population") == ["POF1A"]
    stranger = await service.check(example("08"), "cs-provider", on="2026-11-20")
    assert "member-unidentified" in stranger.codes("reason")


async def test_the_bare_self_referral_is_told_what_is_missing(service):
    said = await service.check(example("05"), "practice", on="2026-11-20")
    assert said.outcome == "pending"
    assert "member-unidentified" in said.codes("reason")


async def test_no_service_named_asks_for_the_service(service):
    said = await service.check(example("12"), "practice", on="2026-11-20")
    assert "service" in said.missing


TAKEN = [
    ("02", ["approved", "assigned"]),
    ("03", ["pending", "in-review"]),
    ("04", ["approved", "assigned"]),
    ("05", ["pending", "information-needed"]),
    ("06", ["denied"]),
    ("07", ["denied"]),
    ("12", ["pending", "information-needed"]),
]


@pytest.mark.parametrize(("name", "words"), TAKEN)
async def test_a_referral_is_taken(service, name, words):
    by = BY.get(name, "hospital")
    answer = await service.post(example(name), by)
    assert answer.status_code == 201, answer.text
    assert await service.words(id_of(answer), by) == words


async def test_the_hospital_bundle_is_approved_and_assigned(service):
    answer = await service.post(example("01"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "transaction-response"
    assert await service.words(id_of(answer)) == ["approved", "assigned"]


async def test_the_same_person_again_goes_to_a_person(service):
    await service.refer(example("01"))
    second = await service.refer(example("02"))
    assert await service.words(second) == ["pending", "in-review"]
    task = await service.read("Task", second)
    assert "already-authorized" in [c["code"] for c in task["statusReason"]["coding"]]


async def test_deposits_that_we_authorized_count_as_used(service):
    await service.refer(example("04"), "community")
    for by in ("hospital", "staff-hpsj"):
        said = await service.check(example("04"), by, on="2026-11-20")
        assert said.outcome == "pending"
        assert {"already-authorized", "facts-missing"} <= set(said.codes("reason"))
        assert said.missing == ["hd_change_documented"]
        details = [part["valueString"] for part in said.parts if part["name"] == "detail"]
        noted = any(detail.startswith("cs_used_hd_times: ") for detail in details)
        assert noted is (by == "staff-hpsj")


async def test_a_reauthorization_goes_on_the_day_after(service):
    first = await service.refer(example("01"))
    again = await service.refer(example("08"), "ecm-provider")
    assert await service.words(again, "ecm-provider") == ["approved", "assigned"]
    before = await service.read("ClaimResponse", first)
    after = await service.read("ClaimResponse", again, "ecm-provider")
    assert before["preAuthPeriod"] == {"start": "2026-11-20", "end": "2027-11-19"}
    assert after["preAuthPeriod"] == {"start": "2027-11-20", "end": "2028-05-19"}


FAULTY = [
    ("09", 400, "structure", ["subject", "authoredOn", "reasonCode", "contained[0].birthDate"]),
    ("10", 400, "code-invalid", ["status", "intent", "priority", "contained[1].status"]),
    ("11", 422, "code-invalid", ["code.coding[0].code"]),
]


@pytest.mark.parametrize("operation", ["", "/$check"])
@pytest.mark.parametrize(("name", "status", "code", "elements"), FAULTY)
async def test_every_fault_is_told_at_once_and_nothing_stored(
    service, name, status, code, elements, operation
):
    before = await service.counts()
    answer = await service.ask(
        "hospital", "POST", f"/fhir/ServiceRequest{operation}", example(name)
    )
    assert answer.status_code == status
    told = [(issue["code"], issue["expression"]) for issue in answer.json()["issue"]]
    expected = [(code, [f"ServiceRequest.{element}"]) for element in elements]
    assert sorted(told) == sorted(expected)
    assert all(issue["diagnostics"] for issue in answer.json()["issue"])
    assert await service.counts() == before
