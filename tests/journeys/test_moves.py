"""Which operation is possible when; what is not is 409, with nothing written and nobody told."""

import itertools

import pytest

from app.model.lifecycle import TRANSITIONS, Event, State
from tests.journeys.payloads import (
    EXTRA,
    VISITS,
    a_member,
    a_referral,
    because,
    coded,
    hopeless,
    incomplete,
    parameters,
    responses,
    to,
)
from tests.journeys.service import issue

OPERATIONS = {
    "approve": parameters(reason=because("exception-granted"), note="As agreed."),
    "deny": parameters(reason=because("no-population")),
    "void": None,
    "request-information": parameters(question="Who lives with the member?"),
    "add-information": parameters(resource={"resource": responses({}, VISITS)}),
    "cancel": None,
    "assign": parameters(performer=to("Organization/org-foghorn")),
}


async def pending(service) -> str:
    return await service.refer(hopeless())


async def approved(service) -> str:
    return await service.refer(a_referral())


async def denied(service) -> str:
    return await service.refer(a_referral("9000002XA"))


async def cancelled(service) -> str:
    referral = await service.refer(incomplete())
    await service.do("hospital", "cancel", referral)
    return referral


async def void(service) -> str:
    referral = await service.refer(incomplete())
    service.later(days=30)
    answer = await service.do("staff-hpsm", "void", referral)
    assert answer.status_code == 200, answer.text
    return referral


STATES = {
    State.PENDING: pending,
    State.APPROVED: approved,
    State.DENIED: denied,
    State.CANCELLED: cancelled,
    State.VOID: void,
}


@pytest.mark.parametrize(
    ("state", "operation"), list(itertools.product(STATES, OPERATIONS)), ids=str
)
async def test_a_move_is_as_the_table_says(service, state, operation):
    referral = await STATES[state](service)
    assert (await service.words(referral))[0] == state
    before = await service.counts()
    answer = await service.do("staff-hpsm", operation, referral, OPERATIONS[operation])
    if (state, Event(operation)) in TRANSITIONS and operation != "void":
        assert answer.status_code == 200, answer.text
        assert (await service.words(referral))[0] in set(State) - {state} or operation in (
            "request-information",
            "assign",
        )
        return
    assert (answer.status_code, issue(answer)["code"]) == (409, "conflict")
    assert operation == "void" or state.value in issue(answer)["diagnostics"]
    assert await service.counts() == before
    assert (await service.words(referral))[0] == state


async def test_void_waits_for_the_end_of_the_fifth_business_day(service):
    service.at("2026-11-20T10:00-08:00")
    referral = await service.refer(incomplete())
    # Thanksgiving (26 and 27 November) does not count at HPSM's offices.
    ((due,),) = await service.rows(
        "SELECT (void_due AT TIME ZONE 'America/Los_Angeles')::text FROM referral"
    )
    service.at(f"{due[:10]}T23:00-08:00")
    assert (await service.do("staff-hpsm", "void", referral)).status_code == 409
    service.later(hours=1)
    answer = await service.do("staff-hpsm", "void", referral)
    assert answer.status_code == 200, answer.text
    assert await service.words(referral) == ["void"]
    task = await service.read("Task", referral)
    assert task["status"] == "cancelled"
    assert [c["code"] for c in task["statusReason"]["coding"]] == ["information-not-received"]


async def test_a_referral_that_somebody_completed_is_never_voided(service):
    referral = await service.refer(incomplete())
    more = parameters(resource={"resource": responses({"utilization_complete": True})})
    await service.do("hospital", "add-information", referral, more)
    await service.do("staff-hpsm", "cancel", referral)
    service.later(days=60)
    assert (await service.do("staff-hpsm", "void", referral)).status_code == 409


PARTIES = {
    "its requester": "hospital",
    "the performer asked for": "ecm-provider",
    "its plan's staff": "staff-hpsm",
}
STRANGERS = {
    "another referrer": "practice",
    "a provider passed over or never asked": "cs-provider",
    "another plan's staff": "staff-hpsj",
}


@pytest.mark.parametrize("by", PARTIES.values(), ids=PARTIES.keys())
async def test_a_party_sees_the_referral(service, by):
    referral = await service.refer(incomplete(asks_for="org-tidepool"))
    answer = await service.ask(by, "GET", f"/fhir/ServiceRequest/{referral}")
    assert answer.status_code == 200


@pytest.mark.parametrize("by", STRANGERS.values(), ids=STRANGERS.keys())
async def test_to_everybody_else_it_does_not_exist(service, by):
    referral = await service.refer(a_referral(asks_for="org-tidepool"))
    before = await service.counts()
    for kind in ("ServiceRequest", "Task", "ClaimResponse"):
        answer = await service.ask(by, "GET", f"/fhir/{kind}/{referral}")
        assert answer.status_code == 404, kind
        assert await service.found(f"{kind}?_id={referral}", by) == []
    for operation, body in OPERATIONS.items():
        answer = await service.do(by, operation, referral, body)
        staff = by.startswith("staff")
        expected = 404 if staff or operation in ("cancel", "add-information") else 403
        assert answer.status_code == expected, operation
    assert await service.counts() == before


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_performer_sees_the_referral_and_may_not_decide_about_it(service, operation):
    referral = await service.refer(a_referral(asks_for="org-tidepool"))
    before = await service.counts()
    answer = await service.do("ecm-provider", operation, referral, OPERATIONS[operation])
    assert (answer.status_code, issue(answer)["code"]) == (403, "forbidden")
    assert await service.counts() == before


async def test_a_performer_passed_over_sees_nothing_any_more(service):
    """Foghorn is asked for and full: Tidepool gets the referral."""
    await service.refer(a_referral("9100001XA", asks_for="org-foghorn"))
    referral = await service.refer(a_referral(asks_for="org-foghorn"))
    assert await service.words(referral) == ["approved", "alternate"]
    parties = await service.rows(
        "SELECT organization_id FROM party WHERE referral_id = $1 AND until IS NULL ORDER BY 1",
        referral,
    )
    assert parties == [("org-harbor-lantern",), ("org-tidepool",)]


SHORT = [
    ("system/Task.crus", "POST", "/fhir/ServiceRequest", a_referral()),
    ("system/ServiceRequest.c", "GET", "/fhir/ServiceRequest/x", None),
    ("system/ServiceRequest.rs", "POST", "/fhir/ServiceRequest/x/$cancel", None),
    ("system/ServiceRequest.crus", "POST", "/fhir/ServiceRequest/x/$approve", None),
]


@pytest.mark.parametrize(("scope", "method", "path", "body"), SHORT, ids=[row[2] for row in SHORT])
async def test_a_scope_that_is_short_is_403(service, scope, method, path, body):
    answer = await service.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials", "scope": scope},
        auth=("hospital", "demo-hospital"),
    )
    token = answer.json()["access_token"]
    refused = await service.ask(
        "hospital", method, path, body, headers={"Authorization": f"Bearer {token}"}
    )
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


WRONG = [
    ("approve", {"note": {"valueInteger": 3}, "nothing": "x"}, ["[0]", "[1].name"]),
    (
        "approve",
        {"performer": "Organization/org-foghorn", "note": ["One.", "Two."]},
        ["[0]", "[2]"],
    ),
    ("deny", {"reason": because("population-met")}, ["[0]"]),
    ("deny", {"reason": {"valueCodeableConcept": coded("https://x.example", "y")}}, ["[0]"]),
    (
        "deny",
        {"reason": [because("no-population"), because("mistyped")], "why": "x"},
        ["[1]", "[2].name"],
    ),
    ("void", {"reason": "x"}, ["[0].name"]),
    ("request-information", {"fact": {"valueInteger": 1}, "question": "  "}, ["[0]", "[1]"]),
    ("add-information", {"resource": "x", "note": "y"}, ["[0]", "[1].name"]),
    ("cancel", {"reason": because("no-population")}, ["[0]"]),
    ("cancel", {"reason": {"valueBoolean": True}}, ["[0]"]),
    ("assign", {"performer": [to("Organization/a"), to("Organization/b")]}, ["[1]"]),
]


@pytest.mark.parametrize(("operation", "sent", "at"), WRONG)
async def test_every_parameter_at_fault_is_named_at_once(service, operation, sent, at):
    referral = await pending(service)
    before = await service.counts()
    answer = await service.do("staff-hpsm", operation, referral, parameters(**sent))
    assert answer.status_code == 422, answer.text
    named = [one["expression"] for one in answer.json()["issue"]]
    assert named == [[f"Parameters.parameter{where}"] for where in at]
    assert await service.counts() == before


async def test_an_exception_without_its_words_names_what_is_missing(service):
    referral = await pending(service)
    only = parameters(reason=because("exception-granted"))
    answer = await service.do("staff-hpsm", "approve", referral, only)
    assert (answer.status_code, issue(answer)["expression"]) == (
        422,
        ["Parameters.parameter.where(name='note')"],
    )
    answer = await service.do("staff-hpsm", "approve", referral)
    assert len(answer.json()["issue"]) == 2


async def test_a_performer_that_does_not_offer_it_is_no_performer(service):
    referral = await pending(service)
    sent = parameters(
        reason=because("exception-granted"), note="Agreed.", performer=to("Organization/nobody")
    )
    answer = await service.do("staff-hpsm", "approve", referral, sent)
    assert (answer.status_code, issue(answer)["code"]) == (422, "business-rule")


@pytest.mark.parametrize(
    ("client", "sent", "code", "text"),
    [
        ("hospital", None, "withdrawn", None),
        ("staff-hpsm", None, "declined-by-member", None),
        ("hospital", because("declined-by-member"), "declined-by-member", None),
        ("hospital", {"valueCodeableConcept": {"text": "Moved away."}}, None, "Moved away."),
        ("hospital", {"valueCodeableConcept": coded("https://x.example", "moved")}, None, "moved"),
    ],
)
async def test_why_a_referral_is_taken_back(service, client, sent, code, text):
    referral = await pending(service)
    body = parameters(reason=sent) if sent else None
    answer = await service.do(client, "cancel", referral, body)
    assert answer.status_code == 200, answer.text
    said = (await service.read("Task", referral))["statusReason"]
    assert (said.get("coding") or [{}])[0].get("code") == code
    assert text is None or said["text"] == text


async def test_history_never_runs_backwards_when_the_clocks_of_processes_differ(service):
    """The next move may be made by a process whose clock is behind."""
    referral = await service.refer(hopeless())
    service.later(seconds=-90)
    asked = await service.do(
        "staff-hpsm", "request-information", referral, OPERATIONS["request-information"]
    )
    assert asked.status_code == 200, asked.text
    service.later(seconds=-90)
    assert (await service.do("hospital", "cancel", referral)).status_code == 200
    moments = await service.rows(
        "SELECT at FROM referral_history WHERE referral_id = $1 ORDER BY seq", referral
    )
    assert len(moments) > 2
    assert moments == sorted(moments)
    for kind in ("ServiceRequest", "Task"):
        history = await service.ask("hospital", "GET", f"/fhir/{kind}/{referral}/_history")
        changed = [entry["resource"]["meta"]["lastUpdated"] for entry in history.json()["entry"]]
        assert changed == sorted(changed, reverse=True)


async def test_an_offers_history_does_not_either(service):
    offer = "/fhir/HealthcareService/offer-foghorn-ecm"
    ((as_it_was,),) = await service.rows(
        "SELECT places FROM offer WHERE id = $1", "offer-foghorn-ecm"
    )
    for places in (as_it_was + 1, as_it_was):
        stated = parameters(places={"valueInteger": places})
        answer = await service.ask("staff-hpsm", "POST", f"{offer}/$capacity", stated)
        assert answer.status_code == 200, answer.text
        service.later(seconds=-90)
    history = (await service.ask("staff-hpsm", "GET", f"{offer}/_history")).json()["entry"]
    changed = [entry["resource"]["meta"]["lastUpdated"] for entry in history]
    assert changed == sorted(changed, reverse=True)


async def test_nor_does_a_rosters(service):
    patient, _ = a_member(EXTRA[39])
    path = f"/fhir/Patient/{patient['id']}"
    for family in ("Ejemplo", "Otro"):
        patient["name"] = [{"family": family}]
        assert (await service.ask("staff-hpsm", "PUT", path, patient)).is_success
        service.later(seconds=-90)
    history = (await service.ask("staff-hpsm", "GET", f"{path}/_history")).json()["entry"]
    changed = [entry["resource"]["meta"]["lastUpdated"] for entry in history]
    assert len(changed) > 2
    assert changed == sorted(changed, reverse=True)
