"""Whatever happens to a referral, no value of it stands in a log line or in a metric."""

import logging

import pytest

from app.base.logs import LogLine
from tests.faults.test_killed import strings
from tests.journeys.payloads import (
    REASON,
    a_referral,
    because,
    example,
    hopeless,
    incomplete,
    parameters,
    responses,
)
from tests.journeys.test_letters import letters, marked, printed
from tests.receiver import Reply
from tests.service.scene import move, walk

#: Stands wherever a caller may write what they like.
PLANTED = "Zyxplanted"
#: The member of these referrals, whom the roster knows by name.
CIN = "9000012XA"
JSON = {"Content-Type": "application/json"}
PERSON = {
    "name": [{"family": PLANTED, "given": [PLANTED]}, {"family": "Ejemplo"}],
    "birthDate": "1990-10-02",
    "telecom": [{"system": "phone", "value": f"650-555-0171 {PLANTED}"}],
    "address": [{"line": [f"1 {PLANTED} Way"], "city": PLANTED, "district": "San Joaquin"}],
}
ROSTER = ("Luis", "Ejemplo")


class Lines(logging.Handler):
    """Keeps every line as the service writes it."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.setFormatter(LogLine())
        self.said = []

    def emit(self, record):
        self.said.append(self.format(record))


@pytest.fixture
def lines():
    root, handler = logging.getLogger(), Lines()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(before)
    root.removeHandler(handler)


def about(make, **more):
    """A referral whose every free word is planted."""
    note = {"note": [{"text": PLANTED}], "reasonCode": [{"text": PLANTED}]}
    body = make(
        CIN, plan="HPSJ", identifier=f"{PLANTED}-{len(more)}-{make.__name__}", **note | more
    )
    body["contained"][0] |= PERSON
    return body


async def decided(service):
    """Approved and served, denied, cancelled, asked for information and answered."""
    approved = await service.refer(example("01"))
    await walk(service, approved, "accepted", "in-progress")
    await move(service, approved, "failed", PLANTED)
    denied = await service.refer(about(hopeless))
    granted = await service.refer(about(hopeless, patientInstruction=PLANTED))
    asked = await service.refer(about(incomplete))
    exception = {"valueCoding": {"system": REASON, "code": "exception-granted"}}
    answers = responses({"homeless": True}) | {"item": [{"linkId": PLANTED, "text": PLANTED}]}
    answered = {
        "resourceType": "Parameters",
        "parameter": [{"name": "resource", "resource": answers}],
    }
    why = {"valueCodeableConcept": {"text": PLANTED}}
    no = parameters(reason=because("no-population"), note=PLANTED)
    for by, operation, referral, body in (
        ("staff-hpsj", "deny", denied, no),
        ("staff-hpsj", "approve", granted, parameters(reason=exception, note=PLANTED)),
        ("staff-hpsj", "request-information", asked, parameters(question=PLANTED)),
        ("hospital", "add-information", asked, answered),
        ("hospital", "cancel", asked, parameters(reason=why)),
    ):
        answer = await service.do(by, operation, referral, body)
        assert answer.status_code == 200, answer.text
    return approved, denied


async def refused(service):
    """What is malformed, not known, not the caller's, or asked for in odd ways."""
    for body in (
        about(a_referral, birthDate=PLANTED),
        about(a_referral, status=PLANTED),
        about(a_referral, subject={"reference": PLANTED}),
        about(a_referral, code={"coding": [{"system": PLANTED, "code": PLANTED}]}),
    ):
        await service.post(body)
        await service.check(about(a_referral))
    whole = f'{{"resourceType":"ServiceRequest","status":"{PLANTED}","id":{CIN}'
    await service.ask("hospital", "POST", "/fhir/ServiceRequest", whole.encode())
    for path in (
        f"/fhir/Patient?family={PLANTED}&birthdate=1990-10-02",
        f"/fhir/ServiceRequest?patient.identifier={CIN}",
        f"/fhir/ServiceRequest?{PLANTED}={CIN}",
        f"/fhir/ServiceRequest/{PLANTED}",
        f"/fhir/{PLANTED}/{CIN}",
        f"/v1/referrals/{PLANTED}/timeline",
        f"/v1/catalog/plans/{PLANTED}",
        f"/{PLANTED}",
    ):
        await service.ask("hospital", "GET", path)
    for client in ("hospital", PLANTED):
        await service.http.post(
            "/oauth/token", data={"grant_type": PLANTED, "scope": PLANTED}, auth=(client, PLANTED)
        )
    await service.http.get("/fhir/Task", headers={"Authorization": f"Bearer {PLANTED}"})


async def test_no_value_of_a_referral_is_logged_or_counted(service, lines):
    receiver = service.receiver
    await service.listen(receiver, "hospital", "full", payload="full", description=PLANTED)
    await service.listen(receiver, "ecm-provider", "failing", description=PLANTED)
    receiver.answer = lambda one: Reply(
        500 if one.path == "/failing" else 204, body=f"{PLANTED} {CIN}".encode()
    )
    async with service.delivering():
        approved, denied = await decided(service)
        told = await letters(service, denied, "staff-hpsj")
        assert "Luis" in await printed(service, told["member"], "staff-hpsj")
        assert (
            await marked(service, told["member"], {"how": "mail", "note": PLANTED}, "staff-hpsj")
        ).status_code == 200
        for path in ("timeline", "timeline.html", "determinations"):
            read = await service.ask("hospital", "GET", f"/v1/referrals/{approved}/{path}")
            assert read.status_code == 200
        await refused(service)
        await receiver.until(lambda: receiver.at("full") and receiver.at("failing"))
        service.later(days=9)  # the clocks fire
        await receiver.until(lambda: len(receiver.at("full")) > 8)
    metrics = (await service.http.get("/metrics")).text
    people = [e["resource"] for e in example("01")["entry"] if "name" in e["resource"]]
    named = [name for person in people for name in strings(person["name"]) if len(name) > 5]
    assert any(PLANTED in one.body.decode() for one in receiver.at("full"))
    assert len(lines.said) > 40
    for value in (PLANTED, CIN, "1990-10-02", "650-555-0171", *ROSTER, *named):
        assert value not in metrics, value
        assert [line for line in lines.said if value in line] == [], value
