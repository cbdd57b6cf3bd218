"""Who a member is: a number alone tells nobody outside the plan anything (spec.md 4)."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
import pytest_asyncio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from app.store.database import Database
from app.store.directory.load import load_resources
from tests.journeys.payloads import (
    BORN,
    EXTRA,
    a_bundle,
    a_coverage,
    a_member,
    a_referral,
    adding,
    incomplete,
    responses,
)

#: A member with a name, as HPSM's roster has her; nobody's number; a member of two rosters; one
#: whose day of birth no roster knows.
MARIA, NOBODY, TWICE, VAGUE = "96100001XA", "99999999XA", "96100002XA", "96100003XA"
DAY, FAMILY = "1961-04-05", "O'Néill-Váldez"
TODAY = date(2026, 11, 20)


@pytest_asyncio.fixture(scope="module", autouse=True)
async def roster(running):
    patient, coverage = a_member(MARIA)
    patient |= {"birthDate": DAY, "name": [{"family": FAMILY, "given": ["Maria"]}]}
    vague, covered = a_member(VAGUE)
    members = [patient, coverage, vague | {"birthDate": "1961-04"}, covered]
    for plan, county in (("HPSM", "San Mateo"), ("HPSJ", "San Joaquin")):
        twice = a_member(TWICE, plan, county)
        for one in twice:
            one["id"] += f"-{plan.lower()}"
        twice[1]["beneficiary"] = {"reference": f"Patient/{twice[0]['id']}"}
        members += twice
    database = Database(running.settings, size=1)
    async with database.begin() as connection:
        await load_resources(connection, members, datetime(2026, 11, 1, tzinfo=UTC))
    await database.close()


def about(cin=MARIA, *, born=DAY, names=(), plan="HPSM", **more):
    """A referral of a member as somebody states them."""
    body = a_referral(cin, plan=plan, **more)
    patient = body["contained"][0]
    patient.pop("birthDate", None)
    if born:
        patient["birthDate"] = born
    if names:
        patient["name"] = [{"family": name} for name in names]
    return body


async def answer(service, body, by="hospital", **params):
    """The bytes of `$check`."""
    path = "/fhir/ServiceRequest/$check"
    told = await service.ask(by, "POST", path, body, params=params)
    assert told.status_code == 200, told.text
    return told.content


async def is_known(service, body, by="hospital"):
    return "member-unidentified" not in (await service.check(body, by)).codes("reason")


SAME = {
    "the full birth date": {},
    "the name in other letters": {"names": ["ONEILL VALDEZ"]},
    "one of several names": {"names": ["Before", "o\u2019neill valdez"]},
    "no plan": {"plan": None},
    "a plan that is not served": {"plan": "ELSEWHERE"},
    "a roster that has no name": {"cin": EXTRA[0], "born": BORN, "names": ["Anything"]},
}
OTHER = {
    "no birth date": {"born": None},
    "no birth date and no plan": {"born": None, "plan": None},
    "a year": {"born": "1961"},
    "a month": {"born": "1961-04"},
    "the next day": {"born": "1961-04-06"},
    "another day and no plan": {"born": "1961-05-04", "plan": None},
    "another name": {"names": ["Oneill"]},
    "another name and no plan": {"names": ["Oneill"], "plan": None},
    "another plan": {"plan": "HPSJ"},
    "a plan without rosters": {"plan": "GEN002"},
    "two rosters": {"cin": TWICE, "born": BORN, "plan": None},
    "a month that is all the roster knows": {"cin": VAGUE, "born": "1961-04"},
    "a day in the month that is all the roster knows": {"cin": VAGUE, "born": "1961-04-05"},
}


@pytest.mark.parametrize("said", SAME.values(), ids=SAME)
async def test_a_member_is_known_by_number_birth_date_name_and_plan(service, said):
    body = about(**said)
    assert await is_known(service, body)
    assert (await service.check(body)).outcome == "approved"
    referral = await service.refer(body)
    assert (await service.words(referral))[0] == "approved"


@pytest.mark.parametrize("said", OTHER.values(), ids=OTHER)
async def test_whoever_is_not_known_has_the_answer_of_an_unknown_number(service, said):
    """Byte for byte: asked first, and wherever the requester reads the referral afterwards."""
    of_member, of_nobody = about(**said), about(**{**said, "cin": NOBODY})
    for by in ("hospital", "ecm-provider", "staff-hpsj"):
        for detail in ("short", "full"):
            asked = [await answer(service, b, by, detail=detail) for b in (of_member, of_nobody)]
            assert asked[0] == asked[1]
    assert await everything(service, of_member) == await everything(service, of_nobody)


async def everything(service, body):
    """All that the requester and other plans' staff read of a new referral, without its names."""
    number = body["contained"][0]["identifier"][0]["value"]
    made = await service.post(body)
    referral = made.json()["id"]
    texts = [made.text]
    for path in (
        f"/fhir/ServiceRequest/{referral}",
        f"/fhir/Task/{referral}",
        f"/fhir/ServiceRequest/{referral}/_history",
        f"/fhir/CommunicationRequest?based-on=ServiceRequest/{referral}",
        f"/fhir/Communication?based-on=ServiceRequest/{referral}",
        f"/fhir/Provenance?target=ServiceRequest/{referral}",
        f"/v1/referrals/{referral}/determinations?detail=full",
        f"/v1/referrals/{referral}/timeline?detail=full",
        f"/v1/referrals/{referral}/timeline.html",
    ):
        for by in ("hospital", "staff-hpsj"):
            told = await service.ask(by, "GET", path)
            texts.append(f"{told.status_code} {told.text}")
    rows = await service.rows(
        "SELECT plan, member_id, county, based_on, state, business_status FROM referral"
        " WHERE id = $1",
        referral,
    )
    plain = "\n".join([*texts, str(rows)]).replace(referral, "R").replace(number, "N")
    plain = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)", "T", plain)
    return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "I", plain)


@settings(max_examples=60, database=None, phases=[Phase.generate], derandomize=True)
@given(st.data())
def _payloads(data):
    _payloads.made.append(
        {
            "born": data.draw(st.sampled_from([None, "1961", "1961-04", "1961-04-06", BORN, DAY])),
            "names": data.draw(st.lists(st.sampled_from(["Other", "Neill", "é", "-", FAMILY]))),
            "plan": data.draw(st.sampled_from([None, "HPSM", "HPSJ", "CCAH", "ELSEWHERE"])),
            "service": data.draw(st.sampled_from([None, "ECM", "HD", "RESP", "AR"])),
            "facts": data.draw(
                st.dictionaries(
                    st.sampled_from(["homeless", "pregnant", "waiver_1915c_enrolled"]),
                    st.booleans(),
                )
            ),
            "day": data.draw(st.integers(-400, 400)),
        }
    )


async def test_no_payload_tells_a_known_number_from_an_unknown_one(service):
    _payloads.made = []
    _payloads()
    told = 0
    for said in _payloads.made:
        on = (TODAY + timedelta(days=said.pop("day"))).isoformat()
        names = {"ELSEWHERE", "HPSM", None}
        agrees = not any(name in ("Other", "Neill", "é") for name in said["names"])
        agrees = agrees or FAMILY in said["names"]
        if said["born"] == DAY and said["plan"] in names and agrees:
            continue
        told += 1
        for params in ({}, {"asOf": on}):
            pair = [await answer(service, about(cin, **said), **params) for cin in (MARIA, NOBODY)]
            assert pair[0] == pair[1], said
    assert told > 20


@pytest.mark.parametrize("ahead", [-31, -30, 0, 30, 31])
@pytest.mark.parametrize("plan", ["HPSM", None])
async def test_the_roster_is_asked_for_a_month_round_today(service, ahead, plan):
    """Beyond it the payload is taken at its word, whether its number is known or not."""
    on = (TODAY + timedelta(days=ahead)).isoformat()
    body = about(plan=plan)
    known, unknown = [await answer(service, about(c, plan=plan), asOf=on) for c in (MARIA, NOBODY)]
    del body["contained"][0]["identifier"]
    at_word = await answer(service, body, asOf=on)
    if abs(ahead) <= 30:
        assert known not in (unknown, at_word)
    else:
        assert known == unknown == at_word


async def test_staff_of_the_members_plan_ask_for_any_day(service):
    body = about(born=None)
    for ahead in (-400, -31, 0, 31, 400):
        on = (TODAY + timedelta(days=ahead)).isoformat()
        own = await service.check(body, "staff-hpsm", on=on)
        details = {
            part["name"]: part.get("valueString")
            for criterion in own.parts
            if criterion["name"] == "criterion"
            for part in criterion["part"]
            if criterion["part"][0]["valueString"] == "coverage_active"
        }
        assert details["detail"] == "roster"


async def test_the_plans_own_staff_need_the_number_alone(service):
    body = about(born=None, plan=None)
    assert await is_known(service, body, "staff-hpsm")
    assert not await is_known(service, body, "staff-hpsj")
    assert not await is_known(service, body, "staff-ccah")
    assert await is_known(service, about(names=["Married"], born=None), "staff-hpsm")
    assert not await is_known(service, about(born="1961-04-06"), "staff-hpsm")
    referral = await service.refer(body, "staff-hpsm")
    assert (await service.words(referral, "staff-hpsm"))[0] == "approved"


async def test_who_continues_an_authorization_needs_the_number_alone(service):
    first = await service.refer(about(asks_for="org-tidepool"))
    based_on = [{"reference": f"ServiceRequest/{first}"}]
    again = about(born=None, basedOn=based_on)
    for by in ("hospital", "ecm-provider", "staff-hpsm"):
        assert await is_known(service, again, by)
    assert not await is_known(service, again, "cs-provider")
    assert not await is_known(service, about(EXTRA[1], born=None, basedOn=based_on))
    assert not await is_known(service, about(born="1961-04-06", basedOn=based_on))


async def test_what_staff_add_identifies_nobody_unless_it_names_the_member(service):
    """The requester's number stays what it was: not enough."""
    body = incomplete(MARIA)
    del body["contained"][0]["birthDate"]
    referral = await service.refer(body)
    stated = responses({"homeless": True})
    del stated["id"]
    for by, added in (
        ("staff-hpsm", stated),
        ("hospital", {"resourceType": "Patient", "identifier": patient_of(body)["identifier"]}),
    ):
        told = await service.do(by, "add-information", referral, adding(added))
        assert told.status_code == 200, told.text
        assert await member_of(service, referral) is None
    named = {"resourceType": "Patient", "identifier": patient_of(body)["identifier"]}
    told = await service.do("staff-hpsm", "add-information", referral, adding(named))
    assert told.status_code == 200, told.text
    assert await member_of(service, referral) == f"member-{MARIA.lower()}"


async def test_staff_who_name_somebody_else_identify_nobody_else(service):
    """Two added Patients differ: the number sent first is not believed for that."""
    body = incomplete(MARIA)
    del body["contained"][0]["birthDate"]
    referral = await service.refer(body)
    for by, cin in (("hospital", NOBODY), ("staff-hpsm", EXTRA[1])):
        named = patient_of(about(cin)) | {"birthDate": BORN}
        named.pop("id", None)
        told = await service.do(by, "add-information", referral, adding(named))
        assert told.status_code == 200, told.text
        assert await member_of(service, referral) is None


async def test_staff_of_another_plan_identify_nobody_by_the_number_alone(service):
    referral = await service.refer(about(None, plan=None, born=None))
    named = {"resourceType": "Patient", "identifier": patient_of(about())["identifier"]}
    told = await service.do("staff-hpsj", "add-information", referral, adding(named))
    assert told.status_code == 200, told.text
    rows = await service.rows("SELECT plan, member_id FROM referral WHERE id = $1", referral)
    assert rows == [("unassigned", None)]
    told = await service.do("staff-hpsm", "add-information", referral, adding(named))
    rows = await service.rows("SELECT plan, member_id FROM referral WHERE id = $1", referral)
    assert rows == [("HPSM", f"member-{MARIA.lower()}")]


async def test_asking_first_needs_the_scope_to_refer(service):
    token = await service.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials", "scope": "system/ServiceRequest.rs"},
        auth=("hospital", "demo-hospital"),
    )
    told = await service.http.post(
        "/fhir/ServiceRequest/$check",
        json=about(),
        headers={"Authorization": f"Bearer {token.json()['access_token']}"},
    )
    assert told.status_code == 403


async def test_a_start_further_off_is_refused_alike_for_every_number(service):
    for born in (DAY, None):
        told = []
        for cin in (MARIA, NOBODY):
            body = about(cin, plan=None, born=born, occurrencePeriod={"start": "2027-11-21"})
            got = await service.ask("hospital", "POST", "/fhir/ServiceRequest/$check", body)
            told.append((got.status_code, got.json()["issue"][0]["diagnostics"]))
        assert told[0] == told[1]


async def test_a_bundle_and_a_coverage_name_the_member_too(service):
    body = about(None, plan=None, born=None)
    body["contained"] = body["contained"][1:]
    patient = {"resourceType": "Patient", "birthDate": DAY}
    coverage = a_coverage("HPSM", subscriberId=MARIA)
    del coverage["id"]
    bundle = a_bundle(body, patient, coverage)
    names = [entry["fullUrl"] for entry in bundle["entry"]]
    body["subject"] = coverage["beneficiary"] = {"reference": names[0]}
    body["insurance"] = [{"reference": names[1]}]
    assert await is_known(service, bundle)
    patient["birthDate"] = "1961-04-06"
    assert not await is_known(service, bundle)


def patient_of(body):
    return body["contained"][0]


async def member_of(service, referral):
    ((member,),) = await service.rows("SELECT member_id FROM referral WHERE id = $1", referral)
    return member
