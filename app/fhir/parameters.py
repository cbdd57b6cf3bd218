"""The `Parameters` that an operation takes, by name; an empty body where nothing is required."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import refuse
from app.fhir import codes
from app.policy.model import Reason


@dataclass(frozen=True, slots=True)
class Given:
    """Parameters as given: name → the parts under that name, in order."""

    parts: Mapping[str, list[dict[str, Any]]]

    def text(self, name: str) -> str | None:
        """The string under a name."""
        for part in self.parts.get(name, ()):
            value = part.get("valueString", part.get("valueMarkdown"))
            if isinstance(value, str):
                return value
        return None

    def texts(self, name: str) -> list[str]:
        """Every string or code under a name."""
        found = (
            part.get("valueString") or part.get("valueCode") for part in self.parts.get(name, ())
        )
        return [value for value in found if isinstance(value, str)]

    def integer(self, name: str) -> int | None:
        """The whole number under a name."""
        for part in self.parts.get(name, ()):
            for key in ("valueInteger", "valueUnsignedInt", "valuePositiveInt"):
                if isinstance(part.get(key), int):
                    return int(part[key])
        return None

    def reference(self, name: str) -> Mapping[str, Any] | None:
        """The Reference under a name."""
        for part in self.parts.get(name, ()):
            if isinstance(part.get("valueReference"), dict):
                found: Mapping[str, Any] = part["valueReference"]
                return found
        return None

    def resources(self, name: str) -> list[dict[str, Any]]:
        """The resources under a name."""
        return [part["resource"] for part in self.parts.get(name, ()) if "resource" in part]

    def reasons(self, name: str = "reason") -> list[Reason]:
        """Coded reasons of ours, or a text; 422 for a code of our system that does not exist."""
        return [_reason(part, name) for part in self.parts.get(name, ())]


def given(tree: Mapping[str, Any] | None) -> Given:
    """The parameters of a checked `Parameters` resource; None is an empty body."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for part in (tree or {}).get("parameter", ()):
        parts.setdefault(part["name"], []).append(part)
    return Given(parts)


def _reason(part: Mapping[str, Any], name: str) -> Reason:
    concept = part.get("valueCodeableConcept") or {}
    codings = [*concept.get("coding", ()), *filter(None, [part.get("valueCoding")])]
    if isinstance(part.get("valueCode"), str):
        codings.append({"code": part["valueCode"]})
    text = concept.get("text") or part.get("valueString")
    for coding in codings:
        if coding.get("system", codes.DETERMINATION_REASON) != codes.DETERMINATION_REASON:
            continue
        if coding.get("code") not in codes.REASONS:
            words = f"`{name}` takes a code of determination-reason: {', '.join(codes.REASONS)}."
            raise refuse(422, "code-invalid", words, f"Parameters.parameter('{name}')")
        return Reason(coding["code"], text)
    if text:
        return Reason("", text)
    raise refuse(
        422,
        "required",
        f"`{name}` takes a CodeableConcept of determination-reason, or a text.",
        f"Parameters.parameter('{name}')",
    )
