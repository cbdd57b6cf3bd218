"""Reads the `Parameters` of an operation by name; the body may be empty if none is required."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.base.errors import Issue, Refusal, refuse
from app.fhir.placeholders import is_placeholder, placeholder_text
from app.fhir.r4 import codes
from app.policy.model import Reason


def at(name: str) -> str:
    """The FHIRPath of the parameters called `name`, whether they are present or not."""
    return f"Parameters.parameter.where(name='{name}')"


@dataclass(frozen=True, slots=True)
class Takes:
    """The values that an operation accepts under one parameter name."""

    #: The elements of the part that may hold the value.
    elements: tuple[str, ...]
    many: bool = False
    #: The codes of determination-reason accepted here; None accepts any.
    reasons: frozenset[str] | None = None
    #: Whether a coding of another system is accepted as a reason.
    foreign: bool = True

    def faults(self, name: str, part: Mapping[str, Any], path: str) -> Iterator[Issue]:
        """Find the faults of one part."""
        values = [part[element] for element in self.elements if element in part]
        if not values:
            yield Issue("value", f"`{name}` takes {' or '.join(self.elements)}.", path)
        elif isinstance(values[0], str) and not values[0].strip():
            yield Issue("value", f"`{name}` is blank. Say it in words, or leave it out.", path)
        elif any(is_placeholder(text) for text in _all_texts(part)):
            yield Issue("value", placeholder_text(name), path)
        elif "valueCodeableConcept" in self.elements:
            yield from self._reason_faults(name, part, path)

    def _reason_faults(self, name: str, part: Mapping[str, Any], path: str) -> Iterator[Issue]:
        code = _own_code(part)
        fit = codes.REASONS if self.reasons is None else sorted(self.reasons)
        if code is not None and code not in fit:
            text = f"`{name}` takes a code of determination-reason: {', '.join(fit)}."
            yield Issue("code-invalid", text, path)
        elif code is None and not _reason_text(part, foreign=self.foreign):
            text = f"`{name}` takes a CodeableConcept of determination-reason, or a text."
            yield Issue("required", text, path)


NOTE = Takes(("valueString", "valueMarkdown"))
_REASON = ("valueCodeableConcept", "valueCoding", "valueCode", "valueString")
PERFORMER = Takes(("valueReference",))
#: The person who decides: name and role, as the letters name them.
DECIDER = Takes(("valueString",))
#: The reason to approve against the recommendation, or to change a performer.
REASON = Takes(_REASON)
#: The reasons of a denial; codes that speak for the referral are not accepted.
DENIAL = Takes(
    _REASON,
    many=True,
    reasons=frozenset(codes.REASONS)
    - {"population-met", "service-criteria-met", "exception-granted"},
    foreign=False,
)
WITHDRAWAL = Takes(_REASON, many=True, reasons=frozenset({"withdrawn", "declined-by-member"}))
WORDS = Takes(("valueString", "valueCode"), many=True)
RESOURCES = Takes(("resource",), many=True)


@dataclass(frozen=True, slots=True)
class Given:
    """Parameters as sent: name → the parts under that name, in order."""

    parts: Mapping[str, list[dict[str, Any]]]
    #: Name → FHIRPath of the value, if the sender wrote it elsewhere than in Parameters.
    places: Mapping[str, str] = field(default_factory=dict)

    def at(self, name: str) -> str:
        """The FHIRPath of the value under a name, whether the value is present or not."""
        return self.places.get(name) or at(name)

    def text(self, name: str) -> str | None:
        """The string under a name."""
        for part in self.parts.get(name, ()):
            value = part.get("valueString", part.get("valueMarkdown"))
            if isinstance(value, str):
                return value
        return None

    def texts(self, name: str) -> list[str]:
        """Every string or code under a name."""
        values = (
            part.get("valueString") or part.get("valueCode") for part in self.parts.get(name, ())
        )
        return [value for value in values if isinstance(value, str)]

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
                reference: Mapping[str, Any] = part["valueReference"]
                return reference
        return None

    def resources(self, name: str) -> list[dict[str, Any]]:
        """The resources under a name."""
        return [part["resource"] for part in self.parts.get(name, ()) if "resource" in part]

    def reasons(self, name: str = "reason") -> list[Reason]:
        """Read the reasons: our codes, or a text. Raises 422 for an unknown code of our system."""
        return [_reason(part, name, self.at(name)) for part in self.parts.get(name, ())]


def read_parts(tree: Mapping[str, Any] | None) -> Given:
    """Read the parts of a valid `Parameters` resource; None is an empty body."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for part in (tree or {}).get("parameter", ()):
        parts.setdefault(part["name"], []).append(part)
    return Given(parts)


def given(tree: Mapping[str, Any] | None, takes: Mapping[str, Takes]) -> Given:
    """Read the parts like `read_parts`, and check them against what the operation `takes`.

    Raises 422 with every fault: a name that the operation does not take, a value of another type,
    or a parameter sent twice that may be sent once.
    """
    seen: set[str] = set()
    faults: list[Issue] = []
    for index, part in enumerate((tree or {}).get("parameter", ())):
        name, path = part["name"], f"Parameters.parameter[{index}]"
        known = takes.get(name)
        if known is None:
            text = f"This operation takes {', '.join(takes)}, and nothing of this name."
            faults.append(Issue("not-supported", text, f"{path}.name"))
            continue
        if name in seen and not known.many:
            faults.append(Issue("value", f"`{name}` is given once.", path))
        seen.add(name)
        faults += known.faults(name, part, path)
    if faults:
        raise Refusal(422, faults)
    return read_parts(tree)


def _own_code(part: Mapping[str, Any]) -> str | None:
    """Read the first code of determination-reason; a coding without a system counts as ours."""
    concept = part.get("valueCodeableConcept") or {}
    codings = [*concept.get("coding", ()), *filter(None, [part.get("valueCoding")])]
    if isinstance(part.get("valueCode"), str):
        codings.append({"code": part["valueCode"]})
    for coding in codings:
        if coding.get("system", codes.DETERMINATION_REASON) == codes.DETERMINATION_REASON:
            return str(coding.get("code", ""))
    return None


def _all_texts(part: Mapping[str, Any]) -> Iterator[Any]:
    """List every text of a part; elements without a text give None."""
    concept = part.get("valueCodeableConcept") or {}
    yield from (part.get(name) for name in ("valueString", "valueMarkdown"))
    yield concept.get("text")
    for coding in (*concept.get("coding", ()), part.get("valueCoding") or {}):
        yield coding.get("display")


def _reason_text(part: Mapping[str, Any], *, foreign: bool) -> str | None:
    """Read a reason in words: its text, or (if `foreign`) the display or code of its coding."""
    concept = part.get("valueCodeableConcept") or {}
    text = concept.get("text") or part.get("valueString")
    if text or not foreign:
        return text
    codings = [*concept.get("coding", ()), *filter(None, [part.get("valueCoding")])]
    names = (coding.get("display") or coding.get("code") for coding in codings)
    return next(filter(None, names), None)


def _reason(part: Mapping[str, Any], name: str, place: str) -> Reason:
    concept = part.get("valueCodeableConcept") or {}
    code = _own_code(part)
    if code is not None:
        if code not in codes.REASONS:
            text = f"`{name}` takes a code of determination-reason: {', '.join(codes.REASONS)}."
            raise refuse(422, "code-invalid", text, place)
        return Reason(code, concept.get("text") or part.get("valueString"))
    if words := _reason_text(part, foreign=True):
        return Reason("", words)
    text = f"`{name}` takes a CodeableConcept of determination-reason, or a text."
    raise refuse(422, "required", text, place)
