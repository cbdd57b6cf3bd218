"""Observations as facts (facts.md 4.3): our own code system `fact`, and LOINC pregnancy status.

The latest on or before the as-of date holds. What holds against other sources is left to
`app.journey.eligibility.merge`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from app.base.aside import tick
from app.fhir import codes
from app.fhir.dates import read_moment, read_span
from app.fhir.diagnoses import pregnancy_answers
from app.fhir.facts_answers import Unreadable, readers, unread_note
from app.fhir.payload import Payload, codings
from app.policy.model import Fact
from app.policy.stated import Kind, SourcedFacts

_STATUSES = frozenset({"final", "amended", "corrected"})
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def read_observations(payload: Payload, as_of: date) -> list[SourcedFacts]:
    """One entry per Observation that states a fact, the earliest first."""
    dated = []
    for source, observation in payload.all("Observation"):
        tick()
        moment = _moment(observation, as_of)
        if moment is not None and observation.get("status") in _STATUSES:
            dated.append((moment, source, observation))
    dated.sort(key=lambda entry: entry[0])
    read = (read_observation(observation, source) for _, source, observation in dated)
    return [stated for stated in read if stated is not None]


def read_observation(observation: Mapping[str, Any], source: str) -> SourcedFacts | None:
    """What one Observation states, whatever its status and date."""
    for coding in codings(observation.get("code")):
        system, code = coding.get("system"), coding.get("code")
        if system == codes.FACT and isinstance(code, str):
            return _stated_fact(code, observation, source)
        if system == codes.LOINC and code == codes.PREGNANCY_STATUS:
            return _pregnancy(observation, source)
    return None


def _stated_fact(name: str, observation: Mapping[str, Any], source: str) -> SourcedFacts | None:
    reader = readers().get(name)
    if reader is None or name.startswith("utilization."):
        return None
    value = reader(_as_answers(observation))
    if value is None:
        return None
    if isinstance(value, Unreadable):
        notes = (unread_note(name),)
        return SourcedFacts(Kind.OBSERVED, source, unreadable=frozenset({name}), notes=notes)
    if name == "utilization_complete":
        return SourcedFacts(Kind.OBSERVED, source, events_complete=bool(value))
    return SourcedFacts(Kind.OBSERVED, source, {name: Fact(value, source)})


def _as_answers(observation: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The value as the answers of a form, whose types an Observation does not all have."""
    concept = observation.get("valueCodeableConcept")
    if concept:
        ours = [c for c in codings(concept) if c.get("code")]
        return [{"valueCoding": coding} for coding in ours] or [{"valueString": ""}]
    if "valueDateTime" in observation:
        return [{"valueDate": observation["valueDateTime"]}]
    return [observation]


def _pregnancy(observation: Mapping[str, Any], source: str) -> SourcedFacts | None:
    for coding in codings(observation.get("valueCodeableConcept")):
        answer = pregnancy_answers().get(str(coding.get("code")))
        if coding.get("system") == codes.SNOMED and answer is not None:
            return SourcedFacts(Kind.OBSERVED, source, {"pregnant": Fact(answer, source)})
    return None


def _moment(observation: Mapping[str, Any], as_of: date) -> datetime | None:
    """When it was so; the earliest moment where nothing is said; None after the as-of date."""
    period = observation.get("effectivePeriod") or {}
    text = (
        observation.get("effectiveDateTime")
        or observation.get("effectiveInstant")
        or period.get("start")
        or period.get("end")
    )
    span, moment = read_span(text), read_moment(text)
    if span is None or moment is None:
        return _EARLIEST
    return moment if span.first <= as_of else None
