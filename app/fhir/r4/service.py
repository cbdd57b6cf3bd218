"""Finds valid R4 that this service must not ignore and cannot act upon: 422.

R4 says that a receiver who does not know a modifierExtension must refuse the content, and that
implicitRules change how the content is to be read (extensibility.html, resource.html). R4 also lets
an extension stand for a required value. Resources that this service acts upon (an operation's
parameters, a transaction, a Subscription, the request itself) need the value. Resources that a
referral only carries are kept as sent, and their readers treat such an element as unknown.
"""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from app.base.errors import Issue
from app.fhir.r4.path import Path, member, render
from app.fhir.r4.strict_json import MAX_FAULTS
from app.fhir.r4.tables import COMPLEX, OTHER, TEXT, Table, resource_table

_MODIFIER = "changes what the element means in a way that this service does not know. Leave it out."
_RULES = "names rules that this service does not know. Leave it out."
_UNSTATED = "needs its value here: an extension in its place says nothing to act upon."
#: The types whose own elements this service acts upon.
_ACTED_UPON = frozenset({"Bundle", "Parameters", "ServiceRequest", "Subscription"})


def find_unsupported(resource: dict[str, Any], path: str | None = None) -> list[Issue]:
    """Find modifierExtensions, implicitRules, and missing values of elements we act upon.

    Looks into contained resources and entries too. Returns at most `MAX_FAULTS` issues.
    """
    kind = resource.get("resourceType")
    name = kind if isinstance(kind, str) and member(kind) else "Resource"
    root: Path = (None, path or name, None)
    table = resource_table(name) if name in _ACTED_UPON else None
    unstated = _unstated(resource, table, root) if table else ()
    return list(islice(chain(_modifiers(resource, root), unstated), MAX_FAULTS))


def _unstated(resource: dict[str, Any], own: Table, root: Path) -> Iterator[Issue]:
    """Find required primitives of a resource and its backbone that have an extension, no value."""
    stack: list[tuple[dict[str, Any], Table, Path]] = [(resource, own, root)]
    while stack:
        node, table, path = stack.pop()
        for name in table.required:
            if name not in node and table.elements[name].kind in (TEXT, OTHER):
                yield _fault("required", (path, name, None), _UNSTATED)
        for name, value in node.items():
            element = table.elements.get(name)
            if element is None or element.kind != COMPLEX or not element.type.startswith(own.name):
                continue
            listed = enumerate(value) if type(value) is list else [(None, value)]
            stack += [
                (item, element.table, (path, name, index))
                for index, item in listed
                if type(item) is dict
            ]


def _modifiers(resource: dict[str, Any], root: Path) -> Iterator[Issue]:
    stack: list[tuple[Any, Path]] = [(resource, root)]
    while stack:
        node, path = stack.pop()
        if "modifierExtension" in node:
            yield _fault("extension", (path, "modifierExtension", None), _MODIFIER)
        if "resourceType" in node and ("implicitRules" in node or "_implicitRules" in node):
            yield _fault("not-supported", (path, "implicitRules", None), _RULES)
        for name, value in node.items():
            kind = type(value)
            if kind is dict:
                stack.append((value, (path, name, None)))
            elif kind is list:
                stack += [
                    (item, (path, name, index))
                    for index, item in enumerate(value)
                    if type(item) is dict
                ]


def _fault(code: str, path: Path, text: str) -> Issue:
    expression = render(path)
    return Issue(code, f"{expression} {text}", expression)
