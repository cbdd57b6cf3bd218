"""What nobody may do to another's referrals, members and organizations, tried from outside."""

import pytest

from tests.journeys.payloads import EXTRA, a_bundle, a_coverage, a_member, a_referral, parameters


async def put(service, resource, by, **headers):
    path = f"/fhir/{resource['resourceType']}/{resource['id']}"
    return await service.ask(by, "PUT", path, resource, headers=headers)


async def claimed_by_hpsj(service, cin):
    """HPSJ loads a number that HPSM's roster has."""
    patient, coverage = a_member(cin, "HPSJ", "San Joaquin")
    patient["id"], coverage["id"] = "theirs", "theirs"
    coverage["beneficiary"] = {"reference": "Patient/theirs"}
    for resource in (patient, coverage):
        answer = await put(service, resource, "staff-hpsj")
        assert answer.status_code in (200, 201), answer.text


async def test_a_number_in_two_rosters_gives_the_referral_to_neither_plan(service):
    await claimed_by_hpsj(service, EXTRA[30])
    try:
        body = a_referral(EXTRA[30], plan=None)
        assert (await service.check(body)).outcome == "pending"
        assert (await service.check(body)).codes("reason") == ["member-unidentified"]
        referral = await service.refer(body)
        assert await service.rows("SELECT plan, state FROM referral WHERE id = $1", referral) == [
            ("unassigned", "pending")
        ]
        for staff in ("staff-hpsm", "staff-hpsj"):
            queue = (await service.ask(staff, "GET", "/v1/work-queue")).json()
            assert [item["referral"] for item in queue["items"]] == [referral]
        # The plan's staff say whose member it is: then it goes on as every referral.
        plan = a_coverage("HPSM")
        del plan["beneficiary"]
        plan["beneficiary"] = {"display": "The member"}
        told = parameters(resource={"resource": plan})
        answer = await service.do("staff-hpsm", "add-information", referral, told)
        assert answer.status_code == 200, answer.text
        assert await service.words(referral) == ["approved", "assigned"]
    finally:
        await service.rows("DELETE FROM member WHERE id = 'theirs' RETURNING 1")


async def test_a_number_in_two_rosters_is_the_named_plans(service):
    await claimed_by_hpsj(service, EXTRA[30])
    try:
        referral = await service.refer(a_referral(EXTRA[30], plan="HPSM"))
        assert await service.words(referral) == ["approved", "assigned"]
    finally:
        await service.rows("DELETE FROM member WHERE id = 'theirs' RETURNING 1")


async def narrow(service, *scopes):
    """A token of the hospital's that carries these scopes and no others."""
    answer = await service.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials", "scope": " ".join(scopes)},
        auth=("hospital", "demo-hospital"),
    )
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/webhook-endpoints", None),
        ("POST", "/v1/webhook-endpoints", {"url": "https://receiver.example/", "payload": "full"}),
        ("GET", "/v1/webhook-endpoints/one", None),
        ("POST", "/v1/webhook-endpoints/one/test", None),
        ("GET", "/v1/webhook-endpoints/one/messages", None),
        ("GET", "/v1/deliveries", None),
        ("GET", "/v1/deliveries.html", None),
        ("POST", "/fhir/ServiceRequest/$check", a_referral()),
    ],
)
async def test_a_token_for_forms_alone_opens_nothing_else(service, method, path, body):
    token = await narrow(service, "system/Questionnaire.rs")
    answer = await service.http.request(method, path, headers=token, json=body)
    assert answer.status_code == 403, answer.text


async def test_full_is_for_whoever_may_read_each_type_of_it(service, receiver):
    wanted = {"url": receiver.url("/full"), "payload": "full"}
    short = await narrow(service, "system/Subscription.cruds", "system/ServiceRequest.r")
    answer = await service.http.post("/v1/webhook-endpoints", headers=short, json=wanted)
    assert answer.status_code == 403
    thin = await service.http.post(
        "/v1/webhook-endpoints", headers=short, json={**wanted, "payload": "thin"}
    )
    assert thin.status_code == 201, thin.text
    changed = await service.http.patch(
        f"/v1/webhook-endpoints/{thin.json()['id']}", headers=short, json={"payload": "full"}
    )
    assert changed.status_code == 403


async def test_full_turns_thin_when_the_clients_scopes_shrink(service, receiver):
    await service.listen(receiver, "hospital", "shrunk", payload="full")
    [(scopes,)] = await service.rows("SELECT scopes FROM client WHERE id = 'hospital'")
    less = [scope for scope in scopes if not scope.startswith("system/Patient.")]
    await service.rows("UPDATE client SET scopes = $1 WHERE id = 'hospital' RETURNING 1", less)
    try:
        await service.refer(a_referral(EXTRA[31]))
        async with service.delivering():
            await receiver.until(lambda: len(receiver.received) >= 2)
        assert [
            one.data for one in receiver.at("shrunk") if "resourceType" in one.data["data"]
        ] == []
    finally:
        await service.rows(
            "UPDATE client SET scopes = $1 WHERE id = 'hospital' RETURNING 1", scopes
        )


async def test_a_bundle_creates_what_the_scopes_grant_type_by_type(service):
    patient = {"resourceType": "Patient"}
    body = a_bundle({**a_referral(), "subject": {"reference": "Patient/none"}}, patient)
    token = await narrow(service, "system/ServiceRequest.crus")
    answer = await service.http.post("/fhir", headers=token, json=body)
    assert answer.status_code == 403
    assert "system/Patient.c" in answer.text


IDENTIFIED = {"identifier": {"system": "https://referrer.example/ids", "value": "the hospital's"}}


@pytest.mark.parametrize("form", ["identifier", "reference"])
async def test_no_referral_goes_on_from_one_that_its_sender_does_not_see(service, form):
    """It would skip a person, and tell the practice that the hospital's identifier exists."""
    first = await service.refer(
        a_referral(EXTRA[32], identifier="the hospital's", asks_for="org-tidepool")
    )
    assert (await service.words(first))[0] == "approved"
    on = IDENTIFIED if form == "identifier" else {"reference": f"ServiceRequest/{first}"}
    body = a_referral(EXTRA[32], basedOn=[on])
    unknown = a_referral(EXTRA[32], basedOn=[{"reference": "ServiceRequest/none"}])
    said = [(await service.check(each, "practice")).codes("reason") for each in (body, unknown)]
    assert said[0] == said[1] == ["already-authorized", "population-met"]
    assert (await service.check(body, "hospital")).codes("reason") != said[0]
    assert (await service.check(body, "staff-hpsm")).codes("reason") != said[0]
    again = await service.refer(body, "practice")
    assert await service.words(again, "practice") == ["pending", "in-review"]


async def test_staff_only_say_whose_a_referral_without_a_plan_is(service):
    referral = await service.refer(a_referral("99999999X", plan=None))
    for operation, body in (
        ("approve", None),
        ("deny", parameters(reason={"valueCodeableConcept": {"text": "No"}})),
        ("void", None),
        ("request-information", parameters(question="Who?")),
        ("cancel", None),
    ):
        answer = await service.do("staff-hpsj", operation, referral, body)
        assert answer.status_code == 403, (operation, answer.text)
    assert (await service.words(referral))[0] == "pending"
    assert (await service.do("hospital", "cancel", referral)).status_code == 200


async def test_a_plan_that_there_is_not_is_no_filter(service, receiver):
    wanted = {"url": receiver.url("hook"), "plans": ["hpsm"]}
    json = {"Content-Type": "application/json"}
    answer = await service.ask("hospital", "POST", "/v1/webhook-endpoints", wanted, headers=json)
    assert answer.status_code == 422
    assert "HPSM" in answer.text


async def test_an_organization_has_a_word_on_its_own_name(service):
    """Before, any plan could rename it: people, letters and referrals went by what it wrote."""
    stored = await service.read("Organization", "org-tidepool")
    answer = await put(service, stored | {"name": "Elsewhere"}, "staff-hpsj")
    assert answer.status_code == 403, answer.text
    answer = await put(service, stored | {"name": "Elsewhere"}, "staff-hpsm")
    assert answer.status_code == 202, answer.text
    proposal = answer.headers["location"].removeprefix(service.settings.public_url)
    assert (await service.ask("hospital", "GET", proposal)).status_code == 404
    json = {"Content-Type": "application/json"}
    for by, status in (("staff-hpsm", 403), ("hospital", 404), ("ecm-provider", 200)):
        body = {"note": "We have not moved"}
        answer = await service.ask(by, "POST", f"{proposal}/reject", body, headers=json)
        assert answer.status_code == status, answer.text
    assert answer.json()["state"] == "rejected"
    assert await service.read("Organization", "org-tidepool") == stored
