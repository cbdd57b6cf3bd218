"""Who gets a place: the performer asked for, another, the waiting list, nobody; and the races."""

import asyncio
from collections import Counter

import pytest

from tests.journeys.payloads import EXTRA, a_referral, because, hopeless, incomplete, parameters, to

PLACES = [
    ("asked for and has room", EXTRA[0], "HPSM", "org-tidepool", "assigned", "org-tidepool"),
    ("nobody named", EXTRA[0], "HPSM", None, "assigned", "org-tidepool"),
    (
        "full, another has room",
        "9000019XA",
        "CCAH",
        "org-otter-cove",
        "alternate",
        "org-artichoke-trail",
    ),
    ("full, nobody else", "9000023XA", "CCAH", "org-otter-cove", "waitlisted", None),
    ("full, nobody named", "9000023XA", "CCAH", None, "waitlisted", None),
    (
        "does not serve the county",
        "9000012XA",
        "HPSJ",
        "org-otter-cove",
        "alternate",
        "org-almond-orchard",
    ),
]


@pytest.mark.parametrize(
    ("cin", "plan", "asked", "assignment", "performer"),
    [row[1:] for row in PLACES],
    ids=[row[0] for row in PLACES],
)
async def test_an_approved_person_is_placed(service, cin, plan, asked, assignment, performer):
    body = a_referral(cin, plan=plan, asks_for=asked)
    said = await service.check(body)
    assert (said.outcome, said.one("assignment")) == ("approved", assignment)
    referral = await service.refer(body)
    assert await service.words(referral) == ["approved", assignment]
    ((owner, holds),) = await service.rows(
        "SELECT performer_id, holds_place FROM referral WHERE id = $1", referral
    )
    assert (owner, holds) == (performer, performer is not None)
    if performer:
        assert said.performers[0] == f"Organization/{performer}"


async def test_an_assignment_says_that_the_performer_assesses_first(service):
    facts = {"at_risk_institutionalization": True, "home_adaptation_needed": True}
    body = a_referral("9000021XA", plan="CCAH", service="EAA", visits=(), facts=facts)
    referral = await service.refer(body)
    assert (await service.do("staff-ccah", "approve", referral)).status_code == 200
    for task in await service.found(f"Task?focus=ServiceRequest/{referral}"):
        assert task["businessStatus"]["text"] == "Assigned: additional assessment required"
    plain = await service.refer(a_referral())
    assert "text" not in (await service.read("Task", plain))["businessStatus"]


async def test_nobody_in_the_network_offers_it(service):
    """A foster youth in Santa Cruz: Otter Cove does not serve youth, Artichoke Trail not there."""
    body = a_referral("9000024XA", plan="CCAH", facts={"foster_current": True}, visits=())
    said = await service.check(body)
    assert (said.outcome, said.one("assignment"), said.performers) == ("approved", "unassigned", [])
    referral = await service.refer(body)
    assert await service.words(referral) == ["approved", "unassigned"]


async def test_an_approval_is_never_denied_or_delayed_for_want_of_a_place(service):
    first = await service.refer(a_referral("9000023XA", plan="CCAH"))
    given = await service.found(f"ClaimResponse?referral=ServiceRequest/{first}")
    assert given[0]["preAuthPeriod"]["start"] == "2026-11-20"


async def raced(service, bodies):
    answers = await asyncio.gather(*(service.post(body) for body in bodies))
    assert {answer.status_code for answer in answers} == {201}, Counter(
        a.status_code for a in answers
    )
    rows = await service.rows("SELECT assignment, count(*) FROM referral GROUP BY 1")
    return dict(rows)


async def test_of_32_at_once_one_gets_the_last_place_and_the_others_another(service):
    await service.token("hospital")
    bodies = [a_referral(cin, asks_for="org-foghorn") for cin in EXTRA[:32]]
    # Tidepool has 28 places, Foghorn one.
    assert await raced(service, bodies) == {"assigned": 1, "alternate": 28, "waitlisted": 3}
    assert await service.taken("offer-foghorn-ecm") == 1
    assert await service.taken("offer-tidepool-ecm") == 28
    ((holding,),) = await service.rows("SELECT count(*) FROM referral WHERE holds_place")
    assert holding == 29


async def test_who_has_room_is_told_as_places_are_taken_and_freed(service):
    """Foghorn has one place left: an approval takes it, and a withdrawal gives it back."""

    async def with_room():
        asked = "HealthcareService?service=ECM&county=San Mateo&has-room=true"
        return {found["id"] for found in await service.found(asked)}

    assert {"offer-foghorn-ecm", "offer-tidepool-ecm"} <= await with_room()
    referral = await service.refer(a_referral(asks_for="org-foghorn"))
    left = await with_room()
    assert "offer-foghorn-ecm" not in left
    assert "offer-tidepool-ecm" in left
    assert (await service.do("hospital", "cancel", referral)).status_code == 200
    assert "offer-foghorn-ecm" in await with_room()


async def test_of_32_approved_by_staff_at_once_one_gets_the_last_place(service):
    referrals = [await service.refer(hopeless(cin)) for cin in EXTRA[:32]]
    await service.token("staff-hpsm")
    given = parameters(
        reason=because("exception-granted"),
        note="As agreed.",
        performer=to("Organization/org-foghorn"),
    )
    answers = await asyncio.gather(
        *(service.do("staff-hpsm", "approve", referral, given) for referral in referrals)
    )
    assert {answer.status_code for answer in answers} == {200}
    rows = dict(await service.rows("SELECT assignment, count(*) FROM referral GROUP BY 1"))
    assert rows["assigned"] == 1
    assert rows == {"assigned": 1, "alternate": 28, "waitlisted": 3}


async def test_two_people_decide_one_referral_and_only_one_is_heard(service):
    referral = await service.refer(hopeless())
    await service.token("staff-hpsm")
    denial = parameters(reason=because("no-population"))
    grant = parameters(reason=because("exception-granted"), note="As agreed.")
    answers = await asyncio.gather(
        service.do("staff-hpsm", "deny", referral, denial),
        service.do("staff-hpsm", "approve", referral, grant),
        service.do("staff-hpsm", "deny", referral, denial),
        service.do("staff-hpsm", "approve", referral, grant),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert len(await service.history(referral)) == 3


async def test_a_stale_version_is_told_so(service):
    referral = await service.refer(incomplete())
    before = await service.counts()
    answer = await service.do("hospital", "cancel", referral, If_Match='W/"7"')
    assert answer.status_code == 412
    assert await service.counts() == before
    good = await service.do("hospital", "cancel", referral, If_Match='W/"1"')
    assert good.status_code == 200


async def test_the_same_member_eight_times_at_once_has_one_authorization(service):
    await service.token("hospital")
    answers = await asyncio.gather(*(service.post(a_referral()) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert await service.rows("SELECT state, count(*) FROM referral GROUP BY 1 ORDER BY 1") == [
        ("approved", 1),
        ("pending", 7),
    ]
    assert await service.rows("SELECT count(*) FROM service_authorization") == [(1,)]
    assert await service.taken("offer-tidepool-ecm") == 1
