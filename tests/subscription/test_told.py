"""Who is told of what: by topic and filter, to parties alone, in order, and as it was then."""

import orjson
import pytest

from tests.journeys.payloads import (
    EXTRA,
    a_bundle,
    a_referral,
    hopeless,
    incomplete,
    parameters,
    to,
)
from tests.receiver import Reply
from tests.subscription.scene import (
    HOSPITAL,
    PAS,
    PLAN,
    SERVICE_REQUEST,
    TASK,
    TIDEPOOL,
    abouts,
    asked,
    happened,
    numbers,
)

EVERYBODY = {
    "hospital": "hospital",
    "ecm-provider": "ecm-provider",
    "staff-hpsm": "plan",
    "practice": "practice",
    "cs-provider": "cs-provider",
    "staff-hpsj": "other-plan",
}


async def planned(service, id_):
    """(event, about) of every delivery to a Subscription, in order."""
    rows = await service.rows(
        "SELECT m.event_type, d.focus FROM delivery d JOIN message m ON m.plan = d.plan"
        " AND m.id = d.message_id WHERE d.endpoint_id = $1 ORDER BY d.created_at, m.seq",
        id_,
    )
    return [(event.partition(".")[2], focus) for event, focus in rows]


async def a_service_task(service, referral, by="ecm-provider"):
    """The id of the performer's own Task."""
    (own,) = await service.found(
        f"Task?owner=Organization/{TIDEPOOL}&focus=ServiceRequest/{referral}", by
    )
    return own["id"]


async def move(service, task, status, by="ecm-provider"):
    version = (await service.read("Task", task, by))["meta"]["versionId"]
    patch = [{"op": "replace", "path": "/status", "value": status}]
    headers = {"Content-Type": "application/json-patch+json", "If-Match": f'W/"{version}"'}
    answer = await service.ask(by, "PATCH", f"/fhir/Task/{task}", patch, headers=headers)
    assert answer.status_code == 200, answer.text


async def test_only_parties_are_told_whoever_subscribes(service, subscribers):
    for client, path in EVERYBODY.items():
        for topic in (TASK, SERVICE_REQUEST, PAS):
            await subscribers.subscribe(by=client, path=path, topic=topic, content="full-resource")
    async with service.delivering():
        await subscribers.receiver.until(lambda: len(subscribers.receiver.received) >= 18)
        await service.refer(a_referral(asks_for=TIDEPOOL))
        for path in ("hospital", "ecm-provider", "plan"):
            await subscribers.told(7, path)
    assert {each.path for each in subscribers.receiver.received if each.data["entry"][1:]} == {
        "/hospital",
        "/ecm-provider",
        "/plan",
    }


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        (TASK, f"Task?requester=Organization/{HOSPITAL}"),
        (TASK, f"Task?owner=Organization/{PLAN}"),
        (TASK, f"Task?owner=Organization/{PLAN},Organization/{TIDEPOOL}"),
        (TASK, "Task?status=accepted,requested,in-progress,completed,rejected"),
        (SERVICE_REQUEST, f"ServiceRequest?requester=Organization/{HOSPITAL}"),
        (SERVICE_REQUEST, f"ServiceRequest?performer=Organization/{TIDEPOOL}"),
        (PAS, "org-identifier=org-harbor-lantern"),
        (PAS, None),
    ],
)
async def test_a_filter_never_widens_what_an_organization_is_told(
    service, subscribers, topic, text
):
    """Strangers name the parties in their filters, and hear nothing of them."""
    filters = [text] if text else []
    ids = [
        await subscribers.subscribe(*filters, by=client, path=client, topic=topic)
        for client in ("practice", "cs-provider", "staff-hpsj", "community")
    ]
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    await service.do("hospital", "cancel", referral)
    assert [await planned(service, id_) for id_ in ids] == [[], [], [], []]


async def test_another_organizations_subscription_is_not_found(service, subscribers):
    id_ = await subscribers.subscribe()
    path = f"/fhir/Subscription/{id_}"
    for method, where in (
        ("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/$status"), ("POST", "/$status"),
        ("GET", "/$events"), ("POST", "/$events"),
    ):  # fmt: skip
        body = {**asked(subscribers.receiver.url()), "id": id_} if method == "PUT" else None
        headers = {"If-Match": 'W/"1"'}
        answer = await service.ask("ecm-provider", method, path + where, body, headers=headers)
        assert answer.status_code == 404
    answer = await service.ask(
        "ecm-provider", "GET", "/fhir/Subscription/$status", params={"id": id_}
    )
    assert answer.json()["total"] == 0
    assert await service.found(f"Subscription?_id={id_}", "ecm-provider") == []
    assert (await subscribers.read(id_))["meta"]["versionId"] == "1"


MEMBER, REQUEST = "7b1f9c58-2a44-4b5e-9a77-5b3c0a1d9e01", "7b1f9c58-2a44-4b5e-9a77-5b3c0a1d9e02"


async def test_scopes_say_what_a_client_may_do_and_see(service, subscribers):
    """A full notification is a reading: without the scope to read there is none."""
    id_ = await subscribers.subscribe(topic=PAS, content="full-resource")

    async def ask(scope, method, path, body=None):
        given = await service.http.post(
            "/oauth/token",
            data={"grant_type": "client_credentials", "scope": scope},
            auth=("hospital", "demo-hospital"),
        )
        headers = {"Authorization": f"Bearer {given.json()['access_token']}"}
        answer = await service.http.request(
            method, f"/fhir/Subscription{path}", json=body, headers=headers
        )
        return answer.status_code

    letters = {
        "c": ("POST", "", asked(subscribers.receiver.url())),
        "r": ("GET", f"/{id_}", None),
        "u": ("PUT", f"/{id_}", asked(subscribers.receiver.url())),
        "d": ("DELETE", f"/{id_}", None),
        "s": ("GET", "", None),
    }
    for letter, (method, path, body) in letters.items():
        others = "".join(each for each in letters if each != letter)
        assert await ask(f"system/Subscription.{others}", method, path, body) == 403, letter
    only = "system/Subscription.cruds"
    full = asked(subscribers.receiver.url(), content="full-resource")
    assert await ask(only, "POST", "", full) == 403
    assert await ask(only, "GET", f"/{id_}/$events") == 403
    assert await ask(only, "GET", f"/{id_}/$events?content=id-only") == 200
    assert await ask(f"{only} system/Task.r", "POST", "", full) == 201


async def test_a_pas_notification_carries_the_patient_that_came_with_the_referral(
    service, subscribers
):
    id_ = await subscribers.subscribe(topic=PAS, content="full-resource")
    request = a_referral(EXTRA[7])
    patient, *rest = request["contained"]
    named = orjson.loads(orjson.dumps(rest).replace(b'"#patient"', f'"urn:uuid:{MEMBER}"'.encode()))
    sent = a_bundle(
        {**request, "contained": named, "subject": {"reference": "urn:uuid:" + MEMBER}},
        {name: value for name, value in patient.items() if name != "id"},
        urns=["urn:uuid:" + MEMBER, "urn:uuid:" + REQUEST],
    )
    answer = await service.post(sent)
    assert answer.status_code == 200, answer.text
    (copy,) = [
        entry["response"]["location"].partition("/fhir/")[2].partition("/_history")[0]
        for entry in answer.json()["entry"]
        if "/Patient/" in entry["response"]["location"]
    ]
    events = await service.ask("hospital", "GET", f"/fhir/Subscription/{id_}/$events")
    (response, *_) = [
        entry["resource"]
        for entry in events.json()["entry"]
        if entry["resource"]["resourceType"] == "Bundle"
    ]
    carried = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in response["entry"]}
    assert copy in carried


async def test_the_owner_filter_finds_the_task_that_it_names(service, subscribers):
    """The hospital asks for the performer's Tasks, and is told of no other."""
    theirs = await subscribers.subscribe(f"Task?owner=Organization/{TIDEPOOL}")
    own = await subscribers.subscribe(f"Task?owner=Organization/{PLAN}")
    both = await subscribers.subscribe()
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    task = await a_service_task(service, referral)
    assert await planned(service, theirs) == [
        ("received", f"Task/{task}"),
        ("approved", f"Task/{task}"),
        ("assigned", f"Task/{task}"),
    ]
    assert {focus for _, focus in await planned(service, own)} == {f"Task/{referral}"}
    assert {focus for _, focus in await planned(service, both)} == {f"Task/{referral}"}


async def test_a_performer_is_told_of_its_own_task(service, subscribers):
    id_ = await subscribers.subscribe(by="ecm-provider")
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    own = await a_service_task(service, referral)
    assert {focus for _, focus in await planned(service, id_)} == {f"Task/{own}"}


async def test_the_status_filter(service, subscribers):
    started = await subscribers.subscribe("Task?status=http://hl7.org/fhir/task-status|in-progress")
    held = await subscribers.subscribe("Task?status=on-hold,rejected")
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    task = await a_service_task(service, referral)
    await move(service, task, "accepted")
    await move(service, task, "in-progress")
    assert await planned(service, started) == [("started", f"Task/{referral}")]
    assert await planned(service, held) == []
    waiting = await service.refer(incomplete("9100001XA"))
    assert await planned(service, held) == [
        ("received", f"Task/{waiting}"),
        ("information_requested", f"Task/{waiting}"),
    ]


async def test_filters_of_the_request_are_about_the_referral(service, subscribers):
    mine = await subscribers.subscribe(
        f"ServiceRequest?performer=Organization/{TIDEPOOL}", topic=SERVICE_REQUEST
    )
    other = await subscribers.subscribe(
        "ServiceRequest?performer=Organization/org-foghorn", topic=SERVICE_REQUEST
    )
    theirs = await subscribers.subscribe(
        f"ServiceRequest?requester={HOSPITAL}", by="ecm-provider", topic=SERVICE_REQUEST
    )
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    expected = [(event, f"ServiceRequest/{referral}") for event in ("approved", "assigned")]
    assert await planned(service, mine) == expected  # an update: the creation is no event
    assert await planned(service, theirs) == expected
    assert await planned(service, other) == []


async def test_all_filters_must_hold(service, subscribers):
    id_ = await subscribers.subscribe(
        f"Task?owner=Organization/{PLAN}", "Task?status=accepted", f"Task?requester={HOSPITAL}"
    )
    none = await subscribers.subscribe(f"Task?owner=Organization/{PLAN}", "Task?status=failed")
    referral = await service.refer(a_referral())
    assert {focus for _, focus in await planned(service, id_)} == {f"Task/{referral}"}
    assert await planned(service, none) == []


@pytest.mark.parametrize(
    "text",
    [
        "org-identifier=org-harbor-lantern",
        "org-identifier=1999999901",
        "orgIdentifier=http://hl7.org/fhir/sid/us-npi|1999999901",
        "ORG-IDENTIFIER=org-tidepool,org-harbor-lantern",
        "ClaimResponse?orgIdentifier=org-harbor-lantern",
    ],
)
async def test_pas_filters_by_the_identifier_of_who_sent_it(service, subscribers, text):
    ((npi,),) = await service.rows("SELECT npi FROM organization WHERE id = $1", HOSPITAL)
    id_ = await subscribers.subscribe(text.replace("1999999901", npi), topic=PAS)
    others = await subscribers.subscribe("org-identifier=org-tidepool", topic=PAS)
    referral = await service.refer(a_referral())
    await service.do("hospital", "cancel", referral)
    assert await planned(service, id_) == [
        (event, f"ClaimResponse/{referral}") for event in ("approved", "assigned", "cancelled")
    ]
    assert await planned(service, others) == []


async def test_a_full_notification_says_how_it_was_then(service, subscribers):
    """Told late, the receiver still hears of every step as it was, in order."""
    id_ = await subscribers.subscribe(content="full-resource")
    async with service.delivering():
        await subscribers.active(id_)
    referral = await service.refer(hopeless())
    service.later(minutes=5)
    given = parameters(
        reason={"valueCoding": {"code": "exception-granted"}}, note={"valueString": "x"}
    )
    assert (await service.do("staff-hpsm", "approve", referral, given)).status_code == 200
    service.later(minutes=5)
    assert (await service.do("hospital", "cancel", referral)).status_code == 200
    async with service.delivering():
        told = await subscribers.told(4)
    statuses = [bundle["entry"][1]["resource"]["status"] for bundle in told]
    assert statuses == ["requested", "accepted", "accepted", "cancelled"]
    found = await subscribers.events(id_)
    versions = [entry["resource"]["meta"]["versionId"] for entry in found["entry"][1:]]
    assert versions == ["1", "2", "3"]
    assert numbers([found]) == [1, 2, 3, 4]


async def test_who_is_a_party_no_more_gets_no_resource(service, subscribers):
    """Passed over, a performer keeps the numbers of what it was told, and sees nothing anew."""
    id_ = await subscribers.subscribe(by="ecm-provider", content="full-resource")
    async with service.delivering():
        await subscribers.active(id_, by="ecm-provider")
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    given = parameters(performer=to("Organization/org-foghorn"))
    assert (await service.do("staff-hpsm", "assign", referral, given)).status_code == 200
    async with service.delivering():
        told = await subscribers.told(3)
    for bundle in (*told, await subscribers.events(id_, "ecm-provider")):
        for entry in bundle["entry"][1:]:
            assert entry["request"]["method"] == "GET"
            assert entry["response"] == {"status": "404"}
            assert "resource" not in entry
    assert numbers(told) == [1, 2, 3]


async def test_asked_for_less_events_give_less_and_never_more(service, subscribers):
    id_ = await subscribers.subscribe(content="id-only")
    await service.refer(a_referral())
    full = await subscribers.events(id_, content="full-resource")
    assert all("resource" not in entry for entry in full["entry"][1:])
    empty = await subscribers.events(id_, content="empty")
    assert len(empty["entry"]) == 1
    assert happened(empty) == [(1, None), (2, None), (3, None)]


async def test_a_failing_stream_holds_up_no_other_and_stays_in_order(service, subscribers):
    id_ = await subscribers.subscribe()
    async with service.delivering():
        await subscribers.active(id_)
        first = await service.refer(a_referral("9100000XA"))
        await subscribers.told(3)
        subscribers.receiver.answer = lambda got: Reply(
            500 if f"Task/{first}" in got.body.decode() else 204
        )
        await service.do("hospital", "cancel", first)
        second = await service.refer(a_referral("9100001XA"))
        await subscribers.receiver.until(
            lambda: abouts(subscribers.bundles()).count(f"Task/{second}") == 3
        )
        subscribers.receiver.answer = lambda _: Reply()
        service.later(minutes=10)
        await subscribers.receiver.until(
            lambda: abouts(subscribers.bundles()).count(f"Task/{first}") >= 5
        )
    told = subscribers.bundles()
    theirs = [n for n, about in zip(numbers(told), abouts(told), strict=True) if second in about]
    assert theirs == sorted(theirs)
    assert set(numbers(told)) == {1, 2, 3, 4, 5, 6, 7}
