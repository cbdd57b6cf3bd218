"""Reads the answers of a QuestionnaireResponse as facts (facts.md 1.1, 1.2).

Each fact has one reader, made once from the dictionary. An answer that cannot be read is unknown
and is named in a note, never an error. `app.journey.eligibility.merge` decides which of several
sources holds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Final

from app.base.heavy_work import check_time_limit
from app.fhir.dates import read_span
from app.fhir.r4 import codes
from app.policy.dictionary import POPULATION, FactDefinition, load_dictionary
from app.policy.model import CareEvent, Fact, FactValue
from app.policy.stated import SourcedFacts, SourceKind

FormAnswer = Mapping[str, Any]

#: Larger than any count or amount of this field; keeps absurd exponents out of the arithmetic.
_LARGEST = 10**9
_READ_STATUSES = frozenset({"completed", "amended", "in-progress"})


class UnreadableAnswer:
    """Marks an answer that is present but has no value that we can use."""


UNREADABLE: Final = UnreadableAnswer()
AnswerReading = FactValue | UnreadableAnswer | None
AnswerReader = Callable[[Sequence[FormAnswer]], AnswerReading]


@cache
def readers() -> dict[str, AnswerReader]:
    """Make a reader for every fact, and every part of an event (`utilization.date`), by name."""
    dictionary = load_dictionary()
    return {name: _reader(f) for name, f in dictionary.items() if f.type != "events"}


def read_response(response: Mapping[str, Any], source: str) -> SourcedFacts | None:
    """Read all facts of one response; None where its status is none of `_READ_STATUSES`."""
    if response.get("status") not in _READ_STATUSES:
        return None
    reader = _ResponseReader(source)
    for item in _flatten(response.get("item") or ()):
        name, answers = item.get("linkId"), item.get("answer")
        if name == "utilization":
            reader.add_event(item)
        elif answers and isinstance(name, str) and not name.startswith("utilization."):
            reader.add_answers(name, answers)
    return reader.facts()


def read_claims(response: Mapping[str, Any]) -> list[str]:
    """Read the populations of focus that a response claims for the member (S004:L100)."""
    if response.get("status") not in _READ_STATUSES:
        return []
    return [
        str(coding["code"])
        for item in _flatten(response.get("item") or ())
        if item.get("linkId") == POPULATION
        for answer in item.get("answer") or ()
        if (coding := answer.get("valueCoding") or {}).get("code")
        and coding.get("system") in (codes.POPULATION, None)
    ]


class _ResponseReader:
    """Collects the facts of one response, item by item."""

    __slots__ = ("_events", "_notes", "_readers", "_source", "_unreadable", "_values")

    def __init__(self, source: str) -> None:
        self._source = source
        self._readers = readers()
        self._values: dict[str, Fact] = {}
        self._unreadable: set[str] = set()
        self._events: list[CareEvent] = []
        self._notes: list[str] = []

    def add_answers(self, name: str, answers: Sequence[FormAnswer]) -> None:
        """Add the answers to a question; the last answer holds, readable or not."""
        reader = self._readers.get(name)
        value = reader(answers) if reader else None
        if value is None:
            return
        if isinstance(value, UnreadableAnswer):
            self._values.pop(name, None)
            self._unreadable.add(name)
            return
        self._values[name] = Fact(value, self._source)
        self._unreadable.discard(name)
        if isinstance(value, frozenset):
            self._notes += _list_notes(name, answers, value)

    def add_event(self, group: Mapping[str, Any]) -> None:
        """Add one event; a group of answers without a type is no event (facts.md 1.2)."""
        parts: dict[str, Any] = {}
        for item in _flatten(_nested(group)):
            name, answers = item.get("linkId"), item.get("answer")
            if not answers or not isinstance(name, str) or not name.startswith("utilization."):
                continue
            reader = self._readers.get(name)
            value = reader(answers) if reader else None
            if isinstance(value, UnreadableAnswer):
                self._notes.append(unread_note(name))
                parts.pop(name.partition(".")[2], None)
            elif value is not None:
                parts[name.partition(".")[2]] = value
        if "type" in parts:
            when = parts.pop("date", None)
            self._events.append(CareEvent(when=when, source=self._source, **parts))

    def facts(self) -> SourcedFacts:
        """Return everything that the response states."""
        complete = self._values.pop("utilization_complete", None)
        self._notes += [unread_note(name) for name in sorted(self._unreadable)]
        return SourcedFacts(
            SourceKind.FORM,
            self._source,
            self._values,
            tuple(self._events),
            bool(complete.value) if complete else None,
            unreadable=frozenset(self._unreadable),
            notes=tuple(self._notes),
        )


def _flatten(items: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """List all items in page order: groups are opened, an event (`utilization`) stays one item."""
    stack = list(reversed(items))
    while stack:
        check_time_limit()
        item = stack.pop()
        yield item
        if item.get("linkId") != "utilization":
            stack += reversed(_nested(item))


def _nested(item: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    nested = list(item.get("item") or ())
    for answer in item.get("answer") or ():
        nested += answer.get("item") or ()
    return nested


def unread_note(name: str) -> str:
    """The note on an unreadable answer, shown in the determination; never the answer itself."""
    return f"{name}: the answer could not be read, so it counts as unknown"


def _list_notes(name: str, answers: Sequence[FormAnswer], value: frozenset[str]) -> list[str]:
    """Notes on a list that was read although some of its answers contradict or are unreadable."""
    stated = [a["valueCoding"].get("code") for a in answers if a.get("valueCoding")]
    if value and "none" in stated:
        return [f"{name}: `none` is answered beside other codes; the other codes hold"]
    if len(stated) > 1 and len(value) < len(set(stated)) and "other" not in value:
        return [f"{name}: some of the answers could not be read and are left out"]
    return []


def _reader(definition: FactDefinition) -> AnswerReader:
    system, allowed = codes.fact_system(definition.name), frozenset(definition.codes)
    if definition.type == "code-list":
        return lambda answers: read_codes(answers, system, allowed, definition.open)
    if definition.type == "code":
        return _last_of(lambda a: read_code(a.get("valueCoding"), system, allowed, definition.open))
    return _last_of(_READERS_BY_TYPE[definition.type])


def _last_of(read: Callable[[FormAnswer], AnswerReading]) -> AnswerReader:
    def reader(answers: Sequence[FormAnswer]) -> AnswerReading:
        for answer in reversed(answers):
            if has_value(answer):
                return read(answer)
        return None

    return reader


def has_value(answer: FormAnswer) -> bool:
    """Whether an answer has any `value[x]`."""
    for key in answer:  # noqa: SIM110 - any() is slower, and this runs for every answer
        if key.startswith("value"):
            return True
    return False


def read_codes(
    answers: Sequence[FormAnswer], system: str, allowed: frozenset[str], open_list: bool
) -> AnswerReading:
    """Read a code list; `none` is the empty list only where every answer could be read."""
    listed = set()
    none = unread = answered = False
    for answer in answers:
        if not has_value(answer):
            continue
        answered = True
        coding = answer.get("valueCoding")
        if coding and coding.get("code") == "none" and coding.get("system") in (system, None):
            none = True
            continue
        value = read_code(coding, system, allowed, open_list)
        if isinstance(value, str):
            listed.add(value)
        elif coding is None or coding.get("system") in (system, None):
            unread = True
    if listed or (none and not unread):
        return frozenset(listed)
    return UNREADABLE if answered else None


def read_code(
    coding: Mapping[str, Any] | None, system: str, allowed: frozenset[str], open_list: bool
) -> AnswerReading:
    """Read one code of our own system; in an open list an unlisted code counts as `other`."""
    if not coding or coding.get("system") not in (system, None):
        return UNREADABLE
    code = coding.get("code")
    if code in allowed:
        return str(code)
    return "other" if open_list and isinstance(code, str) else UNREADABLE


def read_integer(answer: FormAnswer) -> AnswerReading:
    """Read a count: never negative; a decimal without a fraction is accepted (facts.md 1.1)."""
    number = _number(answer.get("valueInteger", answer.get("valueDecimal")))
    if number is None or number != number.to_integral_value():
        return UNREADABLE
    return int(number)


def read_money(answer: FormAnswer) -> AnswerReading:
    """Read US dollars, from a decimal, an integer, or a quantity in USD."""
    quantity = answer.get("valueQuantity")
    if quantity is not None:
        number = read_dollars(quantity)
    else:
        number = _number(answer.get("valueDecimal", answer.get("valueInteger")))
    return UNREADABLE if number is None else number


def read_dollars(quantity: Mapping[str, Any]) -> Decimal | None:
    """Read the amount of a quantity in USD; None for any other unit."""
    if quantity.get("code") != "USD" or quantity.get("system") not in (codes.CURRENCY, None):
        return None
    return read_quantity(quantity)


def read_quantity(quantity: Mapping[str, Any]) -> Decimal | None:
    """Read the value of a quantity; None with a comparator ("less than 5" is no value)."""
    return None if quantity.get("comparator") else _number(quantity.get("value"))


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    return number if number.is_finite() and 0 <= number <= _LARGEST else None


def _read_boolean(answer: FormAnswer) -> AnswerReading:
    value = answer.get("valueBoolean")
    return value if isinstance(value, bool) else UNREADABLE


def _read_text(answer: FormAnswer) -> AnswerReading:
    value = answer.get("valueString")
    return value if isinstance(value, str) else UNREADABLE


def _read_date(answer: FormAnswer) -> AnswerReading:
    span = read_span(answer.get("valueDate"))
    return UNREADABLE if span is None else span


_READERS_BY_TYPE: Mapping[str, Callable[[FormAnswer], AnswerReading]] = {
    "boolean": _read_boolean,
    "integer": read_integer,
    "money": read_money,
    "text": _read_text,
    "date": _read_date,
}
