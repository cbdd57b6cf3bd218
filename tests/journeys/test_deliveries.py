"""Did they get it? Who sees which deliveries, in what words, as JSON and as a page."""

import pytest

from tests.journeys.pages import read_page
from tests.journeys.payloads import EXTRA, a_referral, parameters, to
from tests.postgres import statements
from tests.receiver import Reply

HOSPITAL, TIDEPOOL, FOGHORN, PLAN = (
    "org-harbor-lantern",
    "org-tidepool",
    "org-foghorn",
    "plan-hpsm",
)


async def listed(service, by, **params):
    answer = await service.ask(by, "GET", "/v1/deliveries", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def everything(service, by, **params):
    """Every page of a question, by its links."""
    found, page = [], await listed(service, by, **params)
    while True:
        found += page["deliveries"]
        if page["next"] is None:
            return found
        page = (await service.ask(by, "GET", page["next"])).json()


async def three_listen(service, receiver):
    for client, path in (
        ("hospital", HOSPITAL), ("ecm-provider", TIDEPOOL), ("staff-hpsm", PLAN)
    ):  # fmt: skip
        await service.listen(receiver, client, path)


async def until(service, state, number):
    """Until so many deliveries have this state."""
    while True:
        ((found,),) = await service.rows("SELECT count(*) FROM delivery WHERE state = $1", state)
        if found >= number:
            return


async def test_a_party_sees_its_own_and_the_plans_staff_see_all(service, receiver):
    await three_listen(service, receiver)
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    async with service.delivering():
        await until(service, "delivered", 9)
    for client, organization in (("hospital", HOSPITAL), ("ecm-provider", TIDEPOOL)):
        mine = (await listed(service, client, referral=referral))["deliveries"]
        assert {each["organization"] for each in mine} == {organization}
        assert len(mine) == 3
    all_of_it = await everything(service, "staff-hpsm", referral=referral, limit=2)
    assert len(all_of_it) == 9
    assert {each["organization"] for each in all_of_it} == {HOSPITAL, TIDEPOOL, PLAN}
    newest = all_of_it[0]
    assert (newest["event_type"], newest["state"]) == ("service.assigned", "delivered")
    assert newest["in_words"] == "Delivered at the first attempt."
    assert [(each["number"], each["status"]) for each in newest["tries"]] == [(1, 204)]
    assert newest["delivered_at"] is not None


async def test_who_is_no_party_sees_nothing_at_all(service, receiver):
    await three_listen(service, receiver)
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    nothing = {"deliveries": [], "letters": [], "next": None}
    for client in ("practice", "cs-provider", "community", "staff-hpsj"):
        assert await listed(service, client, referral=referral) == nothing
        assert await listed(service, client) == nothing


async def test_nothing_of_anothers_endpoint_is_shown(service, receiver):
    await service.listen(receiver, "hospital", "a-secret-path", description="in the cellar")
    referral = await service.refer(a_referral())
    receiver.answer = lambda _: Reply(500, body=b"connection failed")
    async with service.delivering():
        await receiver.count(1)
    for path in ("/v1/deliveries", "/v1/deliveries.html"):
        for by in ("staff-hpsm", "hospital"):
            answer = await service.ask(by, "GET", path, params={"referral": referral})
            for hidden in ("a-secret-path", receiver.target, "cellar", "whsec_"):
                assert hidden not in answer.text


async def test_who_was_passed_over_keeps_what_it_was_sent(service, receiver):
    await three_listen(service, receiver)
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    given = parameters(performer=to(f"Organization/{FOGHORN}"))
    assert (await service.do("staff-hpsm", "assign", referral, given)).status_code == 200
    kept = await listed(service, "ecm-provider", referral=referral)
    assert len(kept["deliveries"]) == 3
    assert kept["letters"] == []


async def test_a_failing_and_a_dead_delivery_say_what_is_to_be_done(service, receiver):
    await service.listen(receiver, "hospital", HOSPITAL)
    referral = await service.refer(a_referral())
    receiver.answer = lambda _: Reply(500)
    async with service.delivering():
        await receiver.count(1)
    (failing,) = (await listed(service, "hospital", state="failing"))["deliveries"]
    said = "Not delivered yet, after 1 attempt: it answered 500. It is tried again."
    assert (failing["in_words"], failing["redeliver"]) == (said, None)
    assert failing["next_attempt_at"] is not None
    assert len((await listed(service, "hospital", state="pending"))["deliveries"]) == 2
    await service.store.execute(
        "UPDATE delivery SET state = 'dead' WHERE message_id = $1", failing["message_id"]
    )
    for by in ("hospital", "staff-hpsm"):
        (dead,) = (await listed(service, by, state="dead"))["deliveries"]
        assert dead["in_words"].startswith("Given up after 1 attempt: it answered 500.")
        assert (dead["redeliver"] is None) == (by != "hospital")
    (dead,) = (await listed(service, "hospital", referral=referral, state="dead"))["deliveries"]
    receiver.answer = lambda _: Reply()
    assert (await service.ask("hospital", "POST", dead["redeliver"])).status_code == 202
    async with service.delivering():
        await until(service, "delivered", 3)
    assert (await listed(service, "staff-hpsm", state="dead"))["deliveries"] == []


async def test_what_is_held_says_why(service, receiver):
    await service.listen(receiver, "hospital", HOSPITAL)
    receiver.answer = lambda _: Reply(410)
    await service.refer(a_referral())
    async with service.delivering():
        await until(service, "held", 3)
    held = (await listed(service, "staff-hpsm", state="held"))["deliveries"]
    said = "Held until the endpoint is enabled again: it answered 410 Gone."
    assert {each["in_words"] for each in held} == {said}


async def test_staff_page_through_their_plan_and_filter_by_endpoint(service, receiver):
    await three_listen(service, receiver)
    for member in EXTRA[:4]:
        await service.refer(a_referral(member, asks_for=TIDEPOOL))
    found = await everything(service, "staff-hpsm", limit=5)
    keys = [(each["message_id"], each["endpoint"]) for each in found]
    assert keys == sorted(keys, reverse=True)
    assert len(set(keys)) == 36
    endpoint = next(each["endpoint"] for each in found if each["organization"] == TIDEPOOL)
    for by, number in (("staff-hpsm", 12), ("ecm-provider", 12), ("hospital", 0)):
        assert len(await everything(service, by, endpoint=endpoint, limit=5)) == number
    assert len(await everything(service, "hospital", limit=5, kind="webhook")) == 12
    assert len(await everything(service, "staff-hpsm", limit=7, kind="webhook")) == 36
    assert len(await everything(service, "staff-hpsm", limit=7, state="pending")) == 36
    for by in ("hospital", "staff-hpsm"):
        assert await everything(service, by, kind="subscription") == []


async def test_a_test_message_is_its_owners_alone(service, receiver):
    wanted = {"url": receiver.url()}
    json = {"Content-Type": "application/json"}
    await service.ask("hospital", "POST", "/v1/webhook-endpoints", wanted, headers=json)
    (mine,) = (await listed(service, "hospital"))["deliveries"]
    assert (mine["event_type"], mine["referral"]) == ("endpoint.test", None)
    assert (await listed(service, "staff-hpsm"))["deliveries"] == []


async def test_letters_stand_beside_the_messages(service, receiver):
    await service.listen(receiver, "hospital", HOSPITAL)
    referral = await service.refer(a_referral("9000002XA"))
    letters = (await listed(service, "hospital", referral=referral))["letters"]
    assert [(each["outcome"], each["recipient"], each["status"]) for each in letters] == [
        ("denied", "servicing", "skipped"),
        ("denied", "member", "to-send"),
    ]


async def test_the_page_answers_the_question(service, receiver):
    await three_listen(service, receiver)
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    receiver.answer = lambda got: Reply(503 if got.path == f"/{TIDEPOOL}" else 204)
    async with service.delivering():
        await until(service, "delivered", 6)
        await receiver.until(lambda: receiver.at(TIDEPOOL))
    path = "/v1/deliveries.html"
    answer = await service.ask("staff-hpsm", "GET", path, params={"referral": referral})
    read = read_page(answer, drawn=False)
    for said in (
        "Did they get it?",
        "6 delivered, 2 waiting, 1 failing",
        "The plan approved the referral; an authorization exists.",
        "it answered 503",
        "Letters",
    ):
        assert said in read.text
    html = {"Accept": "text/html"}
    params = {"referral": referral}
    same = await service.ask("staff-hpsm", "GET", "/v1/deliveries", headers=html, params=params)
    assert "Did they get it?" in same.text


async def test_a_page_of_deliveries_is_one_statement(service, receiver):
    await three_listen(service, receiver)
    await service.refer(a_referral(asks_for=TIDEPOOL))
    with statements() as sent:
        await listed(service, "staff-hpsm")
    assert [("INSERT INTO audit_event" in each) for each in sent] == [False, True]


@pytest.mark.parametrize(
    "params", [{"state": "lost"}, {"referral": "a b"}, {"limit": 0}, {"cursor": "x"}]
)
async def test_odd_questions_are_refused(service, params):
    answer = await service.ask("hospital", "GET", "/v1/deliveries", params=params)
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_a_cursor_is_of_no_use_to_another(service, receiver):
    await three_listen(service, receiver)
    await service.refer(a_referral(asks_for=TIDEPOOL))
    link = (await listed(service, "hospital", limit=1))["next"]
    assert (await service.ask("ecm-provider", "GET", link)).status_code == 400
