"""Writes facts, roster members, questions and answers as plain JSON, and reads them back. PURE.

The form must stay readable for ever, so that a stored determination can be explained, asked again
and compared. A value keeps its type: yes/no, numbers and text stay as they are; a list of codes is
a sorted list; money is `{"money": "12.50"}`; a date, which may be partial, is
`{"from": …, "to": …}`.

All but the answer is written by hand: every intake writes a question, and a pydantic `TypeAdapter`
with these forms takes 1.2 to 1.9 times as long to write a question, and is no faster for a member
of the roster.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
from pydantic import TypeAdapter

from app.policy.model import (
    CareEvent,
    Criterion,
    Determination,
    DeterminationOutcome,
    EligibilityQuestion,
    Fact,
    Facts,
    FactValue,
    Reason,
    Span,
)
from app.policy.stated import CoverageTerms, RosterMember, SourcedFacts, SourceKind

Json = dict[str, Any]


def facts_to_json(facts: Facts) -> Json:
    """Write facts as JSON; `facts_from_json` reads the same facts back."""
    return {
        "values": _values_to(facts.values),
        "events": [_event_to(event) for event in facts.events],
        "events_complete": facts.events_complete,
        "birth": _span_to(facts.birth),
        "notes": list(facts.notes),
        **_sex_to(facts.sex),
    }


def facts_from_json(stored: Mapping[str, Any]) -> Facts:
    """Read facts that `facts_to_json` wrote. Raises KeyError or ValueError for any other JSON."""
    return Facts(
        _values_from(stored["values"]),
        tuple(_event_from(event) for event in stored["events"]),
        stored["events_complete"],
        _span_from(stored["birth"]),
        tuple(stored["notes"]),
        stored.get("sex"),
    )


def roster_to_json(member: RosterMember) -> Json:
    """Write a member of the roster as JSON; `roster_from_json` reads the same member back."""
    stated = member.stated
    return {
        "cin": member.cin,
        "plan": member.plan,
        "birth_date": member.birth_date,
        "stated": {
            "kind": stated.kind.name,
            "source": stated.source,
            "values": _values_to(stated.values),
            "events": [_event_to(event) for event in stated.events],
            "events_complete": stated.events_complete,
            "birth": _span_to(stated.birth),
            "unreadable": sorted(stated.unreadable),
            "notes": list(stated.notes),
            **_sex_to(stated.sex),
        },
        "coverages": [_coverage_to(terms) for terms in member.coverages],
    }


def roster_from_json(stored: Mapping[str, Any]) -> RosterMember:
    """Read a member that `roster_to_json` wrote. Raises KeyError or ValueError for other JSON."""
    stated = stored["stated"]
    return RosterMember(
        stored["cin"],
        stored["plan"],
        stored["birth_date"],
        SourcedFacts(
            SourceKind[stated["kind"]],
            stated["source"],
            _values_from(stated["values"]),
            tuple(_event_from(event) for event in stated["events"]),
            stated["events_complete"],
            _span_from(stated["birth"]),
            frozenset(stated["unreadable"]),
            tuple(stated["notes"]),
            stated.get("sex"),
        ),
        tuple(_coverage_from(terms) for terms in stored["coverages"]),
    )


def _sex_to(sex: str | None) -> Json:
    return {"sex": sex} if sex else {}


def _values_to(values: Mapping[str, Fact]) -> Json:
    return {n: {"value": _value_to(f.value), "source": f.source} for n, f in values.items()}


def _values_from(stored: Mapping[str, Any]) -> dict[str, Fact]:
    return {n: Fact(_value_from(f["value"]), f["source"]) for n, f in stored.items()}


def _value_to(value: FactValue) -> Any:
    if isinstance(value, Decimal):
        return {"money": str(value)}
    if isinstance(value, Span):
        return _span_to(value)
    return sorted(value) if isinstance(value, frozenset) else value


def _value_from(stored: Any) -> FactValue:
    if isinstance(stored, list):
        return frozenset(stored)
    if isinstance(stored, dict):
        return Decimal(stored["money"]) if "money" in stored else _span(stored)
    if isinstance(stored, bool | int | str):
        return stored
    raise ValueError("not a stored fact")


def _event_to(event: CareEvent) -> Json:
    return {
        "type": event.type,
        "when": _span_to(event.when),
        "avoidable": event.avoidable,
        "unplanned": event.unplanned,
        "led_to_admission": event.led_to_admission,
        "reason": event.reason,
        "source": event.source,
    }


def _event_from(stored: Mapping[str, Any]) -> CareEvent:
    return CareEvent(**{**stored, "when": _span_from(stored["when"])})


def _coverage_to(terms: CoverageTerms) -> Json:
    return {
        "source": terms.source,
        "active": terms.active,
        "first": terms.first.isoformat() if terms.first else None,
        "last": terms.last.isoformat() if terms.last else None,
        "plan": terms.plan,
        "payor": terms.payor,
        "line_of_business": terms.line_of_business,
        "delegate": terms.delegate,
        "subscriber": terms.subscriber,
        "period_known": terms.period_known,
    }


def _coverage_from(stored: Mapping[str, Any]) -> CoverageTerms:
    first, last = stored["first"], stored["last"]
    return CoverageTerms(
        **{
            **stored,
            "first": date.fromisoformat(first) if first else None,
            "last": date.fromisoformat(last) if last else None,
        }
    )


def _span_to(span: Span | None) -> Json | None:
    return {"from": span.first.isoformat(), "to": span.last.isoformat()} if span else None


def _span_from(stored: Mapping[str, Any] | None) -> Span | None:
    return _span(stored) if stored else None


def _span(stored: Mapping[str, Any]) -> Span:
    return Span(date.fromisoformat(stored["from"]), date.fromisoformat(stored["to"]))


def question_to_json(question: EligibilityQuestion) -> str:
    """Write a question, with every fact and its source."""
    return orjson.dumps(
        {
            "plan": question.plan,
            "service": question.service,
            "as_of": question.as_of.isoformat(),
            "county": question.county,
            "claimed": question.claimed,
            "facts": facts_to_json(question.facts),
            "identified": question.identified,
            "already_authorized": question.already_authorized,
            **({"lapsed": True} if question.lapsed else {}),
        }
    ).decode()


def question_from_json(text: str) -> EligibilityQuestion:
    """Read a question that `question_to_json` wrote."""
    stored: Mapping[str, Any] = orjson.loads(text)
    return EligibilityQuestion(
        plan=stored["plan"],
        service=stored["service"],
        as_of=date.fromisoformat(stored["as_of"]),
        county=stored["county"],
        claimed=tuple(stored["claimed"]),
        facts=facts_from_json(stored["facts"]),
        identified=stored["identified"],
        already_authorized=stored["already_authorized"],
        lapsed=stored.get("lapsed", False),
    )


_STORED = TypeAdapter(Determination)


def answer_to_json(answer: Determination) -> str:
    """Write a determination with its whole tree of criteria."""
    return orjson.dumps(answer).decode()


def answer_from_json(text: str | bytes) -> Determination:
    """Read a determination that `answer_to_json` wrote. Raises ValueError for any other JSON."""
    return _STORED.validate_json(text, strict=True)


def outline_from_json(text: str) -> Determination:
    """Read a stored determination without its questions, notes and the parts of its criteria: a
    tenth of the work, where many are shown at once.
    """
    stored: Mapping[str, Any] = orjson.loads(text)
    return Determination(
        outcome=DeterminationOutcome(stored["outcome"]),
        reasons=tuple(Reason(each["code"], each["text"]) for each in stored["reasons"]),
        populations=tuple(stored["populations"]),
        missing=(),
        criteria=tuple(Criterion(each["name"], each["result"]) for each in stored["criteria"]),
        policy=stored["policy"],
        as_of=date.fromisoformat(stored["as_of"]),
        administrative=stored["administrative"],
    )
