"""A referral may name what this server has already, instead of sending it again (spec.md 7)."""

import pytest

from tests.journeys.payloads import (
    BORN,
    CIN,
    EXTRA,
    NPI,
    PLAN_ID,
    a_coverage,
    a_referral,
    coded,
    responses,
)

HOMELESS = dict.fromkeys(
    ("homeless", "complex_need", "unable_self_manage", "coordination_benefit"), True
)
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
URN = "urn:uuid:9d7a1f5e-3d63-4a6c-8a53-0c1f2b3a4d0{}"


async def rostered(service, cin=EXTRA[0]):
    """The id of a member's Patient in the plan's roster, as its staff finds it."""
    (patient,) = await service.found(f"Patient?identifier={CIN}|{cin}", "staff-hpsm")
    return patient["id"]


def naming(subject, **more):
    """A referral with its facts contained, and its member as named."""
    body = a_referral(None, plan=None, facts=HOMELESS, visits=(), subject=subject, **more)
    body["contained"] = [one for one in body["contained"] if one["resourceType"] != "Patient"]
    return body


def entry(number, resource):
    request = {"method": "POST", "url": resource["resourceType"]}
    return {"fullUrl": URN.format(number), "resource": resource, "request": request}


async def earlier(service, *facts):
    """Where a first Bundle of the hospital put its Patient and these facts."""
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": CIN, "value": EXTRA[1]}],
        "birthDate": BORN,
    }
    member = {"reference": URN.format(0)}
    request = {
        "resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": member,
    }  # fmt: skip
    sent = [patient, *({**fact, "subject": member} for fact in facts), request]
    body = {"resourceType": "Bundle", "type": "transaction"}
    answer = await service.post({**body, "entry": [entry(n, one) for n, one in enumerate(sent)]})
    assert answer.status_code == 200, answer.text
    where = [one["response"]["location"].split("/")[-4:-2] for one in answer.json()["entry"]]
    return ["/".join(place) for place in where[:-1]]


@pytest.mark.parametrize("form", ["Patient/{id}", "{base}/Patient/{id}", "Patient/{id}/_history/1"])
async def test_plan_staff_name_a_member_of_their_roster(service, form):
    base = service.settings.fhir_base
    reference = form.format(base=base, id=await rostered(service))
    body = naming({"reference": reference})
    said = await service.check(body, "staff-hpsm")
    assert said.outcome == "approved"
    referral = await service.refer(body, "staff-hpsm")
    assert await service.words(referral, "staff-hpsm") == ["approved", "assigned"]
    assert (await service.read("ServiceRequest", referral, "staff-hpsm"))["subject"] == {
        "reference": reference
    }


async def test_a_member_is_known_by_the_coverage_that_is_named(service):
    found = await service.found(f"Coverage?patient={await rostered(service)}", "staff-hpsm")
    body = naming({"display": "By phone"}, insurance=[{"reference": f"Coverage/{found[0]['id']}"}])
    assert await service.words(await service.refer(body, "staff-hpsm"), "staff-hpsm") == [
        "approved", "assigned",
    ]  # fmt: skip


@pytest.mark.parametrize("bar", ["|", "%7C"])
async def test_a_member_and_a_plan_are_known_by_the_search_put_for_a_reference(service, bar):
    """FHIR R4, "Conditional references": the CIN alone, which is enough for the plan's staff."""
    member = {"reference": f"Patient?identifier={CIN}{bar}{EXTRA[0]}"}
    body = naming(member)
    staff = "staff-hpsm"
    assert (await service.check(body, staff)).outcome == "approved"
    assert "member-unidentified" in (await service.check(body)).codes("reason")
    nobody = naming({"reference": "Patient?name=Adela"})
    assert (await service.check(nobody, staff)).outcome == "pending"
    payor = {"reference": f"Organization?identifier={PLAN_ID}{bar}HPSJ"}
    coverage = a_coverage("HPSM", beneficiary=member, payor=[payor])
    elsewhere = {**body, "contained": [*body["contained"], coverage]}
    elsewhere["insurance"] = [{"reference": "#coverage"}]
    assert "member-unidentified" in (await service.check(elsewhere, staff)).codes("reason")
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry(1, body)]}
    answer = await service.post(bundle, staff)
    place = answer.json()["entry"][0]["response"]["location"].split("/")[-3]
    assert await service.words(place, staff) == ["approved", "assigned"]
    assert (await service.read("ServiceRequest", place, staff))["subject"] == member


async def test_a_performer_is_asked_for_by_the_search_put_for_a_reference(service):
    found = await service.found("HealthcareService?service=ECM&plan=HPSM")
    asked = {one["providedBy"]["reference"].partition("/")[2] for one in found}
    assert len(asked) > 1
    for organization in asked:
        (npi,) = [
            one["value"]
            for one in (await service.read("Organization", organization))["identifier"]
            if one["system"] == NPI
        ]
        performer = [{"reference": f"Organization?identifier={NPI}|{npi}"}]
        said = await service.check(a_referral(facts=HOMELESS, performer=performer))
        assert said.one("assignment") == "assigned"
        assert said.performers[0] == f"Organization/{organization}"


@pytest.mark.parametrize("where", ["contained", "entry"])
async def test_a_plan_is_known_by_its_organization(service, where):
    (plan,) = await service.found(f"Organization?identifier={PLAN_ID}|HPSM")
    payor = [{"reference": f"Organization/{plan['id']}"}]
    body = a_referral(None, plan="HPSM", facts=HOMELESS, visits=())
    body["contained"][0]["birthDate"] = "1979-01-15"
    (coverage,) = [one for one in body["contained"] if one["resourceType"] == "Coverage"]
    coverage["payor"] = payor
    if where == "entry":
        body["contained"].remove(coverage)
        del coverage["id"]
        coverage["beneficiary"] = {"display": "The member"}
        body["insurance"] = [{"reference": URN.format(2)}]
        entries = [entry(1, body), entry(2, coverage)]
        body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert (await service.check(body)).codes("reason") == ["population-met"]


@pytest.mark.parametrize("by", ["hospital", "staff-hpsj"])
async def test_a_roster_that_is_not_ones_own_identifies_nobody(service, by):
    body = naming({"reference": f"Patient/{await rostered(service)}"})
    unknown = naming({"reference": "Patient/nobody"})
    told = [await service.words(await service.refer(one, by), by) for one in (body, unknown)]
    assert told == [["pending", "information-needed"]] * 2


async def test_facts_of_an_earlier_referral_count_where_they_are_named(service):
    condition = {"resourceType": "Condition", "code": coded(ICD, "Z59.00")}
    rest = {name: True for name in HOMELESS if name != "homeless"}
    stated = responses(rest)
    del stated["id"]
    patient, homeless, answers = await earlier(service, condition, stated)
    body = a_referral(None, visits=(), subject={"reference": patient})
    body["contained"] = [a_coverage("HPSM", beneficiary={"reference": patient})]
    body["insurance"] = [{"reference": "#coverage"}]
    del body["supportingInfo"]
    assert (await service.check(body)).outcome == "pending"
    body["supportingInfo"] = [{"reference": answers}]
    body["reasonReference"] = [{"reference": homeless}]
    assert (await service.check(body)).outcome == "approved"
    # Another organization may name them, and is told no more than if they did not exist.
    assert (await service.check(body, "practice")).outcome == "pending"


async def test_what_was_named_counts_when_the_rules_are_asked_again(service):
    rest = {name: True for name in HOMELESS if name != "homeless"}
    stated = responses(rest)
    del stated["id"]
    patient, answers = await earlier(service, stated)
    body = a_referral(None, visits=(), subject={"reference": patient})
    body["contained"] = [a_coverage("HPSM", beneficiary={"reference": patient})]
    body["insurance"] = [{"reference": "#coverage"}]
    body["supportingInfo"] = [{"reference": answers}]
    referral = await service.refer(body)
    assert (await service.words(referral))[0] == "pending"
    added = responses({"homeless": True})
    del added["id"]
    parameters = {
        "resourceType": "Parameters", "parameter": [{"name": "resource", "resource": added}],
    }  # fmt: skip
    answer = await service.do("staff-hpsm", "add-information", referral, parameters)
    assert answer.status_code == 200, answer.text
    assert await service.words(referral) == ["approved", "assigned"]


async def test_a_relative_reference_of_anothers_entry_is_anothers(service):
    """FHIR R4, Bundle: it is resolved against the server that the entry's fullUrl names."""
    reference = {"reference": f"Patient/{await rostered(service)}"}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [entry(1, naming(reference))],
    }
    bundle["entry"][0]["fullUrl"] = "https://ehr.example/fhir/ServiceRequest/1"
    assert "population-met" not in (await service.check(bundle, "staff-hpsm")).codes("reason")
    bundle["entry"][0]["fullUrl"] = URN.format(1)
    assert (await service.check(bundle, "staff-hpsm")).codes("reason") == ["population-met"]
