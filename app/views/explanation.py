"""Shows a determination in the API: the answer, the tree of criteria, the facts, the explanation.

The view is made from the stored question and answer; this module decides nothing again.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.fhir.r4 import codes
from app.policy.discreet import by_result, of_the_plan
from app.policy.explain import explain, explain_xhtml
from app.policy.library import Library
from app.policy.model import (
    CareEvent,
    Criterion,
    Determination,
    EligibilityQuestion,
    FactValue,
    Span,
)
from app.policy.readings import BearingReading, bearing
from app.views.cited import SourceLink, source_links

_ID = "01934f3a-7b1c-7a3e-9b77-0f1f0a5a2c11"
_FORM = "QuestionnaireResponse/01934f3a-7b1c-7a3e-9b77-0f1f0a5a2c12"
_RESULTS: Mapping[bool | None, Literal["true", "false", "unknown"]] = {
    True: "true",
    False: "false",
    None: "unknown",
}
_TEXT = "The rules approve this. As of 2024-03-04 (policy HPSM/2024-01-01), because:"


class ShownReason(BaseModel):
    """A coded reason."""

    code: str = Field(description="A code of determination-reason.", examples=["population-met"])
    display: str = Field(examples=["A population of focus is met"])
    text: str | None = Field(description="The plan's own advice.", examples=[None])


class ShownPopulation(BaseModel):
    """A population of focus that is met."""

    code: str = Field(examples=["POF2"])
    display: str = Field(examples=["At risk for avoidable hospital or emergency department use"])


class ShownMissing(BaseModel):
    """A fact that could still change the answer."""

    fact: str = Field(examples=["homeless"])
    question: str = Field(examples=["Is the member homeless?"])


class ShownWay(BaseModel):
    """A smallest set of missing facts that would decide in the member's favour."""

    population: str | None = Field(
        None,
        description="The population of focus; null: the criteria of a support.",
        examples=["POF1B"],
    )
    facts: list[str] = Field(examples=[["homeless", "household_has_member_under_21"]])


class ShownCriterion(BaseModel):
    """One node of the tree of criteria."""

    name: str = Field(examples=["ed_avoidable_in_any_6m >= 5"])
    result: Literal["true", "false", "unknown"]
    citation: str = Field(
        description="Source and line, or document and page; `sources` has it in words.",
        examples=["S003:L35-37"],
    )
    sources: list[SourceLink] = Field(
        default=[],
        description="The sources of `citation` in words, those of the plan's own page first; "
        "empty where the criterion above has the same.",
    )
    detail: str = Field(description="What the facts said.", examples=["5 or more"])
    facts: list[str] = Field(description="The facts that it read.", examples=[["utilization"]])
    criteria: list["ShownCriterion"] = Field(description="Its parts.", examples=[[]])


class Between(BaseModel):
    """What is known of a partial date: the days that it may be."""

    model_config = ConfigDict(populate_by_name=True)

    first: str = Field(alias="from", examples=["2023-10-01"])
    last: str = Field(alias="to", examples=["2023-10-31"])


#: A value of any of these types. The contract describes the types in words instead of a schema, so
#: that client generators make code that compiles.
_Value = Annotated[bool | int | str | list[str] | Between, WithJsonSchema({})]


class ShownFact(BaseModel):
    """A fact as it was known then, and the resource that stated it."""

    name: str = Field(examples=["homeless"])
    value: _Value = Field(
        description="True or false, a number, a text, or a list of texts. A partial date is "
        "`{from, to}`; money is a text of US dollars.",
        examples=[False],
    )
    source: str = Field(examples=[_FORM])


class ShownEvent(BaseModel):
    """One emergency visit or stay as it was known then; null is unknown."""

    type: str = Field(examples=["ed-visit"])
    date: str | Between | None = Field(examples=["2023-10-02"])
    avoidable: bool | None = Field(examples=[True])
    unplanned: bool | None = Field(examples=[None])
    led_to_admission: bool | None = Field(examples=[False])
    reason: str | None = Field(examples=["other"])
    source: str = Field(examples=[_FORM])


class ShownReading(BaseModel):
    """How a statement of the plan's page is read, where it can be read two ways."""

    source: str = Field(examples=["Health Plan of San Mateo, page for providers, line 80"])
    text: str = Field(
        description="What the page says, in its own words, and how it is read.",
        examples=[
            'The page says "HPSM offers nine Community Support service options", and gives no date.'
        ],
    )
    sources: list[SourceLink] = Field([], description="The same, each with its link.")
    before_deciding: bool = Field(
        description="Whoever decides should read it before the recommendation of the rules.",
        examples=[True],
    )

    @staticmethod
    def of(readings: Iterable[BearingReading]) -> "list[ShownReading]":
        """Show readings, those to read before deciding first."""
        return [
            ShownReading(
                source=r.source,
                text=r.text,
                sources=source_links(r.data.citation),
                before_deciding=r.data.before_deciding,
            )
            for r in readings
        ]


class ShownDetermination(BaseModel):
    """One determination of a referral: what the rules said then, and why."""

    number: int = Field(description="In the order of the referral's moves.", examples=[1])
    made_at: datetime = Field(examples=["2024-03-04T17:12:01Z"])
    basis: str = Field(description="`rules`, `person` or `clock`.", examples=["rules"])
    outcome: Literal["approved", "denied", "pending"]
    as_of: date = Field(description="The date it was decided for.", examples=["2024-03-04"])
    policy: str | None = Field(
        description="The policy file, by which it can be replayed.", examples=["HPSM/2024-01-01"]
    )
    service: str | None = Field(examples=["ECM"])
    reasons: list[ShownReason]
    populations: list[ShownPopulation]
    missing: list[ShownMissing]
    ways: list[ShownWay] = Field(
        default=[], description="What would decide, the best first.", examples=[[]]
    )
    criteria: list[ShownCriterion]
    facts: list[ShownFact] = Field(
        description="What was known; facts from the plan's own records for the plan's staff only."
    )
    events: list[ShownEvent] = Field(description="Emergency visits and stays.")
    events_complete: bool | None = Field(
        description="Whether the list of events is complete for the last 12 months.",
        examples=[None],
    )
    notes: list[str] = Field(
        description="Conflicts, and answers that could not be read; what the plan's own records "
        "contradict, for the plan's staff only.",
        examples=[[]],
    )
    readings: list[ShownReading] = Field(
        [],
        description="How ambiguous statements of the plan's pages are read, as far as they bear "
        "on this case.",
    )
    text: str = Field(description="The explanation in plain words.", examples=[_TEXT])
    div: str = Field(
        description="The same as XHTML, ready for a narrative (`text.div`).",
        examples=[f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{_TEXT}</p></div>'],
    )


class DeterminationList(BaseModel):
    """Every determination of a referral, the first one first."""

    referral: str = Field(examples=[_ID])
    determinations: list[ShownDetermination]


def explanation_shown(
    library: Library,
    question: EligibilityQuestion,
    answer: Determination,
    *,
    number: int,
    made_at: datetime,
    basis: str,
    staff: bool,
    full: bool = False,
) -> ShownDetermination:
    """Show a stored question and its answer, explained in short or in `full`; to `staff` of the
    plan with all readings, to others by result only where the plan's own records decided.
    """
    facts = question.facts
    hidden = frozenset() if staff else of_the_plan(facts)
    answer = answer if staff else by_result(answer, facts)
    readings = bearing(library, question, answer, staff=staff)
    return ShownDetermination(
        number=number,
        made_at=made_at,
        basis=basis,
        outcome=answer.outcome.value,
        as_of=answer.as_of,
        policy=answer.policy,
        service=question.service,
        reasons=[
            ShownReason(code=r.code, display=codes.REASONS.get(r.code, r.code), text=r.text)
            for r in answer.reasons
        ],
        populations=[
            ShownPopulation(code=code, display=codes.POPULATIONS.get(code, code))
            for code in answer.populations
        ],
        missing=[ShownMissing(fact=m.fact, question=m.question) for m in answer.missing],
        ways=[ShownWay(population=w.population, facts=list(w.facts)) for w in answer.ways],
        criteria=list(_criteria(answer.criteria)),
        facts=[
            ShownFact(name=name, value=_value(fact.value), source=fact.source)
            for name, fact in facts.values.items()
            if name not in hidden
        ],
        events=[_event(event) for event in facts.events],
        events_complete=facts.events_complete,
        notes=list(answer.notes),
        readings=ShownReading.of(readings),
        text=explain(answer, library, readings, full=full),
        div=explain_xhtml(answer, library, readings, full=full),
    )


def _criteria(nodes: tuple[Criterion, ...], above: str = "") -> Iterator[ShownCriterion]:
    for node in nodes:
        yield ShownCriterion(
            name=node.name,
            result=_RESULTS[node.result],
            citation=node.citation,
            sources=[] if node.citation == above else source_links(node.citation),
            detail=node.detail,
            facts=list(node.facts),
            criteria=list(_criteria(node.children, node.citation)),
        )


def _event(event: CareEvent) -> ShownEvent:
    return ShownEvent(
        type=event.type,
        date=None if event.when is None else _span(event.when),
        avoidable=event.avoidable,
        unplanned=event.unplanned,
        led_to_admission=event.led_to_admission,
        reason=event.reason,
        source=event.source,
    )


def _value(value: FactValue) -> Any:
    if isinstance(value, Span):
        return _span(value)
    if isinstance(value, frozenset):
        return sorted(value)
    return str(value) if isinstance(value, Decimal) else value


def _span(span: Span) -> str | Between:
    if span.first == span.last:
        return span.first.isoformat()
    return Between(first=span.first.isoformat(), last=span.last.isoformat())
