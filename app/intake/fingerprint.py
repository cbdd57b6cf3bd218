"""What "the same body" means for a repeat: the RFC 8785 form, hashed.

PURE. `urn:uuid` names of a Bundle's entries stand for their place in it, because a client makes new
ones for every try (spec.md 7, Repeatable).
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from typing import Any

import orjson

_WHOLE = float(2**53)
#: A urn to where it may end; one pass over the text, however many names there are.
_URN = re.compile(rb'urn:[^"\\\s<>]*+')
#: Names of entries are of one length, nearly always.
_MOST_LENGTHS = 10


def _number(value: Any) -> Any:
    """RFC 8785 writes numbers as doubles: 1.10 and 1.1, 1.0 and 1 are the same."""
    if not isinstance(value, Decimal):
        raise TypeError
    number = float(value)
    # Beyond 2**53 a double is whole anyway, and the writer takes no integer of more than 64 bits.
    return int(number) if number.is_integer() and abs(number) < _WHOLE else number


def canonical(tree: Any, full_urls: Iterable[str | None] = ()) -> bytes:
    """Sorted keys, no white space, numbers as doubles, entries named by their place."""
    text = orjson.dumps(tree, default=_number, option=orjson.OPT_SORT_KEYS)
    places = {
        orjson.dumps(url)[1:-1]: b"urn:entry:%d" % index
        for index, url in enumerate(full_urls)
        if url and url.startswith("urn:")
    }
    if not places:
        return text
    lengths = sorted({len(name) for name in places}, reverse=True)[:_MOST_LENGTHS]

    def placed(found: re.Match[bytes]) -> bytes:
        name = found[0]
        for length in lengths:  # longest first: a name may be the beginning of another
            if name[:length] in places:
                return places[name[:length]] + name[length:]
        return name

    return _URN.sub(placed, text)


def fingerprint(tree: Any, full_urls: Iterable[str | None] = ()) -> str:
    """SHA-256 of the canonical form, in hex."""
    return sha256(canonical(tree, full_urls)).hexdigest()
