"""Valid R4 that this service must not ignore and does not understand: modifiers and implicit rules.

R4 says that a receiver who does not know a modifierExtension must refuse the content, and that
implicitRules change how it is to be read (extensibility.html, resource.html). Both become 422.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from app.fhir.fault import Fault
from app.fhir.r4.path import Path, member, render
from app.fhir.strict_json import MAX_FAULTS

_MODIFIER = "changes what the element means in a way that this service does not know. Leave it out."
_RULES = "names rules that this service does not know. Leave it out."


def find_unsupported(resource: dict[str, Any], path: str | None = None) -> list[Fault]:
    """The first of all modifierExtensions and implicitRules in a resource and what it holds."""
    kind = resource.get("resourceType")
    root = path or (kind if isinstance(kind, str) and member(kind) else "Resource")
    return list(islice(_walk(resource, (None, root, None)), MAX_FAULTS))


def _walk(resource: dict[str, Any], root: Path) -> Iterator[Fault]:
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


def _fault(code: str, path: Path, text: str) -> Fault:
    expression = render(path)
    return Fault(code, expression, f"{expression} {text}")
