"""What the plan alone knows of a member reaches everybody else by result only (spec.md 4)."""

import re
from datetime import UTC, datetime

import orjson
import pytest
import pytest_asyncio

from app.store.database import Database
from app.store.directory.load import load_resources
from tests.journeys.payloads import a_member, a_referral, because, no, parameters, responses
from tests.journeys.test_letters import letters, printed

ENROLLED, ALIGNED, RESTED, FORMER, MOVED = (f"9620000{number}XA" for number in range(5))
BORN = "1951-02-13"
ROSTER = {
    ENROLLED: {"programs_enrolled": ["hospice", "ihss"], "waiver_1915c_enrolled": False},
    ALIGNED: {"programs_enrolled": ["eae-dsnp"], "current_authorizations": ["HTNS"]},
    RESTED: {"cs_used_resp_hours_year": 331, "programs_enrolled": ["ihss"]},
    FORMER: {"waiver_1915c_enrolled": True, "grandfathered_ecm": True},
    MOVED: {"programs_enrolled": []},
}
#: What stands nowhere but with the plan's staff: words of the values, the age, where a value is
#: from, and that what was sent is another one.
MARKS = re.compile(
    r"hospice|ihss|D-SNP|dsnp|Medi-Medi|\b331\b|\b341\b|\b75\b|set aside|differ"
    r"|\((roster|authorizations)\)|the roster",
    re.IGNORECASE,
)
TOO_MUCH = {"requested_hours": 10, "caregiver_support_changed": False}
ENGAGED = {"engaged_with_care_manager": True, "willing_to_receive_cs": True}


@pytest_asyncio.fixture(scope="module", autouse=True)
async def roster(running):
    members = []
    for cin, facts in ROSTER.items():
        at = ("HPSJ", "San Joaquin") if cin == MOVED else ("HPSM", "San Mateo")
        patient, coverage = a_member(cin, *at)
        form = responses(facts) | {
            "id": f"roster-{cin.lower()}",
            "questionnaire": "https://nowrongdoor.example/fhir/Questionnaire/roster",
            "subject": coverage["beneficiary"],
        }
        members += [patient | {"birthDate": BORN}, coverage, form]
    database = Database(running.settings, size=1)
    async with database.begin() as connection:
        await load_resources(connection, members, datetime(2026, 11, 1, tzinfo=UTC))
    await database.close()


def of(cin, service="ECM", plan="HPSM", **more):
    return a_referral(cin, service=service, plan=plan, born=BORN, **more)


#: Scene → the referral, the reason that everybody reads, and what staff read beside it.
SCENES = {
    "in hospice": (
        of(ENROLLED, facts={"programs_enrolled": ["wic"]}, asks_for="org-tidepool"),
        "excluded-program",
        "programs_enrolled: hospice, ihss (roster)",
    ),
    "in another plan": (
        of(ALIGNED, asks_for="org-tidepool"),
        "excluded-program",
        "programs_enrolled: eae-dsnp (roster)",
    ),
    "hours used up": (
        of(RESTED, "RESP", facts={**ENGAGED, **TOO_MUCH}, visits=()),
        "limit-reached",
        "331 of 336 hours used",
    ),
    "in ECM before": (
        of(FORMER, asks_for="org-tidepool"),
        "review-required",
        "1915(c) waiver set aside",
    ),
    "nothing met": (
        of(ENROLLED, "HD", facts=ENGAGED, items=no(), visits=(), asks_for="org-redwood-slope"),
        None,
        "programs_enrolled",
    ),
}


async def checked(service, body, by, **params):
    path = "/fhir/ServiceRequest/$check"
    told = await service.ask(by, "POST", path, body, params=params)
    assert told.status_code == 200, told.text
    return told.text


async def read(service, referral, by):
    """All that a caller reads about a referral: path → text; without what is not its to see."""
    paths = [
        f"/fhir/{kind}/{referral}{more}"
        for kind in ("ServiceRequest", "Task", "ClaimResponse")
        for more in ("", "/_history")
    ]
    paths += [
        f"/fhir/Task?focus=ServiceRequest/{referral}",
        f"/fhir/Communication?based-on=ServiceRequest/{referral}",
        f"/fhir/CommunicationRequest?based-on=ServiceRequest/{referral}",
        f"/fhir/Provenance?target=ServiceRequest/{referral}",
        f"/fhir/ServiceRequest?_id={referral}&_revinclude=Task:focus",
        f"/v1/referrals/{referral}/timeline.html",
        *(
            f"/v1/referrals/{referral}/{what}?detail={detail}"
            for what in ("determinations", "timeline")
            for detail in ("short", "full")
        ),
    ]
    texts = {}
    for path in paths:
        told = await service.ask(by, "GET", path)
        assert told.status_code in (200, 404), told.text
        texts[path] = told.text
    return texts


def marks(text):
    return sorted({found[0] for found in MARKS.finditer(text)})


@pytest.mark.parametrize(("body", "reason", "shown"), SCENES.values(), ids=SCENES)
async def test_everybody_else_reads_the_result_alone(service, receiver, body, reason, shown):
    for by in ("hospital", "ecm-provider", "staff-hpsj"):
        for detail in ("short", "full"):
            text = await checked(service, body, by, detail=detail)
            assert marks(text) == []
            assert reason is None or f'"code":"{reason}"' in text
    staff = await checked(service, body, "staff-hpsm", detail="full")
    assert shown in staff
    for by, path in (("hospital", "/requester"), ("ecm-provider", "/performer")):
        await service.listen(receiver, by, path, payload="full")
    made = await service.post(body)
    assert made.status_code == 201, made.text
    assert marks(made.text.replace("programs-enrolled", "")) == []
    referral = made.json()["id"]
    if (await service.words(referral, "staff-hpsm"))[0] == "pending":
        wrong = parameters(reason=because("service-criteria-not-met"))
        denied = await service.do("staff-hpsm", "deny", referral, wrong)
        assert denied.status_code == 200, denied.text
    for by in ("hospital", "ecm-provider", "cs-provider", "staff-hpsj"):
        for path, text in (await read(service, referral, by)).items():
            assert marks(text) == [], (by, path)
    own = await read(service, referral, "staff-hpsm")
    assert shown in own[f"/v1/referrals/{referral}/determinations?detail=full"]
    async with service.delivering():
        heard = await receiver.count(2)
    for each in heard:
        assert marks(each.body.decode()) == []
    for recipient, item in (await letters(service, referral)).items():
        if recipient != "member" and item["status"] != "skipped":
            assert marks(await printed(service, item)) == []


async def test_the_determination_lists_no_fact_of_the_plan(service):
    referral = await service.refer(SCENES["in hospice"][0])
    path = f"/v1/referrals/{referral}/determinations?detail=full"
    made = {}
    for by in ("hospital", "staff-hpsm"):
        (made[by],) = (await service.ask(by, "GET", path)).json()["determinations"]
    names = {by: {fact["name"] for fact in each["facts"]} for by, each in made.items()}
    assert {"programs_enrolled", "coverage_active", "line_of_business"} <= names["staff-hpsm"]
    assert names["hospital"] == set()
    assert made["hospital"]["events"] == made["staff-hpsm"]["events"] != []
    assert "differ" in str(made["staff-hpsm"]["notes"])
    assert made["hospital"]["notes"] == []
    for name in ("outcome", "reasons", "populations", "missing", "ways"):
        assert made["hospital"][name] == made["staff-hpsm"][name]
    text = made["hospital"]["text"]
    assert "Is the member covered by the plan today? Yes (known to the plan)." in text
    assert "Age: 21 or more years: Yes (known to the plan)." in text
    # One criterion stands for all programs: the name of the one that is true would tell it.
    excluded = [c["name"] for c in made["hospital"]["criteria"] if "excluded" in c["name"]]
    assert excluded.count("excluded: other programs") == 1
    assert not [name for name in excluded if "D-SNP" in name]


async def test_who_continues_an_authorization_does_not_read_the_age(service):
    """A party needs no birth date, and is told none."""
    first = await service.refer(of(MOVED, plan="HPSJ", asks_for="org-delta-willow"))
    assert (await service.words(first))[0] == "approved"
    body = of(MOVED, plan="HPSJ", basedOn=[{"reference": f"ServiceRequest/{first}"}])
    del body["contained"][0]["birthDate"]
    asked = orjson.loads(await checked(service, body, "hospital", detail="full"))
    assert asked["parameter"][0]["valueCode"] == "approved"
    assert marks(str(asked)) == []
    assert "1951" not in str(asked)
    assert "75 years" in await checked(service, body, "staff-hpsj", detail="full")


@pytest.mark.parametrize("sent", [False, True])
async def test_what_was_sent_is_not_confirmed(service, sent):
    """Whether it equals the roster's value is not to be seen: else it could be tried out."""
    told = set()
    for used in (0, 5, 331, 335) if sent else (None,):
        facts = {**ENGAGED, **TOO_MUCH}
        if used is not None:
            facts["cs_used_resp_hours_year"] = used
        body = of(RESTED, "RESP", facts=facts, visits=())
        told.add(await checked(service, body, "hospital", detail="full"))
    assert len(told) == 1


async def test_the_performers_do_not_begin_with_the_one_who_has_the_member(service):
    body = of(MOVED, plan="HPSJ", asks_for="org-delta-willow")
    before = await service.check(of(MOVED, plan="HPSJ"))
    assert await service.words(await service.refer(body)) == ["approved", "assigned"]
    again = of(MOVED, plan="HPSJ")
    for by in ("hospital", "ecm-provider", "staff-hpsm"):
        said = await service.check(again, by)
        assert said.codes("reason")[0] == "already-authorized"
        assert said.performers == before.performers
    staff = await service.check(again, "staff-hpsj")
    assert staff.performers == ["Organization/org-delta-willow", *before.performers[:1]]


async def test_the_members_own_letter_says_all(service):
    referral = await service.refer(SCENES["in another plan"][0])
    told = await letters(service, referral)
    assert "in a Medi-Medi Plan" in await printed(service, told["member"])
    other = await printed(service, told["requesting"])
    assert "in a program that gives this kind of help already" in other
