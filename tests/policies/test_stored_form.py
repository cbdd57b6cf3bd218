"""What the database keeps of rules and decisions is written byte for byte as it always was.

`stored_form.json` was written by the release before; a row of then is read, and is written again as
it stands there.
"""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from app.model.record import Details
from app.policy.asking import Alternative, Asking
from app.policy.model import (
    CareEvent,
    Criterion,
    Determination,
    DeterminationOutcome,
    EligibilityQuestion,
    Fact,
    Facts,
    Missing,
    Reason,
    ShortestWay,
    Span,
)
from app.policy.stated import CoverageTerms, RosterMember, SourcedFacts, SourceKind
from app.policy.stored_form import (
    answer_from_json,
    answer_to_json,
    question_from_json,
    question_to_json,
    roster_from_json,
    roster_to_json,
)
from app.store.referral.snapshot import Authorized, LetterSnapshot

STORED = Path(__file__).with_name("stored_form.json")
DAY, MONTH = Span(date(2024, 3, 4), date(2024, 3, 4)), Span(date(2024, 3, 1), date(2024, 3, 31))
VALUES = {
    "homeless": Fact(True, "QuestionnaireResponse/é"),
    "pregnant": Fact(False, "roster"),
    "requested_days": Fact(0, "form"),
    "utilization.visits": Fact(12, "form"),
    "requested_amount": Fact(Decimal("12.50"), "form"),
    "large": Fact(Decimal("1E+3"), "form"),
    "residence": Fact('home "at" Zoë\'s 李 😀\u2028\n', "form"),
    "empty": Fact("", ""),
    "numeral": Fact("12.50", "form"),
    "dated": Fact("2024-03-04", "form"),
    "release_date": Fact(DAY, "form"),
    "pregnancy_end_date": Fact(MONTH, "form"),
    "programs_enrolled": Fact(frozenset({"wic", "ccs", "ihss"}), "form"),
    "current_authorizations": Fact(frozenset(), "authorizations"),
}
EVENTS = (
    CareEvent("ed-visit", DAY, True, None, False, "other", "form"),
    CareEvent("inpatient", None),
    CareEvent("snf-short", MONTH, unplanned=True, source="Encounter/1"),
)
FULL = Facts(VALUES, EVENTS, False, MONTH, ("county: «x»", "birth"))
REASONS = (Reason("limit-reached", "Ask again in 2027: “é”"), Reason("facts-missing"))
MISSING = (Missing("county", "Which county does the member live in?"), Missing("x", ""))
TREE = Criterion(
    "ECM",
    None,
    "S003:L36",
    "between 1 and 2",
    ("homeless", "county"),
    (Criterion("POF1", True, children=(Criterion("adult", False, "E"),)), Criterion("POF2", None)),
)
COVERAGE = CoverageTerms(
    "Coverage/1", True, DAY.first, date(9999, 12, 30), "HPSM", "p", "MEDI-CAL", "K", "s", False
)
AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
LATE = datetime(2026, 11, 20, 23, 59, 59, 123456, tzinfo=timezone(timedelta(hours=-8)))
UNITS = {"value": 12.5, "unit": "h", "nested": {"code": ["é", None, True, 10**15]}}

QUESTIONS = {
    "bare": EligibilityQuestion(None, None, date(1, 1, 2), None, (), Facts()),
    "full": EligibilityQuestion(
        "HPSM", "ECM", DAY.first, "san_mateo", ("POF1", "POF2"), FULL, False, True
    ),
}
ANSWERS = {
    "bare": Determination(DeterminationOutcome.PENDING, (), (), (), (), None, date(9999, 12, 30)),
    "full": Determination(
        DeterminationOutcome.DENIED,
        REASONS,
        ("POF1", "POF2"),
        MISSING,
        (TREE, TREE),
        "HPSM/2024-01-01",
        DAY.first,
        administrative=True,
        notes=("one", "zwei 😀"),
    ),
}
MEMBERS = {
    "bare": RosterMember(None, None, None, SourcedFacts(SourceKind.DERIVED, "")),
    "full": RosterMember(
        "9000001XA",
        "HPSM",
        "1980-01",
        SourcedFacts(
            SourceKind.ELEMENT,
            "Patient/é",
            VALUES,
            EVENTS,
            True,
            DAY,
            frozenset({"race", "county"}),
            ("race: read", "county"),
        ),
        (COVERAGE, CoverageTerms("Coverage/2", False)),
    ),
}
DETAILS = {
    "bare": Details(),
    "full": Details(
        REASONS,
        ("POF1",),
        MISSING,
        "deny “é”",
        True,
        (Reason("service-failed", "é"),),
        True,
        True,
        True,
    ),
}
SNAPSHOTS = {
    "bare": LetterSnapshot(1, 1, None, AT),
    "full": LetterSnapshot(
        3,
        7,
        "ECM",
        LATE,
        "HPSM/2024-01-01",
        "staff é",
        REASONS,
        MISSING,
        AT,
        "assigned",
        "org-tidepool",
        Authorized("A-1", DAY.first, date(9999, 12, 30), UNITS),
        "9000001XA",
    ),
    "no units": LetterSnapshot(
        2,
        2,
        "RC",
        LATE.replace(microsecond=0),
        authorized=Authorized("é", date(1, 1, 2), DAY.last),
    ),
}


def roster_text(member):
    """As `app.store.directory.store` writes it."""
    return orjson.dumps(roster_to_json(member), option=orjson.OPT_SORT_KEYS).decode()


KINDS = {
    "question": (QUESTIONS, question_to_json, question_from_json),
    "answer": (ANSWERS, answer_to_json, answer_from_json),
    "member": (MEMBERS, roster_text, lambda text: roster_from_json(orjson.loads(text))),
    "details": (DETAILS, Details.to_json, Details.from_json),
    "occasion": (SNAPSHOTS, LetterSnapshot.to_json, LetterSnapshot.from_json),
}
CASES = [(kind, name) for kind, (values, _, _) in KINDS.items() for name in values]


@pytest.fixture(scope="module")
def stored():
    return json.loads(STORED.read_text("utf-8"))


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_value_is_written_as_it_always_was(stored, kind, name):
    values, write, _ = KINDS[kind]
    assert _as_then(write(values[name])) == stored[kind][name]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_row_of_then_is_read(stored, kind, name):
    values, write, read = KINDS[kind]
    found = read(stored[kind][name])
    assert found == values[name]
    assert _as_then(write(found)) == stored[kind][name]


def _as_then(written: str) -> str:
    """Leaves out what has come since, as long as nobody has said it."""
    for since in (',"ways":[]', ',"asking":null'):
        written = written.replace(since, "")
    return written


@pytest.mark.parametrize("kind", ["question", "answer"])
def test_rows_of_the_worked_examples_are_read_and_written_again(stored, kind):
    _, write, read = KINDS[kind]
    rows = stored["examples"][kind]
    assert [_as_then(write(read(row))) for row in rows] == rows
    assert len(rows) == 3


@pytest.mark.parametrize("read", ["question", "member"])
def test_a_fact_keeps_its_type(stored, read):
    found = KINDS[read][2](stored[read]["full"])
    values = found.facts.values if read == "question" else found.stated.values
    assert {name: type(fact.value) for name, fact in values.items()} == {
        name: type(fact.value) for name, fact in VALUES.items()
    }
    assert values["large"].value.as_tuple() == VALUES["large"].value.as_tuple()


def test_an_authorization_without_end_is_read(stored):
    """`infinity`, which older rows may hold, is the last day of the calendar."""
    for written, read in (("infinity", date(9999, 12, 30)), ("-infinity", date(1, 1, 2))):
        text = stored["occasion"]["full"].replace("9999-12-30", written)
        assert LetterSnapshot.from_json(text).authorized.ends_on == read


NO_ROWS = [(kind, text) for kind in KINDS for text in ("", "x", "[]", "null", "{}", '{"plan": 1}')]


@pytest.mark.parametrize(
    ("kind", "text"), [row for row in NO_ROWS if row[0] != "details" or "{" not in row[1]]
)
def test_what_is_no_such_row_is_refused(kind, text):
    with pytest.raises((KeyError, ValueError, TypeError)):
        KINDS[kind][2](text)


def test_what_has_come_since_is_read_again():
    asking = Asking((Alternative("POF2", ("utilization",)),), (Alternative(None, (), ("idd",)),))
    details = replace(DETAILS["full"], asking=asking)
    assert Details.from_json(details.to_json()) == details
    answer = replace(KINDS["answer"][0]["full"], ways=(ShortestWay(("homeless", "age"), "POF1B"),))
    assert answer_from_json(answer_to_json(answer)) == answer
    question = KINDS["question"][0]["full"]
    question = replace(question, facts=replace(question.facts, sex="male"))
    assert question_from_json(question_to_json(question)) == question


def test_details_of_a_row_from_before_a_field_have_its_default(stored):
    row = json.loads(stored["details"]["full"])
    del row["exception_proposed"]
    assert Details.from_json(json.dumps(row)) == replace(DETAILS["full"], exception_proposed=False)
