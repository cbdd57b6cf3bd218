"""Reads JSON strictly: one object, no name duplicates, no hidden characters, numbers as sent.

`parse` reads a body into plain dicts, lists and scalars; `app.fhir.r4` checks them against FHIR.
orjson reads most bodies, then one look at the tree follows. If that look finds anything doubtful (a
decimal, an escape, a possible duplicate), the standard library reads the body again.

`is_deep` finds too deep nesting in the text, before any object is built.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import accumulate, islice
from typing import Any

import orjson

from app.base.errors import Issue
from app.base.heavy_work import check_time_limit

#: A parsed body: dict, list, str, int, bool, None and, for every number with a fraction,
#: `JsonNumber`.
Parsed = dict[str, Any]

#: Most digits of an integer or a fraction, and the largest power of ten; R4 asks for 18 digits.
MAX_DIGITS = 40
MAX_EXPONENT = 60
#: Limit of `separators` in one body; 5 MB of clinical resources have fewer.
MAX_SEPARATORS = 500_000
#: A large and dense body is read object by object, so that other threads have their turns.
_LARGE, _DENSE = 1024 * 1024, 100_000
#: Most faults reported for one body: nobody reads more.
MAX_FAULTS = 100

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_NAME = re.compile(r"(?!.*[0-9]{3})[A-Za-z_][A-Za-z0-9_]{0,63}")

# Marks in the text that orjson's tree no longer shows.
_SUSPECT_ESCAPES = (b"\\u000", b"\\u001", b"\\b", b"\\f")
_HIDDEN_ESCAPES = (*_SUSPECT_ESCAPES, b"\\ud", b"\\uD", b"\xed")
_BLANK_COLONS = (b" :", b"\n:", b"\t:", b"\r:")


class JsonNumber(Decimal):
    """A decimal that keeps its text as sent: 1.10 does not become 1.1, nor 1e2 become 1E+2."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "JsonNumber":
        number = super().__new__(cls, text)
        number.text = text
        return number


@dataclass(eq=False)
class UnreadableJson(Exception):
    """Raised for a body that is not accepted as JSON; `faults` holds every fault found."""

    faults: list[Issue]

    def __str__(self) -> str:
        return "; ".join(f"{fault.code} {fault.expression}".strip() for fault in self.faults)


class _DuplicateNames(dict[str, Any]):
    """An object in which `names` were sent more than once."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _RefusedNumber:
    """Stands in the tree in place of a number that is refused."""

    code: str
    text: str


_TOO_LARGE = _RefusedNumber("value", "This number is beyond what can be kept; send fewer digits.")
_NO_NUMBER = _RefusedNumber("structure", "JSON has no NaN and no Infinity; leave the element out.")


def parse(body: bytes) -> Parsed:
    """Read the object in `body`; raises `UnreadableJson` with every fault (spec.md 7, Errors)."""
    tree = _read(body)
    if not isinstance(tree, dict):
        raise UnreadableJson([Issue("structure", "Send one JSON object: a FHIR resource.")])
    return tree


def parse_array(body: bytes) -> list[Any]:
    """Read the list in `body` (a JSON Patch); raises `UnreadableJson` like `parse`."""
    tree = _read(body)
    if not isinstance(tree, list):
        raise UnreadableJson([Issue("structure", "Send a JSON array: the operations of a patch.")])
    return tree


def separators(body: bytes) -> int:
    """Estimate the work to read a body: count its commas, its colons, and half of its escapes."""
    return body.count(b",") + body.count(b":") + body.count(b"\\") // 2


def clone(tree: Any) -> Any:
    """Copy any value that `parse` returned."""
    return _read(dumps(tree))


def _read(body: bytes) -> Any:
    if len(body) > _LARGE and separators(body) > _DENSE:
        return _read_closely(body)
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _read_closely(body)
    if isinstance(tree, dict | list) and not _is_plain(tree, body):
        return _read_closely(body)
    return tree


def dumps(tree: Any) -> bytes:
    """Write compact JSON of any value that `parse` returned, with every number as sent."""
    return orjson.dumps(tree, default=written)


def written(value: Any) -> Any:
    """Write a decimal as sent; orjson calls this function for types that it does not know."""
    if isinstance(value, Decimal):
        text = value.text if isinstance(value, JsonNumber) else str(value)
        return orjson.Fragment(text.encode())
    raise TypeError(f"{type(value).__name__} is not JSON")


def _is_plain(tree: Parsed | list[Any], body: bytes) -> bool:
    """Whether orjson's tree can be trusted: no decimals, duplicates, suspect escapes, not deep."""
    if b"\\" in body and any(escape in body for escape in _SUSPECT_ESCAPES):
        return False
    if any(colon in body for colon in _BLANK_COLONS):
        return False
    names = 0
    depth = 0
    level: list[Any] = [tree]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            return False
        below: list[Any] = []
        for node in level:
            if type(node) is dict:
                names += len(node)
                values = node.values()
            else:
                values = node
            for value in values:
                kind = type(value)
                if kind is dict or kind is list:
                    below.append(value)
                elif kind is float:
                    return False
        level = below
    # `":` follows each name. If a string contains `":` too, the slow reader reads the body again.
    return body.count(b'":') == names


def _read_closely(body: bytes) -> Any:
    text = _decode(body)
    if is_deep(body):
        fault = f"The body is nested deeper than {MAX_DEPTH} levels; send it flatter."
        raise UnreadableJson([Issue("structure", fault)])
    reader = _Reader()
    try:
        tree = reader.read(text, strict=True)
    except ValueError:
        raise UnreadableJson(_unreadable(text)) from None
    if reader.doubtful or any(escape in body for escape in _HIDDEN_ESCAPES):
        faults = _listed_faults(tree)
        if faults:
            raise UnreadableJson(faults)
    return tree


def _unreadable(text: str) -> list[Issue]:
    """Find the faults of a text that is not JSON, such as the path of a raw control character."""
    try:
        tree = _Reader().read(text, strict=False)
    except ValueError:
        tree = None
    return _listed_faults(tree) or [
        Issue("structure", "The body is not JSON. Send one JSON object in UTF-8.")
    ]


def _decode(body: bytes) -> str:
    if not body.strip():
        raise UnreadableJson([Issue("structure", "The body is empty. Send one JSON object.")])
    if body.startswith(b"\xef\xbb\xbf"):
        text = "The body begins with a byte order mark. Send plain UTF-8 without it."
        raise UnreadableJson([Issue("structure", text)])
    try:
        # Surrogates pass here, so that `_faults` can name their element.
        return body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise UnreadableJson([Issue("structure", "The body is not UTF-8.")]) from None


class _Reader:
    """The standard library's reader with hooks; `doubtful` is True if a hook found a fault."""

    def __init__(self) -> None:
        self.doubtful = False
        self._objects = 0

    def read(self, text: str, *, strict: bool) -> Any:
        """Read a tree; `_DuplicateNames` and `_RefusedNumber` mark faults. ValueError: no JSON."""
        return json.loads(
            text,
            object_pairs_hook=self._object,
            parse_float=self._decimal,
            parse_int=self._integer,
            parse_constant=lambda _: self._bad(_NO_NUMBER),
            strict=strict,
        )

    def _bad(self, bad: _RefusedNumber) -> _RefusedNumber:
        self.doubtful = True
        return bad

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        self._objects += 1
        if not self._objects % 1024:
            check_time_limit()
        if len(members) == len(pairs):
            return members
        self.doubtful = True
        duplicates = _DuplicateNames(members)
        counted = Counter(name for name, _ in pairs)
        duplicates.names = tuple(name for name, times in counted.items() if times > 1)
        return duplicates

    def _integer(self, text: str) -> Any:
        if len(text) > MAX_DIGITS:
            return self._bad(_TOO_LARGE)
        # orjson writes integers of 64 bits; a longer integer keeps its digits as text.
        return int(text) if len(text) <= 18 else JsonNumber(text)

    def _decimal(self, text: str) -> Any:
        if len(text) > 2 * MAX_DIGITS:
            return self._bad(_TOO_LARGE)
        try:
            number = JsonNumber(text)
        except InvalidOperation:
            return self._bad(_TOO_LARGE)
        return number if abs(number.adjusted()) <= MAX_EXPONENT else self._bad(_TOO_LARGE)


def _listed_faults(tree: Any) -> list[Issue]:
    return list(islice(_faults(tree), MAX_FAULTS))


def _faults(tree: Any) -> Iterator[Issue]:
    kind = tree.get("resourceType") if isinstance(tree, dict) else None
    root = kind if isinstance(kind, str) and _NAME.fullmatch(kind) else ""
    stack: list[tuple[_Place, Any]] = [((None, root), tree)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, dict):
            if isinstance(node, _DuplicateNames):
                for name in node.names:
                    text = "This element is there twice. Send it once."
                    yield Issue("structure", text, _path_of((path, name)))
            if any(_CONTROL.search(name) for name in node):
                text = "An element's name has a control character in it."
                yield Issue("value", text, _path_of(path))
            stack += [((path, name), value) for name, value in node.items()]
        elif isinstance(node, list):
            stack += [((path, index), value) for index, value in enumerate(node)]
        elif isinstance(node, _RefusedNumber):
            yield Issue(node.code, node.text, _path_of(path))
        elif isinstance(node, str) and _CONTROL.search(node):
            text = "Take out control characters (tab and line breaks may stay) and surrogates."
            yield Issue("value", text, _path_of(path))


#: The place of a value: its parent's place, and its name or index there. Written for faults only.
_Place = tuple[Any, str | int]


def _path_of(place: _Place | None) -> str:
    """Write a place as a path; a name that no element could have is not repeated."""
    parts: list[str] = []
    while place is not None:
        place, name = place
        if isinstance(name, int):
            parts.append(f"[{name}]")
        elif _NAME.fullmatch(name):
            parts.append(f".{name}")
    return "".join(reversed(parts)).removeprefix(".")


# Depth
#: Most levels of nesting; FHIR resources in use are less deep.
MAX_DEPTH = 100

# Possessive, and a string may lack its closing quote: so any text takes linear time.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_BEGINNING = 16_384
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def is_deep(body: bytes) -> bool:
    """Whether brackets are nested deeper than `MAX_DEPTH`; brackets in strings do not count."""
    # An attack is deep from its beginning, so a small part of the body is enough to find it.
    return _exceeds_depth(body[:_BEGINNING]) or _exceeds_depth(body)


def _exceeds_depth(body: bytes) -> bool:
    if len(body) > _BEGINNING:
        return _is_deep_within(body)
    brackets = _STRINGS.sub(b"", body).translate(None, _NOT_BRACKETS)
    return any(depth > MAX_DEPTH for depth in accumulate(map(_STEP.__getitem__, brackets)))


def _is_deep_within(body: bytes) -> bool:
    """Count the depth in small steps, because one long step would block other threads."""
    depth = 0
    for bracket in _BRACKETS.finditer(body):
        depth += _STEP.get(body[bracket.start()], 0)
        if depth > MAX_DEPTH:
            return True
    return False
