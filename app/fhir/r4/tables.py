"""Element tables of FHIR R4: the elements of each type, compiled from `fhir.resources.R4B` on use.

R4B (4.3) is R4 (4.0.1) with a few types and elements moved. `NOT_R4`, `DROPPED`, `ADDED` and
`TARGETS` restore R4; they come from a comparison of the models with the 4.0.1 definitions, and list
only differences that a payload shows (titles and summary flags differ too).

`bindings.json` has the required bindings, because the models have some of them only: the value sets
of strength `required` in the 4.0.1 definitions (profiles-resources, profiles-types, valuesets), and
the elements bound to each. Value sets without a list of codes (media types, UCUM, currencies) are
left out, except for `FORMS`.

This file reads no payload: `app.fhir.r4.check` does.
"""

import json
import re
import typing
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple

from fhir.resources.R4B import element as r4b_element
from fhir_core.fhirabstractmodel import FHIRAbstractModel
from fhir_core.types import FhirBase
from pydantic import UUID4
from pydantic.fields import FieldInfo

from app.fhir.r4.invariants import INVARIANTS
from app.fhir.r4.primitives import PRIMITIVES

#: Kinds of elements. COMPANION is `_name`: the id and extensions of the primitive `name`.
TEXT, OTHER, COMPLEX, RESOURCE, COMPANION, TYPE_NAME = range(6)

_MODELS = "fhir.resources.R4B."


class Element:
    """One element under its JSON name.

    `base` is the name in FHIRPath (`birthDate` for `_birthDate`); `valid` checks a value of the
    JSON types in `json`; `model` is the model of a complex type; `targets` are the resource types
    that a Reference may point to, None for any; `in_summary` elements are part of `_summary=true`;
    `listed` are the codes that the models name, for the contract: `binding` has those accepted.
    """

    __slots__ = (
        "_table", "base", "binding", "choice", "in_summary", "is_list", "json", "kind", "listed",
        "model", "targets", "type", "valid",
    )  # fmt: skip

    def __init__(self, base: str, kind: int, type_name: str, is_list: bool = False) -> None:
        self.base = base
        self.kind = kind
        self.type = type_name
        self.is_list = is_list
        self.in_summary = False
        self.listed: tuple[str, ...] = ()
        self.choice: str | None = None
        self.binding: Binding | None = None
        self.targets: frozenset[str] | None = None
        self.json: tuple[type, ...] = ()
        self.valid: Callable[[Any], Any] = bool
        self.model: type[FHIRAbstractModel] = FHIRAbstractModel
        self._table: Table | None = None

    @property
    def table(self) -> "Table":
        """The table of a complex element, compiled when first used: types refer to each other."""
        if self._table is None:
            self._table = _compile(self.model)
        return self._table


class Table:
    """The elements of a type by JSON name.

    `required` are the elements that must be present; `choices` are the required choices
    (`value[x]`), each with its JSON names; `rules` are the type's invariants.
    """

    __slots__ = ("choices", "elements", "name", "required", "rules")

    def __init__(self, name: str) -> None:
        self.name = name
        self.rules = INVARIANTS.get(name, ())
        self.elements: dict[str, Element] = {}
        self.required: tuple[str, ...] = ()
        self.choices: tuple[tuple[str, tuple[str, ...]], ...] = ()


def resource_table(name: str) -> Table | None:
    """The table of a resource type; None if R4 has no such type, or we have no model of it."""
    # A client may send any name: only those of R4 are looked for, and remembered.
    return _table_of_type(name) if name in _types() else None


@cache
def _types() -> frozenset[str]:
    """The names of R4's resource types, by the value set that R4 itself has of them."""
    return _bindings()["CapabilityStatementRestResource.type"].codes


@cache
def _table_of_type(name: str) -> Table | None:
    if name in NOT_R4:
        return None
    try:
        module = import_module(_MODELS + name.lower())
    except ImportError:
        return None
    model = getattr(module, name, None)
    if model is None or not issubclass(model, FHIRAbstractModel) or not _is_resource(model):
        return None
    return _compile(model)


def warm(names: Iterable[str]) -> None:
    """Compile the tables of these resource types and of all types that they hold.

    Called at the start of a process: the first import of a model takes tens of milliseconds, and
    the garbage collector never walks objects again that exist before `gc.freeze`.
    """
    seen: set[int] = set()
    waiting = [table for table in map(resource_table, names) if table is not None]
    while waiting:
        table = waiting.pop()
        if id(table) in seen:
            continue
        seen.add(id(table))
        waiting += [e.table for e in table.elements.values() if e.kind in (COMPLEX, COMPANION)]


def _is_resource(model: type[FHIRAbstractModel]) -> bool:
    return model.has_resource_base() and model.__name__ not in ("Resource", "DomainResource")


@cache
def _compile(model: type[FHIRAbstractModel]) -> Table:
    table = Table(model.__name__)
    required: list[str] = []
    choices: dict[str, list[str]] = {}
    if model.has_resource_base():
        table.elements["resourceType"] = Element("resourceType", TYPE_NAME, "code")
    for name, field in _fields(model):
        if name in DROPPED.get(model.__name__, ()):
            continue
        element = _element(model.__name__, name, field)
        table.elements[name] = element
        extra = _extra(field)
        element.in_summary = bool(extra.get("summary_element_property"))
        element.listed = tuple(extra.get("enum_values") or ())
        if extra.get("one_of_many"):
            element.choice = str(extra["one_of_many"])
            if extra.get("one_of_many_required"):
                choices.setdefault(element.choice, []).append(name)
        elif field.is_required() or extra.get("element_required"):
            required.append(name)
    for name, choice, path in ADDED.get(model.__name__, ()):
        table.elements[name] = _added(name, choice, path)
    for element in list(table.elements.values()):
        bare = element.base == "id" or (table.name, element.base) == ("Extension", "url")
        if element.kind in (TEXT, OTHER) and not bare:  # R4 has System.String there
            table.elements["_" + element.base] = _companion(element)
    table.required = tuple(required)
    table.choices = tuple((base, tuple(names)) for base, names in choices.items())
    return table


def _fields(model: type[FHIRAbstractModel]) -> list[tuple[str, FieldInfo]]:
    """List JSON name and field of a model's elements, without companions and `fhir_comments`."""
    return [
        (field.alias or name, field)
        for name, field in model.model_fields.items()
        if _extra(field).get("element_property")
    ]


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def _element(owner: str, name: str, field: FieldInfo) -> Element:
    annotation, is_list = _unwrap(field.annotation)
    key = f"{owner}.{name}"
    if isinstance(annotation, type) and issubclass(annotation, FhirBase):
        model = annotation.get_model_klass()
        kind = RESOURCE if model.__name__ == "Resource" else COMPLEX
        element = Element(name, kind, model.__name__, is_list)
        element.model = model
        element.targets = _targets(key, field)
    else:
        element = _primitive(name, _primitive_name(annotation), is_list)
    element.binding = binding_of(key)
    if element.binding and element.kind == TEXT:
        element.valid = element.binding.codes.__contains__
    if key in FORMS:
        element.valid = FORMS[key]
    return element


def _added(name: str, choice: str, path: str) -> Element:
    module, _, model = path.partition(".")
    element = Element(name, COMPLEX, model)
    element.model = getattr(import_module(_MODELS + module), model)
    element.choice = choice
    return element


def _primitive(name: str, type_name: str, is_list: bool) -> Element:
    primitive = PRIMITIVES[type_name]
    element = Element(name, TEXT if primitive.json == (str,) else OTHER, type_name, is_list)
    element.json = primitive.json
    element.valid = primitive.valid
    return element


def _companion(of: Element) -> Element:
    """Make the element `_name`: the id and extensions of a primitive in R4's JSON format."""
    element = Element(of.base, COMPANION, "Element", of.is_list)
    element.model = r4b_element.Element
    element.choice = of.choice
    return element


def _targets(key: str, field: FieldInfo) -> frozenset[str] | None:
    listed = TARGETS.get(key) or _extra(field).get("enum_reference_types")
    if not listed or "Resource" in listed:
        return None
    return frozenset(listed)


def _unwrap(annotation: Any) -> tuple[Any, bool]:
    """Find the type in an annotation, and if it is a list: `List[X | None] | None` → X, True."""
    is_list = False
    while True:
        origin = typing.get_origin(annotation)
        arguments = [a for a in typing.get_args(annotation) if a is not type(None)]
        if origin is list:
            is_list = True
        elif not (origin in (typing.Union, UnionType) and len(arguments) == 1):
            return annotation, is_list
        annotation = arguments[0]


def _primitive_name(annotation: Any) -> str:
    if annotation is bool:
        return "boolean"
    if annotation == UUID4:
        return "uuid"
    for mark in typing.get_args(annotation):
        name = getattr(mark, "__visit_name__", None)
        if name:
            return str(name)
    raise TypeError(f"no R4 primitive stands for {annotation!r}")


# Differences between R4B and R4
#: Resource types that R4B added, and two (Evidence, EvidenceVariable) that R4B changed so much that
#: its models do not describe the types of R4.
NOT_R4 = frozenset(
    {
        "AdministrableProductDefinition", "Citation", "ClinicalUseDefinition", "Evidence",
        "EvidenceReport", "EvidenceVariable", "Ingredient", "ManufacturedItemDefinition",
        "MedicinalProductDefinition", "NutritionProduct", "PackagedProductDefinition",
        "RegulatedAuthorization", "SubscriptionStatus", "SubscriptionTopic", "SubstanceDefinition",
    }
)  # fmt: skip

#: R4 resource types without a model: they cannot be checked, so they are refused.
NOT_MODELLED = frozenset(
    {
        "EffectEvidenceSynthesis", "Evidence", "EvidenceVariable", "MedicinalProduct",
        "MedicinalProductAuthorization", "MedicinalProductContraindication",
        "MedicinalProductIndication", "MedicinalProductIngredient", "MedicinalProductInteraction",
        "MedicinalProductManufactured", "MedicinalProductPackaged",
        "MedicinalProductPharmaceutical", "MedicinalProductUndesirableEffect",
        "RiskEvidenceSynthesis", "SubstanceNucleicAcid", "SubstancePolymer", "SubstanceProtein",
        "SubstanceReferenceInformation", "SubstanceSourceMaterial", "SubstanceSpecification",
    }
)  # fmt: skip

#: Elements that R4B added.
DROPPED: dict[str, frozenset[str]] = {
    "ActivityDefinition": frozenset({"subjectCanonical"}),
    "ElementDefinition": frozenset(
        {
            "defaultValueCodeableReference", "defaultValueRatioRange", "fixedCodeableReference",
            "fixedRatioRange", "patternCodeableReference", "patternRatioRange",
        }
    ),
    "ElementDefinitionExample": frozenset({"valueCodeableReference", "valueRatioRange"}),
    "Extension": frozenset({"valueCodeableReference", "valueRatioRange"}),
    "PlanDefinition": frozenset({"subjectCanonical"}),
    "PlanDefinitionAction": frozenset({"subjectCanonical"}),
}  # fmt: skip

#: Choices that R4 has and the models lack: owner → (JSON name, choice, module and model).
ADDED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "ElementDefinition": tuple(
        (f"{choice}Meta", choice, "meta.Meta") for choice in ("defaultValue", "fixed", "pattern")
    ),
    "ElementDefinitionExample": (("valueMeta", "value", "meta.Meta"),),
    "Extension": (("valueMeta", "value", "meta.Meta"),),
}

_SUBJECTS = frozenset({"Patient", "Group", "Device", "Location"})

#: Reference targets as R4 has them, where R4B widened them.
TARGETS: dict[str, frozenset[str]] = {
    "ActivityDefinition.productReference": frozenset({"Medication", "Substance"}),
    "DiagnosticReport.subject": _SUBJECTS,
    "GroupMember.entity": _SUBJECTS - {"Location"}
    | {"Practitioner", "PractitionerRole", "Medication", "Substance"},
    "Observation.subject": _SUBJECTS,
}


# Required bindings
class Binding(NamedTuple):
    """The accepted codes; `systems` are the systems of these codes in a Coding or CodeableConcept.

    `shown` are the first codes as text, for errors.
    """

    codes: frozenset[str]
    shown: str
    systems: tuple[str, ...]


#: Elements bound to a value set that has a pattern in place of a list (BCP 13, ISO 4217).
FORMS: dict[str, Callable[[str], Any]] = {
    "Attachment.contentType": re.compile(
        r"[A-Za-z0-9][\w.+!#$&^-]*/[\w.+!#$&^*-]+(?: ?; ?[\w.+-]+=(?:[\w.+:/-]+|\"[^\"]*\"))*"
    ).fullmatch,
    "Money.currency": re.compile(r"[A-Z]{3}").fullmatch,
}

_MAX_SHOWN = 40


def binding_of(key: str) -> Binding | None:
    """The binding of `Type.element`; the type of a backbone is its path in one word.

    Example: `BundleEntryRequest.method`.
    """
    return _bindings().get(key)


@cache
def _bindings() -> dict[str, Binding]:
    data = json.loads(Path(__file__).with_name("bindings.json").read_text("utf-8"))
    bindings = {}
    for value_set in data["valueSets"]:
        codes = value_set["codes"]
        shown = ", ".join(codes[:_MAX_SHOWN]) + (", …" if len(codes) > _MAX_SHOWN else "")
        binding = Binding(frozenset(codes), shown, tuple(value_set["systems"]))
        for path in value_set["elements"]:
            bindings[model_key(path)] = binding
    return bindings


def model_key(path: str) -> str:
    """Name a path like the models: `Bundle.entry.request.method` → `BundleEntryRequest.method`."""
    *owner, name = path.split(".")
    return "".join(part[0].upper() + part[1:] for part in owner) + "." + name
