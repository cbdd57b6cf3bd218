"""A question without what says who it is about, and with the same answer. PURE.

Left out: the day of birth (the age at the date stays; from 90 on, 90), free text, the ids of the
resources that facts came from, and notes. What stays are facts, dates of events, county and plan:
enough to try a policy on, and still to be handled as a limited data set.
"""

from dataclasses import replace
from datetime import date

from app.policy.model import Event, Fact, Facts, Question, Span
from app.policy.windows import completed_years, minus_months

_LEFT_OUT = "left out"
_OLDEST = 90


def depersonalize(question: Question, texts: frozenset[str]) -> Question:
    """The question to pass on. `texts`: the names of facts that are free text."""
    facts = question.facts
    return replace(
        question,
        facts=Facts(
            values={name: _fact(name, fact, texts) for name, fact in facts.values.items()},
            events=tuple(_event(event) for event in facts.events),
            events_complete=facts.events_complete,
            birth=None if facts.birth is None else _aged(facts.birth, question.as_of),
        ),
    )


def _fact(name: str, fact: Fact, texts: frozenset[str]) -> Fact:
    return Fact(_LEFT_OUT if name in texts else fact.value, _kind(fact.source))


def _event(event: Event) -> Event:
    return replace(event, source=_kind(event.source))


def _kind(source: str) -> str:
    """`QuestionnaireResponse/x` → `QuestionnaireResponse`."""
    return source.partition("/")[0].lstrip("#")


def _aged(birth: Span, as_of: date) -> Span:
    """Some days of birth of the same completed years."""
    youngest = min(completed_years(birth.last, as_of), _OLDEST)
    oldest = min(completed_years(birth.first, as_of), _OLDEST)
    return Span(_years_before(as_of, oldest), _years_before(as_of, youngest))


def _years_before(day: date, years: int) -> date:
    return minus_months(day, 12 * years)
