"""Encounters as utilization events (facts.md 4.2).

How events are counted, and that one told twice is one, is left to `app.policy` and
`app.journey.eligibility.merge`.

Diagnoses as facts: Conditions and the request's own reasons (facts.md 4.1).

A diagnosis makes a fact true or adds to a list; that one is absent says nothing.

Observations as facts (facts.md 4.3): our own code system `fact`, and LOINC pregnancy status.

The latest on or before the as-of date holds. What holds against other sources is left to
`app.journey.eligibility.merge`.
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

_OBSERVED = frozenset({"final", "amended", "corrected"})
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def read_observations(payload: Payload, as_of: date) -> list[SourcedFacts]:
    """One entry per Observation that states a fact, the earliest first."""
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
    if isinstance(value, UnreadableAnswer):
        notes = (unread_note(name),)
        return SourcedFacts(SourceKind.OBSERVED, source, unreadable=frozenset({name}), notes=notes)
    if name == "utilization_complete":
        return SourcedFacts(SourceKind.OBSERVED, source, events_complete=bool(value))
    return SourcedFacts(SourceKind.OBSERVED, source, {name: Fact(value, source)})


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
            return SourcedFacts(SourceKind.OBSERVED, source, {"pregnant": Fact(answer, source)})
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


_STATUSES = frozenset({"finished", "in-progress", "onleave"})
_TYPES = {"EMER": "ed-visit", "IMP": "inpatient", "ACUTE": "inpatient", "NONAC": "snf-short"}
_UNPLANNED = {"EM": True, "UR": True, "EL": False}
_EMERGENCY_ROOM = "emd"


@dataclass(slots=True)
class _Told:
    """One Encounter while its neighbours are looked at."""

    encounter: Mapping[str, Any]
    event: CareEvent
    #: An ED visit that a stay has claimed; `inside` when it is no event of its own any more.
    claimed: bool = False
    inside: bool = False


def read_encounters(payload: Payload, as_of: date) -> list[SourcedFacts]:
    """One entry per Encounter that is an event, in the order received."""
    told = [
        _Told(encounter, _event(payload, encounter, kind, source))
        for source, encounter in payload.all("Encounter")
        if (kind := _kind(encounter)) is not None
    ]
    _link(payload, told)
    return [
        SourcedFacts(
            SourceKind.DERIVED,
            t.event.source,
            _nursing_days(t, as_of),
            () if t.inside else (t.event,),
        )
        for t in told
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
    found = [encounter_reason(code) for code in icd_codes(read)]
    cut = len(concepts) > len(read) or any(len(codings(one)) > MOST_CODINGS for one in read)
    # A behavioral diagnosis in any place tells more than what was also treated; one that is not
    # read may be behavioral.
    other = found[0] if found and not cut else None
    return next((reason for reason in found if reason != "other"), other)


def _link(payload: Payload, told: Sequence[_Told]) -> None:
    """Mark the ED visit that led to each stay; a visit leads to one stay at most."""
    by_id = {id(t.encounter): t for t in told}
    stays = [t for t in told if t.event.type == "inpatient"]
    for stay in stays:
        whole = payload.resolve(stay.encounter.get("partOf"))
        visit = by_id.get(id(whole)) if whole is not None else None
        if visit is not None and visit.event.type == "ed-visit" and not visit.claimed:
            _admit(visit, stay)
    free = _free_visits(told)
    for stay in stays:
        if _came_by_emergency(stay.encounter) and not _has_visit(payload, stay):
            visit = _nearest(free, _day(stay.event))
            if visit is not None:
                _admit(visit, stay)


def _free_visits(told: Sequence[_Told]) -> Mapping[date, deque[_Told]]:
    """The ED visits that no stay has claimed, by their day, in the order told."""
    free: dict[date, deque[_Told]] = {}
    for one in told:
        day = _day(one.event)
        if one.event.type == "ed-visit" and not one.claimed and day is not None:
            free.setdefault(day, deque()).append(one)
    return free


def _nearest(free: Mapping[date, deque[_Told]], admitted: date | None) -> _Told | None:
    """A visit of the day of admission, or of the day before."""
    if admitted is None:
        return None
    before = admitted - timedelta(days=1) if admitted > date.min else admitted
    waiting = free.get(admitted) or free.get(before)
    return waiting.popleft() if waiting else None


def _has_visit(payload: Payload, stay: _Told) -> bool:
    whole = payload.resolve(stay.encounter.get("partOf"))
    return whole is not None and _kind(whole) == "ed-visit"


def _admit(visit: _Told, stay: _Told) -> None:
    visit.claimed = True
    visit.event = replace(visit.event, led_to_admission=True)
    if _led_by_date(visit.event, stay.event):
        return
    # Days apart, the counting by dates would take the two for separate events: they are one stay,
    # and what the visit says completes what the stay does not say (facts.md 2.3).
    visit.inside = True
    stay.event = replace(
        stay.event,
        when=stay.event.when or visit.event.when,
        avoidable=_first(stay.event.avoidable, visit.event.avoidable),
        unplanned=_first(stay.event.unplanned, visit.event.unplanned),
        reason=stay.event.reason or visit.event.reason,
    )


def _first(stated: bool | None, otherwise: bool | None) -> bool | None:
    return otherwise if stated is None else stated


def _led_by_date(visit: CareEvent, stay: CareEvent) -> bool:
    came, admitted = _day(visit), _day(stay)
    if visit.type != "ed-visit" or came is None or admitted is None:
        return False
    return admitted - came in (timedelta(0), timedelta(days=1))


def _day(event: CareEvent) -> date | None:
    when = event.when
    return when.first if when is not None and when.first == when.last else None


def _nursing_days(told: _Told, as_of: date) -> dict[str, Fact]:
    """`nf_days`: a nursing-facility stay in progress, from its first day to the as-of date."""
    first = _day(told.event)
    in_progress = told.encounter.get("status") == "in-progress"
    if told.event.type != "snf-short" or not in_progress or first is None or first > as_of:
        return {}
    return {"nf_days": Fact((as_of - first).days, told.event.source)}


_COUNTED_CLINICAL = frozenset({"active", "recurrence", "relapse"})
_NOT_VERIFIED = frozenset({"refuted", "entered-in-error"})


def read_condition(condition: Mapping[str, Any], source: str) -> SourcedFacts | None:
    """What a Condition says, if it holds now and nobody has taken it back."""
    check_time_limit()
    clinical = [c.get("code") for c in codings(condition.get("clinicalStatus"))]
    if clinical and not _COUNTED_CLINICAL.intersection(clinical):
        return None
    verification = [c.get("code") for c in codings(condition.get("verificationStatus"))]
    if _NOT_VERIFIED.intersection(verification):
        return None
    return read_diagnoses([condition.get("code")], source)


def read_diagnoses(concepts: Sequence[Any], source: str) -> SourcedFacts | None:
    """What the diagnosis codes among some concepts say; None where there is none."""
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
    """The ICD-10-CM codes among the first codings of some concepts, in order."""
    for coding in (c for concept in concepts for c in codings(concept)[:MOST_CODINGS]):
        if coding.get("system") in codes.ICD_SYSTEMS and coding.get("code"):
            yield str(coding["code"])
