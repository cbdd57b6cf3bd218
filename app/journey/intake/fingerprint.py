"""Hashes a body, so that two posts of one referral have one hash: the hash of the RFC 8785 form.

PURE. Clients make new `urn:uuid` names for the entries of a Bundle at every try, so each such name
counts as the place of its entry (spec.md 7, Repeatable).

The library `rfc8785` writes every decimal and every large integer. orjson writes the rest, because
it writes text, names and small integers as RFC 8785 does, in a hundredth of the library's time. The
two order names differently only beyond the Basic Multilingual Plane, where R4 names no element.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from math import isfinite
from typing import Any

import orjson
import rfc8785

_WHOLE = float(2**53)
#: A urn up to its possible end: one pass over the text, however many names a Bundle has.
_URN = re.compile(rb'urn:[^"\\\s<>]*+')
#: The most lengths of entry names that are tried; nearly always all names have one length.
_MOST_LENGTHS = 10


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A body's hash. `former` is the hash that earlier versions stored for this body: they wrote
    1e-6, 1e20 and integers from 2**53 on otherwise than RFC 8785, and what they stored stays.
    """

    value: str
    former: str

    def matches(self, stored: str) -> bool:
        """Whether a body stored under that hash is this body."""
        return stored in (self.value, self.former)


def fingerprint(tree: Any, full_urls: Iterable[str | None] = ()) -> Fingerprint:
    """Hashes a parsed body: its canonical form, and the form that earlier versions wrote."""
    places = _places(full_urls)
    text, former = canonical(tree), _canonical_formerly(tree)
    value = _hash(text, places)
    return Fingerprint(value, value if former == text else _hash(former, places))


def _hash(text: bytes, places: dict[bytes, bytes]) -> str:
    return sha256(_named_by_place(text, places)).hexdigest()


def canonical(tree: Any) -> bytes:
    """Writes a body in its RFC 8785 form."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
    try:
        return orjson.dumps(tree, default=_number, option=options)
    except orjson.JSONEncodeError:
        # An integer that a double cannot hold exactly; only this rare body is walked in Python.
        return orjson.dumps(_with_decimals(tree), default=_number, option=options)


def _number(value: Any) -> Any:
    """Writes a decimal as RFC 8785 does, as a double: 1.10 and 1.1 are equal, and 1.0 and 1. What
    no double can hold is written as text, as RFC 8785 advises.
    """
    if not isinstance(value, Decimal):
        raise TypeError
    number = float(value)
    return orjson.Fragment(rfc8785.dumps(number)) if isfinite(number) else str(value)


def _with_decimals(tree: Any) -> Any:
    """Copies a tree with its large integers as decimals."""
    if isinstance(tree, dict):
        return {name: _with_decimals(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_with_decimals(value) for value in tree]
    return Decimal(tree) if type(tree) is int and abs(tree) >= _WHOLE else tree


def _canonical_formerly(tree: Any) -> bytes:
    return orjson.dumps(tree, default=_number_formerly, option=orjson.OPT_SORT_KEYS)


def _number_formerly(value: Any) -> Any:
    if not isinstance(value, Decimal):
        raise TypeError
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < _WHOLE else number


def _places(full_urls: Iterable[str | None]) -> dict[bytes, bytes]:
    """Maps each entry's urn, as it stands in the text, to its place in the Bundle."""
    return {
        orjson.dumps(url)[1:-1]: b"urn:entry:%d" % index
        for index, url in enumerate(full_urls)
        if url and url.startswith("urn:")
    }


def _named_by_place(text: bytes, places: dict[bytes, bytes]) -> bytes:
    if not places:
        return text
    lengths = sorted({len(name) for name in places}, reverse=True)[:_MOST_LENGTHS]

    def placed(match: re.Match[bytes]) -> bytes:
        name = match[0]
        for length in lengths:  # longest first: a name may be the beginning of another
            if name[:length] in places:
                return places[name[:length]] + name[length:]
        return name

    return _URN.sub(placed, text)
