"""Replays a stored question, and removes from a question what identifies the member. PURE.

`replay` asks a stored question again and compares the new answer with the stored answer. The policy
is the version that the stored answer names, even if a newer version is in force. The wording of
questions, of advice and of what the facts said, and the citations of criteria, are no part of an
answer: they may be corrected.
`app.commands.policy` reads the stored questions and answers.

`depersonalize` makes a question that says nothing about who the member is, and that gets the same
answer. It leaves out the day of birth (the age at the date stays; an age over 90 becomes 90), free
text, the ids of the resources that stated the facts, and notes. Facts, dates of events, county and
plan stay: enough to try a policy, and still to be handled as a limited data set.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from app.policy.counts import completed_years, minus_months
from app.policy.engine import evaluate_under
from app.policy.library import Library
from app.policy.model import (
    CareEvent,
    Criterion,
    Determination,
    EligibilityQuestion,
    Fact,
    Facts,
    Span,
)
from app.policy.stored_form import answer_from_json, question_from_json


@dataclass(frozen=True, slots=True)
class Difference:
    """One point in which the stored answer (`then`) and the new answer (`now`) differ.

    `then` and `now` hold codes and results only, never the value of a member's fact.
    """

    where: str
    then: str
    now: str

    def __str__(self) -> str:
        return f"{self.where}: {self.then} then, {self.now} now"


def replay(library: Library, question_json: str, answer_json: str) -> list[Difference]:
    """Replay a stored question and list every difference; the list should be empty. A question or
    an answer that cannot be read is a difference, too.
    """
    try:
        question = question_from_json(question_json)
        then = answer_from_json(answer_json)
    except (KeyError, ValueError, TypeError, AttributeError):
        return [Difference("determination", "stored", "cannot be read")]
    policy = library.version(then.policy) if then.policy else None
    if then.policy and policy is None:
        return [Difference("policy", then.policy, "no such file")]
    return list(compare(then, evaluate_under(policy, library.dictionary, question)))


def compare(then: Determination, now: Determination) -> Iterator[Difference]:
    """List the differences between two answers, from the outcome down to single criteria."""
    pairs = {
        "outcome": (then.outcome.value, now.outcome.value),
        "reasons": (_listed(r.code for r in then.reasons), _listed(r.code for r in now.reasons)),
        "populations": (_listed(then.populations), _listed(now.populations)),
        "missing": (_listed(m.fact for m in then.missing), _listed(m.fact for m in now.missing)),
        "administrative": (str(then.administrative), str(now.administrative)),
        "as of": (str(then.as_of), str(now.as_of)),
    }
    for where, (before, after) in pairs.items():
        if before != after:
            yield Difference(where, before, after)
    if then.notes != now.notes:
        yield Difference("notes", "other words", "these words")
    yield from criteria_compared(then.criteria, now.criteria)


def criteria_compared(
    then: tuple[Criterion, ...], now: tuple[Criterion, ...], within: str = "criteria"
) -> Iterator[Difference]:
    """List the criteria that differ. Where the names or the number of the parts differ, the parts
    are not compared further.
    """
    if [c.name for c in then] != [c.name for c in now]:
        yield Difference(within, _listed(c.name for c in then), _listed(c.name for c in now))
        return
    for before, after in zip(then, now, strict=True):
        where = f"{within} > {before.name}"
        if before.result is not after.result:
            yield Difference(where, _result(before), _result(after))
        if before.facts != after.facts:
            yield Difference(f"{where}: facts", _listed(before.facts), _listed(after.facts))
        yield from criteria_compared(before.children, after.children, where)


def _listed(names: Iterator[str] | tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def _result(node: Criterion) -> str:
    return {True: "true", False: "false", None: "unknown"}[node.result]


# Questions without the identity of the member

_LEFT_OUT = "left out"
_OLDEST = 90


def depersonalize(question: EligibilityQuestion, texts: frozenset[str]) -> EligibilityQuestion:
    """Remove from a question what identifies the member. `texts`: the facts that are free text."""
    facts = question.facts
    return replace(
        question,
        facts=Facts(
            values={name: _fact(name, fact, texts) for name, fact in facts.values.items()},
            events=tuple(_event(event) for event in facts.events),
            events_complete=facts.events_complete,
            birth=None if facts.birth is None else _aged(facts.birth, question.as_of),
            sex=facts.sex,
        ),
    )


def _fact(name: str, fact: Fact, texts: frozenset[str]) -> Fact:
    return Fact(_LEFT_OUT if name in texts else fact.value, _kind(fact.source))


def _event(event: CareEvent) -> CareEvent:
    return replace(event, source=_kind(event.source))


def _kind(source: str) -> str:
    """Remove the id from a source: `QuestionnaireResponse/x` → `QuestionnaireResponse`."""
    return source.partition("/")[0].lstrip("#")


def _aged(birth: Span, as_of: date) -> Span:
    """Replace the day of birth by days that give the same age in completed years, at most 90."""
    youngest = min(completed_years(birth.last, as_of), _OLDEST)
    oldest = min(completed_years(birth.first, as_of), _OLDEST)
    return Span(_years_before(as_of, oldest), _years_before(as_of, youngest))


def _years_before(day: date, years: int) -> date:
    return minus_months(day, 12 * years)
