"""Makes the words by which a search finds a resource; they are stored beside each version. PURE.

The words come from the paths of `app.store.reading.catalog`, for referrals and the directory alike.
A search compares words and never reads a body. A word is `name<US>value`, and the column joins
words with <RS>: two control characters that no value of a client contains. Values of a code are
`code`, `system<US>code` and `system<US>`; of a canonical `address` and `address<US>version`; of a
reference `Type/id` and `id`; of a name its plain letters; of a date its first moment and its end.
A word without a value says that the element is present.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from app.base.text import plain
from app.fhir.dates import span
from app.store.reading.catalog import PARAMETERS
from app.store.reading.match import END, PART
from app.store.reading.parameters import IDENTIFIED, SENT_STATUS, Parameter
from app.store.reading.values import moment

#: Texts that sort before and after every moment: the open ends of a period.
OPEN_LOW, OPEN_HIGH = "0000-00-00T00:00:00.000000", "9999-12-31T99:99:99.999999"
_APART = str.maketrans({PART: " ", END: " "})
_HISTORY = "/_history/"
_PATIENT = Parameter(IDENTIFIED, "token", "", "identifier")
#: The identifiers of a referral's own Patient, wherever the referral states them.
_MEMBER = {
    "Patient": (_PATIENT,),
    "ServiceRequest": (
        Parameter(IDENTIFIED, "token", "", "subject.identifier"),
        Parameter(SENT_STATUS, "token", "", "status"),
    ),
}


def words(resource: Mapping[str, Any]) -> str:
    """Returns all words of a resource as stored; a type that is not searched has none."""
    kind = str(resource.get("resourceType"))
    all_words: dict[str, None] = {}
    for known in (*PARAMETERS.get(kind, ()), *_MEMBER.get(kind, ())):
        if known.path and known.column is None:
            for value in of_parameter(resource, known):
                all_words[known.indexed_as + PART + value] = None
    for one in resource.get("contained") or () if kind == "ServiceRequest" else ():
        if one.get("resourceType") == "Patient":
            for value in of_parameter(one, _PATIENT):
                all_words[IDENTIFIED + PART + value] = None
    return END + END.join(all_words) + END if all_words else ""


def of_parameter(resource: Mapping[str, Any], known: Parameter) -> Iterator[str]:
    """Yields the values of one parameter; an empty one comes first if the element is present."""
    there = False
    for path in known.path.split(" | "):
        for value in _values(resource, path.split(".")):
            if not there:
                yield ""
            there = True
            yield from (word for word in _words(known, value) if word)


def _values(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _values(item, path)
    elif not path:
        if value is not None:
            yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _values(value[path[0]], path[1:])


def _words(known: Parameter, value: Any) -> Iterator[str]:
    if isinstance(value, bool):
        value = "true" if value else "false"
    if known.kind == "token":
        yield from _token(known.system, value)
    elif known.kind == "date":
        yield from _date(value)
    elif known.kind == "reference":
        if isinstance(value, Mapping):
            yield from _reference(value)
    elif isinstance(value, str):
        yield from _TEXTS[known.kind](value)


def _string(value: str) -> Iterator[str]:
    yield " " + plain(value)


def _uri(value: str) -> Iterator[str]:
    yield value.translate(_APART)


def _canonical(value: str) -> Iterator[str]:
    """Yields the address, and a second word with the version where the canonical names one."""
    address, bar, version = value.translate(_APART).partition("#")[0].partition("|")
    yield address
    if bar:
        yield address + PART + version


#: Kinds of parameters whose elements are plain text.
_TEXTS: Mapping[str, Callable[[str], Iterator[str]]] = {
    "string": _string,
    "uri": _uri,
    "canonical": _canonical,
}


def _token(system: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _code(system, value)
    elif isinstance(value, Mapping):
        yield from _coded(value)


def _date(value: Any) -> Iterator[str]:
    """Yields the stretch of a date, a Period or a Timing, from its first to its last moment."""
    stretches = list(_stretches(value))
    if stretches:
        low = min(low for low, _ in stretches)
        high = max(high for _, high in stretches)
        yield low + PART + high


def _stretches(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        try:
            low, high = span(value)
        except ValueError:
            return
        yield moment(low), moment(high)
    elif isinstance(value, Mapping):
        start, end = (list(_stretches(value.get(name))) for name in ("start", "end"))
        if start or end:
            yield start[0][0] if start else OPEN_LOW, end[0][1] if end else OPEN_HIGH
        for event in value.get("event") or ():
            yield from _stretches(event)
        repeat = value.get("repeat")
        if isinstance(repeat, Mapping):
            yield from _stretches(repeat.get("boundsPeriod"))


def _reference(value: Mapping[str, Any]) -> Iterator[str]:
    literal = value.get("reference")
    if isinstance(literal, str):
        whole = literal.partition(_HISTORY)[0].translate(_APART)
        yield whole
        yield whole.rpartition("/")[2]
    identifier = value.get("identifier")
    if isinstance(identifier, Mapping):
        yield from ("identifier" + PART + word for word in _coded(identifier))


def _code(system: str, code: str) -> Iterator[str]:
    """Yields the words of a code without a written system; `system` is implied, or empty."""
    code = code.translate(_APART)
    yield code
    yield PART + code
    if system:
        yield system + PART + code
        yield system + PART


def _coded(value: Mapping[str, Any]) -> Iterator[str]:
    code, system = value.get("code", value.get("value")), value.get("system")
    system = system.translate(_APART) if isinstance(system, str) else ""
    if isinstance(code, str):
        yield code.translate(_APART)
        yield system + PART + code.translate(_APART)
    if system:
        yield system + PART
