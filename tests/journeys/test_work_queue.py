"""What plan staff find in the morning: what waits, why, until when, and what they can do."""

import asyncio

import pytest

from app.fhir.placeholders import is_placeholder
from tests.journeys.payloads import EXTRA, a_referral, hopeless, incomplete
from tests.journeys.service import issue


async def queue(service, by="staff-hpsm", **params):
    answer = await service.ask(by, "GET", "/v1/work-queue", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def items(service, by="staff-hpsm", **params):
    return (await queue(service, by, **params))["items"]


def step(item, name):
    return next(one for one in item["next"] if one["name"] == name)


async def follow(service, item, name, by="staff-hpsm"):
    """Does what the item's own link says, as it says it, but for words that one writes oneself."""
    link = step(item, name)
    path = link["href"].removeprefix(service.settings.public_url)
    sent = link["send"]
    for part in (sent or {}).get("parameter", ()):
        if is_placeholder(part.get("valueString")):
            refused = await service.ask(by, link["method"], path, sent)
            assert refused.status_code == 422, refused.text
            part["valueString"] = "She lost her room last week, says the county."
    return await service.ask(by, link["method"], path, sent)


async def test_a_referral_for_a_person_says_why_it_waits_and_until_when(service):
    referral = await service.refer(hopeless())
    (item,) = await items(service)
    assert (item["referral"], item["plan"], item["service"]) == (referral, "HPSM", "ECM")
    assert item["member"]["cin"] == EXTRA[0]
    assert item["requester"] == "Harbor Lantern Hospital (fictional)"
    assert (item["waits"], item["overdue"], item["urgent"]) == ("in-review", False, False)
    assert item["waits_in_words"] == "A person must decide. The rules recommend to deny."
    assert (item["recommendation"], item["questions"]) == ("denied", [])
    assert [why["code"] for why in item["why"]] == ["no-population"]
    assert item["due_in_words"].startswith("due in ")
    assert item["assignee"] is None
    assert (item["service_name"], item["information_due"]) == ("Enhanced Care Management", None)


async def test_one_item_tells_what_the_rules_looked_at(service):
    referral = await service.refer(hopeless())
    answer = await service.ask("staff-hpsm", "GET", f"/v1/work-queue/{referral}")
    assert answer.json()["explanation"].startswith("The rules do not approve this.")
    gone = await service.ask("staff-hpsm", "GET", "/v1/work-queue/nobody")
    assert (gone.status_code, issue(gone)["code"]) == (404, "not-found")


async def test_missing_facts_are_questions_with_a_day(service):
    await service.refer(incomplete())
    (item,) = await items(service, waits="information-needed")
    assert item["questions"]
    assert item["information_due"] == "2026-12-02T07:59:59Z"
    assert item["waits_in_words"].endswith("void after Tuesday 1 December.")


async def test_a_name_is_shown_where_it_is_known(service):
    body = hopeless("9999999XA", plan=None)
    body["contained"][0]["name"] = [{"given": ["Ana", "B."], "family": "<Ejemplo>"}]
    await service.refer(body)
    (item,) = await items(service, plan="unassigned")
    assert item["member"] == {"cin": "9999999XA", "name": "Ana B. <Ejemplo>"}
    assert "approve" not in [one["name"] for one in item["next"]]


async def test_who_nobody_knows_is_identified_by_the_link_of_the_item(service):
    referral = await service.refer(incomplete("9999999XA", plan=None, service=None))
    (item,) = await items(service, plan="unassigned")
    first = item["next"][0]
    assert first["name"] == "add-information"
    (patient,) = (part["resource"] for part in first["send"]["parameter"])
    patient["identifier"][0]["value"], patient["birthDate"] = EXTRA[3], "1980-02-03"
    told = await follow(service, item, "add-information")
    assert told.status_code == 200, told.text
    (item,) = await items(service, plan="HPSM")
    assert (item["referral"], item["member"]["cin"]) == (referral, EXTRA[3])
    answers = item["next"][0]["send"]["parameter"][0]["resource"]
    assert [each["linkId"] for each in answers["item"]] == ["service"]
    answers["item"][0]["answer"] = [{"valueCoding": {"code": "ECM"}}]
    told = await follow(service, item, "add-information")
    assert told.status_code == 200, told.text
    assert told.json()["supportingInfo"]


async def test_while_information_is_asked_for_what_brings_it_comes_first(service):
    await service.refer(incomplete())
    (item,) = await items(service)
    names = [one["name"] for one in item["next"]]
    assert names[:4] == ["add-information", "request-information", "approve", "deny"]


async def test_approve_one_and_deny_another_by_the_links_of_the_items(service):
    against = await service.refer(hopeless(EXTRA[0]))
    another = await service.refer(hopeless(EXTRA[1]))
    first, second = await items(service)
    assert (first["referral"], second["referral"]) == (against, another)
    approved = await follow(service, first, "approve")
    assert approved.status_code == 200, approved.text
    denied = await follow(service, second, "deny")
    assert denied.status_code == 200, denied.text
    assert (await service.words(against))[0] == "approved"
    assert await service.words(another) == ["denied"]
    assert await items(service) == []


async def test_every_other_link_of_a_pending_referral_works_too(service):
    await service.refer(hopeless())
    for name in ("claim", "timeline", "read", "release", "request-information"):
        (item,) = await items(service)
        answer = await follow(service, item, name)
        assert answer.status_code == 200, (name, answer.text)
    (item,) = await items(service)
    assert item["waits"] == "information-needed"
    assert (await follow(service, item, "add-information")).status_code == 200
    (item,) = await items(service)
    assert (await follow(service, item, "cancel")).status_code == 200
    assert await items(service) == []


async def test_closing_is_offered_when_the_time_for_information_is_over(service):
    referral = await service.refer(incomplete())
    (item,) = await items(service)
    assert "void" not in [one["name"] for one in item["next"]]
    service.at("2026-12-02T10:00-08:00")
    (item,) = await items(service)
    assert (await follow(service, item, "void")).status_code == 200
    assert await service.words(referral) == ["void"]


async def test_what_nobody_takes_is_found_and_can_be_placed(service):
    referral = await service.refer(a_referral(asks_for="org-foghorn"))
    await service.store.execute(
        "UPDATE referral SET business_status = 'unassigned' WHERE id = $1", referral
    )
    (item,) = await items(service, waits="unassigned")
    assert (item["due"], item["overdue"]) == (None, False)
    assert item["due_in_words"].startswith("approved; received")
    assert {"assign", "cancel"} <= {one["name"] for one in item["next"]}


async def test_urgent_comes_first_and_then_what_is_due_first(service):
    late = await service.refer(hopeless(EXTRA[0]))
    service.at("2026-11-24T10:00-08:00")
    later = await service.refer(hopeless(EXTRA[1]))
    urgent = await service.refer(hopeless(EXTRA[2], priority="urgent"))
    assert [item["referral"] for item in await items(service)] == [urgent, late, later]
    assert [item["referral"] for item in await items(service, urgent="true")] == [urgent]
    before = (await items(service))[2]["due"]
    found = await items(service, due_before=before)
    assert [item["referral"] for item in found] == [urgent, late]


async def test_overdue_is_told_in_words_and_counted(service):
    overdue = await service.refer(hopeless(EXTRA[0]))
    service.at("2026-12-03T10:00-08:00")
    await service.refer(hopeless(EXTRA[1]))
    found = await queue(service, waits="overdue")
    assert [item["referral"] for item in found["items"]] == [overdue]
    assert found["items"][0]["due_in_words"].endswith(" overdue")
    counts = found["counts"]
    assert (counts["waiting"], counts["overdue"], counts["urgent"]) == (2, 1, 0)
    assert {one["what"]: one["referrals"] for one in counts["by_reason"]} == {
        "in-review": 2,
        "information-needed": 0,
        "unassigned": 0,
        "waitlisted": 0,
        "overdue": 1,
    }
    assert [one["referrals"] for one in counts["by_age"]] == [1, 0, 0, 1]


async def test_pages_follow_one_another_without_gap_or_repeat(service):
    wanted = [await service.refer(hopeless(cin)) for cin in EXTRA[:5]]
    seen, path = [], "/v1/work-queue?limit=2&waits=in-review"
    while path:
        page = (await service.ask("staff-hpsm", "GET", path)).json()
        seen += [item["referral"] for item in page["items"]]
        path = page["next"] and page["next"].removeprefix(service.settings.public_url)
    assert seen == wanted


@pytest.mark.parametrize(
    "params",
    [
        {"cursor": "made-up"},
        {"limit": "0"},
        {"limit": "101"},
        {"waits": "lunch"},
        {"due_before": "tomorrow"},
        {"due_before": "2026-11-20T10:00:00"},
        {"plan": "<b>"},
    ],
)
async def test_what_cannot_be_asked_is_refused(service, params):
    answer = await service.ask("staff-hpsm", "GET", "/v1/work-queue", params=params)
    assert answer.status_code == 400, answer.text


async def test_a_cursor_is_good_for_its_own_query_only(service):
    for cin in EXTRA[:3]:
        await service.refer(hopeless(cin))
    following = (await queue(service, limit=1))["next"].rpartition("=")[2]
    answer = await service.ask(
        "staff-hpsm", "GET", "/v1/work-queue", params={"limit": 2, "cursor": following}
    )
    assert answer.status_code == 400


async def test_the_staff_of_another_plan_see_nothing_of_it(service):
    referral = await service.refer(hopeless())
    assert await items(service, "staff-hpsj") == []
    assert (await queue(service, "staff-hpsj"))["counts"]["waiting"] == 0
    for path in (f"/v1/work-queue/{referral}", "/v1/work-queue?plan=HPSM"):
        assert (await service.ask("staff-hpsj", "GET", path)).status_code == 404
    for act in ("claim", "release"):
        answer = await service.ask("staff-hpsj", "POST", f"/v1/work-queue/{referral}/{act}")
        assert answer.status_code == 404


async def test_who_is_no_staff_has_no_queue(service):
    for client in ("hospital", "ecm-provider"):
        answer = await service.ask(client, "GET", "/v1/work-queue")
        assert (answer.status_code, issue(answer)["code"]) == (403, "forbidden")


async def test_a_person_of_no_known_plan_waits_for_every_plans_staff(service):
    referral = await service.refer(a_referral("9999999XA", plan=None))
    for staff in ("staff-hpsm", "staff-hpsj", "staff-ccah"):
        assert [item["referral"] for item in await items(service, staff)] == [referral]


async def test_claimed_by_one_and_released_by_a_colleague(service):
    referral = await service.refer(a_referral("9999999XA", plan=None))
    path = f"/v1/work-queue/{referral}"
    mine = await service.ask("staff-hpsm", "POST", f"{path}/claim")
    assert mine.json()["assignee"]["client"] == "staff-hpsm"
    again = await service.ask("staff-hpsm", "POST", f"{path}/claim")
    assert again.json()["assignee"] == mine.json()["assignee"]
    refused = await service.ask("staff-hpsj", "POST", f"{path}/claim")
    assert refused.status_code == 409
    assert "staff-hpsm" in issue(refused)["diagnostics"]
    assert len(await items(service, assignee="me")) == 1
    assert await items(service, "staff-hpsj", assignee="me") == []
    assert await items(service, "staff-hpsj", assignee="none") == []
    free = await service.ask("staff-hpsj", "POST", f"{path}/release")
    assert free.json()["assignee"] is None
    assert len(await items(service, "staff-hpsj", assignee="none")) == 1
    taken = await service.ask("staff-hpsj", "POST", f"{path}/claim")
    assert taken.json()["assignee"]["client"] == "staff-hpsj"


async def test_of_many_who_claim_at_once_one_has_it(service):
    referral = await service.refer(a_referral("9999999XA", plan=None))
    clients = ["staff-hpsm", "staff-hpsj", "staff-ccah"] * 6
    for client in clients[:3]:
        await service.token(client)
    path = f"/v1/work-queue/{referral}/claim"
    answers = await asyncio.gather(*(service.ask(c, "POST", path) for c in clients))
    ((holder,),) = await service.rows("SELECT assignee FROM work_item")
    for client, answer in zip(clients, answers, strict=True):
        assert answer.status_code == (200 if client == holder else 409)
        if client != holder:
            assert holder in issue(answer)["diagnostics"]


async def test_a_decided_referral_can_no_longer_be_claimed(service):
    referral = await service.refer(a_referral(asks_for="org-foghorn"))
    answer = await service.ask("staff-hpsm", "POST", f"/v1/work-queue/{referral}/claim")
    assert answer.status_code == 404


async def test_letters_and_lost_messages_are_counted_for_the_plan_alone(service):
    await service.refer(a_referral("9000002XA"))
    ((letters,),) = await service.rows("SELECT count(*) FROM correspondence WHERE status='to-send'")
    assert letters > 0
    assert (await queue(service))["counts"]["letters_to_send"] == letters
    assert (await queue(service, "staff-hpsj"))["counts"]["letters_to_send"] == 0
    assert (await queue(service))["counts"]["undelivered_messages"] == 0
