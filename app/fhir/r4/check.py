"""Checks a parsed resource against base R4 in one walk: finds all faults, each with its FHIRPath.

Checks types, cardinality, required bindings, primitive formats, `app.fhir.r4.invariants` and the
invariants of a Bundle: the types that have requests, responses and searches, and unique names.
`app.fhir.r4.service`, `app.fhir.bundle` (a referral's transaction) and the journey check the rules
that this service adds to R4. No input raises.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from app.base.errors import Issue
from app.base.heavy_work import check_time_limit
from app.fhir.r4.path import Path, render
from app.fhir.r4.primitives import JSON_WORDS, PRIMITIVES, is_plain
from app.fhir.r4.relations import Local, contained_faults, target_faults
from app.fhir.r4.strict_json import MAX_FAULTS
from app.fhir.r4.tables import (
    COMPANION,
    COMPLEX,
    NOT_MODELLED,
    RESOURCE,
    TEXT,
    TYPE_NAME,
    Element,
    Table,
    binding_of,
    resource_table,
)

#: For so many faults the element that may be meant is looked for, by names of at most this length.
_GUESSES, _LONGEST_NAME = 10, 64
_EMPTY = "is empty. Leave it out or give it a value."


def check_resource(resource: Any, path: str | None = None) -> list[Issue]:
    """Find the faults of one resource against R4 4.0.1, at most `MAX_FAULTS`.

    `path` is the resource's own expression (`Bundle.entry[3].resource`), by default its type.
    """
    walk = _Walk()
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    name = path or (kind if isinstance(kind, str) and resource_table(kind) else "Resource")
    walk.resource(resource, (None, name, None), contained=False)
    return walk.faults


class _Walk:
    """Collects the faults of a payload, and the local references of the current resource."""

    __slots__ = ("_objects", "faults", "locals")

    def __init__(self) -> None:
        self.faults: list[Issue] = []
        self._objects = 0
        self.locals: list[Local] = []

    def fault(self, code: str, path: Path, text: str) -> None:
        """Add a fault; the sentence begins with the element's path, so it is clear by itself."""
        if len(self.faults) == MAX_FAULTS:
            return
        expression = render(path)
        self.faults.append(Issue(code, f"{expression} {text}", expression))

    def resource(self, value: Any, path: Path, *, contained: bool) -> None:
        """Check one resource; a contained resource shares the local references of its container."""
        table = self._resource_table(value, path)
        if table is None:
            return
        if contained:
            self.object(value, table, path)
            return
        outer, self.locals = self.locals, []
        self.object(value, table, path)
        if self.locals or "contained" in value:
            for code, where, text in contained_faults(value, self.locals, path):
                self.fault(code, where, text)
        self.locals = outer
        if table.name == "Bundle":
            for inside, text in bundle_faults(value):
                self.fault("invariant", (path, inside, None), text)

    def _resource_table(self, value: Any, path: Path) -> Table | None:
        if type(value) is not dict:
            self.fault("structure", path, "must be a resource: a JSON object with a resourceType.")
            return None
        name = value.get("resourceType")
        at = (path, "resourceType", None)
        if name is None:
            self.fault("required", at, "is required: name the resource type.")
            return None
        if type(name) is not str:
            self.fault("structure", at, "must be a JSON string.")
            return None
        table = resource_table(name)
        if table is None:
            owner = "this service reads" if name in NOT_MODELLED else "FHIR R4 has"
            self.fault("structure", at, f"is not a type that {owner}.")
        return table

    def object(self, value: dict[str, Any], table: Table, path: Path) -> None:
        """Check the elements of an object whose JSON type has been checked, then its invariants."""
        elements = table.elements
        chosen: dict[str, str] = {}
        for name, item in value.items():
            element = elements.get(name)
            if element is None:
                self._unknown(name, elements, path)
                continue
            kind = element.kind
            if element.choice is not None:
                self._chosen(element, element.choice, chosen, path)
            if kind == TEXT and type(item) is str and not element.is_list:
                if not element.valid(item):
                    self._bad_value(element, item, (path, name, None))
            elif element.is_list:
                self._list(item, element, (path, element.base, None), value)
            elif kind == COMPANION:
                self._companion(item, element, (path, element.base, None), value)
            elif kind == COMPLEX and item and type(item) is dict:
                self._complex(item, element, (path, name, None))
            elif kind != TYPE_NAME:
                self._one(item, element, (path, name, None))
        self._required(value, table, path)
        for rule in table.rules:
            if not rule.holds(value):
                at = (path, rule.where, None) if rule.where else path
                self.fault("invariant", at, rule.text)

    def _chosen(self, element: Element, choice: str, chosen: dict[str, str], path: Path) -> None:
        if chosen.setdefault(choice, element.base) != element.base:
            text = "is a choice: send it with one type only."
            self.fault("invariant", (path, choice, None), text)

    def _unknown(self, name: str, elements: Mapping[str, Element], path: Path) -> None:
        """Names the object, and the element that may be meant: never what was sent, which may be
        the name or the number of a person.
        """
        text = "has an element that FHIR R4 does not have here."
        if len(self.faults) < _GUESSES and len(name) <= _LONGEST_NAME:
            text += "".join(f" Is {one} meant?" for one in get_close_matches(name, elements, 1))
        self.fault("structure", path, text)

    def _required(self, value: dict[str, Any], table: Table, path: Path) -> None:
        self._objects += 1
        if not self._objects % 1024:
            check_time_limit()
        for name in table.required:
            if name not in value and not _has_extension(value.get("_" + name)):
                self.fault("required", (path, name, None), "is required.")
        for base, names in table.choices:
            if not any(name in value or _has_extension(value.get("_" + name)) for name in names):
                text = f"is required: send one of {', '.join(names)}."
                self.fault("required", (path, base, None), text)

    def _list(self, items: Any, element: Element, path: Path, owner: dict[str, Any]) -> None:
        if type(items) is not list:
            self.fault("structure", path, "must be a list: put it in [ ].")
            return
        if not items:
            self.fault("value", path, _EMPTY)
            return
        parent, name, _ = path
        if element.kind == COMPANION:
            self._companions(items, element, path, owner)
            return
        plain = element.kind == COMPLEX
        for index, item in enumerate(items):
            if plain and item and type(item) is dict:
                self._complex(item, element, (parent, name, index))
            elif item is not None or "_" + name not in owner:
                self._one(item, element, (parent, name, index))

    def _one(self, item: Any, element: Element, path: Path) -> None:
        kind = element.kind
        if kind == COMPLEX:
            if type(item) is not dict:
                self.fault("structure", path, _wrong_type(item, "a JSON object"))
            elif not item:
                self.fault("value", path, _EMPTY)
            else:
                self._complex(item, element, path)
        elif kind == RESOURCE:
            self.resource(item, path, contained=element.base == "contained")
        elif type(item) not in element.json:
            self.fault("structure", path, _wrong_type(item, JSON_WORDS[element.json[0]]))
        elif not element.valid(item):
            self._bad_value(element, item, path)

    def _complex(self, item: dict[str, Any], element: Element, path: Path) -> None:
        self.object(item, element.table, path)
        if element.type == "Reference":
            literal = item.get("reference")
            if type(literal) is str and literal.startswith("#"):
                self.locals.append(Local(literal[1:], path, element.targets))
            elif element.targets is not None:
                for code, where, text in target_faults(item, literal, element.targets):
                    self.fault(code, (path, where, None), text)
        elif element.binding is not None and not _has_bound_code(item, element):
            self._bad_value(element, item, path)
        elif element.type == "Identifier":
            value = item.get("value")
            if type(value) is str and not is_plain(value):
                text = "has characters in it that cannot be seen. Take them out."
                self.fault("value", (path, "value", None), text)

    def _companion(self, item: Any, element: Element, path: Path, owner: dict[str, Any]) -> None:
        if type(item) is not dict:
            self.fault("structure", path, "must have a JSON object under its name with underscore.")
        elif not item or (path[1] not in owner and "extension" not in item):
            self.fault("value", path, "has neither a value nor an extension.")
        else:
            self.object(item, element.table, path)

    def _companions(
        self, items: list[Any], element: Element, path: Path, owner: dict[str, Any]
    ) -> None:
        parent, name, _ = path
        values = owner.get(name)
        beside = values if type(values) is list else [None] * len(items)
        if len(beside) != len(items):
            text = "and its list of extensions must be of one length."
            self.fault("structure", path, text)
            return
        for index, (item, value) in enumerate(zip(items, beside, strict=True)):
            at = (parent, name, index)
            if item is not None:
                self._companion(item, element, at, {} if value is None else {name: value})
            elif value is None:
                self.fault("value", at, _EMPTY)

    def _bad_value(self, element: Element, item: Any, path: Path) -> None:
        if element.binding is not None:
            self.fault("code-invalid", path, f"takes one of: {element.binding.shown}.")
        elif item == "":
            self.fault("value", path, _EMPTY)
        else:
            self.fault("value", path, f"does not fit. {PRIMITIVES[element.type].hint}")


def _has_bound_code(concept: dict[str, Any], element: Element) -> bool:
    """Whether a CodeableConcept (or Coding) has a code of the element's required value set."""
    binding = element.binding
    codings = concept.get("coding", ()) if element.type == "CodeableConcept" else (concept,)
    return binding is None or any(
        coding["code"] in binding.codes and coding.get("system") in binding.systems
        for coding in (codings if isinstance(codings, list | tuple) else ())
        if isinstance(coding, dict) and isinstance(coding.get("code"), str)
    )


def _has_extension(companion: Any) -> bool:
    """Whether an extension stands for a primitive value, as R4 allows (extensibility.html)."""
    return isinstance(companion, dict) and bool(companion.get("extension"))


def _wrong_type(item: Any, wanted: str) -> str:
    if item is None:
        return f"must be {wanted}, not null. Leave it out if there is none."
    if isinstance(item, list):
        return f"must be {wanted}, not a list."
    return f"must be {wanted}."


# Invariants of a Bundle
_REQUESTS = ("batch", "transaction", "history")
_RESPONSES = ("batch-response", "transaction-response", "history")


def bundle_faults(bundle: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Find faults against bdl-1 to bdl-12, as (element within the Bundle, sentence)."""
    kind = bundle.get("type")
    bound = binding_of("Bundle.type")
    if not isinstance(kind, str) or bound is None or kind not in bound.codes:
        return  # a fault that is reported already; the rules of the entries depend on the type
    if "total" in bundle and kind not in ("searchset", "history"):
        yield "total", "belongs to a searchset or a history only (bdl-1)."
    listed = bundle.get("entry")
    entries = listed if isinstance(listed, list) else []
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if isinstance(entry, dict):
            yield from _entry_faults(kind, entry, f"entry[{index}]")
            yield from _full_url_faults(kind, entry, f"entry[{index}].fullUrl", seen)
    yield from _first_entry_faults(kind, bundle, entries)


def _entry_faults(kind: str, entry: dict[str, Any], at: str) -> Iterator[tuple[str, str]]:
    if not any(name in entry for name in ("resource", "request", "response")):
        yield at, "must have a resource, a request or a response (bdl-5)."
    if "search" in entry and kind != "searchset":
        yield f"{at}.search", "belongs to a searchset only (bdl-2)."
    for name, kinds, key in (("request", _REQUESTS, "bdl-3"), ("response", _RESPONSES, "bdl-4")):
        if (name in entry) != (kind in kinds):
            text = "is required" if kind in kinds else "may not stand"
            yield f"{at}.{name}", f"{text} in a Bundle of this type ({key})."


def _full_url_faults(
    kind: str, entry: dict[str, Any], at: str, seen: set[str]
) -> Iterator[tuple[str, str]]:
    url = entry.get("fullUrl")
    if not isinstance(url, str):
        return
    if "/_history/" in url:
        yield at, "must not name a version (bdl-8)."
    resource = entry.get("resource")
    meta = resource.get("meta") if isinstance(resource, dict) else None
    version = meta.get("versionId") if isinstance(meta, dict) else None
    name = f"{url}|{version}"
    if name in seen and kind != "history":
        yield at, "is the fullUrl of another entry too; each has its own (bdl-7)."
    seen.add(name)


def _first_entry_faults(
    kind: str, bundle: dict[str, Any], entries: list[Any]
) -> Iterator[tuple[str, str]]:
    wanted = {"document": "Composition", "message": "MessageHeader"}.get(kind)
    if wanted is None:
        return
    first = entries[0] if entries and isinstance(entries[0], dict) else {}
    resource = first.get("resource")
    if not isinstance(resource, dict) or resource.get("resourceType") != wanted:
        key = "bdl-11" if kind == "document" else "bdl-12"
        yield "entry", f"must begin with a {wanted} ({key})."
    if kind == "document":
        identifier = bundle.get("identifier")
        if not (isinstance(identifier, dict) and {"system", "value"} <= identifier.keys()):
            yield "identifier", "of a document needs a system and a value (bdl-9)."
        if "timestamp" not in bundle:
            yield "timestamp", "is required in a document (bdl-10)."
