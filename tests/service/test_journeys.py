"""What happens to a person after an approval, told by what becomes of them."""

import pytest

from tests.journeys.payloads import EXTRA, a_referral, because, hopeless, parameters, to
from tests.journeys.service import issue
from tests.service.scene import (
    TASK_OUTPUT,
    announced,
    approved,
    balanced,
    capacity,
    move,
    put,
    service_task,
    walk,
)

FULL = "9000023XA"  # CCAH, Otter Cove has no room


async def listen(service, receiver):
    """Everybody has an endpoint, so that who is told can be counted."""
    for client in ("hospital", "ecm-provider", "staff-hpsm"):
        await service.listen(receiver, client, f"/{client}")


async def test_accepted_served_and_completed_closes_the_loop(service, receiver):
    await listen(service, receiver)
    referral = await approved(service)
    assert await service.taken("offer-tidepool-ecm") == 1
    await walk(service, referral, "accepted", "in-progress", "on-hold", "in-progress")
    assert await service.words(referral) == ["approved", "in-service"]
    assert (await service.read("Task", referral))["status"] == "in-progress"
    done = await move(
        service,
        referral,
        "completed",
        output=[{"type": {"text": "outcome"}, "valueString": "Graduated from the program."}],
    )
    assert (done.status_code, done.json()["status"]) == (200, "completed")
    own = await service.read("Task", referral)
    assert own["status"] == "completed"
    assert own["output"][1]["valueString"] == "Graduated from the program."
    assert (await service.read("ServiceRequest", referral))["status"] == "completed"
    assert await service.taken("offer-tidepool-ecm") == 0
    ((closed,),) = await service.rows("SELECT closed_at FROM referral WHERE id = $1", referral)
    assert closed == service.clock.now() or closed is not None
    everybody = ("org-harbor-lantern", "org-tidepool", "plan-hpsm")
    assert (await announced(service, referral))[-3:] == [
        ("service.accepted", everybody),
        ("service.started", everybody),
        ("service.closed", everybody),
    ]
    given = await service.found(f"ClaimResponse?referral=ServiceRequest/{referral}")
    assert given[0]["status"] == "active"
    events = [row[1] for row in await service.history(referral)]
    assert events[2:] == ["accept", "start", "hold", "resume", "complete"]


async def test_failed_with_a_closure_reason_ends_the_authorization(service):
    referral = await approved(service)
    await walk(service, referral, "accepted")
    refused = await move(service, referral, "failed")
    assert (refused.status_code, issue(refused)["expression"]) == (
        422,
        ["Task.statusReason.text"],
    )
    answer = await move(service, referral, "failed", "The member could not be reached.")
    assert answer.status_code == 200
    own = await service.read("Task", referral)
    assert (own["status"], own["statusReason"]["text"]) == (
        "failed",
        "The member could not be reached.",
    )
    assert await service.words(referral) == ["approved", "unfulfilled"]
    assert (await service.read("ServiceRequest", referral))["status"] == "completed"
    assert await service.rows("SELECT status FROM service_authorization") == [("ended",)]
    assert await service.taken("offer-tidepool-ecm") == 0
    again = await approved(service)  # the member can be referred anew
    assert await service.words(again) == ["approved", "assigned"]


async def test_declined_then_reassigned(service, receiver):
    await listen(service, receiver)
    referral = await approved(service)
    first = await service_task(service, referral)
    answer = await move(service, referral, "rejected", "Nobody here speaks Hmong.")
    assert answer.status_code == 200
    assert await service.words(referral) == ["approved", "alternate"]
    now = await service_task(service, referral)
    assert (now["owner"], now["status"]) == (
        {"reference": "Organization/org-foghorn"},
        "requested",
    )
    assert "statusReason" not in now or "Hmong" not in now["statusReason"]["text"]
    old = await service.read("Task", first["id"])
    assert (old["status"], old["statusReason"]["text"]) == (
        "rejected",
        "Nobody here speaks Hmong.",
    )
    assert await service.taken("offer-tidepool-ecm") == 0
    assert await service.taken("offer-foghorn-ecm") == 1
    assert await service.rows("SELECT performer_id FROM service_authorization") == [
        ("org-foghorn",)
    ]
    told = await announced(service, referral)
    assert told[-2:] == [
        ("service.declined", ("org-harbor-lantern", "plan-hpsm")),
        ("service.assigned", ("org-harbor-lantern", "plan-hpsm")),
    ]
    letters = await service.rows(
        "SELECT outcome, organization_id FROM correspondence"
        " WHERE recipient = 'servicing' ORDER BY created_at, id"
    )
    assert letters == [("approved", "org-tidepool"), ("approved", "org-foghorn")]


@pytest.mark.parametrize("path", ["Task/{task}", "Task/{id}", "ServiceRequest/{id}"])
async def test_who_declined_is_a_stranger_again(service, path):
    referral = await approved(service)
    task = await service_task(service, referral)
    assert (await move(service, referral, "rejected", "No room after all.")).status_code == 200
    place = "/fhir/" + path.format(task=task["id"], id=referral)
    assert (await service.ask("ecm-provider", "GET", place)).status_code == 404
    answer = await put(service, "ecm-provider", task, "accepted")
    assert answer.status_code == 404


async def test_declined_by_everybody_waits_or_is_with_nobody(service):
    await capacity(service, "offer-foghorn-ecm", status="no-capacity")
    referral = await approved(service)
    await move(service, referral, "rejected", "No room after all.")
    assert await service.words(referral) == ["approved", "waitlisted"]
    assert (await service.read("Task", referral))["status"] == "accepted"
    await capacity(service, "offer-foghorn-ecm", status="capacity")
    assert await service.words(referral) == ["approved", "alternate"]
    assert await service.taken("offer-foghorn-ecm") == 1
    assert await balanced(service)


async def test_waitlisted_then_placed_in_order_of_urgency_and_receipt(service, receiver):
    await service.listen(receiver, "hospital", "/hospital")
    cins = iter(EXTRA)
    await capacity(service, "offer-foghorn-ecm", status="no-capacity")
    await capacity(service, "offer-tidepool-ecm", places=1)
    holder = await approved(service, next(cins))
    routine = await approved(service, next(cins))
    service.later(minutes=1)
    later = await approved(service, next(cins))
    urgent = await approved(service, next(cins), priority="urgent")
    assert await service.words(urgent) == ["approved", "waitlisted"]
    order = [urgent, routine, later]
    for waiting in order:
        assert (await service.do("hospital", "cancel", holder)).status_code == 200
        assert await service.words(waiting) == ["approved", "assigned"]
        assert await service.taken("offer-tidepool-ecm") == 1
        holder = waiting
    assert (await service.history(urgent))[-2] == (
        "approved",
        "assign",
        "approved",
        "assigned",
        "rules",
    )
    assert (await announced(service, urgent))[-2][0] == "service.assigned"
    owner = (await service_task(service, later, "ecm-provider"))["owner"]
    assert owner == {"reference": "Organization/org-tidepool"}
    assert await balanced(service)


async def test_more_places_let_as_many_in_and_an_update_of_the_offer_does_too(service):
    offer = await service.read("HealthcareService", "offer-tidepool-ecm", "staff-hpsm")
    await capacity(service, "offer-foghorn-ecm", status="no-capacity")
    await capacity(service, "offer-tidepool-ecm", status="waitlist")
    waiting = [await approved(service, cin) for cin in EXTRA[:3]]
    await capacity(service, "offer-tidepool-ecm", places=100)
    assert await service.taken("offer-tidepool-ecm") == 0  # it still takes nobody
    answer = await service.ask(
        "staff-hpsm", "PUT", "/fhir/HealthcareService/offer-tidepool-ecm", offer
    )
    assert answer.status_code == 200, answer.text
    assert await service.taken("offer-tidepool-ecm") == 3
    for referral in waiting:
        assert await service.words(referral) == ["approved", "assigned"]


async def test_going_to_no_capacity_leaves_who_is_there(service):
    referral = await approved(service)
    await capacity(service, "offer-tidepool-ecm", by="ecm-provider", status="no-capacity")
    assert await service.words(referral) == ["approved", "assigned"]
    assert (await move(service, referral, "accepted")).status_code == 200


async def test_the_lead_care_manager_is_named_later_too(service):
    referral = await approved(service)
    await walk(service, referral, "accepted", "in-progress", "completed")
    named = {
        "type": {"coding": [{"system": TASK_OUTPUT, "code": "lead-care-manager"}]},
        "valueReference": {"display": "Rosa Fieldmark (fictional)"},
    }
    answer = await move(service, referral, None, output=[named])
    assert answer.status_code == 200, answer.text
    assert answer.json()["output"] == [named]
    assert (await service.read("Task", referral))["output"][1] == named
    assert (await service.history(referral))[-1][1] == "annotate"
    repeated = await move(service, referral, None, output=[named])
    assert repeated.headers["ETag"] == answer.headers["ETag"]


async def test_a_change_of_provider_at_the_members_request(service):
    referral = await approved(service)
    await walk(service, referral, "accepted", "in-progress")
    given = parameters(
        performer=to("Organization/org-foghorn"), reason=because("declined-by-member")
    )
    answer = await service.do("staff-hpsm", "assign", referral, given)
    assert answer.status_code == 200, answer.text
    assert await service.words(referral) == ["approved", "assigned"]
    ((reason,),) = await service.rows("SELECT reason FROM referral_history WHERE event = 'assign'")
    assert "declined-by-member" in reason
    assert await service.taken("offer-tidepool-ecm") == 0
    assert (await service.ask("ecm-provider", "GET", f"/fhir/Task/{referral}")).status_code == 404
    again = await service.do("staff-hpsm", "assign", referral, given)
    assert (again.status_code, issue(again)["code"]) == (409, "conflict")


async def test_a_service_that_has_begun_is_not_moved_to_wait(service):
    referral = await approved(service)
    await walk(service, referral, "accepted", "in-progress")
    await capacity(service, "offer-foghorn-ecm", status="no-capacity")
    given = parameters(performer=to("Organization/org-foghorn"))
    answer = await service.do("staff-hpsm", "assign", referral, given)
    assert answer.status_code == 409
    assert await service.words(referral) == ["approved", "in-service"]
    assert await balanced(service)


async def test_who_was_passed_over_is_told_nothing_more(service, receiver):
    await service.listen(receiver, "ecm-provider", "/ecm")
    referral = await approved(service)
    await capacity(service, "offer-foghorn-ecm", status="no-capacity")
    await move(service, referral, "rejected", "No room after all.")
    assert (await service.do("hospital", "cancel", referral)).status_code == 200
    await capacity(service, "offer-foghorn-ecm", status="capacity")
    told = dict(await announced(service, referral))
    assert told["referral.approved"] == ("org-tidepool",)
    assert told["service.declined"] == told["service.waitlisted"] == ()
    assert told["referral.cancelled"] == ()


async def test_staff_approve_and_deny_by_task(service):
    for status, state in (("accepted", "approved"), ("rejected", "denied")):
        referral = await service.refer(hopeless(EXTRA[status == "rejected"]))
        task = await service.read("Task", referral, "staff-hpsm")
        bare = await put(service, "staff-hpsm", task, status)
        named = [one["expression"] for one in bare.json()["issue"]]
        at = [["Task.statusReason"]] if status == "accepted" else []
        assert (bare.status_code, named) == (422, [*at, ["Task.statusReason.text"]])
        why = {"text": "As agreed with the clinician."}
        if status == "accepted":
            why |= because("exception-granted")["valueCodeableConcept"]
        answer = await put(service, "staff-hpsm", task, status, statusReason=why)
        assert answer.status_code == 200, answer.text
        assert (await service.words(referral))[0] == state
        assert answer.json()["status"] == status


async def test_the_requester_takes_back_by_task_or_request(service):
    for status in ("cancelled", "entered-in-error"):
        referral = await approved(service)
        task = await service.read("Task", referral)
        answer = await put(service, "hospital", task, status)
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
        shown = "revoked" if status == "cancelled" else "entered-in-error"
        assert (await service.read("ServiceRequest", referral))["status"] == shown
        found = await service.found(f"ServiceRequest?status={shown}&_id={referral}")
        assert len(found) == 1
    assert await balanced(service)
    for status in ("revoked", "entered-in-error"):
        referral = await approved(service)
        body = await service.read("ServiceRequest", referral)
        answer = await service.ask(
            "hospital",
            "PUT",
            f"/fhir/ServiceRequest/{referral}",
            {**body, "status": status},
            headers={"If-Match": f'W/"{body["meta"]["versionId"]}"'},
        )
        assert (answer.status_code, answer.json()["status"]) == (200, status)
        assert await service.words(referral) == ["cancelled"]


async def test_a_service_that_has_begun_is_not_taken_back(service):
    referral = await approved(service)
    await walk(service, referral, "accepted", "in-progress")
    before = await service.counts()
    answer = await service.do("hospital", "cancel", referral)
    assert answer.status_code == 409
    assert "in-service" in issue(answer)["diagnostics"]
    assert await service.counts() == before


async def test_a_hold_before_the_service_begins_does_not_bind_the_requester(service):
    begun = await approved(service, EXTRA[1])
    await walk(service, begun, "accepted", "on-hold", "in-progress", "on-hold")
    answer = await service.do("hospital", "cancel", begun)
    assert answer.status_code == 409
    assert "has begun" in issue(answer)["diagnostics"]
    held = await approved(service)
    await walk(service, held, "accepted", "on-hold")
    answer = await service.do("hospital", "cancel", held)
    assert answer.status_code == 200, answer.text
    assert await service.words(held) == ["cancelled"]
    assert await balanced(service)


async def test_who_waits_elsewhere_is_not_promoted_by_a_place_here(service):
    """A place at Tidepool is nobody's who waits at Otter Cove."""
    waiting = await service.refer(a_referral(FULL, plan="CCAH"))
    referral = await approved(service)
    assert (await service.do("hospital", "cancel", referral)).status_code == 200
    assert await service.words(waiting) == ["approved", "waitlisted"]
