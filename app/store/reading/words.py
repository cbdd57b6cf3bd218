"""Makes the words by which a search finds a resource; they are stored beside each version. PURE.

The words come from the paths of `app.store.reading.catalog`, for referrals and the directory alike.
A search compares words and never reads a body. A word is `name<US>value`, and the column joins
words with <RS>: two control characters that no value of a client contains. Values of a code are
`code`, `system<US>code` and `system<US>`; of a canonical `address` and `address<US>version`; of a
reference `Type/id` and `id`; of a name its plain letters; of a date its first moment and its end.
A word without a value says that the element is present.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from app.base.text import plain
from app.fhir.dates import span
from app.fhir.sensitive import is_labelled_whole
from app.store.reading.catalog import PARAMETERS
from app.store.reading.match import END, PART
from app.store.reading.parameters import IDENTIFIED, Parameter
from app.store.reading.values import moment

#: Texts that sort before and after every moment: the open ends of a period.
OPEN_LOW, OPEN_HIGH = "0000-00-00T00:00:00.000000", "9999-12-31T99:99:99.999999"
#: The word of a resource that is withheld whole (`app.fhir.sensitive`), as it stands among others.
_WITHHELD = "_withheld" + PART
WITHHELD = END + _WITHHELD + END
_APART = str.maketrans({PART: " ", END: " "})
_HISTORY = "/_history/"
_PATIENT = Parameter(IDENTIFIED, "token", "", "identifier")
#: The identifiers of a referral's own Patient, wherever the referral states them.
_MEMBER = {
    "Patient": (_PATIENT,),
    "ServiceRequest": (Parameter(IDENTIFIED, "token", "", "subject.identifier"),),
}


def words(resource: Mapping[str, Any]) -> str:
    """Returns all words of a resource as stored; a type that is not searched has none."""
    kind = str(resource.get("resourceType"))
    all_words: dict[str, None] = {}
    for known in _READERS.get(kind, ()):
        for value in known.read(resource):
            all_words[known.prefix + value] = None
    for one in resource.get("contained") or () if kind == "ServiceRequest" else ():
        if one.get("resourceType") == "Patient":
            for value in of_parameter(one, _PATIENT):
                all_words[IDENTIFIED + PART + value] = None
    if is_labelled_whole(resource):
        all_words[_WITHHELD] = None
    return END + END.join(all_words) + END if all_words else ""


def of_parameter(resource: Mapping[str, Any], known: Parameter) -> list[str]:
    """Lists the values of one parameter; an empty one comes first if the element is present."""
    return _reader(known).read(resource)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one parameter, with all that can be known of it before a resource comes."""

    #: What the parameter's words begin with.
    prefix: str
    #: The paths of the elements, name by name.
    paths: tuple[tuple[str, ...], ...]
    #: The words of one value.
    words: Callable[[Any], Iterable[str]]

    def read(self, resource: Mapping[str, Any]) -> list[str]:
        """Lists the values as `of_parameter` does."""
        values: list[Any] = []
        for path in self.paths:
            if path[0] in resource:
                _find(resource[path[0]], path[1:], values)
        if not values:
            return values
        found = [""]
        for value in values:
            found += [word for word in self.words(value) if word]
        return found


def _find(value: Any, path: Sequence[str], found: list[Any]) -> None:
    """Adds the values at the end of a path to those found, in the resource's order."""
    if isinstance(value, list):
        for item in value:
            _find(item, path, found)
    elif not path:
        if value is not None:
            found.append(_TRUTH[value] if isinstance(value, bool) else value)
    elif isinstance(value, dict) and path[0] in value:
        _find(value[path[0]], path[1:], found)


@cache
def _reader(known: Parameter) -> _Reader:
    """Prepares a parameter, once for each of the catalog."""
    makers: dict[str, Callable[[Any], Iterable[str]]] = {
        "token": partial(_token, known.system),
        "date": _date,
        "reference": _reference,
    }
    made = makers.get(known.kind) or partial(_text, _TEXTS[known.kind])
    paths = tuple(tuple(path.split(".")) for path in known.path.split(" | "))
    return _Reader(known.indexed_as + PART, paths, made)


_TRUTH = {True: "true", False: "false"}


def _apart(text: str) -> str:
    """Takes the two characters that part words out of a text, which hardly ever has them."""
    return text.translate(_APART) if PART in text or END in text else text


def _text(read: Callable[[str], Iterable[str]], value: Any) -> Iterable[str]:
    return read(value) if isinstance(value, str) else ()


def _string(value: str) -> Iterator[str]:
    yield " " + plain(value)


def _uri(value: str) -> Iterator[str]:
    yield _apart(value)


def _canonical(value: str) -> Iterator[str]:
    """Yields the address, and a second word with the version where the canonical names one."""
    address, bar, version = _apart(value).partition("#")[0].partition("|")
    yield address
    if bar:
        yield address + PART + version


#: Kinds of parameters whose elements are plain text.
_TEXTS: Mapping[str, Callable[[str], Iterator[str]]] = {
    "string": _string,
    "uri": _uri,
    "canonical": _canonical,
}


def _token(system: str, value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return _code(system, value)
    return _coded(value) if isinstance(value, dict) else ()


def _date(value: Any) -> Iterable[str]:
    """Returns the stretch of a date, a Period or a Timing, from its first to its last moment."""
    stretches = _stretches(value)
    if not stretches:
        return ()
    return (min(stretches)[0] + PART + max([high for _, high in stretches]),)


def _stretches(value: Any) -> list[tuple[str, str]]:
    if isinstance(value, str):
        try:
            low, high = span(value)
        except ValueError:
            return []
        return [(moment(low), moment(high))]
    if not isinstance(value, dict):
        return []
    listed: list[tuple[str, str]] = []
    start, end = _stretches(value.get("start")), _stretches(value.get("end"))
    if start or end:
        listed.append((start[0][0] if start else OPEN_LOW, end[0][1] if end else OPEN_HIGH))
    for event in value.get("event") or ():
        listed += _stretches(event)
    repeat = value.get("repeat")
    if isinstance(repeat, dict):
        listed += _stretches(repeat.get("boundsPeriod"))
    return listed


def _reference(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    literal = value.get("reference")
    if isinstance(literal, str):
        whole = _apart(literal.partition(_HISTORY)[0])
        yield whole
        yield whole.rpartition("/")[2]
    identifier = value.get("identifier")
    if isinstance(identifier, dict):
        yield from ("identifier" + PART + word for word in _coded(identifier))


def _code(system: str, code: str) -> Iterator[str]:
    """Yields the words of a code without a written system; `system` is implied, or empty."""
    code = _apart(code)
    yield code
    yield PART + code
    if system:
        yield system + PART + code
        yield system + PART


def _coded(value: Mapping[str, Any]) -> Iterator[str]:
    code, system = value.get("code", value.get("value")), value.get("system")
    system = _apart(system) if isinstance(system, str) else ""
    if isinstance(code, str):
        code = _apart(code)
        yield code
        yield system + PART + code
    if system:
        yield system + PART


#: The readers of the types that are searched, in the order of the words.
_READERS: Mapping[str, Sequence[_Reader]] = {
    kind: [
        _reader(known)
        for known in (*PARAMETERS.get(kind, ()), *_MEMBER.get(kind, ()))
        if known.path and known.column is None
    ]
    for kind in PARAMETERS.keys() | _MEMBER.keys()
}
