"""R4's primitive types: which JSON type each has and which values it takes (R4 datatypes.html).

Stricter than the published regular expressions where those say less than the text beside them: a
date must exist, a code has no invisible characters, narrative has no active content.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from app.fhir.r4.narrative import is_safe_narrative
from app.fhir.r4.strict_json import Number

# What cannot be seen and makes two codes look alike: controls, zero width, bidi overrides.
_UNSEEN = (
    r"\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e"
    r"\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
)
_YEAR = r"(?:[0-9](?:[0-9](?:[0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_DAY = r"(?:0[1-9]|[12][0-9]|3[01])"
_MONTH = r"(?:0[1-9]|1[0-2])"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"

_DATE = re.compile(f"{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?").fullmatch
_DATE_TIME = re.compile(f"{_YEAR}(?:-{_MONTH}(?:-{_DAY}(?:T{_CLOCK}{_ZONE})?)?)?").fullmatch
_INSTANT = re.compile(f"{_YEAR}-{_MONTH}-{_DAY}T{_CLOCK}{_ZONE}").fullmatch
_BASE64_BLANKS = re.compile(r"[ \t\r\n]+")

#: A code without surplus blanks; also what a business identifier may be made of.
is_code = re.compile(f"[^\\s{_UNSEEN}]+(?: [^\\s{_UNSEEN}]+)*").fullmatch
#: Text in which nothing is hidden, for identifiers; blanks are the issuer's affair.
is_plain = re.compile(f"[^{_UNSEEN}]*").fullmatch

_MAX_INT = 2_147_483_647
_MAX_TEXT = 1_048_576


class Primitive(NamedTuple):
    """`json` are the Python types that a value may have; `valid` judges a value of these."""

    json: tuple[type, ...]
    valid: Callable[[Any], Any]
    hint: str


def _exists(value: str) -> bool:
    """Whether the month has this day (the pattern has been checked: the year is 0001 to 9999)."""
    if len(value) < 10 or value[8:10] <= "28":
        return True
    try:
        date(int(value[:4]), int(value[5:7]), int(value[8:10]))
    except ValueError:
        return False
    return True


def _is_base64(value: str) -> bool:
    if any(blank in value for blank in " \t\r\n"):
        value = _BASE64_BLANKS.sub("", value)
    try:
        a2b_base64(value, strict_mode=True)
    except (Base64Error, ValueError):
        return False
    return value != ""


def _integer(low: int) -> Callable[[Any], bool]:
    # A number with a fraction or an exponent is a JSON number too, but no integer.
    return lambda value: type(value) is int and low <= value <= _MAX_INT


def _pattern(expression: str) -> Callable[[str], Any]:
    return re.compile(expression).fullmatch


_NUMBER = (int, Number, Decimal, float)
_UUID = "urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_URI = f"[^\\s{_UNSEEN}]+"

_TEXT = Primitive(
    (str,),
    lambda v: 0 < len(v) <= _MAX_TEXT,
    "Send text of up to 1,048,576 characters, or leave the element out.",
)

PRIMITIVES: dict[str, Primitive] = {
    "base64Binary": Primitive((str,), _is_base64, "Send base64 (RFC 4648) that is not empty."),
    "boolean": Primitive((bool,), lambda _: True, "Send true or false."),
    "canonical": Primitive((str,), _pattern(_URI), "Send a canonical address without blanks."),
    "code": Primitive((str,), is_code, "Send a code: no leading, trailing or double blanks."),
    "date": Primitive(
        (str,),
        lambda v: _DATE(v) and _exists(v),
        "Send a date that exists: YYYY, YYYY-MM or YYYY-MM-DD.",
    ),
    "dateTime": Primitive(
        (str,),
        lambda v: _DATE_TIME(v) and _exists(v),
        "Send YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a time zone; the day exists.",
    ),
    "decimal": Primitive(_NUMBER, lambda _: True, "Send a number."),
    "id": Primitive(
        (str,), _pattern(r"[A-Za-z0-9\-.]{1,64}"), "Send 1 to 64 letters, digits, hyphens and dots."
    ),
    "instant": Primitive(
        (str,),
        lambda v: _INSTANT(v) and _exists(v),
        "Send YYYY-MM-DDThh:mm:ss with a time zone; the day must exist.",
    ),
    "integer": Primitive(_NUMBER, _integer(-_MAX_INT - 1), "Send a whole number of 32 bits."),
    "markdown": _TEXT,
    "oid": Primitive(
        (str,), _pattern(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"), "Send urn:oid: and an OID."
    ),
    "positiveInt": Primitive(_NUMBER, _integer(1), "Send a whole number from 1 up."),
    "string": _TEXT,
    "time": Primitive((str,), _pattern(_CLOCK), "Send hh:mm:ss without a time zone."),
    "unsignedInt": Primitive(_NUMBER, _integer(0), "Send a whole number from 0 up."),
    "uri": Primitive((str,), _pattern(_URI), "Send a URI without blanks."),
    "url": Primitive((str,), _pattern(_URI), "Send a URL without blanks."),
    "uuid": Primitive((str,), _pattern(_UUID), "Send urn:uuid: and a UUID in lower case."),
    "xhtml": Primitive(
        (str,),
        is_safe_narrative,
        "Send one XHTML div of formatting elements: no scripts, events or forms.",
    ),
}

#: What to say when the JSON type itself is wrong.
JSON_WORDS = {bool: "true or false", str: "a JSON string", int: "a JSON number"}
