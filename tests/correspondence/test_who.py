"""Who is told of what, and how, per plan, date, outcome and recipient (spec.md 2)."""

from datetime import date

import pytest

from app.model.notices import ANNOUNCED, Asker, Listening, Parties, assignment_notices, notices
from app.policy.library import load_library
from app.store.referral.asker import asker

LIBRARY = load_library()
PLANS = ("HPSM", "HPSJ", "CCAH")
BEFORE, AFTER = date(2025, 6, 30), date(2025, 7, 1)


def told(outcome, plan, on, **more):
    known = {"requester_id": "org-r", "performer_id": "org-p", "service": "HD", "plan": plan}
    parties = Parties(**{**known, **more})
    policy = LIBRARY.policy(plan, on) if plan else None
    return notices(outcome, parties, policy)


def recipients(*args, **more):
    return [notice.recipient for notice in told(*args, **more)]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("on", [BEFORE, AFTER])
@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("denied", ["requesting", "servicing", "member"]),
        ("void", ["requesting", "servicing"]),
        ("information-needed", ["requesting"]),
        ("cancelled", ["requesting", "servicing"]),
    ],
)
def test_the_matrix_but_for_approvals_is_the_same_everywhere(plan, on, outcome, expected):
    assert recipients(outcome, plan, on) == expected


@pytest.mark.parametrize(
    ("plan", "service", "on", "member"),
    [
        ("HPSM", "HD", BEFORE, True),  # S003:L78: approved supports by letter at every date
        ("HPSM", "ECM", BEFORE, False),
        ("HPSM", "ECM", AFTER, True),
        ("HPSJ", "HD", BEFORE, False),
        ("HPSJ", "HD", AFTER, True),
        ("CCAH", "ECM", BEFORE, False),
        ("CCAH", "ECM", AFTER, True),
    ],
)
def test_approved_the_member_is_told_by_plan_and_date(plan, service, on, member):
    assert ("member" in recipients("approved", plan, on, service=service)) is member


@pytest.mark.parametrize("outcome", ANNOUNCED)
@pytest.mark.parametrize("plan", [*PLANS, None])
def test_a_member_who_asks_is_told_every_outcome(outcome, plan):
    written = told(outcome, plan, BEFORE, asker=Asker.MEMBER)
    assert [n.status for n in written if n.recipient == "member"] == ["to-send"]


@pytest.mark.parametrize("outcome", ANNOUNCED)
def test_without_a_plan_the_requester_is_told(outcome):
    assert recipients(outcome, None, BEFORE) == ["requesting"]


def test_nobody_assigned_is_skipped_with_the_reason():
    (_, servicing, _) = told("denied", "CCAH", AFTER, performer_id=None)
    assert (servicing.status, servicing.organization_id) == ("skipped", None)
    assert servicing.reason == "No servicing provider is assigned."
    assert recipients("cancelled", "CCAH", AFTER, performer_id=None) == ["requesting"]


@pytest.mark.parametrize(
    ("listening", "status"),
    [
        ((), "to-send"),
        ((Listening("org-r"),), "sent"),
        ((Listening("org-other"),), "to-send"),
        ((Listening("org-r", ["HPSM"], []),), "sent"),
        ((Listening("org-r", ["HPSJ"], []),), "to-send"),
        ((Listening("org-r", [], ["referral.denied"]),), "sent"),
        ((Listening("org-r", [], ["referral.approved"]),), "to-send"),
        ((Listening("org-r", ["HPSJ"], []), Listening("org-r", ["HPSM"], [])), "sent"),
    ],
)
def test_an_endpoint_that_hears_it_makes_a_letter_unnecessary(listening, status):
    requesting = told("denied", "HPSM", AFTER, listening=listening)[0]
    assert requesting.status == status
    assert requesting.event_type == (ANNOUNCED["denied"] if status == "sent" else None)


@pytest.mark.parametrize(
    ("asks", "expected"),
    [
        (Asker.OFFICE, [("to-send", None)]),
        (Asker.NOBODY, [("skipped", None)]),
        (Asker.FAMILY, [("to-send", None)]),
        (Asker.MEMBER, []),
    ],
)
def test_what_staff_entered_goes_to_whoever_asked(asks, expected):
    written = told("void", "HPSM", AFTER, asker=asks, entered_by_plan=True)
    requesting = [(n.status, n.organization_id) for n in written if n.recipient == "requesting"]
    assert requesting == expected


def test_a_family_gets_a_letter_beside_the_organization_that_sent_it_in():
    written = told("denied", "HPSM", AFTER, asker=Asker.FAMILY, listening=(Listening("org-r"),))
    requesting = [(n.status, n.organization_id) for n in written if n.recipient == "requesting"]
    assert requesting == [("sent", "org-r"), ("to-send", None)]


def test_a_later_assignment_is_told_to_the_new_performer_alone():
    parties = Parties("org-r", "org-p", "ECM", plan="CCAH", listening=(Listening("org-p"),))
    (notice,) = assignment_notices(parties, LIBRARY.policy("CCAH", AFTER))
    assert (notice.outcome, notice.recipient, notice.status) == ("approved", "servicing", "sent")
    assert notice.event_type == "service.assigned"


CIN = {"system": "https://nowrongdoor.example/fhir/sid/cin", "value": "9000001XA"}
PATIENT = {"resourceType": "Patient", "id": "p", "identifier": [CIN]}
AUNT = {"resourceType": "RelatedPerson", "id": "aunt"}


@pytest.mark.parametrize(
    ("requester", "expected"),
    [
        (None, Asker.NOBODY),
        ({}, Asker.NOBODY),
        ({"reference": "#p"}, Asker.MEMBER),
        ({"identifier": CIN}, Asker.MEMBER),
        ({"identifier": {**CIN, "value": "9000002XA"}}, Asker.FAMILY),
        ({"reference": "#aunt"}, Asker.FAMILY),
        ({"reference": "RelatedPerson/x"}, Asker.FAMILY),
        ({"reference": "https://ehr.example/fhir/RelatedPerson/x/_history/2"}, Asker.FAMILY),
        ({"type": "RelatedPerson", "display": "Aunt"}, Asker.FAMILY),
        ({"reference": "Patient/another"}, Asker.FAMILY),
        ({"reference": "Practitioner/x"}, Asker.OFFICE),
        ({"reference": "Organization/x"}, Asker.OFFICE),
        ({"reference": "#gone"}, Asker.OFFICE),
        ({"display": "Dr. Example"}, Asker.OFFICE),
    ],
)
def test_who_asks_is_read_from_the_requester(requester, expected):
    sent = {"subject": {"reference": "#p"}, "contained": [PATIENT, AUNT]}
    if requester is not None:
        sent["requester"] = requester
    assert asker(sent, None) is expected
