"""JSON as this service takes it: one object, nothing twice, nothing hidden, numbers as sent.

`parse` reads a body into plain dicts, lists and scalars; what FHIR makes of them is left to
`app.fhir.r4`. Most bodies pass through orjson and one look at the tree; whatever that look cannot
vouch for (a decimal, an escape, a possible duplicate) is read again by the standard library.

How deep a JSON text is nested, seen before anything is built of it.
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

#: Digits of an integer or a fraction, and powers of ten: far beyond R4's 18 digits.
MAX_DIGITS = 40
MAX_EXPONENT = 60
#: Of one body: more than 5 MB of clinical resources have.
MAX_SEPARATORS = 500_000
#: A large and dense body is read object by object, so that other threads have their turns.
_LARGE, _DENSE = 1024 * 1024, 100_000
#: One body may be wrong in every element; nobody reads more than this.
MAX_FAULTS = 100

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")

# Signs in the text that the tree of orjson no longer shows.
_SUSPECT_ESCAPES = (b"\\u000", b"\\u001", b"\\b", b"\\f")
_HIDDEN_ESCAPES = (*_SUSPECT_ESCAPES, b"\\ud", b"\\uD", b"\xed")
_BLANK_COLONS = (b" :", b"\n:", b"\t:", b"\r:")


class JsonNumber(Decimal):
    """A decimal that remembers how it was written: 1.10 is not 1.1, and 1e2 not 1E+2."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "JsonNumber":
        number = super().__new__(cls, text)
        number.text = text
        return number


@dataclass(eq=False)
class UnreadableJson(Exception):
    """The body cannot be taken as JSON; `faults` holds every reason that was found."""

    faults: list[Issue]

    def __str__(self) -> str:
        return "; ".join(f"{fault.code} {fault.expression}".strip() for fault in self.faults)


class _Twice(dict[str, Any]):
    """An object that was sent with a name more than once."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Bad:
    """Stands where a number stood that cannot be taken."""

    code: str
    text: str


_TOO_LARGE = _Bad("value", "This number is beyond what can be kept; send fewer digits.")
_NO_NUMBER = _Bad("structure", "JSON has no NaN and no Infinity; leave the element out.")


def parse(body: bytes) -> Parsed:
    """The object in `body`, or `UnreadableJson` with every fault that was found (spec.md 7,
    Errors).
    """
    tree = _read(body)
    if not isinstance(tree, dict):
        raise UnreadableJson([Issue("structure", "Send one JSON object: a FHIR resource.")])
    return tree


def parse_array(body: bytes) -> list[Any]:
    """As `parse`, for the one body that is a list: a JSON Patch."""
    tree = _read(body)
    if not isinstance(tree, list):
        raise UnreadableJson([Issue("structure", "Send a JSON array: the operations of a patch.")])
    return tree


def separators(body: bytes) -> int:
    """How much there is to read in a body: its commas and colons, and half of its escapes."""
    return body.count(b",") + body.count(b":") + body.count(b"\\") // 2


def clone(tree: Any) -> Any:
    """A copy of anything that `parse` gave back."""
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
    """Compact JSON of anything that `parse` gave back: every number as it was sent."""
    return orjson.dumps(tree, default=written)


def written(value: Any) -> Any:
    """For the writer: a number as it was sent."""
    if isinstance(value, Decimal):
        text = value.text if isinstance(value, JsonNumber) else str(value)
        return orjson.Fragment(text.encode())
    raise TypeError(f"{type(value).__name__} is not JSON")


def _is_plain(tree: Parsed | list[Any], body: bytes) -> bool:
    """Whether orjson's reading is beyond doubt: no decimals or duplicates, not deep, no escapes."""
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
    # Each name is followed by `":`; the same within a string only sends us the long way round.
    return body.count(b'":') == names


def _read_closely(body: bytes) -> Any:
    text = _decode(body)
    if is_deep(body):
        said = f"The body is nested deeper than {MAX_DEPTH} levels; send it flatter."
        raise UnreadableJson([Issue("structure", said)])
    reader = _Reader()
    try:
        tree = reader.read(text, strict=True)
    except ValueError:
        raise UnreadableJson(_unreadable(text)) from None
    if reader.doubtful or any(escape in body for escape in _HIDDEN_ESCAPES):
        faults = _found(tree)
        if faults:
            raise UnreadableJson(faults)
    return tree


def _unreadable(text: str) -> list[Issue]:
    """What to say of a text that is not JSON; raw control characters are named by their place."""
    try:
        tree = _Reader().read(text, strict=False)
    except ValueError:
        tree = None
    return _found(tree) or [
        Issue("structure", "The body is not JSON. Send one JSON object in UTF-8.")
    ]


def _decode(body: bytes) -> str:
    if not body.strip():
        raise UnreadableJson([Issue("structure", "The body is empty. Send one JSON object.")])
    if body.startswith(b"\xef\xbb\xbf"):
        said = "The body begins with a byte order mark. Send plain UTF-8 without it."
        raise UnreadableJson([Issue("structure", said)])
    try:
        # Surrogates are let through here so that they can be named by their element below.
        return body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise UnreadableJson([Issue("structure", "The body is not UTF-8.")]) from None


class _Reader:
    """The standard library's reader with hooks; `doubtful` once a hook met something to report."""

    def __init__(self) -> None:
        self.doubtful = False
        self._objects = 0

    def read(self, text: str, *, strict: bool) -> Any:
        """The tree, `_Twice` and `_Bad` standing for what cannot be taken. ValueError: no JSON."""
        return json.loads(
            text,
            object_pairs_hook=self._object,
            parse_float=self._decimal,
            parse_int=self._integer,
            parse_constant=lambda _: self._bad(_NO_NUMBER),
            strict=strict,
        )

    def _bad(self, bad: _Bad) -> _Bad:
        self.doubtful = True
        return bad

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        self._objects += 1
        if not self._objects % 1024:
            check_time_limit()
        if len(found) == len(pairs):
            return found
        self.doubtful = True
        twice = _Twice(found)
        counted = Counter(name for name, _ in pairs)
        twice.names = tuple(name for name, times in counted.items() if times > 1)
        return twice

    def _integer(self, text: str) -> Any:
        if len(text) > MAX_DIGITS:
            return self._bad(_TOO_LARGE)
        # orjson writes 64 bits; more digits travel as text.
        return int(text) if len(text) <= 18 else JsonNumber(text)

    def _decimal(self, text: str) -> Any:
        if len(text) > 2 * MAX_DIGITS:
            return self._bad(_TOO_LARGE)
        try:
            number = JsonNumber(text)
        except InvalidOperation:
            return self._bad(_TOO_LARGE)
        return number if abs(number.adjusted()) <= MAX_EXPONENT else self._bad(_TOO_LARGE)


def _found(tree: Any) -> list[Issue]:
    return list(islice(_faults(tree), MAX_FAULTS))


def _faults(tree: Any) -> Iterator[Issue]:
    kind = tree.get("resourceType") if isinstance(tree, dict) else None
    root = kind if isinstance(kind, str) and _NAME.fullmatch(kind) else ""
    stack: list[tuple[_Place, Any]] = [((None, root), tree)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, dict):
            if isinstance(node, _Twice):
                for name in node.names:
                    said = "This element is there twice. Send it once."
                    yield Issue("structure", said, _written((path, name)))
            if any(_CONTROL.search(name) for name in node):
                said = "An element's name has a control character in it."
                yield Issue("value", said, _written(path))
            stack += [((path, name), value) for name, value in node.items()]
        elif isinstance(node, list):
            stack += [((path, index), value) for index, value in enumerate(node)]
        elif isinstance(node, _Bad):
            yield Issue(node.code, node.text, _written(path))
        elif isinstance(node, str) and _CONTROL.search(node):
            said = "Take out control characters (tab and line breaks may stay) and surrogates."
            yield Issue("value", said, _written(path))


#: Where a value stands: what holds it, and its name or number there. Written out for a fault only.
_Place = tuple[Any, str | int]


def _written(place: _Place | None) -> str:
    """The path of a place; a name that no element could have is not repeated."""
    parts: list[str] = []
    while place is not None:
        place, name = place
        if isinstance(name, int):
            parts.append(f"[{name}]")
        elif _NAME.fullmatch(name):
            parts.append(f".{name}")
    return "".join(reversed(parts)).removeprefix(".")


#: Levels of nesting: deeper than any FHIR resource that people write.
MAX_DEPTH = 100

# Possessive, and content with a missing closing quote: linear time whatever is sent.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_BEGINNING = 16_384
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def is_deep(body: bytes) -> bool:
    """Whether brackets are nested deeper than `MAX_DEPTH`, those within strings left aside."""
    # An attack is deep from its beginning: a small part of it is enough to see that.
    return _exceeds_depth(body[:_BEGINNING]) or _exceeds_depth(body)


def _exceeds_depth(body: bytes) -> bool:
    if len(body) > _BEGINNING:
        return _is_deep_within(body)
    brackets = _STRINGS.sub(b"", body).translate(None, _NOT_BRACKETS)
    return any(depth > MAX_DEPTH for depth in accumulate(map(_STEP.__getitem__, brackets)))


def _is_deep_within(body: bytes) -> bool:
    """The same in many small steps: one long one would let no other thread have its turn."""
    depth = 0
    for found in _BRACKETS.finditer(body):
        depth += _STEP.get(body[found.start()], 0)
        if depth > MAX_DEPTH:
            return True
    return False
