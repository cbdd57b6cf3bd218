"""Diagnoses as facts: Conditions and the request's own reasons (facts.md 4.1).

A diagnosis makes a fact true or adds to a list; that one is absent says nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.base.aside import tick
from app.fhir import codes
from app.fhir.diagnoses import effects
from app.fhir.payload import codings
from app.policy.model import Fact
from app.policy.stated import Kind, SourcedFacts
from app.policy.told import MOST_CODINGS

_COUNTED_CLINICAL = frozenset({"active", "recurrence", "relapse"})
_NOT_VERIFIED = frozenset({"refuted", "entered-in-error"})


def read_condition(condition: Mapping[str, Any], source: str) -> SourcedFacts | None:
    """What a Condition says, if it holds now and nobody has taken it back."""
    tick()
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
    return SourcedFacts(Kind.DERIVED, source, {n: Fact(v, source) for n, v in values.items()})


def icd_codes(concepts: Sequence[Any]) -> Iterator[str]:
    """The ICD-10-CM codes among the first codings of some concepts, in order."""
    for coding in (c for concept in concepts for c in codings(concept)[:MOST_CODINGS]):
        if coding.get("system") in codes.ICD_SYSTEMS and coding.get("code"):
            yield str(coding["code"])
