"""What tells of a substance use disorder reaches a performer only by the member's consent."""

import orjson
import pytest

from tests.journeys.payloads import (
    EXTRA,
    a_bundle,
    a_referral,
    adding,
    answer,
    parameters,
    to,
    visit,
)

TIDEPOOL, FOGHORN = "org-tidepool", "org-foghorn"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ADDRESS_USE = "http://hl7.org/fhir/StructureDefinition/iso21090-AD-use"
SUBJECT = {"identifier": {"system": "https://nowrongdoor.example/fhir/sid/cin", "value": EXTRA[0]}}
ADDICTION, ASTHMA = "F10.20", "J45.909"
#: Who sees a referral: the sender, the performer asked for, the plan's staff.
PARTIES = ("hospital", "ecm-provider", "staff-hpsm")


def condition(code, **more):
    coded = {"coding": [{"system": ICD, "code": code}]}
    return {"resourceType": "Condition", "subject": SUBJECT, "code": coded, **more}


def consent(decision="permit", *, label="SUD", status="active", **provision):
    labels = [{"system": ACT, "code": label}] if label else []
    rule = {"type": decision, **({"securityLabel": labels} if labels else {}), **provision}
    return {
        "resourceType": "Consent",
        "status": status,
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "policyRule": {"coding": [{"system": ACT, "code": "OPTOUT"}]},
        "provision": rule,
    }


def recipient(organization, role="IRCP"):
    coding = {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
        "code": role,
    }
    return {
        "role": {"coding": [coding]},
        "reference": {"reference": f"Organization/{organization}"},
    }


def sent(*others, asks_for=TIDEPOOL, **more):
    """A referral with a sensitive and a plain diagnosis beside it, and a sensitive answer in it."""
    facts = [answer("high_risk_overdose", True), answer("ji_conditions", ["sud", "hiv"])]
    request = a_referral(asks_for=asks_for, items=[*facts, answer("homeless", False)], **more)
    return a_bundle(request, condition(ADDICTION), condition(ASTHMA), *others)


async def diagnoses(service, referral, by):
    found = await service.found(f"Condition?referral=ServiceRequest/{referral}", by)
    return sorted(one["code"]["coding"][0]["code"] for one in found)


def labels(resource):
    return [each["code"] for each in resource["meta"].get("security", ())]


def answers(request):
    """The `linkId`s of the answers that a ServiceRequest contains."""
    (form,) = (
        one for one in request["contained"] if one["resourceType"] == "QuestionnaireResponse"
    )
    return [item["linkId"] for item in form["item"] if item["linkId"] != "utilization"]


async def test_a_performer_without_consent_reads_no_substance_use_diagnosis(service):
    referral = await service.refer(sent())
    assert await diagnoses(service, referral, "hospital") == [ADDICTION, ASTHMA]
    assert await diagnoses(service, referral, "staff-hpsm") == [ADDICTION, ASTHMA]
    assert await diagnoses(service, referral, "ecm-provider") == [ASTHMA]


async def test_who_sees_it_sees_that_it_is_sensitive(service):
    referral = await service.refer(sent())
    for condition_of in await service.found(f"Condition?referral=ServiceRequest/{referral}"):
        code = condition_of["code"]["coding"][0]["code"]
        assert labels(condition_of) == (["SUD", "R"] if code == ADDICTION else [])


async def withheld_id(service, referral):
    found = await service.found(f"Condition?referral=ServiceRequest/{referral}&code={ADDICTION}")
    return found[0]["id"]


#: Every way to a Condition, and what is found there when it may be seen.
WAYS = {
    "read": "Condition/{id}",
    "vread": "Condition/{id}/_history/1",
    "history": "Condition/{id}/_history",
    "search": "Condition?_id={id}&_total=accurate",
    "search by code": f"Condition?code={ICD}|{ADDICTION}&_total=accurate",
    "missing": "Condition?code:missing=false&_id={id}&_total=accurate",
    "count": f"Condition?code={ADDICTION}&_summary=count",
    "include": "ServiceRequest?_id={referral}&_include=ServiceRequest:supporting-info",
}
PERMITTED = consent()
REFUSED = consent("deny")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("by", PARTIES)
@pytest.mark.parametrize("said", [None, PERMITTED, REFUSED], ids=["nothing", "permit", "deny"])
async def test_every_way_to_it_is_open_or_closed_alike(service, way, by, said):
    referral = await service.refer(sent(*([said] if said else [])))
    id_ = await withheld_id(service, referral)
    path = WAYS[way].format(id=id_, referral=referral)
    may = by != "ecm-provider" or said is PERMITTED
    got = await service.ask(by, "GET", f"/fhir/{path}")
    if way in ("read", "vread", "history"):
        assert got.status_code == (200 if may else 404)
        return
    assert got.status_code == 200
    if way == "include":
        return
    assert got.json()["total"] == int(may)


async def test_answers_that_tell_are_left_out_of_the_form(service):
    referral = await service.refer(sent())
    whole = await service.read("ServiceRequest", referral, "hospital")
    part = await service.read("ServiceRequest", referral, "ecm-provider")
    assert answers(whole) == ["high_risk_overdose", "ji_conditions", "homeless"]
    assert answers(part) == ["ji_conditions", "homeless"]
    assert b"sud" not in orjson.dumps(part)
    assert b"hiv" in orjson.dumps(part)
    assert labels(part) == ["REDACTED"]
    assert labels(whole) == ["SUD", "R"]


async def test_a_request_names_nothing_that_is_withheld(service):
    bundle = sent()
    *beside, request = bundle["entry"]
    named = [{"reference": entry["fullUrl"]} for entry in beside]
    request["resource"]["reasonReference"] = named
    referral = await service.refer(bundle)
    assert "reasonReference" in await service.read("ServiceRequest", referral)
    part = await service.read("ServiceRequest", referral, "ecm-provider")
    assert "reasonReference" not in part
    assert labels(part) == ["REDACTED"]
    (found,) = (
        one for one in await service.found(f"ServiceRequest?_id={referral}", "ecm-provider")
    )
    assert "reasonReference" not in found


async def test_a_reason_that_tells_is_left_out(service):
    reasons = [condition(code)["code"] for code in (ADDICTION, ASTHMA)]
    referral = await service.refer(a_referral(asks_for=TIDEPOOL, reasonCode=reasons))
    assert len((await service.read("ServiceRequest", referral))["reasonCode"]) == 2
    part = await service.read("ServiceRequest", referral, "ecm-provider")
    assert [each["coding"][0]["code"] for each in part["reasonCode"]] == [ASTHMA]


async def test_a_referral_that_tells_nothing_is_given_back_as_it_is(service):
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    whole = await service.ask("hospital", "GET", f"/fhir/ServiceRequest/{referral}")
    part = await service.ask("ecm-provider", "GET", f"/fhir/ServiceRequest/{referral}")
    assert whole.content == part.content
    assert labels(whole.json()) == []


@pytest.mark.parametrize("label", ["SUD", "ETHUD", "42CFRPart2"])
async def test_what_its_sender_labels_is_withheld_whole(service, label):
    security = {"security": [{"system": ACT, "code": label}]}
    referral = await service.refer(sent(condition("Z99.9", meta=security)))
    assert await diagnoses(service, referral, "hospital") == [ADDICTION, ASTHMA, "Z99.9"]
    assert await diagnoses(service, referral, "ecm-provider") == [ASTHMA]


# The member's word


#: What the member said, and whether org-tidepool then reads the diagnosis.
SAID = {
    "nothing": ([], False),
    "permit": ([consent()], True),
    "permit to it": ([consent(actor=[recipient(TIDEPOOL)])], True),
    "permit to another": ([consent(actor=[recipient(FOGHORN)])], False),
    "permit to whom nobody knows": ([consent(actor=[recipient("org-nowhere")])], False),
    "its custodian is no recipient": ([consent(actor=[recipient(FOGHORN, "CST")])], True),
    "permit without a label": ([consent(label=None)], False),
    "permit of something else": ([consent(label="HIV")], False),
    "permit for research": ([consent(purpose=[{"code": "HRESCH"}])], False),
    "permit for treatment": ([consent(purpose=[{"code": "TREAT"}])], True),
    "permit of one kind of resource": ([consent(**{"class": [{"code": "Observation"}]})], False),
    "permit to collect": ([consent(action=[{"coding": [{"code": "collect"}]}])], False),
    "permit that has expired": ([consent(period={"end": "2026-11-19"})], False),
    "permit until today": ([consent(period={"end": "2026-11-20"})], True),
    "permit from tomorrow": ([consent(period={"start": "2026-11-21"})], False),
    "draft": ([consent(status="draft")], False),
    "rejected": ([consent(status="rejected")], False),
    "deny, then permit": (
        [{**consent("deny"), "dateTime": "2026-11-01"}, {**consent(), "dateTime": "2026-11-02"}],
        True,
    ),
    "permit, then deny": (
        [{**consent(), "dateTime": "2026-11-01"}, {**consent("deny"), "dateTime": "2026-11-02"}],
        False,
    ),
    "both on one day": (
        [{**consent(), "dateTime": "2026-11-02"}, {**consent("deny"), "dateTime": "2026-11-02"}],
        False,
    ),
    "permit, then withdrawn": (
        [
            {**consent(), "dateTime": "2026-11-01"},
            {**consent(status="inactive"), "dateTime": "2026-11-02"},
        ],
        False,
    ),
    "all refused but this": (
        [
            consent(
                "deny", label="SUD", provision=[consent(actor=[recipient(TIDEPOOL)])["provision"]]
            )
        ],
        True,
    ),
    "all permitted but this": (
        [consent(provision=[consent("deny", actor=[recipient(TIDEPOOL)])["provision"]])],
        False,
    ),
}


@pytest.mark.parametrize(("said", "reads"), SAID.values(), ids=SAID)
async def test_the_members_word_decides(service, said, reads):
    referral = await service.refer(sent(*said))
    seen = await diagnoses(service, referral, "ecm-provider")
    assert seen == ([ADDICTION, ASTHMA] if reads else [ASTHMA])


async def test_a_consent_expires_by_the_services_clock(service):
    referral = await service.refer(sent(consent(period={"end": "2026-11-21"})))
    assert ADDICTION in await diagnoses(service, referral, "ecm-provider")
    service.at("2026-11-21T23:59-08:00")
    assert ADDICTION in await diagnoses(service, referral, "ecm-provider")
    service.at("2026-11-22T00:01-08:00")
    assert ADDICTION not in await diagnoses(service, referral, "ecm-provider")


async def test_a_consent_is_withdrawn_after_the_approval(service):
    referral = await service.refer(sent(consent()))
    assert (await service.words(referral))[0] == "approved"
    assert ADDICTION in await diagnoses(service, referral, "ecm-provider")
    service.later(minutes=1)
    done = await service.do("hospital", "add-information", referral, adding(consent("deny")))
    assert done.status_code == 200, done.text
    assert ADDICTION not in await diagnoses(service, referral, "ecm-provider")
    assert (await service.history(referral))[-1][1] == "annotate"
    assert (await service.words(referral))[0] == "approved"
    request = await service.read("ServiceRequest", referral)
    assert request["supportingInfo"][-1]["reference"].startswith("Consent/")


async def test_a_consent_put_into_the_request_holds(service):
    referral = await service.refer(sent())
    request = await service.read("ServiceRequest", referral)
    request["contained"].append({**consent(), "id": "consent"})
    request["supportingInfo"].append({"reference": "#consent"})
    done = await service.ask(
        "hospital",
        "PUT",
        f"/fhir/ServiceRequest/{referral}",
        request,
        headers={"If-Match": f'W/"{request["meta"]["versionId"]}"'},
    )
    assert done.status_code == 200, done.text
    assert ADDICTION in await diagnoses(service, referral, "ecm-provider")


async def test_a_form_that_was_read_in_part_is_read_again_once_it_may_be_read_whole(service):
    form = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "subject": SUBJECT,
        "item": [answer("high_risk_overdose", True), answer("homeless", False)],
    }
    referral = await service.refer(sent(form))
    (part,) = await service.found(
        f"QuestionnaireResponse?referral=ServiceRequest/{referral}", "ecm-provider"
    )
    assert [item["linkId"] for item in part["item"]] == ["homeless"]
    service.later(minutes=1)
    await service.do("hospital", "add-information", referral, adding(consent()))
    known = {"If-None-Match": f'W/"{part["meta"]["versionId"]}"'}
    path = f"/fhir/QuestionnaireResponse/{part['id']}"
    again = await service.ask("ecm-provider", "GET", path, headers=known)
    assert again.status_code == 200
    assert len(again.json()["item"]) == 2
    assert (await service.ask("hospital", "GET", path, headers=known)).status_code == 304


async def test_a_performer_adds_no_consent(service):
    referral = await service.refer(sent())
    done = await service.do("ecm-provider", "add-information", referral, adding(consent()))
    assert done.status_code == 403
    assert ADDICTION not in await diagnoses(service, referral, "ecm-provider")


async def test_an_organization_named_by_its_number_in_the_bundle(service):
    """A Consent names a copy of the Organization that came with it."""
    npi = "http://hl7.org/fhir/sid/us-npi"
    ((number,),) = await service.rows("SELECT npi FROM organization WHERE id = $1", TIDEPOOL)
    named = {"resourceType": "Organization", "identifier": [{"system": npi, "value": number}]}
    said = consent(
        actor=[
            {
                **recipient("x"),
                "reference": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
            }
        ]
    )
    bundle = sent(said, {**named, "name": "Tidepool"})
    bundle["entry"][3]["fullUrl"] = "urn:uuid:00000000-0000-4000-8000-000000000001"
    assert bundle["entry"][3]["resource"]["resourceType"] == "Organization"
    referral = await service.refer(bundle)
    assert ADDICTION in await diagnoses(service, referral, "ecm-provider")


async def test_who_refuses_sharing_is_served_all_the_same(service):
    """A performer gets what serves the member, and nothing clinical."""
    referral = await service.refer(
        sent(consent("deny", label=None), reasonCode=[condition(ASTHMA)["code"]])
    )
    assert await diagnoses(service, referral, "ecm-provider") == []
    part = await service.read("ServiceRequest", referral, "ecm-provider")
    assert {one["resourceType"] for one in part["contained"]} == {"Patient", "Coverage"}
    assert "reasonCode" not in part
    assert "supportingInfo" not in part
    assert part["code"]
    assert "REDACTED" in labels(part)
    task = await service.read("Task", referral, "ecm-provider")
    assert task["focus"]["reference"] == f"ServiceRequest/{referral}"
    assert await diagnoses(service, referral, "hospital") == [ADDICTION, ASTHMA]


# The member's contact


def reached_by(patient):
    return {name for name in ("telecom", "contact") if name in patient} | {
        "line" for address in patient.get("address", ()) if "line" in address
    }


def with_contact(**more):
    request = a_referral(asks_for=TIDEPOOL)
    request["contained"][0] |= {
        "telecom": [{"system": "phone", "value": "+1-650-555-0101"}],
        "address": [{"line": ["1 Example Street"], "city": "Daly City", "district": "San Mateo"}],
        "contact": [{"telecom": [{"system": "phone", "value": "+1-650-555-0102"}]}],
        **more,
    }
    return request


UNSAFE = {
    "the address is confidential": {
        "address": [
            {
                "line": ["1 Example Street"],
                "district": "San Mateo",
                "extension": [{"url": ADDRESS_USE, "valueCode": "CONF"}],
            }
        ]
    },
}
LOCATION = {"security": [{"system": ACT, "code": "LOCIS"}]}


def patient_of(request):
    (patient,) = (one for one in request["contained"] if one["resourceType"] == "Patient")
    return patient


@pytest.mark.parametrize("how", UNSAFE.values(), ids=UNSAFE)
async def test_whom_it_is_unsafe_to_contact_no_performer_can_find(service, how):
    referral = await service.refer(with_contact(**how))
    whole = patient_of(await service.read("ServiceRequest", referral))
    part = patient_of(await service.read("ServiceRequest", referral, "ecm-provider"))
    assert reached_by(whole) == {"telecom", "contact", "line"}
    assert reached_by(part) == set()
    assert part["address"] == [{"district": "San Mateo"}]
    assert reached_by(patient_of(await service.read("ServiceRequest", referral, "staff-hpsm")))


async def test_a_request_may_say_that_its_member_must_not_be_found(service):
    referral = await service.refer({**with_contact(), "meta": LOCATION})
    assert reached_by(patient_of(await service.read("ServiceRequest", referral)))
    part = await service.read("ServiceRequest", referral, "ecm-provider")
    assert reached_by(patient_of(part)) == set()


@pytest.mark.parametrize(
    "meta", [LOCATION, {"security": [{"system": CONFIDENTIALITY, "code": "R"}]}]
)
async def test_a_patient_beside_the_request_may_say_so(service, meta):
    request = with_contact()
    patient = {**request["contained"].pop(0), "meta": meta}
    request["subject"] = {"reference": "urn:uuid:00000000-0000-4000-8000-00000000000a"}
    request["contained"][1]["beneficiary"] = request["subject"]
    del patient["id"]
    bundle = a_bundle(request, patient)
    bundle["entry"][0]["fullUrl"] = request["subject"]["reference"]
    referral = await service.refer(bundle)
    for by, found in (("hospital", {"telecom", "contact", "line"}), ("ecm-provider", set())):
        (seen,) = await service.found(f"Patient?referral=ServiceRequest/{referral}", by)
        assert reached_by(seen) == found


async def test_a_request_that_its_sender_labels_is_shown_without_all_that_is_clinical(service):
    meta = {"security": [{"system": ACT, "code": "SUD"}]}
    referral = await service.refer({**a_referral(asks_for=TIDEPOOL), "meta": meta})
    part = await service.read("ServiceRequest", referral, "ecm-provider")
    assert {one["resourceType"] for one in part["contained"]} == {"Patient", "Coverage"}


async def test_others_are_found(service):
    referral = await service.refer(with_contact())
    part = patient_of(await service.read("ServiceRequest", referral, "ecm-provider"))
    assert reached_by(part) == {"telecom", "contact", "line"}


async def test_contact_becomes_unsafe_later(service):
    referral = await service.refer(with_contact())
    service.later(minutes=1)
    told = adding(consent("deny", label="LOCIS"))
    assert (await service.do("staff-hpsm", "add-information", referral, told)).status_code == 200
    part = patient_of(await service.read("ServiceRequest", referral, "ecm-provider"))
    assert reached_by(part) == set()


async def letters(service, referral):
    answer = await service.ask(
        "staff-hpsm", "GET", "/v1/correspondence", params={"referral": referral}
    )
    return {item["recipient"]: item for item in answer.json()["items"]}


async def mark(service, letter, how):
    path = f"/v1/correspondence/{letter['id']}/sent"
    as_json = {"Content-Type": "application/json"}
    return await service.ask("staff-hpsm", "POST", path, {"how": how}, headers=as_json)


@pytest.mark.parametrize("unsafe", [True, False])
async def test_no_letter_is_posted_to_whom_it_is_unsafe_to_contact(service, unsafe):
    request = with_contact(**(UNSAFE["the address is confidential"] if unsafe else {}))
    referral = await service.refer(request)
    told = await letters(service, referral)
    letter = told["member"]
    assert (letter["status"], bool(letter["reason"])) == ("to-send", unsafe)
    page = await service.ask("staff-hpsm", "GET", f"/v1/correspondence/{letter['id']}/letter")
    assert (b"1 Roster Street" in page.content) is not unsafe
    for how in ("mail", "fax"):
        if unsafe:
            assert (await mark(service, letter, how)).status_code == 409
    assert (await mark(service, letter, "hand")).status_code == 200


@pytest.mark.parametrize("unsafe", [True, False])
async def test_the_performers_letter_says_how_to_reach_the_member_where_that_is_safe(
    service, unsafe
):
    request = with_contact(**(UNSAFE["the address is confidential"] if unsafe else {}))
    letter = (await letters(service, await service.refer(request)))["servicing"]
    page = await service.ask("staff-hpsm", "GET", f"/v1/correspondence/{letter['id']}/letter")
    assert (b"650-555-0101" in page.content) is not unsafe
    assert (await mark(service, letter, "mail")).status_code == 200


# Messages


async def test_a_thin_message_names_neither_the_service_nor_what_the_roster_knows(
    service, receiver
):
    await service.listen(receiver, "hospital", "hospital")
    await service.refer(a_referral("9000005XA", asks_for=TIDEPOOL))
    async with service.delivering():
        await receiver.count(2)
    denied = receiver.at("hospital")[-1].data["data"]
    assert denied["state"] == "denied"
    assert {"service", "reasons"} & set(denied) == set()
    assert denied["links"]


async def test_a_full_message_says_no_more_than_may_be_read(service, receiver):
    for client in ("hospital", "ecm-provider"):
        await service.listen(receiver, client, client, payload="full")
    request = with_contact(**UNSAFE["the address is confidential"])
    request["reasonCode"] = [condition(ADDICTION)["code"]]
    referral = await service.refer(request)
    async with service.delivering():
        await receiver.count(6)
    for got in receiver.at("hospital"):
        assert ADDICTION.encode() in got.body
        assert b"650-555" in got.body
    assert receiver.at("ecm-provider")
    for got in receiver.at("ecm-provider"):
        assert referral.encode() in got.body
        assert got.data["data"]["resourceType"] == "Bundle"
        assert ADDICTION.encode() not in got.body
        assert b"650-555" not in got.body


async def test_a_full_message_after_consent_says_all(service, receiver):
    await service.listen(receiver, "ecm-provider", "provider", payload="full")
    reasons = [condition(ADDICTION)["code"]]
    said = {**consent(), "id": "consent"}
    request = a_referral(asks_for=TIDEPOOL, reasonCode=reasons)
    request["contained"].append(said)
    request["supportingInfo"].append({"reference": "#consent"})
    await service.refer(request)
    async with service.delivering():
        await receiver.count(3)
    assert all(ADDICTION.encode() in got.body for got in receiver.at("provider"))


async def test_one_passed_over_learns_nothing_of_the_next(service):
    referral = await service.refer(sent(consent(actor=[recipient(FOGHORN)])))
    given = parameters(performer=to(f"Organization/{FOGHORN}"))
    assert (await service.do("staff-hpsm", "assign", referral, given)).status_code == 200
    id_ = await withheld_id(service, referral)
    got = await service.ask("ecm-provider", "GET", f"/fhir/Condition/{id_}")
    assert got.status_code == 404


# Why the rules said so


async def explained(service, referral, by):
    path = f"/v1/referrals/{referral}"
    why = await service.ask(by, "GET", f"{path}/determinations?detail=full")
    story = await service.ask(by, "GET", f"{path}/timeline?detail=full")
    assert (why.status_code, story.status_code) == (200, 200)
    return why.json()["determinations"], why.content + story.content


#: Facts by which a member is in the population of substance use, and words that say so.
IN_NEED = {"high_risk_overdose": True, "dmc_ods": True, "ji_conditions": ["sud", "hiv"]}
TELLING = (b"overdose", b"dmc_ods", b"Drug Medi-Cal", b'"sud"', b"substance-use")


def in_need(**more):
    seen = [visit(date, reason="substance-use") for date in ("2026-06-10", "2026-07-02")]
    return a_referral(asks_for=TIDEPOOL, facts=IN_NEED, items=seen, **more)


@pytest.mark.parametrize("by", PARTIES)
async def test_why_the_rules_said_so_tells_a_performer_no_more(service, by):
    referral = await service.refer(in_need())
    (made, *_), said = await explained(service, referral, by)
    assert made["outcome"] == "approved"
    assert made["populations"]
    told = [word for word in TELLING if word in said]
    if by == "ecm-provider":
        assert told == []
        assert made["criteria"]
        assert made["text"]
    else:
        assert b"overdose" in told


async def test_why_the_rules_said_so_is_told_in_full_with_consent(service):
    request = in_need()
    request["contained"].append({**consent(), "id": "consent"})
    request["supportingInfo"].append({"reference": "#consent"})
    referral = await service.refer(request)
    _, said = await explained(service, referral, "ecm-provider")
    assert b"overdose" in said


async def test_whoever_refuses_sharing_is_not_explained(service):
    request = in_need()
    request["contained"].append({**consent("deny", label=None), "id": "consent"})
    request["supportingInfo"].append({"reference": "#consent"})
    referral = await service.refer(request)
    made, said = await explained(service, referral, "ecm-provider")
    assert made == []
    assert b"Met:" not in said
    assert (await explained(service, referral, "hospital"))[0]
