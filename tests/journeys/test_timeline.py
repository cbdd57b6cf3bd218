"""What a party reads of a referral's life: approved, pending, denied; and who reads what of it."""

import pytest

from app.views.reports.chart import _STATES
from app.views.timeline.document import _BARS, _COLOURS
from tests.journeys.pages import read_page
from tests.journeys.payloads import (
    EXTRA,
    REASON,
    VISITS,
    a_referral,
    because,
    hopeless,
    incomplete,
    parameters,
    responses,
)

HOSTILE = '<script>alert("x")</script>'


async def timeline(service, referral, by="hospital"):
    answer = await service.ask(by, "GET", f"/v1/referrals/{referral}/timeline")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def page(service, referral, by="hospital"):
    return read_page(await service.ask(by, "GET", f"/v1/referrals/{referral}/timeline.html"))


def titles(told):
    return [entry["title"] for entry in told["entries"]]


def marks(told):
    return [stage["mark"] for stage in told["stages"]]


async def test_an_approved_referral_is_told_from_receipt_to_authorization(service):
    referral = await service.refer(a_referral(asks_for="org-foghorn"))
    told = await timeline(service, referral)
    assert titles(told)[:4] == ["Received", "Looked at by the rules", "Approved", "Authorization"]
    assert (told["state"], told["business_status"]) == ("approved", "assigned")
    assert told["now"] == "Approved: assigned"
    assert [stage["name"] for stage in told["stages"]] == [
        "intake",
        "eligibility",
        "capacity",
        "decision",
        "notification",
    ]
    assert marks(told)[:4] == ["done", "done", "done", "done"]
    assert [clock["name"] for clock in told["clocks"]] == ["decision", "authorization"]
    assert told["clocks"][0]["state"] == "met"
    assert told["entries"][0]["text"] == "Harbor Lantern Hospital (fictional) sent the referral."
    assert any("Authorized from 2026-11-20" in entry["text"] for entry in told["entries"])


async def test_a_pending_referral_says_what_is_asked_and_until_when(service):
    referral = await service.refer(incomplete())
    told = await timeline(service, referral)
    (asked,) = [e for e in told["entries"] if e["title"] == "Information asked for"]
    due, *questions = asked["details"]
    assert due == "To be answered by Tue 1 Dec 2026, 11:59 pm"
    assert "Is the member unable to manage that need alone?" in questions
    assert marks(told)[:4] == ["done", "waiting", "ahead", "waiting"]
    assert [clock["state"] for clock in told["clocks"]] == ["running", "running"]
    assert told["now"] == "Pending: information is needed"


async def test_each_move_says_who_had_the_referral_then(service):
    """An old fault: the authorization was told with whoever has the referral now."""
    referral = await service.refer(a_referral(asks_for="org-tidepool"))
    service.later(hours=2)
    (task,) = [t for t in await service.found("Task", "ecm-provider") if t.get("partOf")]
    task |= {"status": "rejected", "statusReason": {"text": "No room."}}
    match = {"If-Match": f'W/"{task["meta"]["versionId"]}"'}
    answer = await service.ask(
        "ecm-provider", "PUT", f"/fhir/Task/{task['id']}", task, headers=match
    )
    assert answer.status_code == 200, answer.text
    told = await timeline(service, referral)
    details = {entry["title"]: entry["details"] for entry in told["entries"]}
    tidepool, foghorn = (
        "Tidepool Care Collaborative (fictional)",
        "Foghorn Community Health (fictional)",
    )
    assert f"Assigned: {tidepool}" in details["Approved"]
    declined = ["No room.", f"Assigned to another than the one asked for: {foghorn}"]
    assert details["Declined by the performer"] == declined
    assert told["performer"] == foghorn
    (authorized,) = [e["text"] for e in told["entries"] if e["kind"] == "authorization"]
    assert "fictional" not in authorized


async def test_a_plan_that_is_not_known_is_no_name_of_a_plan(service):
    read = await page(service, await service.refer(incomplete("9999999XA", plan=None)))
    assert "Plan not known yet" in read.text
    assert "unassigned" not in read.text


def _luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("colours", "least"),
    [
        (_COLOURS.values(), 3.0),  # a white sign on it: WCAG 1.4.11
        (_BARS.values(), 4.5),  # words in it, on white: WCAG 1.4.3
        ([colour for _, colour in _STATES], 4.5),  # white numbers on it
    ],
)
def test_colours_can_be_told_from_white(colours, least):
    assert all(1.05 / (_luminance(colour) + 0.05) >= least for colour in colours)


async def test_answered_information_stops_its_clock(service):
    referral = await service.refer(incomplete(asks_for="org-foghorn"))
    enough = parameters(resource={"resource": responses({}, VISITS)})
    assert (await service.do("hospital", "add-information", referral, enough)).status_code == 200
    told = await timeline(service, referral)
    assert {clock["name"]: clock["state"] for clock in told["clocks"]} == {
        "decision": "met",
        "information": "stopped",
        "authorization": "running",
    }
    assert titles(told).index("Information added") < titles(told).index("Approved")


async def test_a_denied_referral_says_why(service):
    referral = await service.refer(hopeless())
    because_of = parameters(reason=because("no-population"), note="Spoke with the clinic.")
    assert (await service.do("staff-hpsm", "deny", referral, because_of)).status_code == 200
    told = await timeline(service, referral)
    (denied,) = [e for e in told["entries"] if e["title"] == "Denied"]
    assert denied["details"] == ["No population of focus is met"]
    assert denied["text"] == "Health Plan of San Mateo denied it."
    assert marks(told)[:4] == ["done", "no", "stopped", "no"]
    seen = await timeline(service, referral, "staff-hpsm")
    (denied,) = [e for e in seen["entries"] if e["title"] == "Denied"]
    assert denied["details"][-1] == "Note: Spoke with the clinic."


async def test_an_administrative_denial_is_no_word_about_criteria(service):
    """Met or not, they were not the question: the member is delegated to another plan."""
    facts = {"homeless": True, "needs_skills_training": True}
    body = a_referral("9000010XA", plan="HPSJ", service="DH", visits=(), facts=facts)
    referral = await service.refer(body)
    told = await timeline(service, referral)
    read = await page(service, referral)
    assert (told["state"], told["stages"][1]["mark"]) == ("denied", "no")
    assert told["stages"][1]["text"] == "The member is delegated to another plan"
    (looked,) = [e for e in told["entries"] if e["kind"] == "determination"]
    assert looked["text"] == "The rules do not approve this."
    assert "riteria" not in str(told)
    assert "riteria are not met" not in read.text


async def test_what_a_person_approved_was_known(service):
    """A service that is offered in part only: the rules know the criteria, a person decides."""
    facts = {"at_risk_institutionalization": True, "home_adaptation_needed": True}
    body = a_referral("9000021XA", plan="CCAH", service="EAA", visits=(), facts=facts)
    referral = await service.refer(body)
    stage = (await timeline(service, referral))["stages"][1]
    assert stage == {
        "name": "eligibility",
        "mark": "waiting",
        "text": "The criteria are met; offered in part only",
    }
    assert (await service.do("staff-ccah", "approve", referral)).status_code == 200
    stage = (await timeline(service, referral))["stages"][1]
    assert stage["mark"] == "done"
    assert stage["text"] == "The criteria are met; offered in part only; a person approved it"


async def test_an_exception_is_told_as_one(service):
    referral = await service.refer(hopeless())
    granted = parameters(
        reason={"valueCoding": {"system": REASON, "code": "exception-granted"}}, note="Known well."
    )
    assert (await service.do("staff-hpsm", "approve", referral, granted)).status_code == 200
    stage = (await timeline(service, referral))["stages"][1]
    assert stage["mark"] == "done"
    assert stage["text"] == "No population of focus is met; a person made an exception"


async def test_time_runs_in_order_whatever_happened(service):
    referral = await service.refer(incomplete())
    service.later(hours=3)
    await service.do("hospital", "cancel", referral)
    told = await timeline(service, referral, "staff-hpsm")
    moments = [entry["at"] for entry in told["entries"]]
    assert moments == sorted(moments)
    assert told["entries"][0]["title"] == "Received"
    assert told["now"] == "Cancelled"
    assert {clock["state"] for clock in told["clocks"]} == {"stopped"}


async def test_an_overdue_clock_says_how_late_it_is(service):
    referral = await service.refer(hopeless())
    service.at("2026-12-03T10:00-08:00")
    (clock,) = (await timeline(service, referral))["clocks"]
    assert clock["state"] == "overdue"
    assert clock["in_words"].endswith("overdue")


async def test_a_party_reads_of_messages_to_itself_alone(service, receiver):
    await service.listen(receiver, "hospital", "/h")
    await service.listen(receiver, "staff-hpsm", "/p")
    referral = await service.refer(a_referral(asks_for="org-foghorn"))

    async def reached(by):
        told = await timeline(service, referral, by)
        lines = [d for e in told["entries"] if e["kind"] == "message" for d in e["details"]]
        return {line.partition(":")[0] for line in lines}

    assert await reached("hospital") == {"Harbor Lantern Hospital (fictional)"}
    assert await reached("staff-hpsm") == {
        "Harbor Lantern Hospital (fictional)",
        "Health Plan of San Mateo",
    }
    ((sent,),) = await service.rows("SELECT count(*) FROM delivery")
    async with service.delivering():
        await receiver.count(sent)
    told = await timeline(service, referral)
    lines = [d for e in told["entries"] if e["kind"] == "message" for d in e["details"]]
    assert all(": delivered" in line for line in lines)


async def test_who_is_no_party_finds_nothing(service):
    referral = await service.refer(a_referral(asks_for="org-foghorn"))
    for by in ("practice", "cs-provider", "staff-hpsj"):
        for ending in ("timeline", "timeline.html"):
            answer = await service.ask(by, "GET", f"/v1/referrals/{referral}/{ending}")
            assert answer.status_code == 404
    answer = await service.ask("hospital", "GET", "/v1/referrals/nobody/timeline")
    assert answer.status_code == 404


@pytest.mark.parametrize("make", [a_referral, incomplete, hopeless])
async def test_the_page_says_what_the_list_says(service, make):
    referral = await service.refer(make())
    told = await timeline(service, referral)
    read = await page(service, referral)
    assert told["now"] in read.text
    assert "Enhanced Care Management" in read.text
    assert EXTRA[0] in read.text
    for number, stage in enumerate(("Intake", "Eligibility", "Capacity", "Decision"), 1):
        assert f"{number}. {stage}" in read.text
    for entry in told["entries"]:
        assert entry["title"] in read.text
    for clock in told["clocks"]:
        assert f"{clock['title']} {clock['in_words']}" in read.text


async def test_a_hostile_name_stays_text(service):
    referral = await service.refer(hopeless())
    asked = parameters(question=HOSTILE)
    assert (await service.do("staff-hpsm", "request-information", referral, asked)).is_success
    await service.store.execute(
        "UPDATE organization SET name = $1 WHERE id = 'org-harbor-lantern'", HOSTILE
    )
    try:
        read = await page(service, referral)
    finally:
        await service.store.execute(
            "UPDATE organization SET name = 'Harbor Lantern Hospital (fictional)'"
            " WHERE id = 'org-harbor-lantern'"
        )
    assert read.text.count(HOSTILE) >= 3


async def test_the_page_of_a_long_life_stays_small(service):
    referral = await service.refer(hopeless())
    await service.store.execute(
        "INSERT INTO referral_history (plan, referral_id, seq, from_state, to_state, event, actor,"
        " at, reason, note) SELECT 'HPSM', $1, n, 'pending', 'pending', 'review', 'rules', now(),"
        " $2, $3 FROM generate_series(3, 400) n",
        referral,
        '[{"code":"","text":"' + "<" * 5000 + '"}]',
        "&" * 5000,
    )
    read = await page(service, referral, "staff-hpsm")
    assert "earlier entries are not shown" in read.text


async def test_the_page_is_given_to_whoever_prefers_it(service):
    referral = await service.refer(hopeless())
    path = f"/v1/referrals/{referral}/timeline"
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    read_page(await service.ask("hospital", "GET", path, headers={"Accept": browser}))
    for accept in ("application/json", "*/*", "text/html;q=0.1, application/json"):
        answer = await service.ask("hospital", "GET", path, headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/json"
