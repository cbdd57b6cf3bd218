"""What the person who decides reads first: the plan's own sentence, who declines, whom to call."""

import pytest

from tests.clocks.scene import at
from tests.journeys.payloads import (
    EXTRA,
    a_member,
    a_referral,
    incomplete,
    no,
    parameters,
    responses,
)
from tests.journeys.test_letters import AUNT, SELF
from tests.journeys.test_work_queue import follow, items, step

HOMELESS = {
    "homeless": True,
    "complex_need": True,
    "unable_self_manage": True,
    "coordination_benefit": True,
}
NO_HOUSING = {
    "ces_prioritized": False,
    "serious_health_condition": False,
    "transitional_rent_eligible": False,
}
JAIL = {"ji_status": "released", "release_date": "2026-09-01", "ji_facility": "jail"}


def all_no_but(cin, facts, **more):
    """A referral of which everything is answered with no, but for these facts."""
    kept = [item for item in no() if item["linkId"] not in facts]
    stated = {"utilization_complete": True, **facts}
    return a_referral(cin, facts=stated, visits=(), items=kept, **more)


async def youth(service, cin):
    """A member of 19 years, as the plan's roster knows them."""
    patient, coverage = a_member(cin)
    for resource in (patient | {"birthDate": "2007-06-01"}, coverage):
        path = f"/fhir/{resource['resourceType']}/{resource['id']}"
        assert (await service.ask("staff-hpsm", "PUT", path, resource)).is_success
    return cin


async def one(service, referral, by="staff-hpsm"):
    told = await service.ask(by, "GET", f"/v1/work-queue/{referral}")
    assert told.status_code == 200, told.text
    return told.json()


async def readings(service, referral, by):
    path = f"/v1/referrals/{referral}/determinations"
    (made,) = (await service.ask(by, "GET", path)).json()["determinations"]
    return made["readings"], made["text"]


@pytest.mark.parametrize("whose", ["eligible", "former", "jail"])
async def test_the_plans_own_sentence_stands_before_the_recommendation(service, whose):
    body, says = {
        "eligible": lambda: (
            a_referral(EXTRA[0], service="HTNS", facts={**HOMELESS, **NO_HOUSING}, visits=()),
            'The page says "Members who are eligible for the Enhanced Care Management benefit will',
        ),
        "former": lambda: (
            all_no_but(EXTRA[0], {"grandfathered_ecm": True}),
            '"before January 1, 2022 were automatically enrolled in ECM"',
        ),
        "jail": lambda: (
            all_no_but("95100001XA", {**JAIL, "ji_conditions": ["sud"]}, born="2007-06-01"),
            'The page says "Adults and Youth transitioning from incarceration"; then it names',
        ),
    }[whose]()
    if whose == "jail":
        await youth(service, "95100001XA")
    referral = await service.refer(body)
    item = await one(service, referral)
    assert item["recommendation"] == "denied"
    words = item["waits_in_words"]
    assert words.index("A person must decide.") < words.index(says)
    assert words.index(says) < words.index("The rules recommend to deny.")
    first = item["readings"][0]
    assert first["before_deciding"]
    assert says in first["text"]
    assert first["source"].startswith("Health Plan of San Mateo, page for providers, lines ")
    told = item["explanation"]
    assert told.index(says) < told.index("The rules do not approve this.")
    for by in ("hospital", "staff-hpsm"):
        shown, text = await readings(service, referral, by)
        assert says in shown[0]["text"]
        assert says in text
    assert (await items(service))[0]["readings"] == item["readings"]


async def test_check_says_how_the_page_is_read(service):
    said = await service.check(
        a_referral(EXTRA[0], service="HTNS", facts={**HOMELESS, **NO_HOUSING}, visits=())
    )
    read = [part["part"] for part in said.parts if part["name"] == "reading"]
    assert [[each["name"] for each in part] for part in read] == [["source", "text"]] * 2
    assert read[0][0]["valueString"] == "Health Plan of San Mateo, page for providers, lines 80-86"
    assert "will be eligible for Community Supports" in read[0][1]["valueString"]


async def test_why_a_person_must_look_is_said(service):
    referral = await service.refer(all_no_but("9000010XA", {"idd": True}, plan="HPSJ"))
    item = await one(service, referral, "staff-hpsj")
    (why,) = item["why"]
    assert why["code"] == "review-required"
    assert why["text"].startswith("A person has to decide. The plan's page lists \"Adults with")
    assert why["text"].endswith("so a person decides.")


async def test_a_member_who_declines_is_asked_and_never_denied(service):
    stated = {"willing_to_receive_cs": False, "engaged_with_care_manager": True}
    body = a_referral(EXTRA[0], service="MTM", facts=stated, visits=())
    referral = await service.refer(body)
    (item,) = await items(service)
    assert item["recommendation"] == "denied"
    assert item["waits_in_words"].startswith(
        "Harbor Lantern Hospital (fictional) says that the member does not want this service: "
        "ask the member first."
    )
    first = item["next"][0]
    assert first["name"] == "cancel"
    assert "Harbor Lantern Hospital (fictional) says" in first["hint"]
    assert len([each for each in item["next"] if each["name"] == "cancel"]) == 1
    assert (await follow(service, item, "cancel")).status_code == 200
    assert await service.words(referral) == ["cancelled"]
    task = await service.read("Task", referral)
    assert task["statusReason"]["coding"][0]["code"] == "declined-by-member"


async def test_who_said_it_later_is_named(service):
    body = a_referral(EXTRA[0], service="MTM", facts={"homeless": False}, visits=())
    referral = await service.refer(body)
    (item,) = await items(service)
    assert item["next"][0]["name"] == "add-information"
    more = responses({"willing_to_receive_cs": False}) | {"id": "later"}
    told = await service.do(
        "staff-hpsm", "add-information", referral, parameters(resource={"resource": more})
    )
    assert told.status_code == 200, told.text
    (item,) = await items(service)
    said = "Health Plan of San Mateo says that the member does not want this service"
    assert item["next"][0]["name"] == "cancel"
    assert item["waits_in_words"].startswith(said)


@pytest.mark.parametrize(
    ("asks", "words"),
    [
        (SELF, "The member referred themselves: call them"),
        ({"requester": {"reference": "#aunt"}}, "A relative or friend asked for the member: call"),
        ({}, "The requester was asked for information."),
    ],
)
async def test_people_are_called_and_not_written_to(service, asks, words):
    body = incomplete(EXTRA[0], **asks)
    if "requester" in asks and asks is not SELF:
        body["contained"].append(AUNT)
    await service.refer(body, "staff-hpsm")
    (item,) = await items(service)
    assert item["waits"] == "information-needed"
    assert item["waits_in_words"].startswith(words)
    called = step(item, "add-information")["title"] == "Call, ask, and type in the answers"
    assert called is bool(asks)


async def test_the_best_questions_come_first(service):
    await service.refer(incomplete(EXTRA[0], **SELF), "staff-hpsm")
    (item,) = await items(service)
    first = [one for each in item["ask_first"] for one in (*each["all_of"], *each["one_of"])]
    assert 0 < len({one["fact"] for one in first}) <= 8 < len(item["questions"])
    in_order = [one["fact"] for one in item["questions"]]
    assert in_order == list(dict.fromkeys(in_order))
    assert all(item["questions"].index(one) < 9 for one in first)
    named = item["ask_first"][0]
    assert named["population"].startswith("POF")
    assert named["population_name"]
    call = step(item, "add-information")
    assert call["hint"].startswith("Ask first; one of these lines is enough:\n- ")
    assert first[0]["question"] in call["hint"]
    asked = call["send"]["parameter"][-1]["resource"]["item"]
    assert [one["linkId"] for one in asked] == [fact for fact in in_order if fact]


async def test_a_passed_due_date_is_told_as_what_it_is(service):
    """The weeks of the holidays of 2026: the seven days end a day before the requester's time."""
    service.at("2026-12-21T10:00-08:00")
    referral = await service.refer(incomplete(EXTRA[0]))
    (item,) = await items(service)
    assert item["due_in_words"] == "due in 7 days"
    await at(service, "2026-12-29T00:05-08:00")
    (item,) = await items(service, waits="overdue")
    assert item["overdue"] is True
    assert item["due_in_words"] == (
        "the plan's decision was due on Monday 28 December (7 calendar days after it came); "
        "it waits for the requester's answer until Tuesday 29 December"
    )
    told = await service.ask("staff-hpsm", "GET", f"/v1/referrals/{referral}/timeline")
    (late,) = [e for e in told.json()["entries"] if "referral.overdue" in e["text"]]
    assert late["details"][0].startswith(
        "The plan's decision was due; it waited for the requester's answer until Tue 29 Dec 2026"
    )
    more = parameters(resource={"resource": {**responses({"homeless": False}), "id": "more"}})
    answered = await service.do("hospital", "add-information", referral, more)
    assert answered.status_code == 200, answered.text


async def test_a_referral_that_waits_for_a_person_is_plainly_overdue(service):
    await service.refer(all_no_but(EXTRA[0], {}))
    service.at("2026-12-03T10:00-08:00")
    (item,) = await items(service)
    assert item["due_in_words"].endswith(" overdue")


async def test_a_former_member_begins_anew_and_the_plans_staff_are_told(service):
    """An authorization has ended, and the new referral continues none."""
    first = await service.refer(a_referral(EXTRA[0]))
    await service.store.execute(
        "UPDATE service_authorization SET starts_on = '2025-01-01', ends_on = '2025-12-31'"
        " WHERE referral_id = $1",
        first,
    )
    again = await service.refer(a_referral(EXTRA[0], identifier="again"))
    for referral, by, told in (
        (again, "staff-hpsm", True),
        (again, "hospital", False),
        (first, "staff-hpsm", False),
    ):
        seen, text = await readings(service, referral, by)
        assert any("begins anew with 12 months" in each["text"] for each in seen) is told
        assert ("begins anew with 12 months" in text) is told
    for by, told in (("staff-hpsm", 1), ("hospital", 0)):
        said = await service.check(a_referral(EXTRA[0]), by)
        assert len([part for part in said.parts if part["name"] == "reading"]) == told
