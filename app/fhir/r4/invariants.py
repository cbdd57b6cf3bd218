"""Invariants of base R4 (severity error) as a table: type, element, condition, sentence.

The names in brackets are those of the 4.0.1 definitions. `app.fhir.r4.check` has the rules of a
Bundle and of the JSON shape (ele-1); `app.fhir.r4.relations` has the rules that need more than the
object itself (dom-*, ref-1). These rules get objects with any other faults, so no rule here trusts
the type of a value.

`is_later` compares FHIR dates of any precision. FHIRPath answers "unknown" where precisions differ,
and an invariant does not fail on unknown: so a date is later only if that is certain.
"""

from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeGuard

from app.fhir.r4 import codes
from app.fhir.r4.primitives import PRIMITIVES

Object = dict[str, Any]

_CLINICAL = codes.CONDITION_CLINICAL
_VERIFIED = codes.CONDITION_VERIFICATION
_ALLERGY = codes.ALLERGY_VERIFICATION
_UCUM = codes.UCUM


def _has(thing: Object, *names: str) -> bool:
    """Whether any of these elements is present, as a value or as extensions only."""
    return any(name in thing or "_" + name in thing for name in names)


def _chosen(thing: Object, choice: str) -> bool:
    """Whether a choice (`value[x]`) is present, with any type."""
    size = len(choice)
    return any(
        name.lstrip("_").startswith(choice) and name.lstrip("_")[size : size + 1].isupper()
        for name in thing
    )


def _codings(concept: Any) -> list[Object]:
    coding = concept.get("coding") if isinstance(concept, dict) else None
    return [c for c in coding if isinstance(c, dict)] if isinstance(coding, list) else []


def _coded(concept: Any, system: str, *known: str) -> bool:
    return any(c.get("system") == system and c.get("code") in known for c in _codings(concept))


def _is_below(thing: Object, name: str, limit: int) -> bool:
    value = thing.get(name)
    return _is_number(value) and bool(value < limit)


def _is_number(value: Any) -> TypeGuard[int | float | Decimal]:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _uses(thing: Object, name: str) -> set[Any]:
    listed = thing.get(name)
    items = listed if isinstance(listed, list) else []
    return {i["use"] for i in items if isinstance(i, dict) and isinstance(i.get("use"), str)}


def _is_ordered(range_: Object) -> bool:
    low, high = range_.get("low"), range_.get("high")
    if not (isinstance(low, dict) and isinstance(high, dict)):
        return True
    if any(low.get(name) != high.get(name) for name in ("system", "code", "unit")):
        return True  # values in different units cannot be compared
    least, most = low.get("value"), high.get("value")
    return not (_is_number(least) and _is_number(most)) or bool(least <= most)


def _repeats_own_code(observation: Object) -> bool:
    """Whether a component repeats the observation's own code beside its value (obs-7)."""
    own = {(c.get("system"), c.get("code")) for c in _plain_codings(observation.get("code"))}
    components = observation.get("component")
    return _chosen(observation, "value") and any(
        (c.get("system"), c.get("code")) in own
        for component in (components if isinstance(components, list) else ())
        if isinstance(component, dict)
        for c in _plain_codings(component.get("code"))
    )


def _plain_codings(concept: Any) -> list[Object]:
    return [
        c
        for c in _codings(concept)
        if isinstance(c.get("code"), str) and isinstance(c.get("system"), str | None)
    ]


def _one_content(parameter: Object) -> bool:
    kinds = (_chosen(parameter, "value"), _has(parameter, "resource"), _has(parameter, "part"))
    return sum(kinds) == 1


#: Type, element to name ("" for the object itself), condition, sentence if the condition fails.
_ROWS: list[tuple[str, str, Callable[[Object], bool], str]] = [
    # Data types
    ("Extension", "", lambda o: _has(o, "extension") != _chosen(o, "value"),
     "must have either a value or extensions, not both and not neither (ext-1)."),
    ("Period", "", lambda o: not is_later(o.get("start"), o.get("end")),
     "must not end before it starts (per-1)."),
    ("Attachment", "contentType", lambda o: not _has(o, "data") or _has(o, "contentType"),
     "is required beside data (att-1)."),
    ("ContactPoint", "system", lambda o: not _has(o, "value") or _has(o, "system"),
     "is required beside a value: phone, email and so on (cpt-2)."),
    ("Range", "", _is_ordered, "must not have a low above its high (rng-2)."),
    ("Ratio", "", lambda o: _has(o, "numerator") == _has(o, "denominator"),
     "must have both numerator and denominator, or neither (rat-1)."),
    ("Ratio", "", lambda o: _has(o, "numerator", "extension"),
     "must have a numerator and a denominator (rat-1)."),
    ("Expression", "", lambda o: _has(o, "expression", "reference"),
     "must have an expression or a reference (exp-1)."),
    ("TimingRepeat", "durationUnit", lambda o: not _has(o, "duration") or _has(o, "durationUnit"),
     "is required beside duration (tim-1)."),
    ("TimingRepeat", "periodUnit", lambda o: not _has(o, "period") or _has(o, "periodUnit"),
     "is required beside period (tim-2)."),
    ("TimingRepeat", "duration", lambda o: not _is_below(o, "duration", 0),
     "must not be negative (tim-4)."),
    ("TimingRepeat", "period", lambda o: not _is_below(o, "period", 0),
     "must not be negative (tim-5)."),
    ("TimingRepeat", "periodMax", lambda o: not _has(o, "periodMax") or _has(o, "period"),
     "needs a period (tim-6)."),
    ("TimingRepeat", "durationMax", lambda o: not _has(o, "durationMax") or _has(o, "duration"),
     "needs a duration (tim-7)."),
    ("TimingRepeat", "countMax", lambda o: not _has(o, "countMax") or _has(o, "count"),
     "needs a count (tim-8)."),
    ("TimingRepeat", "offset", lambda o: not _has(o, "offset") or _has(o, "when"),
     "needs a when (tim-9)."),
    ("TimingRepeat", "when", lambda o: not (_has(o, "timeOfDay") and _has(o, "when")),
     "cannot stand beside timeOfDay (tim-10)."),
    ("Duration", "",
     lambda o: not _has(o, "code") or (o.get("system") == _UCUM and _has(o, "value")),
     "with a code must have a value in UCUM (drt-1)."),
    # Requests and what follows them
    ("ServiceRequest", "orderDetail", lambda o: not _has(o, "orderDetail") or _has(o, "code"),
     "needs a code beside it (prr-1)."),
    ("Task", "lastModified", lambda o: not is_later(o.get("authoredOn"), o.get("lastModified")),
     "must not be before authoredOn (inv-1)."),
    ("ParametersParameter", "", _one_content,
     "must have exactly one of value[x], resource and part (inv-1)."),
    ("CarePlanActivity", "", lambda o: not (_has(o, "detail") and _has(o, "reference")),
     "takes a reference or a detail, not both (cpl-3)."),
    ("GoalTarget", "measure", lambda o: not _chosen(o, "detail") or _has(o, "measure"),
     "is required beside detail (gol-1)."),
    ("Consent", "", lambda o: _has(o, "policy", "policyRule"),
     "must have policy or policyRule (ppc-1)."),
    ("AuditEventEntity", "", lambda o: not (_has(o, "name") and _has(o, "query")),
     "takes a name or a query, not both (sev-1)."),
    # People and organizations
    ("PatientContact", "", lambda o: _has(o, "name", "telecom", "address", "organization"),
     "must have a name, telecom, address or organization (pat-1)."),
    ("Organization", "", lambda o: _has(o, "identifier", "name"),
     "must have a name or an identifier (org-1)."),
    ("Organization", "address", lambda o: "home" not in _uses(o, "address"),
     "of an organization is never of use home (org-2)."),
    ("Organization", "telecom", lambda o: "home" not in _uses(o, "telecom"),
     "of an organization is never of use home (org-3)."),
    ("Group", "member", lambda o: not _has(o, "member") or o.get("actual") is True,
     "needs actual to be true (grp-1)."),
    # Clinical
    ("Condition", "clinicalStatus",
     lambda o: not _chosen(o, "abatement")
     or _coded(o.get("clinicalStatus"), _CLINICAL, "resolved", "remission", "inactive"),
     "must be inactive, resolved or remission where there is an abatement (con-4)."),
    ("Condition", "clinicalStatus",
     lambda o: not (_has(o, "clinicalStatus")
                    and _coded(o.get("verificationStatus"), _VERIFIED, "entered-in-error")),
     "may not stand where verificationStatus is entered-in-error (con-5)."),
    ("ConditionStage", "", lambda o: _has(o, "summary", "assessment"),
     "must have a summary or an assessment (con-1)."),
    ("ConditionEvidence", "", lambda o: _has(o, "code", "detail"),
     "must have a code or a detail (con-2)."),
    ("AllergyIntolerance", "clinicalStatus",
     lambda o: _has(o, "clinicalStatus")
     != _coded(o.get("verificationStatus"), _ALLERGY, "entered-in-error"),
     "is required, except where verificationStatus is entered-in-error (ait-1, ait-2)."),
    ("Observation", "dataAbsentReason",
     lambda o: not (_has(o, "dataAbsentReason") and _chosen(o, "value")),
     "may not stand beside a value (obs-6)."),
    ("Observation", "value", lambda o: not _repeats_own_code(o),
     "may not stand where a component has the same code (obs-7)."),
    ("ObservationReferenceRange", "", lambda o: _has(o, "low", "high", "text"),
     "must have low, high or text (obs-3)."),
    ("FamilyMemberHistory", "", lambda o: not (_chosen(o, "age") and _chosen(o, "born")),
     "takes age or born, not both (fhs-1)."),
    ("ImmunizationEducation", "", lambda o: _has(o, "documentType", "reference"),
     "must have a documentType or a reference (imm-1)."),
    ("CompositionSection", "", lambda o: _has(o, "text", "entry", "section"),
     "must have text, entries or sections (cmp-1)."),
    ("CompositionSection", "emptyReason",
     lambda o: not (_has(o, "emptyReason") and _has(o, "entry")),
     "may not stand beside entries (cmp-2)."),
    ("List", "emptyReason", lambda o: not (_has(o, "emptyReason") and _has(o, "entry")),
     "may not stand beside entries (lst-1)."),
    # Forms
    ("QuestionnaireResponseItem", "", lambda o: not (_has(o, "answer") and _has(o, "item")),
     "takes answers or items; put items beneath an answer into the answer (qrs-1)."),
    ("QuestionnaireItem", "item", lambda o: o.get("type") != "group" or _has(o, "item"),
     "is required in a group (que-1)."),
    ("QuestionnaireItem", "item", lambda o: o.get("type") != "display" or not _has(o, "item"),
     "may not stand in a display (que-1)."),
    ("QuestionnaireItem", "answerValueSet",
     lambda o: not (_has(o, "answerOption") and _has(o, "answerValueSet")),
     "may not stand beside answerOption (que-4)."),
]  # fmt: skip

_QUANTITIES = ("Quantity", "Age", "Count", "Distance", "Duration")
_ROWS += [
    (kind, "system", lambda o: not _has(o, "code") or _has(o, "system"),
     "is required beside a code (qty-3).")
    for kind in _QUANTITIES
]  # fmt: skip
_ROWS += [
    (kind, "code", lambda o: not _has(o, "value") or _has(o, "code"),
     f"is required beside a value ({key}).")
    for kind, key in (("Age", "age-1"), ("Count", "cnt-3"), ("Distance", "dis-1"))
]  # fmt: skip
_ROWS += [
    (kind, "system", lambda o: o.get("system") in (None, _UCUM), f"must be UCUM ({key}).")
    for kind, key in (("Age", "age-1"), ("Count", "cnt-3"), ("Distance", "dis-1"))
]  # fmt: skip


class Rule(NamedTuple):
    """One invariant: the element to name ("" for the object), its condition, and its sentence."""

    where: str
    holds: Callable[[Object], bool]
    text: str


def _tables() -> dict[str, tuple[Rule, ...]]:
    rules_of: dict[str, list[Rule]] = {}
    for kind, where, holds, text in _ROWS:
        rules_of.setdefault(kind, []).append(Rule(where, holds, text))
    return {kind: tuple(rules) for kind, rules in rules_of.items()}


#: Type → its rules.
INVARIANTS = _tables()


def is_later(first: Any, second: Any) -> bool:
    """Whether `first` is certainly after `second`; False for anything that is no FHIR dateTime."""
    if not (_is_date_time(first) and _is_date_time(second)):
        return False
    timed = ("T" in first, "T" in second)
    if all(timed):
        return _is_later_instant(first, second)
    if not any(timed):
        common = min(len(first), len(second))
        return bool(first[:common] > second[:common])
    # A date has no zone: in other zones it may begin or end up to a day away.
    return _day(first, last=False) > _day(second, last=True) + 1


def _is_date_time(value: Any) -> bool:
    return isinstance(value, str) and bool(PRIMITIVES["dateTime"].valid(value))


def _is_later_instant(first: str, second: str) -> bool:
    try:
        return _instant(first) > _instant(second)
    except (ValueError, OverflowError):
        return False


def _instant(value: str) -> datetime:
    # Python has no leap second; the second before it is near enough to order two times.
    leap = value[17:19] == "60"
    return datetime.fromisoformat(value[:17] + "59" + value[19:] if leap else value)


def _day(value: str, *, last: bool) -> int:
    """The first or last day that a date of any precision can mean, as a number of days."""
    year = int(value[:4])
    month = int(value[5:7]) if len(value) >= 7 else (12 if last else 1)
    if len(value) >= 10:
        return date(year, month, int(value[8:10])).toordinal()
    return date(year, month, monthrange(year, month)[1] if last else 1).toordinal()
