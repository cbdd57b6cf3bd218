"""Reads clinical resources as facts: Observations, Encounters and diagnoses (facts.md 4.1 to 4.3).

Observations: our own code system `fact`, and LOINC pregnancy status (facts.md 4.3). The latest
observation on or before the as-of date holds.
Encounters: each becomes a utilization event (facts.md 4.2). `app.policy` counts the events;
`app.journey.eligibility.merge` finds an event that two sources report.
Diagnoses: Conditions and the request's own reasons (facts.md 4.1). A diagnosis makes a fact true or
adds to a list; the absence of a diagnosis says nothing.
`app.journey.eligibility.merge` decides which of several sources holds.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from app.base.heavy_work import check_time_limit
from app.fhir.clinical_codes import effects, encounter_reason, pregnancy_answers
from app.fhir.dates import read_moment, read_span
from app.fhir.facts_answers import UnreadableAnswer, readers, unread_note
from app.fhir.payload import Payload, code_of, codings
from app.fhir.r4 import codes
from app.policy.model import CareEvent, Fact
from app.policy.stated import MOST_CODINGS, MOST_REFERENCES, SourcedFacts, SourceKind

# Observations
_OBSERVED = frozenset({"final", "amended", "corrected"})
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def read_observations(payload: Payload, as_of: date) -> list[SourcedFacts]:
    """Read one entry per Observation that states a fact; the earliest comes first."""
    dated = []
    for source, observation in payload.all("Observation"):
        check_time_limit()
        moment = _moment(observation, as_of)
        if moment is not None and observation.get("status") in _OBSERVED:
            dated.append((moment, source, observation))
    dated.sort(key=lambda entry: entry[0])
    read = (read_observation(observation, source) for _, source, observation in dated)
    return [stated for stated in read if stated is not None]


def read_observation(observation: Mapping[str, Any], source: str) -> SourcedFacts | None:
    """Read what one Observation states, whatever its status and date."""
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
    if isinstance(value, UnreadableAnswer):
        notes = (unread_note(name),)
        return SourcedFacts(SourceKind.OBSERVED, source, unreadable=frozenset({name}), notes=notes)
    if name == "utilization_complete":
        return SourcedFacts(SourceKind.OBSERVED, source, events_complete=bool(value))
    return SourcedFacts(SourceKind.OBSERVED, source, {name: Fact(value, source)})


def _as_answers(observation: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The observation's value in the shape of form answers, so that the forms' readers read it."""
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
            return SourcedFacts(SourceKind.OBSERVED, source, {"pregnant": Fact(answer, source)})
    return None


def _moment(observation: Mapping[str, Any], as_of: date) -> datetime | None:
    """When the observation held: the earliest moment if not stated, None after the as-of date."""
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


# Encounters
_STATUSES = frozenset({"finished", "in-progress", "onleave"})
_TYPES = {"EMER": "ed-visit", "IMP": "inpatient", "ACUTE": "inpatient", "NONAC": "snf-short"}
_UNPLANNED = {"EM": True, "UR": True, "EL": False}
_EMERGENCY_ROOM = "emd"


@dataclass(slots=True)
class _Encounter:
    """One Encounter and its event, while ED visits are linked to the stays they led to."""

    resource: Mapping[str, Any]
    event: CareEvent
    #: Whether a stay has claimed this ED visit.
    claimed: bool = False
    #: Whether this ED visit is part of its stay's event and no event of its own any more.
    inside: bool = False


def read_encounters(payload: Payload, as_of: date) -> list[SourcedFacts]:
    """Read one entry per Encounter that is an event, in the order received."""
    encounters = [
        _Encounter(encounter, _event(payload, encounter, kind, source))
        for source, encounter in payload.all("Encounter")
        if (kind := _kind(encounter)) is not None
    ]
    _link_visits(payload, encounters)
    return [
        SourcedFacts(
            SourceKind.DERIVED,
            one.event.source,
            _nursing_days(one, as_of),
            () if one.inside else (one.event,),
        )
        for one in encounters
    ]


def _kind(encounter: Mapping[str, Any]) -> str | None:
    check_time_limit()
    klass = encounter.get("class") or {}
    if encounter.get("status") not in _STATUSES:
        return None
    if klass.get("system") not in (codes.ACT_CODE, None):
        return None
    return _TYPES.get(str(klass.get("code")))


def _event(payload: Payload, encounter: Mapping[str, Any], kind: str, source: str) -> CareEvent:
    unplanned = _UNPLANNED.get(str(code_of(encounter.get("priority"), codes.ACT_PRIORITY)))
    return CareEvent(
        kind,
        read_span((encounter.get("period") or {}).get("start")),
        avoidable=_avoidable(encounter),
        unplanned=True if _came_by_emergency(encounter) else unplanned,
        reason=_reason(payload, encounter),
        source=source,
    )


def _avoidable(encounter: Mapping[str, Any]) -> bool | None:
    for extension in encounter.get("extension") or ():
        if extension.get("url") == codes.ENCOUNTER_AVOIDABLE:
            value = extension.get("valueBoolean")
            return value if isinstance(value, bool) else None
    return None


def _came_by_emergency(encounter: Mapping[str, Any]) -> bool:
    source = (encounter.get("hospitalization") or {}).get("admitSource")
    return code_of(source, codes.ADMIT_SOURCE) == _EMERGENCY_ROOM


def _reason(payload: Payload, encounter: Mapping[str, Any]) -> str | None:
    concepts = list(encounter.get("reasonCode") or ())
    pointers = list(encounter.get("reasonReference") or ())
    pointers += [d.get("condition") for d in encounter.get("diagnosis") or ()]
    for pointer in pointers[: MOST_REFERENCES + 1]:
        condition = payload.resolve(pointer)
        if condition is not None and condition.get("resourceType") == "Condition":
            concepts.append(condition.get("code"))
    read = [one for one in concepts[:MOST_REFERENCES] if one]
    reasons = [encounter_reason(code) for code in icd_codes(read)]
    cut = len(concepts) > len(read) or any(len(codings(one)) > MOST_CODINGS for one in read)
    # A behavioral diagnosis in any place tells more than the other diagnoses treated with it. Where
    # some codes were not read (`cut`), one of them may be behavioral, so the answer is not `other`.
    other = reasons[0] if reasons and not cut else None
    return next((reason for reason in reasons if reason != "other"), other)


def _link_visits(payload: Payload, encounters: Sequence[_Encounter]) -> None:
    """Mark the ED visit that led to each stay; one visit leads to at most one stay."""
    by_id = {id(one.resource): one for one in encounters}
    stays = [one for one in encounters if one.event.type == "inpatient"]
    for stay in stays:
        parent = payload.resolve(stay.resource.get("partOf"))
        visit = by_id.get(id(parent)) if parent is not None else None
        if visit is not None and visit.event.type == "ed-visit" and not visit.claimed:
            _link_visit(visit, stay)
    free = _free_visits(encounters)
    for stay in stays:
        if _came_by_emergency(stay.resource) and not _has_visit(payload, stay):
            visit = _take_nearest(free, _day(stay.event))
            if visit is not None:
                _link_visit(visit, stay)


def _free_visits(encounters: Sequence[_Encounter]) -> Mapping[date, deque[_Encounter]]:
    """Group the ED visits that no stay has claimed by their day, in the order received."""
    free: dict[date, deque[_Encounter]] = {}
    for one in encounters:
        day = _day(one.event)
        if one.event.type == "ed-visit" and not one.claimed and day is not None:
            free.setdefault(day, deque()).append(one)
    return free


def _take_nearest(
    free: Mapping[date, deque[_Encounter]], admitted: date | None
) -> _Encounter | None:
    """Take a free visit of the day of admission, else of the day before, out of `free`."""
    if admitted is None:
        return None
    before = admitted - timedelta(days=1) if admitted > date.min else admitted
    waiting = free.get(admitted) or free.get(before)
    return waiting.popleft() if waiting else None


def _has_visit(payload: Payload, stay: _Encounter) -> bool:
    parent = payload.resolve(stay.resource.get("partOf"))
    return parent is not None and _kind(parent) == "ed-visit"


def _link_visit(visit: _Encounter, stay: _Encounter) -> None:
    """Record that the ED visit led to the stay."""
    visit.claimed = True
    visit.event = replace(visit.event, led_to_admission=True)
    if _same_or_next_day(visit.event, stay.event):
        return
    # Visit and stay are days apart, so counting by dates would take them for two events. They are
    # one stay, and the visit's values fill the stay's missing values (facts.md 2.3).
    visit.inside = True
    stay.event = replace(
        stay.event,
        when=stay.event.when or visit.event.when,
        avoidable=_stated_or(stay.event.avoidable, visit.event.avoidable),
        unplanned=_stated_or(stay.event.unplanned, visit.event.unplanned),
        reason=stay.event.reason or visit.event.reason,
    )


def _stated_or(stated: bool | None, otherwise: bool | None) -> bool | None:
    return otherwise if stated is None else stated


def _same_or_next_day(visit: CareEvent, stay: CareEvent) -> bool:
    came, admitted = _day(visit), _day(stay)
    if visit.type != "ed-visit" or came is None or admitted is None:
        return False
    return admitted - came in (timedelta(0), timedelta(days=1))


def _day(event: CareEvent) -> date | None:
    when = event.when
    return when.first if when is not None and when.first == when.last else None


def _nursing_days(encounter: _Encounter, as_of: date) -> dict[str, Fact]:
    """Count `nf_days`: from the first day of a nursing-facility stay in progress to `as_of`."""
    first = _day(encounter.event)
    in_progress = encounter.resource.get("status") == "in-progress"
    if encounter.event.type != "snf-short" or not in_progress or first is None or first > as_of:
        return {}
    return {"nf_days": Fact((as_of - first).days, encounter.event.source)}


# Diagnoses
_COUNTED_CLINICAL = frozenset({"active", "recurrence", "relapse"})
_NOT_VERIFIED = frozenset({"refuted", "entered-in-error"})


def read_condition(condition: Mapping[str, Any], source: str) -> SourcedFacts | None:
    """Read a Condition; None if it is not active, was refuted or was entered in error."""
    check_time_limit()
    clinical = [c.get("code") for c in codings(condition.get("clinicalStatus"))]
    if clinical and not _COUNTED_CLINICAL.intersection(clinical):
        return None
    verification = [c.get("code") for c in codings(condition.get("verificationStatus"))]
    if _NOT_VERIFIED.intersection(verification):
        return None
    return read_diagnoses([condition.get("code")], source)


def read_diagnoses(concepts: Sequence[Any], source: str) -> SourcedFacts | None:
    """Read the diagnosis codes among `concepts`; None where no code states a fact."""
    values: dict[str, Any] = {}
    for coding in (c for concept in concepts for c in codings(concept)):
        system, code = coding.get("system"), coding.get("code")
        if not isinstance(system, str) or not isinstance(code, str):
            continue
        for name, added in effects(system, code):
            if added is None:
                values[name] = True
            else:
                values[name] = values.get(name, frozenset()) | {added}
    if not values:
        return None
    return SourcedFacts(SourceKind.DERIVED, source, {n: Fact(v, source) for n, v in values.items()})


def icd_codes(concepts: Sequence[Any]) -> Iterator[str]:
    """List the ICD-10-CM codes of `concepts` in order: `MOST_CODINGS` codings of each are read."""
    for coding in (c for concept in concepts for c in codings(concept)[:MOST_CODINGS]):
        if coding.get("system") in codes.ICD_SYSTEMS and coding.get("code"):
            yield str(coding["code"])
