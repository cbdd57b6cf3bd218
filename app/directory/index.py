"""The words by which a resource of the network or a roster is found.

PURE. One entry per search parameter of `app.reading.catalog`; a test holds the two together. Codes
and identifiers are kept as `code` and `system|code`, references as `Type/id` and `id`, names in
lower case, dates as the day on which they begin.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.reading.parameters import Kind

#: Type → parameter → (kind, paths). A path names elements; lists are gone through by themselves.
WORDS: Mapping[str, Mapping[str, tuple[Kind, tuple[str, ...]]]] = {
    "Patient": {
        "identifier": ("token", ("identifier",)),
        "name": ("string", ("name.family", "name.given")),
        "birthdate": ("date", ("birthDate",)),
        "gender": ("token", ("gender",)),
    },
    "Coverage": {
        "identifier": ("token", ("identifier",)),
        "patient": ("reference", ("beneficiary",)),
        "subscriber-id": ("token", ("subscriberId",)),
        "payor": ("reference", ("payor",)),
        "status": ("token", ("status",)),
    },
    "QuestionnaireResponse": {
        "patient": ("reference", ("subject",)),
        "patient.identifier": ("token", ("subject.identifier",)),
        "status": ("token", ("status",)),
        "authored": ("date", ("authored",)),
        "questionnaire": ("token", ("questionnaire",)),
    },
    "Organization": {
        "identifier": ("token", ("identifier",)),
        "name": ("string", ("name",)),
        "active": ("token", ("active",)),
    },
    "HealthcareService": {
        "identifier": ("token", ("identifier",)),
        "organization": ("reference", ("providedBy",)),
        "service-type": ("token", ("type.coding",)),
        "program": ("token", ("program.coding",)),
        "coverage-area": ("reference", ("coverageArea",)),
        "county": ("token", ("coverageArea.identifier",)),
        "population": ("token", ("eligibility.code.coding",)),
        "name": ("string", ("name",)),
        "active": ("token", ("active",)),
    },
}


def words(resource: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Every (parameter, word) of a resource."""
    found: set[tuple[str, str]] = set()
    for name, (kind, paths) in WORDS[str(resource["resourceType"])].items():
        for path in paths:
            for value in _values(resource, path.split(".")):
                found.update((name, word) for word in _words(kind, value) if word)
    return found


def _values(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _values(item, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _values(value[path[0]], path[1:])


def _words(kind: Kind, value: Any) -> Iterator[str]:
    if isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, str):
        yield value.lower() if kind == "string" else _day(value) if kind == "date" else value
    elif isinstance(value, Mapping):
        if kind == "reference":
            yield from _reference(value)
        else:
            yield from _coded(value)


def _reference(value: Mapping[str, Any]) -> Iterator[str]:
    literal = value.get("reference")
    if isinstance(literal, str):
        yield "/".join(literal.split("/")[-2:])
        yield literal.rpartition("/")[2]
    identifier = value.get("identifier")
    if isinstance(identifier, Mapping):
        yield from _coded(identifier)


def _coded(value: Mapping[str, Any]) -> Iterator[str]:
    code, system = value.get("code", value.get("value")), value.get("system")
    if isinstance(code, str):
        yield code
        yield f"{system or ''}|{code}"


def _day(text: str) -> str:
    return (text[:10] + "-01-01"[len(text) - 4 :])[:10] if len(text) < 10 else text[:10]
