"""A referral that is approved, and the hands that move its Tasks."""

import httpx

from tests.journeys.payloads import EXTRA, a_referral, parameters

TASK_OUTPUT = "https://nowrongdoor.example/fhir/CodeSystem/task-output"
PERFORMERS = {"org-tidepool": "ecm-provider"}


async def approved(service, cin=EXTRA[0], asks_for="org-tidepool", **more):
    """The id of an approved ECM referral of HPSM, with Tidepool unless it says otherwise."""
    return await service.refer(a_referral(cin, asks_for=asks_for, **more))


async def service_task(service, referral, by="hospital"):
    """The service Task of whoever has the referral now."""
    tasks = await service.found(f"Task?part-of=Task/{referral}&_sort=-_lastUpdated", by)
    return next(task for task in tasks if task["status"] not in ("rejected", "cancelled"))


async def put(service, by, task, status=None, reason=None, version=None, **elements):
    """Writes a Task back with another status; `version` instead of the one that was read."""
    body = {**task, **elements}
    if status:
        body["status"] = status
    if reason:
        body["statusReason"] = {"text": reason}
    tag = version or f'W/"{task["meta"]["versionId"]}"'
    return await service.ask(by, "PUT", f"/fhir/Task/{task['id']}", body, headers={"If-Match": tag})


async def move(service, referral, status, reason=None, by="ecm-provider", **elements):
    """One move of the performer's on its service Task."""
    task = await service_task(service, referral, by)
    return await put(service, by, task, status, reason, **elements)


async def capacity(service, offer, by="staff-hpsm", **stated):
    """States an offer's capacity: `places` count those beside the ones taken outside."""
    if "places" in stated:
        ((outside,),) = await service.rows("SELECT taken_outside FROM offer WHERE id = $1", offer)
        stated["places"] += outside
    named = {
        name: {"valueCode": value} if name == "status" else {"valueInteger": value}
        for name, value in stated.items()
    }
    path = f"/fhir/HealthcareService/{offer}/$capacity"
    answer = await service.ask(by, "POST", path, parameters(**named))
    assert answer.status_code == 200, answer.text


async def walk(service, referral, *statuses):
    """The performer's moves one after another, each of which must be taken."""
    for status in statuses:
        answer = await move(service, referral, status, "A reason.")
        assert answer.status_code == 200, answer.text


async def patch(service, by, task, *steps, version=None) -> httpx.Response:
    headers = {
        "If-Match": version or f'W/"{task["meta"]["versionId"]}"',
        "Content-Type": "application/json-patch+json",
    }
    return await service.ask(by, "PATCH", f"/fhir/Task/{task['id']}", list(steps), headers=headers)


async def announced(service, referral):
    """(event type, organizations told by an endpoint of theirs) in order: see `listening`."""
    rows = await service.rows(
        "SELECT m.event_type, array_remove(array_agg(d.organization_id ORDER BY 1), NULL)"
        " FROM message m LEFT JOIN delivery d ON d.plan = m.plan AND d.message_id = m.id"
        " WHERE m.referral_id = $1 GROUP BY m.seq, m.event_type ORDER BY m.seq",
        referral,
    )
    return [(kind, tuple(told)) for kind, told in rows]


async def balanced(service):
    """Every offer counts exactly the referrals that hold its places."""
    return (
        await service.rows(
            "SELECT o.id, o.taken, count(r.id) FROM offer o LEFT JOIN referral r"
            " ON r.plan = o.plan AND r.offer_id = o.id AND r.holds_place"
            " GROUP BY o.id, o.taken HAVING o.taken <> count(r.id)"
        )
        == []
    )
