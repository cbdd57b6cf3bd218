"""Required bindings of R4: which codes an element takes, and of which systems.

`bindings.json` lists the value sets of strength `required` in the FHIR 4.0.1 definitions
(profiles-resources, profiles-types, valuesets), and the elements bound to each. Value sets that
cannot be listed (media types, UCUM, currencies) are left out, except for `FORMS`.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple


class Binding(NamedTuple):
    """The codes taken; `systems` are those that a Coding or CodeableConcept takes them from."""

    codes: frozenset[str]
    shown: str
    systems: tuple[str, ...]


#: Bound to a value set without a list, but not without a form (BCP 13, ISO 4217).
FORMS: dict[str, Callable[[str], Any]] = {
    "Attachment.contentType": re.compile(
        r"[A-Za-z0-9][\w.+!#$&^-]*/[\w.+!#$&^*-]+(?: ?; ?[\w.+-]+=(?:[\w.+:/-]+|\"[^\"]*\"))*"
    ).fullmatch,
    "Money.currency": re.compile(r"[A-Z]{3}").fullmatch,
}

_SHOWN = 40


def binding_of(key: str) -> Binding | None:
    """The binding of `Type.element`, where a backbone's type is its path run together."""
    return _bindings().get(key)


@cache
def _bindings() -> dict[str, Binding]:
    data = json.loads(Path(__file__).with_name("bindings.json").read_text("utf-8"))
    found = {}
    for value_set in data["valueSets"]:
        codes = value_set["codes"]
        shown = ", ".join(codes[:_SHOWN]) + (", …" if len(codes) > _SHOWN else "")
        binding = Binding(frozenset(codes), shown, tuple(value_set["systems"]))
        for path in value_set["elements"]:
            found[model_key(path)] = binding
    return found


def model_key(path: str) -> str:
    """`Bundle.entry.request.method` → `BundleEntryRequest.method`, as the models are named."""
    *owner, name = path.split(".")
    return "".join(part[0].upper() + part[1:] for part in owner) + "." + name
