"""An extension may stand for any value (R4, extensibility): what it stands for is unknown then, or
the element is named; never a 500. Every value in turn, of what is sent and what is read back.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from app.fhir.r4 import codes
from tests.edge.made import UNKNOWN
from tests.journeys.payloads import (
    EXTRA,
    a_bundle,
    a_referral,
    because,
    coded,
    incomplete,
    parameters,
    to,
    unique,
)

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
NAMED = {"text": "Ana Ruiz", "family": "Ruiz", "given": ["Ana", "Maria"], "use": "official"}
HOME = {"use": "home", "line": ["1 Main St", "Apt 2"], "city": "Daly City", "state": "CA",
        "postalCode": "94014", "district": "San Mateo"}  # fmt: skip
PHONE = {"system": "phone", "value": "+1-555-0100"}


def values(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value stands, lists of values as one."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, dict) or (isinstance(value, list) and isinstance(value[0], dict)):
            yield from values(value, (*path, key))
        elif key != "resourceType" and not str(key).startswith("_"):
            yield (*path, key)


def without(body: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """The same with an extension for the value there."""
    changed = deepcopy(body)
    node: Any = changed
    for part in path[:-1]:
        node = node[part]
    value = node.pop(path[-1])
    if isinstance(value, list):
        node[path[-1]] = [None] * len(value)
        node["_" + path[-1]] = [UNKNOWN] * len(value)
    else:
        node["_" + path[-1]] = UNKNOWN
    return changed


def each(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [without(body, path) for path in values(body)]


def whole() -> dict[str, Any]:
    """A referral that says of everybody what is shown again."""
    body = a_referral(
        EXTRA[1], visits=("2026-06-10",), identifier=unique(), priority="urgent",
        authoredOn="2026-11-20", occurrencePeriod={"start": "2026-12-01", "end": "2027-02-01"},
        requester={"reference": "#writer", "display": "Dr. Lee"}, note=[{"text": "words"}],
        reasonCode=[coded(codes.POPULATION, "POF1A")],
        performer=[{"reference": "Organization/org-tidepool", "display": "Tidepool"}],
    )  # fmt: skip
    spoken = [{"language": coded(codes.LANGUAGE, "es"), "preferred": True}]
    body["contained"][0] |= {
        "name": [NAMED], "address": [HOME], "telecom": [PHONE], "birthDate": "1980-02-03",
        "communication": spoken,
    }  # fmt: skip
    writer = {"resourceType": "Practitioner", "id": "writer", "name": [NAMED], "telecom": [PHONE]}
    body["contained"].append(writer)
    return body


async def never_fails(service, by, where, body, method="POST", **headers):
    answer = await service.ask(by, method, where, body, headers=headers)
    assert answer.status_code < 500, (where, body)
    return answer


async def test_of_a_referral_and_whatever_is_then_shown_of_it(service):
    taken = 0
    for sent in each(whole()):
        for identifier in sent.get("identifier", ()):
            identifier["value"] = unique()
        await never_fails(service, "hospital", "/fhir/ServiceRequest/$check", sent)
        answer = await never_fails(service, "hospital", "/fhir/ServiceRequest", sent)
        if answer.status_code != 201:
            continue
        taken += 1
        id_ = answer.json()["id"]
        await never_fails(service, "staff-hpsm", f"/fhir/ServiceRequest/{id_}/$deny",
                          parameters(reason={"valueString": "words"}))  # fmt: skip
        for where in (f"/v1/referrals/{id_}/timeline", f"/v1/referrals/{id_}/explanation",
                      f"/fhir/Communication?based-on={id_}"):  # fmt: skip
            await never_fails(service, "staff-hpsm", where, None, "GET")
    assert taken > 50
    for where in ("/v1/work-queue", "/v1/correspondence"):
        shown = await never_fails(service, "staff-hpsm", where, None, "GET")
        assert shown.status_code == 200


OPERATIONS = {
    "approve": (parameters(reason=because("exception-granted"), note="words",
                           performer=to("Organization/org-tidepool")), "staff-hpsm"),
    "deny": (parameters(reason=because("service-criteria-not-met"), note="words"), "staff-hpsm"),
    "void": (parameters(note="words"), "staff-hpsm"),
    "request-information": (parameters(fact="homeless", question="What?"), "staff-hpsm"),
    "assign": (parameters(performer=to("Organization/org-tidepool")), "staff-hpsm"),
    "cancel": (parameters(reason=because("withdrawn")), "hospital"),
    "add-information": (parameters(resource=[{"resource": one} for one in whole()["contained"]
                                             if one["resourceType"].startswith(("Pat", "Quest"))]),
                        "hospital"),
}  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_of_what_an_operation_takes(service, operation):
    body, by = OPERATIONS[operation]
    unnamed = 0
    for sent in each(body):
        referral = await service.refer(incomplete(EXTRA[2]))
        where = f"/fhir/ServiceRequest/{referral}/${operation}"
        answer = await never_fails(service, by, where, sent)
        if any("name" not in part for part in sent["parameter"]):
            (issue,) = answer.json()["issue"]
            assert (answer.status_code, issue["code"]) == (422, "required")
            assert issue["expression"][0].endswith(".name")
            unnamed += 1
    assert unnamed == len(body["parameter"])


SUBSCRIPTION = {
    "resourceType": "Subscription", "status": "requested", "reason": "r",
    "criteria": "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic/Task",
    "channel": {"type": "rest-hook", "endpoint": "https://hooks.example.org/x",
                "header": ["Authorization: x"], "payload": "application/fhir+json"},
}  # fmt: skip
OFFER = {"extension": [{"url": BACKPORT + "backport-payload-content", "valueCode": "id-only"}]}


@pytest.mark.parametrize("path", list(values(SUBSCRIPTION)))
async def test_of_a_subscription(service, path):
    sent = without(SUBSCRIPTION, path)
    sent["channel"]["_payload"] = {"extension": [*OFFER["extension"], *UNKNOWN["extension"]]}
    answer = await never_fails(service, "hospital", "/fhir/Subscription", sent)
    if path == ("reason",):
        assert answer.json()["issue"][0]["expression"] == ["Subscription.reason"]
    assert answer.status_code == 422


async def test_of_a_transaction(service):
    patient = {"resourceType": "Patient", "name": [NAMED]}
    body = a_bundle(incomplete(), patient)
    del body["entry"][1]["resource"]["contained"]
    body["entry"][1]["resource"] |= {"subject": {"reference": body["entry"][0]["fullUrl"]}}
    del body["entry"][1]["resource"]["supportingInfo"], body["entry"][1]["resource"]["insurance"]
    statuses = {(await never_fails(service, "hospital", "/fhir", sent)).status_code
                for sent in each(body)}  # fmt: skip
    assert {200, 422} <= statuses


async def test_of_what_a_plan_writes(service):
    for kind in ("HealthcareService?service=ECM&plan=HPSM", "Patient", "Coverage", "Organization"):
        stored = (
            await service.found(f"{kind}{'&' if '?' in kind else '?'}_count=1", "staff-hpsm")
        )[0]
        for sent in each(stored):
            sent.pop("_id", None)
            sent["id"] = stored["id"]
            where = f"/fhir/{stored['resourceType']}/{stored['id']}"
            await never_fails(service, "staff-hpsm", where, sent, "PUT")
        await service.ask("staff-hpsm", "PUT", where, stored)


async def test_of_tasks_and_requests_that_are_sent_back(service):
    referral = await service.refer(incomplete(EXTRA[3]))
    for kind in ("Task", "ServiceRequest"):
        for sent in each(await service.read(kind, referral)):
            sent["id"] = referral
            where = f"/fhir/{kind}/{referral}"
            await never_fails(service, "hospital", where, sent, "PUT", **{"If-Match": "*"})
            if kind == "Task":
                del sent["id"]
                await never_fails(service, "hospital", "/fhir/Task", sent)
