"""The `Parameters` that an operation takes, by name; an empty body where nothing is required."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.base.errors import Issue, Refusal, refuse
from app.fhir.placeholders import is_placeholder, said
from app.fhir.r4 import codes
from app.policy.model import Reason


def at(name: str) -> str:
    """The FHIRPath of the parameters of a name, whether they are there or not."""
    return f"Parameters.parameter.where(name='{name}')"


@dataclass(frozen=True, slots=True)
class Takes:
    """What an operation takes under one name."""

    #: Any of these elements of the part.
    elements: tuple[str, ...]
    many: bool = False
    #: The codes of determination-reason that make sense here; None: any.
    reasons: frozenset[str] | None = None
    #: Whether a coding of another system will do for a reason.
    foreign: bool = True

    def faults(self, name: str, part: Mapping[str, Any], path: str) -> Iterator[Issue]:
        """What is wrong with one part."""
        values = [part[element] for element in self.elements if element in part]
        if not values:
            yield Issue("value", f"`{name}` takes {' or '.join(self.elements)}.", path)
        elif isinstance(values[0], str) and not values[0].strip():
            yield Issue("value", f"`{name}` is blank. Say it in words, or leave it out.", path)
        elif any(is_placeholder(words) for words in _all_words(part)):
            yield Issue("value", said(name), path)
        elif "valueCodeableConcept" in self.elements:
            yield from self._unfit(name, part, path)

    def _unfit(self, name: str, part: Mapping[str, Any], path: str) -> Iterator[Issue]:
        code = _own_code(part)
        fit = codes.REASONS if self.reasons is None else sorted(self.reasons)
        if code is not None and code not in fit:
            text = f"`{name}` takes a code of determination-reason: {', '.join(fit)}."
            yield Issue("code-invalid", text, path)
        elif code is None and not _words(part, foreign=self.foreign):
            text = f"`{name}` takes a CodeableConcept of determination-reason, or a text."
            yield Issue("required", text, path)


NOTE = Takes(("valueString", "valueMarkdown"))
_REASON = ("valueCodeableConcept", "valueCoding", "valueCode", "valueString")
PERFORMER = Takes(("valueReference",))
#: Why a person approves against the recommendation, and why a performer is changed.
REASON = Takes(_REASON)
#: A denial is for what speaks against the referral, and may have several reasons.
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
    """Parameters as given: name → the parts under that name, in order."""

    parts: Mapping[str, list[dict[str, Any]]]
    #: Name → where the sender wrote it, when it came as something else than Parameters.
    places: Mapping[str, str] = field(default_factory=dict)

    def at(self, name: str) -> str:
        """The FHIRPath of what is given under a name, whether it is there or not."""
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
        return [_reason(part, name, self.at(name)) for part in self.parts.get(name, ())]


def read_parts(tree: Mapping[str, Any] | None) -> Given:
    """The parameters of a checked `Parameters` resource, unjudged; None is an empty body."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for part in (tree or {}).get("parameter", ()):
        parts.setdefault(part["name"], []).append(part)
    return Given(parts)


def given(tree: Mapping[str, Any] | None, takes: Mapping[str, Takes]) -> Given:
    """The same, of what an operation takes. 422 with every fault: a name that it does not take, a
    value of another type, one too many.
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
    """The first code of determination-reason, or without a system."""
    concept = part.get("valueCodeableConcept") or {}
    codings = [*concept.get("coding", ()), *filter(None, [part.get("valueCoding")])]
    if isinstance(part.get("valueCode"), str):
        codings.append({"code": part["valueCode"]})
    for coding in codings:
        if coding.get("system", codes.DETERMINATION_REASON) == codes.DETERMINATION_REASON:
            return str(coding.get("code", ""))
    return None


def _all_words(part: Mapping[str, Any]) -> Iterator[Any]:
    """Every text of a part, wherever its type has one."""
    concept = part.get("valueCodeableConcept") or {}
    yield from (part.get(name) for name in ("valueString", "valueMarkdown"))
    yield concept.get("text")
    for coding in (*concept.get("coding", ()), part.get("valueCoding") or {}):
        yield coding.get("display")


def _words(part: Mapping[str, Any], *, foreign: bool) -> str | None:
    """A reason in words: its text, or what a coding of another system is called."""
    concept = part.get("valueCodeableConcept") or {}
    text = concept.get("text") or part.get("valueString")
    if text or not foreign:
        return text
    codings = [*concept.get("coding", ()), *filter(None, [part.get("valueCoding")])]
    called = (coding.get("display") or coding.get("code") for coding in codings)
    return next(filter(None, called), None)


def _reason(part: Mapping[str, Any], name: str, place: str) -> Reason:
    concept = part.get("valueCodeableConcept") or {}
    code = _own_code(part)
    if code is not None:
        if code not in codes.REASONS:
            words = f"`{name}` takes a code of determination-reason: {', '.join(codes.REASONS)}."
            raise refuse(422, "code-invalid", words, place)
        return Reason(code, concept.get("text") or part.get("valueString"))
    if text := _words(part, foreign=True):
        return Reason("", text)
    said = f"`{name}` takes a CodeableConcept of determination-reason, or a text."
    raise refuse(422, "required", said, place)
