"""Reads vectors (questions to `$check` with the answers expected) and puts them as questions.

Used by the tests of the rules and by those that ask over HTTP; the head of `vectors_dev.yaml`
explains the fields.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from app.policy.dictionary import FactDefinition, load_dictionary
from app.policy.model import CareEvent, EligibilityQuestion, Fact, Facts, FactValue, Span

VECTORS = Path(__file__).with_name("vectors_dev.yaml")
#: Facts that have no "no": left out where everything unlisted is stated as false.
WITHOUT_NO = {"months_since_release", "residence"}
_ABOUT_THE_REQUEST = {"referral_source", "referral_channel", "consent_attested"}
_SOURCE = "QuestionnaireResponse/facts"


@cache
def load_vectors(path: Path = VECTORS) -> tuple[Mapping[str, Any], ...]:
    """The vectors that `$check` can be asked (`journeys` cannot)."""
    return tuple(yaml.safe_load(path.read_text(encoding="utf-8"))["vectors"])


def to_question(vector: Mapping[str, Any]) -> EligibilityQuestion:
    """The vector as the rules are asked it."""
    as_of = date.fromisoformat(vector["asOf"])
    stated = dict(stated_facts(vector))
    coverage = vector.get("coverage", {})
    values = {name: Fact(value, _SOURCE) for name, value in stated.items()}
    values["line_of_business"] = Fact(coverage.get("type", "MEDI-CAL"), "Coverage")
    values["coverage_active"] = Fact(_covered(coverage, as_of), "Coverage")
    if "delegate" in coverage:
        values["delegated_to"] = Fact(coverage["delegate"], "Coverage")
    return EligibilityQuestion(
        plan=vector["plan"],
        service=vector["service"],
        as_of=as_of,
        county=vector["county"],
        claimed=tuple(vector.get("claimed", ())),
        facts=Facts(
            values=values,
            events=tuple(_events(vector)),
            events_complete=events_complete(vector),
            birth=span(vector["birthDate"]) if vector.get("birthDate") else None,
        ),
    )


def stated_facts(vector: Mapping[str, Any]) -> Iterator[tuple[str, FactValue]]:
    """Every fact that the vector states, events aside: those listed, and the rest as "no"."""
    listed, left_out = vector["facts"], set(vector.get("unknown", ()))
    for definition in load_dictionary().values():
        name = definition.name
        if name.startswith("utilization") or name in left_out:
            continue
        if name in listed:
            yield name, read_value(definition, listed[name])
        elif vector.get("unlisted", "false") == "false" and _is_asked(definition, vector):
            no = stated_as_no(definition)
            if no is not None:
                yield name, no


def events_complete(vector: Mapping[str, Any]) -> bool | None:
    """`utilization_complete`: as listed, else true where everything unlisted is false."""
    if "utilization" in vector.get("unknown", ()):
        return None
    stated = vector["facts"].get("utilization_complete")
    if stated is not None:
        return bool(stated)
    return True if vector.get("unlisted", "false") == "false" else None


def stated_as_no(definition: FactDefinition) -> FactValue | None:
    """How "no" is stated of a fact: false, none or zero; None where it has no "no"."""
    if definition.name in WITHOUT_NO or definition.name.startswith("requested_"):
        return None
    if definition.name == "asthma_control_test_score":
        return 25
    if definition.type == "code":
        return "none" if "none" in definition.codes else None
    by_type: dict[str, FactValue] = {
        "boolean": False,
        "code-list": frozenset(),
        "integer": 0,
        "money": Decimal(0),
    }
    return by_type.get(definition.type)


def read_value(definition: FactDefinition, value: Any) -> FactValue:
    """One listed value, in the type of its fact."""
    if definition.type == "code-list":
        return frozenset(str(code) for code in value)
    if definition.type == "date":
        return span(str(value))
    if definition.type == "money":
        return Decimal(str(value))
    return value  # type: ignore[no-any-return]


def span(text: str) -> Span:
    """A date that may be partial: `2003`, `2003-05`, `2003-05-01`."""
    parts = [int(part) for part in text.split("-")]
    if len(parts) == 3:
        return Span(date(*parts), date(*parts))
    if len(parts) == 2:
        year, month = parts
        following = date(year + month // 12, month % 12 + 1, 1)
        return Span(date(year, month, 1), following - timedelta(days=1))
    return Span(date(parts[0], 1, 1), date(parts[0], 12, 31))


def _is_asked(definition: FactDefinition, vector: Mapping[str, Any]) -> bool:
    if not definition.forms or definition.name in _ABOUT_THE_REQUEST:
        return False
    support = vector["service"] not in (None, "ECM")
    ecm = "ecm" in definition.forms or "roster" in definition.forms or definition.name == "rc_days"
    return ecm or support


def _events(vector: Mapping[str, Any]) -> Iterator[CareEvent]:
    for event in vector["facts"].get("utilization", ()):
        yield CareEvent(
            type=event["type"],
            when=span(str(event["date"])) if "date" in event else None,
            avoidable=event.get("avoidable"),
            unplanned=event.get("unplanned"),
            led_to_admission=event.get("led_to_admission"),
            reason=event.get("reason"),
            source=_SOURCE,
        )


def _covered(coverage: Mapping[str, Any], as_of: date) -> bool:
    start, end = coverage.get("start"), coverage.get("end")
    return (
        coverage.get("status", "active") == "active"
        and (start is None or date.fromisoformat(str(start)) <= as_of)
        and (end is None or as_of <= date.fromisoformat(str(end)))
    )
