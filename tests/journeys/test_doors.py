"""What nobody may do to another's referrals, members and organizations, tried from outside."""

import pytest

from app.fhir import subset
from app.store.reading import catalog
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


SECRET = "Nobody's but theirs"


async def nobodys(service):
    """A referral whose plan is not known, with something clinical wherever there is room for it."""
    urns = [f"urn:uuid:4d5e6f70-0000-4000-8000-{number:012}" for number in range(3)]
    patient, _ = a_member("99999999X")
    del patient["id"], patient["managingOrganization"]
    patient |= {"name": [{"family": "Ejemplo"}], "contact": [{"name": {"text": SECRET}}]}
    condition = {"resourceType": "Condition", "subject": {"reference": urns[0]}}
    request = a_referral(
        None,
        plan=None,
        subject={"reference": urns[0]},
        reasonCode=[{"text": SECRET}],
        note=[{"text": SECRET}],
        patientInstruction=SECRET,
        supportingInfo=[{"reference": "#facts"}, {"reference": urns[1]}],
    )
    del request["contained"][0]
    body = a_bundle(request, patient, condition | {"code": {"text": SECRET}}, urns=urns)
    answer = await service.post(body, "hospital")
    assert answer.status_code == 200, answer.text
    places = dict(
        entry["response"]["location"].split("/")[-4:-2] for entry in answer.json()["entry"]
    )
    return places["ServiceRequest"], places["Condition"], places["Patient"]


@pytest.mark.parametrize("staff", ["staff-hpsm", "staff-hpsj"])
async def test_staff_who_look_for_a_plan_read_whose_it_is_and_nothing_of_why(service, staff):
    referral, condition, patient = await nobodys(service)
    whole = await service.ask("hospital", "GET", f"/fhir/ServiceRequest/{referral}")
    assert SECRET in whole.text
    shown = await service.read("ServiceRequest", referral, staff)
    assert (await service.read("Patient", patient, staff))["name"] == [{"family": "Ejemplo"}]
    assert shown["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert not {"code", "reasonCode", "note", "supportingInfo", "performer"} & {*shown}
    for path in (
        f"ServiceRequest/{referral}",
        f"ServiceRequest/{referral}/_history",
        f"ServiceRequest/{referral}/_history/1",
        f"Patient/{patient}",
        f"Task/{referral}",
        f"Task/{referral}/_history",
        "ServiceRequest",
        f"ServiceRequest?_id={referral}&_include=ServiceRequest:supporting-info",
        "ServiceRequest?patient.identifier=99999999X",
        f"Task?focus=ServiceRequest/{referral}&_include=Task:focus",
    ):
        answer = await service.ask(staff, "GET", f"/fhir/{path}")
        assert answer.status_code == 200, (path, answer.text)
        assert referral in answer.text or patient in answer.text, path
        assert SECRET not in answer.text, path
    for path in ("/v1/work-queue", f"/v1/work-queue/{referral}"):
        answer = await service.ask(staff, "GET", path)
        assert answer.status_code == 200, answer.text
        assert "Enhanced Care" not in answer.text
    (item,) = (await service.ask(staff, "GET", "/v1/work-queue")).json()["items"]
    assert [step["name"] for step in item["next"]] == [
        "add-information",
        "claim",
        "release",
        "read",
    ]
    for path in (
        f"/fhir/Condition/{condition}",
        f"/fhir/Provenance/{referral}.1",
        f"/v1/referrals/{referral}/timeline",
        f"/v1/referrals/{referral}/timeline.html",
        f"/v1/referrals/{referral}/explanation",
    ):
        assert (await service.ask(staff, "GET", path)).status_code == 404, path
    for search in (
        "ServiceRequest?code=ECM",
        "ServiceRequest?service=ECM",
        "ServiceRequest?code:missing=false",
        f"ServiceRequest?_id={referral}&category:missing=true",
        "Task?part-of:missing=true",
        "Condition",
        f"Condition?_id={condition}",
        f"Provenance?target=ServiceRequest/{referral}",
        "Communication",
    ):
        assert await service.found(search, staff) == [], search


async def test_whoever_says_whose_it_is_reads_no_more_of_it_and_its_plan_reads_all(service):
    referral, condition, _ = await nobodys(service)
    response = {"resourceType": "QuestionnaireResponse", "status": "completed"}
    more = parameters(resource={"resource": response})
    refused = await service.do("staff-hpsj", "add-information", referral, more)
    assert refused.status_code == 403, refused.text
    patient, _ = a_member(EXTRA[33])
    told = parameters(resource={"resource": patient})
    answer = await service.do("staff-hpsj", "add-information", referral, told)
    assert answer.status_code == 200, answer.text
    assert SECRET not in answer.text
    gone = await service.ask("staff-hpsj", "GET", f"/fhir/ServiceRequest/{referral}")
    assert gone.status_code == 404
    theirs = await service.ask("staff-hpsm", "GET", f"/fhir/ServiceRequest/{referral}")
    assert SECRET in theirs.text
    assert (await service.read("Condition", condition, "staff-hpsm"))["code"] == {"text": SECRET}


async def test_what_staff_entered_themselves_they_read_whole(service):
    body = a_referral("99999999X", plan=None, note=[{"text": SECRET}])
    body["contained"][0]["contact"] = [{"name": {"text": SECRET}}]
    referral = await service.refer(body, by="staff-hpsm")
    assert (await service.read("ServiceRequest", referral, "staff-hpsm"))["note"]
    least_of_it = await service.read("ServiceRequest", referral, "staff-hpsj")
    assert least_of_it["contained"][0]["identifier"][0]["value"] == "99999999X"
    assert SECRET not in str(least_of_it)
    first, second = (
        await service.found("ServiceRequest", "staff-hpsm"),
        await service.found("ServiceRequest?code=ECM", "staff-hpsm"),
    )
    assert [each["note"] for each in first] == [each["note"] for each in second]
    assert [each.get("note") for each in await service.found("ServiceRequest", "staff-hpsj")] == [
        None
    ]


@pytest.mark.parametrize("kind", sorted(subset.ASKED))
def test_the_least_is_asked_for_by_parameters_that_are_served(kind):
    served = {known.name for known in catalog.PARAMETERS[kind]}
    assert subset.ASKED[kind] <= served


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


@pytest.mark.parametrize("bundled", [False, True])
async def test_who_refers_to_transitional_care_is_told_what_it_is_and_whom_to_call(
    service, bundled
):
    body = a_referral(EXTRA[31], service="TCS", plan="HPSJ")
    path = "/fhir/ServiceRequest"
    if bundled:
        body, path = a_bundle(body), "/fhir"
    answer = await service.ask("hospital", "POST", path, body)
    assert answer.status_code == 422
    (issue,) = answer.json()["issue"]
    assert issue["code"] == "code-invalid"
    said = issue["diagnostics"]
    assert "Transitional Care Services of Health Plan of San Joaquin needs no referral" in said
    assert "call 1-888-936-PLAN (7526), TTY 711" in said
    assert "transition of care" in said
    unknown = a_referral(EXTRA[31], service="NONE")
    answer = await service.ask("hospital", "POST", "/fhir/ServiceRequest", unknown)
    assert "Use a code of the code system" in answer.json()["issue"][0]["diagnostics"]
