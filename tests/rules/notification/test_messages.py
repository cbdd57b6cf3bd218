"""The thin payload, the event types and who is told."""

import re
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest

from app.model.messages import (
    EVENT_TYPES,
    MEANINGS,
    TEST,
    About,
    EventType,
    Role,
    recipients,
    thin_payload,
)

AT = datetime(2026, 3, 2, 4, 5, 6, tzinfo=timezone(timedelta(hours=-8)))
BASE = "https://plan.example/fhir"


def test_a_payload_is_type_timestamp_and_data_with_links():
    about = About(
        plan="HPSM",
        referral_id="r1",
        sequence=2,
        state="approved",
        business_status="assigned",
        reasons=["population-met"],
        service="ECM",
        authorization_id="r1",
    )
    assert orjson.loads(thin_payload(EventType.APPROVED, AT, about, BASE)) == {
        "type": "referral.approved",
        "timestamp": "2026-03-02T12:05:06Z",
        "data": {
            "plan": "HPSM",
            "referral_id": "r1",
            "sequence": 2,
            "state": "approved",
            "business_status": "assigned",
            "reasons": ["population-met"],
            "service": "ECM",
            "authorization_id": "r1",
            "links": {
                "referral": f"{BASE}/ServiceRequest/r1",
                "task": f"{BASE}/Task/r1",
                "authorization": f"{BASE}/ClaimResponse/r1",
            },
        },
    }


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("excluded-1915c", False),
        ("delegated-plan", False),
        ("limit-reached", False),
        ("not-a-member", False),
        ("facts-missing", True),
        ("information-not-received", True),
    ],
)
def test_a_payload_names_no_reason_that_the_roster_knows(code, told):
    about = About(referral_id="r1", reasons=[code])
    body = orjson.loads(thin_payload(EventType.DENIED, AT, about, BASE))
    assert body["data"].get("reasons") == ([code] if told else None)


def test_a_payload_leaves_out_what_is_not_known():
    body = orjson.loads(thin_payload(TEST, AT, About(endpoint_id="e1"), BASE))
    assert body["data"] == {"endpoint_id": "e1"}


def test_the_same_payload_is_the_same_bytes():
    about = About(plan="HPSM", referral_id="r1")
    assert thin_payload("referral.denied", AT, about, BASE) == thin_payload(
        "referral.denied", AT.astimezone(UTC), about, BASE
    )


@pytest.mark.parametrize("event_type", list(EventType))
def test_every_event_type_is_named_and_explained_as_the_standard_asks(event_type):
    assert re.fullmatch(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)+", event_type)
    assert MEANINGS[event_type]


@pytest.mark.parametrize("event_type", [e for e in EVENT_TYPES if e != EventType.ENDPOINT_DISABLED])
def test_the_plan_is_always_told(event_type):
    assert Role.PLAN in recipients(event_type)


@pytest.mark.parametrize(
    ("event_type", "requesting", "servicing"),
    [
        ("referral.approved", True, True),
        ("referral.denied", True, True),
        ("referral.voided", True, True),
        ("referral.information_requested", True, False),
        ("referral.cancelled", True, True),
    ],
)
def test_outcomes_are_told_as_the_correspondence_table_says(event_type, requesting, servicing):
    told = recipients(event_type)
    assert (Role.REQUESTER in told, Role.PERFORMER in told) == (requesting, servicing)


def test_a_word_that_is_no_event_type_is_refused():
    with pytest.raises(ValueError, match=r"referral\.lost"):
        recipients("referral.lost")
