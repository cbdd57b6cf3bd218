"""Puts a question to the rules in one line, for the tables of these tests."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from app.policy.dictionary import load_dictionary
from app.policy.engine import evaluate
from app.policy.library import load_library
from app.policy.model import CareEvent, Determination, EligibilityQuestion, Fact, Facts
from tests.policies.vectors import read_value, span, stated_as_no

LIBRARY = load_library()
DICTIONARY = load_dictionary()
COUNTIES = {"HPSM": "san_mateo", "HPSJ": "san_joaquin", "CCAH": "monterey", "GEN002": None}
ADULT, CHILD = "1980-01-01", "2012-01-01"


def facts(
    stated: dict[str, Any],
    birth: str | None = ADULT,
    events: Iterable[CareEvent] = (),
    complete: bool | None = None,
) -> Facts:
    """Facts by name: lists as lists, dates as text (also partial)."""
    values = {name: Fact(read_value(DICTIONARY[name], v), "test") for name, v in stated.items()}
    when = span(birth) if birth else None
    return Facts(values, tuple(events), complete, when)


def ask(
    plan: str | None, service: str | None = "ECM", on: str = "2024-03-04", **case: Any
) -> Determination:
    """What the rules say to what `asked` puts together."""
    return evaluate(LIBRARY, asked(plan, service, on, **case))


def asked(
    plan: str | None,
    service: str | None = "ECM",
    on: str = "2024-03-04",
    *,
    county: str | None = "",
    claimed: tuple[str, ...] = (),
    birth: str | None = ADULT,
    events: Iterable[CareEvent] = (),
    complete: bool | None = None,
    identified: bool = True,
    authorized: bool = False,
    lapsed: bool = False,
    **stated: Any,
) -> EligibilityQuestion:
    """A question to the rules; the plan's usual county unless another is given."""
    where = COUNTIES.get(plan or "") if county == "" else county
    known = facts(stated, birth, events, complete)
    as_of = date.fromisoformat(on)
    return EligibilityQuestion(
        plan, service, as_of, where, claimed, known, identified, authorized, lapsed
    )


def all_no(*but: str) -> dict[str, Any]:
    """Every fact of the ECM form stated as no, but for those named."""
    answers = {}
    for definition in DICTIONARY.values():
        if definition.name in but or definition.name.startswith("utilization"):
            continue
        no = stated_as_no(definition)
        if "ecm" in definition.forms and no is not None and "referral" not in definition.name:
            answers[definition.name] = no if definition.type != "code-list" else []
    return answers


def event(type_: str, day: str | None, **more: Any) -> CareEvent:
    """One event; a day of None is not known."""
    return CareEvent(type=type_, when=span(day) if day else None, **more)


def visits(*days: str, **more: Any) -> list[CareEvent]:
    """Avoidable emergency visits."""
    return [event("ed-visit", day, **{"avoidable": True, **more}) for day in days]


def stays(*days: str, **more: Any) -> list[CareEvent]:
    """Unplanned hospital stays."""
    return [event("inpatient", day, **{"unplanned": True, **more}) for day in days]


def reasons(said: Determination) -> set[str]:
    return {reason.code for reason in said.reasons}


def missing(said: Determination) -> list[str]:
    return [fact.fact for fact in said.missing]
