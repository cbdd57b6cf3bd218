"""Who is told what: messages that arrive signed and in order, correspondence, and nobody else."""

from datetime import UTC, datetime, timedelta

from standardwebhooks.webhooks import Webhook

from tests.journeys.payloads import (
    VISITS,
    a_referral,
    because,
    hopeless,
    incomplete,
    parameters,
    responses,
    to,
    visits_before,
)

HOSPITAL, TIDEPOOL, FOGHORN, PLAN = (
    "org-harbor-lantern",
    "org-tidepool",
    "org-foghorn",
    "plan-hpsm",
)


async def told(service):
    """(event, organization) of every delivery that is planned, in order."""
    rows = await service.rows(
        "SELECT m.event_type, d.organization_id FROM delivery d"
        " JOIN message m ON m.plan = d.plan AND m.id = d.message_id ORDER BY m.seq, 2"
    )
    return [(event.partition(".")[2], organization) for event, organization in rows]


async def letters(service, referral):
    return await service.rows(
        "SELECT outcome, recipient, organization_id, status FROM correspondence"
        " WHERE referral_id = $1 ORDER BY created_at, recipient",
        referral,
    )


async def everybody_listens(service, receiver):
    clients = {
        "hospital": HOSPITAL,
        "ecm-provider": TIDEPOOL,
        "staff-hpsm": PLAN,
        "practice": "org-cypress-bend",
        "cs-provider": "org-redwood-slope",
        "staff-hpsj": "plan-hpsj",
    }
    return {
        organization: await service.listen(receiver, client, organization)
        for client, organization in clients.items()
    }


async def test_an_approval_reaches_its_parties_signed_and_in_order(service, receiver):
    service.clock.move(timedelta(0))  # a signature is good for five minutes of real time
    secrets = await everybody_listens(service, receiver)
    referral = await service.refer(
        a_referral(visits=visits_before(datetime.now(UTC)), asks_for=TIDEPOOL),
        X_Request_ID="req-1",
        X_Correlation_ID="corr-1",
    )
    async with service.delivering():
        await receiver.count(9)
    expected = ["referral.received", "referral.approved", "service.assigned"]
    for organization in (HOSPITAL, TIDEPOOL, PLAN):
        arrived = receiver.at(organization)
        assert [one.data["type"] for one in arrived] == expected
        for one in arrived:
            message = Webhook(secrets[organization]).verify(one.body, one.headers)
            assert message["data"]["referral_id"] == referral
            assert message["data"]["correlation_id"] == "corr-1"
    assert {one.path for one in receiver.received} == {
        f"/{organization}" for organization in (HOSPITAL, TIDEPOOL, PLAN)
    }
    assert len({one.id for one in receiver.received}) == 3


async def test_a_message_says_nothing_about_the_person(service, receiver):
    await everybody_listens(service, receiver)
    await service.refer(a_referral("9000003XA", asks_for=TIDEPOOL))
    async with service.delivering():
        await receiver.count(9)
    for one in receiver.received:
        assert b"9000003XA" not in one.body
        assert set(one.data["data"]) <= {
            "plan", "referral_id", "sequence", "state", "business_status", "reasons",
            "authorization_id", "performer_id", "correlation_id", "links",
        }  # fmt: skip


async def test_a_denial_is_told_to_the_requester_and_the_plan(service, receiver):
    await everybody_listens(service, receiver)
    referral = await service.refer(a_referral("9000002XA", asks_for=TIDEPOOL))
    assert await told(service) == [
        ("received", HOSPITAL),
        ("received", TIDEPOOL),
        ("received", PLAN),
        ("denied", HOSPITAL),
        ("denied", TIDEPOOL),
        ("denied", PLAN),
    ]
    assert await letters(service, referral) == [
        ("denied", "member", None, "to-send"),
        ("denied", "requesting", HOSPITAL, "sent"),
        ("denied", "servicing", TIDEPOOL, "sent"),
    ]


async def test_an_approval_is_written_to_all_three(service, receiver):
    await everybody_listens(service, receiver)
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    assert await letters(service, referral) == [
        ("approved", "member", None, "to-send"),
        ("approved", "requesting", HOSPITAL, "sent"),
        ("approved", "servicing", TIDEPOOL, "sent"),
    ]


async def test_without_a_performer_its_letter_is_skipped_with_the_reason(service):
    referral = await service.refer(a_referral("9000023XA", plan="CCAH"))
    rows = await service.rows(
        "SELECT status, reason FROM correspondence"
        " WHERE referral_id = $1 AND recipient = 'servicing'",
        referral,
    )
    assert rows == [("skipped", "No servicing provider is assigned.")]


async def test_a_question_goes_to_the_requester_alone(service, receiver):
    await everybody_listens(service, receiver)
    referral = await service.refer(incomplete(asks_for=TIDEPOOL))
    assert ("information_requested", TIDEPOOL) not in await told(service)
    assert ("information_requested", HOSPITAL) in await told(service)
    assert await letters(service, referral) == [
        ("information-needed", "requesting", HOSPITAL, "sent")
    ]


async def test_information_that_came_is_announced_before_what_it_led_to(service, receiver):
    await service.listen(receiver, "hospital", HOSPITAL)
    referral = await service.refer(incomplete())
    more = parameters(resource={"resource": responses({}, VISITS)})
    await service.do("hospital", "add-information", referral, more)
    assert [event for event, _ in await told(service)] == [
        "received",
        "information_requested",
        "information_received",
        "approved",
        "assigned",
    ]


async def test_a_performer_passed_over_at_once_hears_nothing(service, receiver):
    """Tidepool is asked for and full: in the same moment the referral is with Foghorn."""
    await everybody_listens(service, receiver)
    await service.store.execute("UPDATE offer SET taken = 28 WHERE id = 'offer-tidepool-ecm'")
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    rows = await told(service)
    assert [event for event, who in rows if who == TIDEPOOL] == []
    assert [event for event, who in rows if who == HOSPITAL] == ["received", "approved", "assigned"]
    written = [row[:3] for row in await letters(service, referral)]
    assert ("approved", "servicing", FOGHORN) in written


async def test_after_a_reassignment_the_new_performer_hears_and_the_old_does_not(service, receiver):
    await everybody_listens(service, receiver)
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    before = len(await told(service))
    given = parameters(performer=to(f"Organization/{FOGHORN}"))
    await service.do("staff-hpsm", "assign", referral, given)
    assert (await told(service))[before:] == [("assigned", HOSPITAL), ("assigned", PLAN)]


async def test_a_cancelled_referral_is_told_to_whoever_held_it(service, receiver):
    await everybody_listens(service, receiver)
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    await service.do("hospital", "cancel", referral)
    rows = await told(service)
    assert rows[-3:] == [("cancelled", HOSPITAL), ("cancelled", TIDEPOOL), ("cancelled", PLAN)]
    assert (await letters(service, referral))[-2:] == [
        ("cancelled", "requesting", HOSPITAL, "sent"),
        ("cancelled", "servicing", TIDEPOOL, "sent"),
    ]


async def test_a_refused_operation_announces_nothing(service, receiver):
    await everybody_listens(service, receiver)
    referral = await service.refer(hopeless())
    before = await told(service)
    for given in (parameters(), parameters(reason=because("withdrawn")), None):
        await service.do("staff-hpsj", "deny", referral, given)
        await service.do("staff-hpsm", "assign", referral, given)
    assert await told(service) == before


async def test_a_member_who_refers_themselves_is_written_to(service):
    body = incomplete(requester={"reference": "#patient"})
    referral = await service.refer(body, "practice")
    assert [row[:2] for row in await letters(service, referral)] == [
        ("information-needed", "member"),
        ("information-needed", "requesting"),
    ]


async def test_everything_told_is_read_as_communications(service, receiver):
    await everybody_listens(service, receiver)
    referral = await service.refer(a_referral("9000002XA"))
    found = await service.found(f"Communication?referral=ServiceRequest/{referral}")
    assert {one["status"] for one in found} == {"completed", "preparation", "not-done"}
    assert (
        await service.found(f"Communication?referral=ServiceRequest/{referral}", "practice") == []
    )
