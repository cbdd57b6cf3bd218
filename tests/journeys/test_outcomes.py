"""What happens to a person who is referred: approved, denied, asked about, taken back, placed."""

from collections import Counter

import pytest

from tests.journeys.payloads import (
    BORN,
    EXTRA,
    OURS,
    VISITS,
    a_bundle,
    a_referral,
    because,
    example,
    hopeless,
    incomplete,
    parameters,
    responses,
    to,
)
from tests.journeys.service import id_of, issue

MEMBER = EXTRA[0]
ENOUGH = responses({}, VISITS)


async def authorization(service, referral, by="hospital"):
    found = await service.found(f"ClaimResponse?referral=ServiceRequest/{referral}", by)
    return found[0] if found else None


async def test_approved_a_person_has_a_number_a_period_and_a_performer(service):
    answer = await service.post(a_referral(asks_for="org-tidepool"))
    assert answer.status_code == 201
    body = answer.json()
    referral = body["id"]
    assert answer.headers["location"] == (
        f"{service.settings.fhir_base}/ServiceRequest/{referral}/_history/1"
    )
    assert (answer.headers["etag"], body["status"]) == ('W/"1"', "active")
    assert await service.words(referral) == ["approved", "assigned"]
    task = await service.read("Task", referral)
    assert (task["status"], task["owner"]["reference"]) == ("accepted", "Organization/plan-hpsm")
    assert task["requester"]["reference"] == "Organization/org-harbor-lantern"
    assert task["focus"]["reference"] == f"ServiceRequest/{referral}"
    given = await authorization(service, referral)
    assert given["preAuthPeriod"] == {"start": "2026-11-20", "end": "2027-11-19"}
    assert (given["use"], given["status"], given["outcome"]) == (
        "preauthorization",
        "active",
        "complete",
    )
    assert given["preAuthRef"].startswith("HPSM-20261120-")
    assert await service.taken("offer-tidepool-ecm") == 1


async def test_approved_the_performer_has_a_task_of_its_own(service):
    referral = await service.refer(a_referral(asks_for="org-tidepool"))
    tasks = await service.found(f"Task?focus=ServiceRequest/{referral}", "ecm-provider")
    (own,) = [task for task in tasks if task["id"] != referral]
    assert own["partOf"] == [{"reference": f"Task/{referral}"}]
    assert (own["status"], own["owner"]["reference"]) == ("requested", "Organization/org-tidepool")
    assert own["focus"] == {"reference": f"ServiceRequest/{referral}"}
    words = [coding["code"] for coding in own["businessStatus"]["coding"]]
    assert words == ["approved", "assigned"]


async def test_what_tasks_refer_to_comes_along_for_who_may_see_it(service):
    referral = await service.refer(a_referral())

    async def asked(by):
        params = {"referral": referral, "_include": ["Task:focus", "Task:part-of", "Task:owner"]}
        bundle = (await service.ask(by, "GET", "/fhir/Task", params=params)).json()
        return [
            (entry["search"]["mode"], entry["resource"]["resourceType"], entry["resource"]["id"])
            for entry in bundle.get("entry", ())
        ]

    found = await asked("ecm-provider")
    assert [mode for mode, _, _ in found] == ["match"] * 2 + ["include"] * 3
    assert {(kind, id_) for mode, kind, id_ in found if mode == "include"} == {
        ("ServiceRequest", referral),
        ("Organization", "plan-hpsm"),
        ("Organization", "org-tidepool"),
    }
    assert await asked("practice") == []


async def test_what_refers_to_a_referral_comes_along_for_who_may_see_it(service):
    names = [f"urn:uuid:4f3a9c6e-0d1b-4c7a-9e52-00000000000{n}" for n in (1, 2)]
    answers = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "basedOn": [{"reference": names[1]}],
    }
    bundle = a_bundle(a_referral(asks_for="org-tidepool"), answers, urns=names)
    referral = await service.refer(bundle)
    wanted = [
        "Task:focus",
        "ClaimResponse:referral",
        "Communication:based-on",
        "QuestionnaireResponse:based-on",
        "Provenance:target",
    ]

    async def asked(by):
        params = {"_id": referral, "_revinclude": wanted}
        bundle = (await service.ask(by, "GET", "/fhir/ServiceRequest", params=params)).json()
        return Counter(
            (entry["search"]["mode"], entry["resource"]["resourceType"])
            for entry in bundle.get("entry", ())
        )

    found = await asked("hospital")
    assert found[("match", "ServiceRequest")] == 1
    assert found[("include", "Task")] == 2
    assert found[("include", "ClaimResponse")] == 1
    assert found[("include", "QuestionnaireResponse")] == 1
    assert found[("include", "Communication")] >= 1
    assert found[("include", "Provenance")] >= 1
    assert await asked("ecm-provider") == found
    assert await asked("practice") == Counter()


async def test_a_task_is_found_by_who_asks_for_that_task(service):
    referral = await service.refer(a_referral())

    async def asked(by):
        found = await service.found(f"Task?referral={referral}&requester={by}")
        return [(task["id"] == referral, task["requester"]["reference"]) for task in found]

    assert await asked("Organization/org-harbor-lantern") == [
        (True, "Organization/org-harbor-lantern")
    ]
    assert await asked("Organization/plan-hpsm") == [(False, "Organization/plan-hpsm")]
    assert await asked("Organization/org-tidepool") == []


async def test_a_path_is_served_with_a_slash_at_its_end_too(service):
    referral = await service.refer(a_referral())
    for path in ("/fhir/Task/", f"/fhir/ServiceRequest/{referral}/"):
        assert (await service.ask("hospital", "GET", path)).status_code == 200


async def test_two_tokens_at_once_are_none(service):
    token = f"Bearer {await service.token('hospital')}"
    twice = [("Authorization", token), ("Authorization", token)]
    answer = await service.http.get("/fhir/Task", headers=twice)
    assert (answer.status_code, issue(answer)["code"]) == (400, "structure")


async def test_approved_history_says_who_did_what(service):
    referral = await service.refer(a_referral())
    assert await service.history(referral) == [
        (None, "receive", "pending", None, "hospital"),
        ("pending", "approve", "approved", "assigned", "rules"),
    ]
    (policies,) = await service.rows(
        "SELECT array_agg(policy ORDER BY seq) FROM referral_history WHERE referral_id = $1",
        referral,
    )
    assert policies[0][1].startswith("HPSM/")


async def test_reauthorized_once_a_second_time_goes_to_a_person(service):
    first = await service.refer(a_referral())
    after_it = [{"reference": f"ServiceRequest/{first}"}]
    second = await service.refer(a_referral(basedOn=after_it), "ecm-provider")
    period = (await authorization(service, second, "ecm-provider"))["preAuthPeriod"]
    assert period == {"start": "2027-11-20", "end": "2028-05-19"}
    again = await service.refer(a_referral(basedOn=after_it), "ecm-provider")
    assert await service.words(again, "ecm-provider") == ["pending", "in-review"]
    task = await service.read("Task", again, "ecm-provider")
    assert task["statusReason"]["coding"][0]["code"] == "already-authorized"
    third = await service.refer(
        a_referral(basedOn=[{"reference": f"ServiceRequest/{second}"}]), "ecm-provider"
    )
    period = (await authorization(service, third, "ecm-provider"))["preAuthPeriod"]
    assert period["start"] == "2028-05-20"


async def test_an_authorization_that_is_still_to_begin_stands_too(service):
    await service.refer(a_referral(occurrencePeriod={"start": "2026-12-15"}))
    again = await service.refer(a_referral())
    assert await service.words(again) == ["pending", "in-review"]


async def test_denied_because_of_the_line_of_business_the_member_gets_a_notice(service):
    referral = await service.refer(a_referral("9000002XA"))
    assert await service.words(referral) == ["denied"]
    request = await service.read("ServiceRequest", referral)
    task = await service.read("Task", referral)
    assert (request["status"], task["status"]) == ("revoked", "rejected")
    (reason,) = [e for e in request["extension"] if e["url"].endswith("request-statusReason")]
    assert reason["valueCodeableConcept"]["coding"][0]["code"] == "line-of-business"
    assert task["statusReason"]["text"]
    letters = await service.found(f"Communication?referral=ServiceRequest/{referral}")
    told = {
        letter["recipient"][0].get("reference") or "member"
        for letter in letters
        if "recipient" in letter
    }
    assert told == {"Organization/org-harbor-lantern", "member"}
    assert await authorization(service, referral) is None


async def test_denied_by_the_criteria_only_a_person_may_say_so(service):
    referral = await service.refer(hopeless())
    assert await service.words(referral) == ["pending", "in-review"]
    task = await service.read("Task", referral)
    assert "no-population" in [coding["code"] for coding in task["statusReason"]["coding"]]
    answer = await service.do(
        "staff-hpsm", "deny", referral, parameters(reason=because("no-population"))
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "revoked"
    assert await service.words(referral) == ["denied"]
    assert (await service.history(referral))[1:] == [
        ("pending", "review", "pending", "in-review", "rules"),
        ("pending", "deny", "denied", None, "staff-hpsm"),
    ]


async def test_denied_without_a_reason_is_refused(service):
    referral = await service.refer(hopeless())
    answer = await service.do("staff-hpsm", "deny", referral, parameters())
    assert answer.status_code == 400
    assert await service.words(referral) == ["pending", "in-review"]


async def test_approved_against_the_recommendation_only_with_a_reason_and_a_note(service):
    referral = await service.refer(hopeless())
    refused = await service.do("staff-hpsm", "approve", referral, parameters(note="please"))
    assert (refused.status_code, issue(refused)["code"]) == (422, "business-rule")
    given = parameters(reason=because("exception-granted"), note="The clinician knows her well.")
    answer = await service.do("staff-hpsm", "approve", referral, given)
    assert answer.status_code == 200, answer.text
    assert (await service.words(referral))[0] == "approved"
    task = await service.read("Task", referral)
    assert [c["code"] for c in task["statusReason"]["coding"]] == ["exception-granted"]
    ((note,),) = await service.rows(
        "SELECT note FROM referral_history WHERE referral_id = $1 AND event = 'approve'", referral
    )
    assert note == "The clinician knows her well."


async def test_supports_of_the_alliance_are_approved_by_its_staff(service):
    referral = await service.refer(example("03"))
    answer = await service.do("staff-ccah", "approve", referral)
    assert answer.status_code == 200, answer.text
    assert await service.words(referral) == ["approved", "assigned"]
    given = await authorization(service, referral)
    assert given["preAuthPeriod"]["start"] == "2026-11-20"


async def test_asked_for_information_and_approved_when_it_comes(service):
    referral = await service.refer(incomplete())
    assert await service.words(referral) == ["pending", "information-needed"]
    assert (await service.read("Task", referral))["status"] == "on-hold"
    answer = await service.do(
        "hospital", "add-information", referral, parameters(resource={"resource": ENOUGH})
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == 'W/"2"'
    assert (await service.words(referral))[0] == "approved"
    assert [move[1] for move in await service.history(referral)] == [
        "receive",
        "request-information",
        "add-information",
        "approve",
    ]
    ((answered, void),) = await service.rows(
        "SELECT i.answered_at, r.void_due FROM information_request i, referral r"
        " WHERE r.id = $1 AND i.referral_id = r.id",
        referral,
    )
    assert answered is not None
    assert void is None


async def test_partial_information_starts_the_void_clock_again(service):
    service.at("2023-08-07T10:00-07:00")
    referral = await service.refer(incomplete("9000019XA", plan="CCAH"))
    service.at("2023-08-10T10:00-07:00")
    some = parameters(resource={"resource": responses({"homeless": True})})
    assert (await service.do("hospital", "add-information", referral, some)).status_code == 200
    assert await service.words(referral) == ["pending", "information-needed"]
    ((due,),) = await service.rows(
        "SELECT (void_due AT TIME ZONE 'America/Los_Angeles')::text FROM referral WHERE id = $1",
        referral,
    )
    assert due == "2023-08-17 23:59:59"


async def test_information_as_a_bundle_is_taken_too(service):
    referral = await service.refer(incomplete())
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": ENOUGH}],
    }
    answer = await service.do("hospital", "add-information", referral, bundle)
    assert answer.status_code == 200, answer.text
    assert (await service.words(referral))[0] == "approved"
    supporting = [item["reference"] for item in answer.json()["supportingInfo"]]
    assert supporting[0] == "#facts"
    assert (await service.read(*supporting[1].split("/")))["item"] == ENOUGH["item"]


async def test_asked_by_a_person(service):
    referral = await service.refer(hopeless())
    asked = parameters(fact="homeless", question="Who lives with the member?")
    answer = await service.do("staff-hpsm", "request-information", referral, asked)
    assert answer.status_code == 200, answer.text
    assert await service.words(referral) == ["pending", "information-needed"]


async def test_cancelled_while_pending(service):
    referral = await service.refer(incomplete())
    answer = await service.do("hospital", "cancel", referral)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "revoked"
    assert await service.words(referral) == ["cancelled"]
    task = await service.read("Task", referral)
    assert task["status"] == "cancelled"
    assert [c["code"] for c in task["statusReason"]["coding"]] == ["withdrawn"]


async def test_cancelled_after_approval_the_place_is_free_and_the_authorization_ends(service):
    referral = await service.refer(a_referral(asks_for="org-foghorn"))
    assert await service.taken("offer-foghorn-ecm") == 1
    given = parameters(reason=because("declined-by-member"))
    answer = await service.do("staff-hpsm", "cancel", referral, given)
    assert answer.status_code == 200, answer.text
    assert await service.taken("offer-foghorn-ecm") == 0
    assert (await authorization(service, referral))["status"] == "cancelled"
    tasks = await service.found(f"Task?focus=ServiceRequest/{referral}")
    assert {task["status"] for task in tasks} == {"cancelled"}
    again = await service.refer(a_referral(asks_for="org-foghorn"))
    assert await service.words(again) == ["approved", "assigned"]


async def test_reassigned_by_staff_the_place_moves_too(service):
    referral = await service.refer(a_referral(asks_for="org-tidepool"))
    given = parameters(performer=to("Organization/org-foghorn"))
    answer = await service.do("staff-hpsm", "assign", referral, given)
    assert answer.status_code == 200, answer.text
    assert await service.words(referral) == ["approved", "assigned"]
    assert await service.taken("offer-tidepool-ecm") == 0
    assert await service.taken("offer-foghorn-ecm") == 1
    gone = await service.ask("ecm-provider", "GET", f"/fhir/ServiceRequest/{referral}")
    assert gone.status_code == 404
    open_tasks = [
        task
        for task in await service.found(f"Task?focus=ServiceRequest/{referral}")
        if task["id"] != referral and task["status"] == "requested"
    ]
    assert [task["owner"]["reference"] for task in open_tasks] == ["Organization/org-foghorn"]


async def test_assigned_to_nobody_of_the_network_is_refused(service):
    referral = await service.refer(a_referral())
    given = parameters(performer=to("Organization/org-otter-cove"))
    answer = await service.do("staff-hpsm", "assign", referral, given)
    assert answer.status_code == 422


UNIDENTIFIED = {
    "no number": a_referral(None),
    "a number that no roster knows": a_referral("9999999XA"),
    "another plan": a_referral("9000012XA", plan="HPSM"),
}


@pytest.mark.parametrize("body", UNIDENTIFIED.values(), ids=UNIDENTIFIED.keys())
async def test_a_person_who_is_not_known_is_never_decided_about(service, body):
    referral = await service.refer(body)
    assert await service.words(referral) == ["pending", "information-needed"]
    task = await service.read("Task", referral)
    assert "member-unidentified" in [coding["code"] for coding in task["statusReason"]["coding"]]


async def test_a_person_with_another_birth_date_is_not_decided_about(service):
    body = a_referral()
    body["contained"][0]["birthDate"] = "1980-02-04"
    assert await service.words(await service.refer(body)) == ["pending", "information-needed"]


async def test_a_person_of_no_known_plan_is_seen_by_every_plans_staff(service):
    referral = await service.refer(a_referral("9999999XA", plan=None))
    for staff in ("staff-hpsm", "staff-hpsj", "staff-ccah"):
        assert (await service.read("ServiceRequest", referral, staff))["id"] == referral


async def test_a_bundles_resources_belong_to_the_referral(service):
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": OURS + "sid/cin", "value": MEMBER}],
        "birthDate": BORN,
    }
    body = a_referral()
    bundle = a_bundle(body, patient)
    body["subject"] = {"reference": bundle["entry"][0]["fullUrl"]}
    body["contained"] = body["contained"][1:]
    del body["insurance"]
    body["contained"].pop()
    referral = await service.refer(bundle)
    assert (await service.words(referral))[0] == "approved"
    request = await service.read("ServiceRequest", referral)
    kept = await service.read("Patient", request["subject"]["reference"].partition("/")[2])
    assert kept["identifier"] == patient["identifier"]


async def test_a_task_in_the_bundle_becomes_the_referrals_own(service):
    names = ["urn:uuid:00000000-0000-4000-8000-00000000000a"]
    names += ["urn:uuid:00000000-0000-4000-8000-00000000000b"]
    task = {
        "resourceType": "Task",
        "status": "ready",
        "intent": "order",
        "identifier": [{"system": "https://referrer.example/tasks", "value": "T-1"}],
        "focus": {"reference": names[1]},
        "note": [{"text": "Call before noon."}],
    }
    answer = await service.post(a_bundle(incomplete(), task, urns=names))
    assert answer.status_code == 200, answer.text
    places = [entry["response"]["location"] for entry in answer.json()["entry"]]
    referral = id_of(answer)
    assert [place.split("/")[-4:-2] for place in places] == [
        ["Task", referral],
        ["ServiceRequest", referral],
    ]
    (own,) = await service.found(f"Task?focus=ServiceRequest/{referral}")
    assert (own["id"], own["status"]) == (referral, "on-hold")
    assert (own["identifier"], own["note"]) == (task["identifier"], task["note"])
    named = "Follow it at Task/"
    outcome = answer.json()["entry"][1]["response"]["outcome"]
    assert f"{named}{referral}" in outcome["issue"][0]["diagnostics"]


async def test_several_tasks_in_the_bundle_become_one(service):
    tasks = [
        {
            "resourceType": "Task",
            "status": "requested",
            "intent": "order",
            "identifier": [{"system": "https://referrer.example/tasks", "value": value}],
        }
        for value in ("T-1", "T-2")
    ]
    bundle = a_bundle(incomplete(), *tasks)
    bundle["entry"][0]["resource"]["focus"] = {"reference": bundle["entry"][-1]["fullUrl"]}
    answer = await service.post(bundle)
    referral = id_of(answer)
    places = [entry["response"]["location"] for entry in answer.json()["entry"]]
    assert places[0] == places[1] == f"{service.settings.fhir_base}/Task/{referral}/_history/1"
    (own,) = await service.found(f"Task?referral=ServiceRequest/{referral}")
    assert own["identifier"] == [task["identifier"][0] for task in tasks]


async def test_a_task_in_the_bundle_about_something_else_is_refused(service):
    task = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "focus": {"reference": "ServiceRequest/another"},
    }
    answer = await service.post(a_bundle(incomplete(), task))
    assert answer.status_code == 422
    assert issue(answer)["expression"] == ["Bundle.entry[0].resource.focus"]


async def test_what_was_sent_is_given_back(service):
    """Every element and extension stays; id, meta and status are ours."""
    body = a_referral(
        identifier="K-1",
        extension=[{"url": "https://referrer.example/x", "valueString": "kept"}],
        _authoredOn={"extension": [{"url": "https://referrer.example/y", "valueBoolean": True}]},
        authoredOn="2026-11-20T09:12:00.000-08:00",
        doNotPerform=False,
        quantityQuantity={"value": 1.50, "unit": "h"},
        note=[{"text": "Ünïcode — «kept»"}],
    )
    referral = await service.refer(body)
    kept = await service.read("ServiceRequest", referral)
    ours = {"id", "meta", "status"}
    assert {name: value for name, value in kept.items() if name not in ours} == {
        name: value for name, value in body.items() if name not in ours
    }
    raw = await service.ask("hospital", "GET", f"/fhir/ServiceRequest/{referral}")
    assert b'"value":1.5' in raw.content.replace(b" ", b"")
