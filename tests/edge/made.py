"""Resources made from the element tables: any that R4 allows, with what readers least expect.

Required and some other elements, codes by their bindings, required primitives by extension alone,
lists with nulls. Not every one is valid (invariants are not known here): `valid_resource` is.
"""

from random import Random
from typing import Any

from app.fhir.r4 import tables
from app.fhir.r4.check import check_resource
from app.fhir.r4.tables import COMPANION, COMPLEX, RESOURCE, TYPE_NAME, Element, resource_table

#: Every resource type of R4 that the tables know.
TYPES = sorted(
    name
    for name in tables.binding_of("CompartmentDefinitionResource.code").codes
    if resource_table(name)
)
UNKNOWN = {
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode": "unknown",
        }
    ]
}
_VALUES: dict[str, tuple[Any, ...]] = {
    "base64Binary": ("QUJD",),
    "boolean": (True, False),
    "canonical": ("http://x.example/q|1", "http://x.example/q"),
    "code": ("final", "active", "completed", "x"),
    "date": ("2026", "2026-02", "1980-02-03"),
    "dateTime": ("2026", "2026-10-01", "2026-10-01T10:00:00-07:00"),
    "decimal": (1, 2.5),
    "id": ("a-1", "b.2"),
    "instant": ("2026-10-01T10:00:00.5Z",),
    "integer": (0, 7),
    "markdown": ("*words*",),
    "oid": ("urn:oid:1.2.3",),
    "positiveInt": (1, 3),
    "string": ("words", "homeless", "none"),
    "time": ("10:00:00",),
    "unsignedInt": (0, 4),
    "uri": ("http://x.example/fhir", "urn:oid:2.16.840"),
    "url": ("http://x.example/fhir",),
    "uuid": ("urn:uuid:c757873d-ec9a-4326-a141-556f43239520",),
    "xhtml": ('<div xmlns="http://www.w3.org/1999/xhtml">words</div>',),
}
#: Never by chance: they are refused for a rule of this service, or need what is not there.
_LEFT_OUT = {"contained", "modifierExtension", "implicitRules", "extension", "resourceType", "text"}
_DEEPEST = 4


def valid_resource(kind: str, seed: int, tries: int = 40) -> dict[str, Any] | None:
    """A resource of this type that breaks nothing of R4; None where chance found none."""
    for each in range(tries):
        made = make(kind, Random(f"{kind} {seed} {each}"))
        if not check_resource(made):
            return made
    return None


def make(kind: str, random: Random) -> dict[str, Any]:
    """One resource of this type."""
    chance = random.choice((0.0, 0.15, 0.4))
    body = _object(resource_table(kind), random, 0, chance)
    return {"resourceType": kind, **body}


def _object(table: Any, random: Random, depth: int, chance: float) -> dict[str, Any]:
    made: dict[str, Any] = {}
    wanted = list(table.required)
    wanted += [random.choice(names) for _, names in table.choices]
    held = {table.elements[name].choice for name in wanted} - {None}
    if depth < _DEEPEST:
        for name, element in table.elements.items():
            if element.choice in held or random.random() >= chance / (depth + 1):
                continue
            if element.kind not in (COMPANION, TYPE_NAME, RESOURCE) and name not in _LEFT_OUT:
                wanted.append(name)
                held |= {element.choice} - {None}
    for name in dict.fromkeys(wanted):
        _put(made, name, table.elements[name], random, depth, chance)
    return made or _filled(table, random)


def _filled(table: Any, random: Random) -> dict[str, Any]:
    """Nothing of an object is empty in FHIR."""
    return {"extension": UNKNOWN["extension"]} if "extension" in table.elements else {"id": "a"}


def _put(
    made: dict[str, Any], name: str, element: Element, random: Random, depth: int, chance: float
) -> None:
    many = random.choice((1, 2)) if element.is_list else 1
    if element.kind == COMPLEX:
        items = [_complex(element, random, depth, chance) for _ in range(many)]
    elif element.kind == RESOURCE:
        items = [{"resourceType": "Basic", "code": {"text": "x"}}]
    else:
        items = [_value(element, random) for _ in range(many)]
        beside = [UNKNOWN if random.random() < 0.3 else None for _ in items]
        # Extensions stand for values: always where a binding has no code, else now and then.
        pairs = zip(items, beside, strict=True)
        items = [None if one and random.random() < 0.8 else item for item, one in pairs]
        if any(beside) and "_" + element.base in _companions(element):
            made["_" + name] = beside if element.is_list else beside[0]
        if all(item is None for item in items):
            if not any(beside):
                made[name] = [_value(element, random)] if element.is_list else None
            elif element.is_list and random.random() < 0.5:
                made[name] = items
            return
    made[name] = items if element.is_list else items[0]


def _companions(element: Element) -> set[str]:
    return set() if element.base in ("id", "div", "url") else {"_" + element.base}


def _value(element: Element, random: Random) -> Any:
    if element.binding is not None:
        return random.choice(sorted(element.binding.codes))
    if element.type == "uri" and element.base == "system":
        return random.choice(("http://x.example/fhir", "http://hl7.org/fhir/sid/icd-10-cm"))
    values = [one for one in _VALUES[element.type] if element.valid(one)]
    return random.choice(values or ["text/plain"] if element.json == (str,) else values or [1])


def _complex(element: Element, random: Random, depth: int, chance: float) -> dict[str, Any]:
    if element.type == "Reference":
        kind = random.choice(sorted(element.targets)) if element.targets else "Patient"
        return random.choice(
            (
                {"reference": f"{kind}/1"},
                {"reference": f"{kind}/1/_history/2"},
                {"display": "words"},
                {"identifier": {"system": "http://x.example", "value": "1"}, "type": kind},
                {"_reference": UNKNOWN, "_display": UNKNOWN},
            )
        )
    if element.binding is not None:
        system = element.binding.systems[0] if element.binding.systems else "http://x.example"
        coding = {"system": system, "code": random.choice(sorted(element.binding.codes))}
        return {"coding": [coding]} if element.type == "CodeableConcept" else coding
    if element.type == "Extension":
        return UNKNOWN["extension"][0]
    if element.type == "Narrative":
        return {"status": "generated", "div": _VALUES["xhtml"][0]}
    return _object(element.table, random, depth + 1, chance)
