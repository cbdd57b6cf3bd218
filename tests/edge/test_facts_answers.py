"""Answers on a form become facts as facts.md 1.1, 1.2 and 2.4 say, sentence by sentence."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.policy.model import CareEvent, Span
from tests.edge.payloads import OURS, coding, event, facts_of, item, request, response, values_of

FACTORS = "complex-social-factors"
FOREIGN = {"valueCoding": {"system": "http://example.org/other", "code": "food"}}
BARE = {"valueCoding": {"code": "food"}}
USD = {"value": 12.5, "system": "urn:iso:std:iso:4217", "code": "USD"}

#: linkId, answers, the value read (None: unknown), whether a note names the fact.
ANSWERS: list[tuple[str, str, list[dict[str, Any]], Any, bool]] = [
    ("yes", "homeless", [{"valueBoolean": True}], True, False),
    ("no", "homeless", [{"valueBoolean": False}], False, False),
    ("text for yes", "homeless", [{"valueString": "yes"}], None, True),
    ("no value", "homeless", [{"extension": [{"url": "http://example.org/x"}]}], None, False),
    (
        "last answer holds",
        "homeless",
        [{"valueBoolean": True}, {"valueBoolean": False}],
        False,
        False,
    ),
    ("code", "residence", [coding("residence", "snf")], "snf", False),
    ("code `none` of its own", "ji_status", [coding("ji-status", "none")], "none", False),
    ("unlisted code", "residence", [coding("residence", "castle")], None, True),
    ("code of a foreign system", "residence", [FOREIGN], None, True),
    ("code without system", "complex_social_factors", [BARE], frozenset({"food"}), False),
    (
        "list",
        "complex_social_factors",
        [coding(FACTORS, "food"), coding(FACTORS, "work")],
        frozenset({"food", "work"}),
        False,
    ),
    ("none", "complex_social_factors", [coding(FACTORS, "none")], frozenset(), False),
    (
        "none without system",
        "programs_enrolled",
        [{"valueCoding": {"code": "none"}}],
        frozenset(),
        False,
    ),
    (
        "none beside others",
        "complex_social_factors",
        [coding(FACTORS, "none"), coding(FACTORS, "food")],
        frozenset({"food"}),
        True,
    ),
    ("open list", "complex_social_factors", [coding(FACTORS, "pets")], frozenset({"other"}), False),
    ("closed list", "programs_enrolled", [coding("programs-enrolled", "pets")], None, True),
    (
        "none beside unread",
        "programs_enrolled",
        [coding("programs-enrolled", "none"), coding("programs-enrolled", "pets")],
        None,
        True,
    ),
    (
        "closed list in part",
        "programs_enrolled",
        [coding("programs-enrolled", "pace"), coding("programs-enrolled", "pets")],
        frozenset({"pace"}),
        True,
    ),
    (
        "foreign in a list",
        "complex_social_factors",
        [FOREIGN, coding(FACTORS, "work")],
        frozenset({"work"}),
        True,
    ),
    ("foreign alone", "complex_social_factors", [FOREIGN], None, True),
    (
        "services",
        "current_authorizations",
        [coding("calaim-service", "HTNS")],
        frozenset({"HTNS"}),
        False,
    ),
    (
        "services of their own system",
        "current_authorizations",
        [coding("current-authorizations", "HTNS")],
        None,
        True,
    ),
    ("integer", "nf_days", [{"valueInteger": 60}], 60, False),
    ("whole decimal", "nf_days", [{"valueDecimal": 60.0}], 60, False),
    ("fraction", "nf_days", [{"valueDecimal": 60.5}], None, True),
    ("negative", "nf_days", [{"valueInteger": -1}], None, True),
    ("yes as a number", "nf_days", [{"valueInteger": True}], None, True),
    ("absurd number", "nf_days", [{"valueDecimal": Decimal("1e999999")}], None, True),
    ("money", "cs_used_ar_usd", [{"valueDecimal": 7000.1}], Decimal("7000.1"), False),
    ("money as integer", "cs_used_ar_usd", [{"valueInteger": 7000}], Decimal(7000), False),
    ("money as quantity", "cs_used_ar_usd", [{"valueQuantity": USD}], Decimal("12.5"), False),
    ("other currency", "cs_used_ar_usd", [{"valueQuantity": {**USD, "code": "EUR"}}], None, True),
    ("less than", "cs_used_ar_usd", [{"valueQuantity": {**USD, "comparator": "<"}}], None, True),
    ("text", "social_information", [{"valueString": "sleeps in a car"}], "sleeps in a car", False),
    (
        "date",
        "release_date",
        [{"valueDate": "2026-02-28"}],
        Span(date(2026, 2, 28), date(2026, 2, 28)),
        False,
    ),
    (
        "month",
        "release_date",
        [{"valueDate": "2024-02"}],
        Span(date(2024, 2, 1), date(2024, 2, 29)),
        False,
    ),
    (
        "year",
        "release_date",
        [{"valueDate": "2024"}],
        Span(date(2024, 1, 1), date(2024, 12, 31)),
        False,
    ),
    (
        "dateTime for a date",
        "release_date",
        [{"valueDateTime": "2024-01-01T00:00:00Z"}],
        None,
        True,
    ),
    ("no such day", "release_date", [{"valueDate": "2023-02-29"}], None, True),
    ("unknown linkId", "shoe_size", [{"valueInteger": 9}], None, False),
]


@pytest.mark.parametrize(
    ("name", "answers", "value", "noted"), [c[1:] for c in ANSWERS], ids=[c[0] for c in ANSWERS]
)
def test_an_answer_is_read_or_unknown(
    name: str, answers: list[dict[str, Any]], value: Any, noted: bool
) -> None:
    facts = facts_of(request(response(item(name, *answers))))
    fact = facts.values.get(name)
    assert (fact.value if fact else None) == value
    assert any(note.startswith(f"{name}:") for note in facts.notes) is noted


def test_notes_never_carry_a_value() -> None:
    facts = facts_of(request(response(item("homeless", {"valueString": "Adela"}))))
    assert facts.notes
    assert not any("Adela" in note for note in facts.notes)


YES, NO = {"valueBoolean": True}, {"valueBoolean": False}
UNREAD = {"valueString": "?"}


@pytest.mark.parametrize(
    ("responses", "value"),
    [
        ([response(item("homeless", YES), item("homeless", NO))], False),
        ([response(item("homeless", YES), {"linkId": "homeless"})], True),
        ([response(item("homeless", YES), item("homeless", UNREAD))], None),
        (
            [
                response(
                    {"linkId": "page", "item": [{"linkId": "x", "item": [item("homeless", YES)]}]}
                )
            ],
            True,
        ),
        ([response(item("page", {"valueString": "a", "item": [item("homeless", YES)]}))], True),
        ([response(item("homeless", YES), status="in-progress")], True),
        ([response(item("homeless", YES), status="amended")], True),
        ([response(item("homeless", YES), status="entered-in-error")], None),
        ([response(item("homeless", YES), questionnaire=f"{OURS}Questionnaire/cs-meals")], True),
        (
            [
                response(item("homeless", YES), authored="2026-02-01"),
                response(item("homeless", NO), authored="2026-01-01"),
            ],
            True,
        ),
        ([response(item("homeless", YES)), response(item("homeless", NO))], False),
        (
            [
                response(item("homeless", YES), authored="2026-02-01"),
                response(item("homeless", NO)),
            ],
            False,
        ),
        (
            [
                response(item("homeless", YES), authored="2026-01-01T23:00:00-08:00"),
                response(item("homeless", NO), authored="2026-01-02T06:00:00Z"),
            ],
            True,
        ),
        ([response(item("homeless", YES)), response(item("homeless", UNREAD))], None),
        (
            [
                response(item("homeless", YES), authored="2026-01-01"),
                response(item("idd", NO), authored="2026-02-01"),
            ],
            True,
        ),
        ([response()], None),
        ([{"resourceType": "QuestionnaireResponse", "status": "completed"}], None),
    ],
)
def test_which_answer_holds(responses: list[dict[str, Any]], value: bool | None) -> None:
    assert values_of(request(*responses)).get("homeless") is value


def test_a_later_form_replaces_a_list() -> None:
    first = response(item("complex_social_factors", coding(FACTORS, "food")), authored="2026-01-01")
    later = response(item("complex_social_factors", coding(FACTORS, "work")), authored="2026-02-01")
    assert values_of(request(later, first))["complex_social_factors"] == {"work"}


ARRIVED = Span(date(2026, 5, 1), date(2026, 5, 1))


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (event(type="ed-visit", date="2026-05-01"), CareEvent("ed-visit", ARRIVED)),
        (
            event(type="ed-visit", date="2026-05-01", avoidable=True),
            CareEvent("ed-visit", ARRIVED, avoidable=True),
        ),
        (
            event(type="inpatient", unplanned=False, reason="substance-use"),
            CareEvent("inpatient", None, unplanned=False, reason="substance-use"),
        ),
        (
            event(type="ed-visit", led_to_admission=True),
            CareEvent("ed-visit", None, led_to_admission=True),
        ),
        (
            event(type="snf-short", date="2026"),
            CareEvent("snf-short", Span(date(2026, 1, 1), date(2026, 12, 31))),
        ),
        (event(date="2026-05-01"), None),
        (event(type="walk", date="2026-05-01"), None),
        ({"linkId": "utilization"}, None),
    ],
)
def test_one_event(group: dict[str, Any], expected: CareEvent | None) -> None:
    events = facts_of(request(response(group))).events
    kept = [
        (e.type, e.when, e.avoidable, e.unplanned, e.led_to_admission, e.reason) for e in events
    ]
    e = expected
    assert kept == (
        [(e.type, e.when, e.avoidable, e.unplanned, e.led_to_admission, e.reason)] if e else []
    )


def test_events_keep_their_number_and_completeness() -> None:
    visit = event(type="ed-visit", date="2026-05-01")
    complete = item("utilization_complete", YES)
    facts = facts_of(request(response(visit, {"linkId": "page", "item": [visit]}, complete)))
    assert (len(facts.events), facts.events_complete) == (2, True)
    assert "utilization_complete" not in facts.values


def test_nothing_said_of_events_is_unknown() -> None:
    facts = facts_of(request(response(item("homeless", YES))))
    assert (facts.events, facts.events_complete) == ((), None)


def test_a_later_list_of_events_brings_its_own_completeness() -> None:
    visit, stay = event(type="ed-visit"), event(type="inpatient")
    first = response(visit, visit, item("utilization_complete", YES), authored="2026-01-01")
    later = response(stay, authored="2026-02-01")
    facts = facts_of(request(first, later))
    assert ([e.type for e in facts.events], facts.events_complete) == (["inpatient"], None)


def test_a_deep_form_is_read() -> None:
    nested = item("homeless", YES)
    for _ in range(5000):
        nested = {"linkId": "group", "item": [nested]}
    assert values_of(request(response(nested)))["homeless"] is True
