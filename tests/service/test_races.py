"""Places under many hands at once: none is lost or given twice; nobody waits beside a free one."""

import asyncio

import pytest

from app.__main__ import main
from tests.journeys.payloads import EXTRA, a_referral, parameters, to
from tests.service.scene import approved, balanced, capacity, move, service_task, walk

TIDEPOOL, FOGHORN = "offer-tidepool-ecm", "offer-foghorn-ecm"


async def until_heard(act):
    """Does it again while the answer says that somebody else is at it (409 with Retry-After)."""
    for _ in range(20):
        answer = await act()
        if answer.status_code not in (409, 412) or "retry-after" not in answer.headers:
            return answer
    raise AssertionError("never heard")


async def free_beside_waiting(service):
    return await service.rows(
        "SELECT o.id FROM offer o JOIN referral r ON r.plan = o.plan AND r.offer_id = o.id"
        " WHERE r.business_status = 'waitlisted' AND o.active"
        " AND o.capacity_status = 'capacity' AND o.taken + o.taken_outside < o.places"
    )


async def overfull(service, lowered):
    """Offers with more members than places; `lowered`: the most places that one of them had."""
    rows = await service.rows(
        "SELECT id, taken + taken_outside, places FROM offer WHERE taken + taken_outside > places"
    )
    return [id_ for id_, taken, places in rows if taken > lowered.get(id_, places)]


async def settled(service, lowered=frozenset()):
    assert await balanced(service)
    assert await free_beside_waiting(service) == []
    assert await overfull(service, dict(lowered)) == []
    odd = await service.rows(
        "SELECT r.id FROM referral r JOIN LATERAL (SELECT h.to_state, h.business_status"
        " FROM referral_history h WHERE h.plan = r.plan AND h.referral_id = r.id"
        " ORDER BY h.seq DESC LIMIT 1) h ON true"
        " WHERE (h.to_state, h.business_status) IS DISTINCT FROM (r.state, r.business_status)"
    )
    assert odd == []


async def test_32_mixed_moves_at_once_leave_every_place_with_one_person(service):
    await capacity(service, TIDEPOOL, places=6)
    await capacity(service, FOGHORN, places=3)
    there = [await approved(service, cin) for cin in EXTRA[:16]]  # nine have a place
    holders = there[:6]  # Tidepool's: asked for, and first
    await walk(service, holders[0], "accepted", "in-progress")
    await walk(service, holders[1], "accepted", "in-progress")
    await walk(service, holders[2], "accepted")
    tokens = ("hospital", "ecm-provider", "staff-hpsm")
    await asyncio.gather(*(service.token(name) for name in tokens))

    def cancel(referral):
        return lambda: service.do("hospital", "cancel", referral)

    def performs(referral, status):
        return lambda: move(service, referral, status, "A reason.")

    def assign(referral, organization):
        given = parameters(performer=to(f"Organization/{organization}"))
        return lambda: service.do("staff-hpsm", "assign", referral, given)

    def refer(cin):
        return lambda: service.post(a_referral(cin, asks_for="org-tidepool"))

    def state(offer, places):
        given = parameters(places={"valueInteger": places})
        path = f"/fhir/HealthcareService/{offer}/$capacity"
        return lambda: service.ask("staff-hpsm", "POST", path, given)

    ((outside,),) = await service.rows("SELECT taken_outside FROM offer WHERE id = $1", FOGHORN)
    acts = [
        performs(holders[0], "completed"),
        performs(holders[1], "failed"),
        performs(holders[2], "rejected"),
        performs(holders[3], "rejected"),
        cancel(holders[4]),
        assign(holders[5], "org-foghorn"),
        *(cancel(referral) for referral in there[6:9]),
        assign(there[9], "org-foghorn"),
        assign(there[10], "org-foghorn"),
        assign(there[11], "org-tidepool"),
        cancel(there[12]),
        state(FOGHORN, outside + 5),
        state(FOGHORN, outside + 4),
        *(refer(cin) for cin in EXTRA[16:33]),
    ]
    assert len(acts) == 32
    answers = await asyncio.gather(*(until_heard(act) for act in acts))
    assert {answer.status_code for answer in answers} <= {
        200,
        201,
        409,
        503,
    }  # 503: load is shed, nothing stored
    assert sum(answer.status_code == 409 for answer in answers) <= 3  # already there, already gone
    # Five places may have been filled before they became four: nobody loses theirs by that.
    await settled(service, {FOGHORN: outside + 5}.items())


async def test_of_16_who_leave_at_once_16_are_followed(service):
    await capacity(service, FOGHORN, status="no-capacity")
    await capacity(service, TIDEPOOL, places=16)
    leaving = [await approved(service, cin) for cin in EXTRA[:16]]
    waiting = [await approved(service, cin) for cin in EXTRA[16:34]]
    await service.token("hospital")
    answers = await asyncio.gather(
        *(until_heard(lambda r=r: service.do("hospital", "cancel", r)) for r in leaving)
    )
    assert {answer.status_code for answer in answers} == {200}
    placed = [await service.words(referral) for referral in waiting]
    assert placed == [["approved", "assigned"]] * 16 + [["approved", "waitlisted"]] * 2
    await settled(service)


@pytest.mark.parametrize("round_", range(3))
async def test_opposite_preferences_for_the_last_places_never_wait_for_each_other(service, round_):
    await capacity(service, FOGHORN, places=1)
    await capacity(service, TIDEPOOL, places=1)
    await service.token("hospital")
    asked = ["org-tidepool", "org-foghorn"] * 8
    answers = await asyncio.gather(
        *(
            service.post(a_referral(cin, asks_for=performer))
            for cin, performer in zip(EXTRA, asked, strict=False)
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    assert (await service.taken(TIDEPOOL), await service.taken(FOGHORN)) == (1, 1)
    await settled(service)


@pytest.mark.parametrize("round_", range(3))
async def test_who_begins_to_wait_while_a_place_is_freed_is_not_forgotten(service, round_):
    await capacity(service, FOGHORN, status="no-capacity")
    await capacity(service, TIDEPOOL, places=1)
    holder = await approved(service, EXTRA[0])
    await service.token("hospital")
    newcomers = [a_referral(cin, asks_for="org-tidepool") for cin in EXTRA[1:8]]
    await asyncio.gather(
        service.do("hospital", "cancel", holder), *(service.post(body) for body in newcomers)
    )
    assert await service.taken(TIDEPOOL) == 1
    await settled(service)


async def test_a_move_that_is_repeated_frees_one_place(service):
    referral = await approved(service)
    await walk(service, referral, "accepted", "in-progress")
    task = await service_task(service, referral)
    body = {**task, "status": "completed"}
    tag = {"If-Match": f'W/"{task["meta"]["versionId"]}"'}
    await approved(service, EXTRA[1])
    assert await service.taken(TIDEPOOL) == 2
    answers = await asyncio.gather(
        *(
            service.ask("ecm-provider", "PUT", f"/fhir/Task/{task['id']}", body, headers=tag)
            for _ in range(6)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412, 412]
    assert await service.taken(TIDEPOOL) == 1
    await settled(service)


async def test_the_recount_names_an_offer_that_does_not_agree(service, monkeypatch, capsys):
    await approved(service)
    monkeypatch.setattr("app.__main__.settings", lambda: service.settings)
    assert await asyncio.to_thread(main, ["check-places"]) == 0
    await service.store.execute("UPDATE offer SET taken = 4 WHERE id = $1", TIDEPOOL)
    assert await asyncio.to_thread(main, ["check-places"]) == 1
    assert f"{TIDEPOOL}: 4 taken, 1 held" in capsys.readouterr().out
