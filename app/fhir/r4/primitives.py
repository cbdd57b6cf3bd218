"""R4's primitive types: the JSON type of each, and the values it accepts (R4 datatypes.html).

Stricter than the published regular expressions where the text beside them asks for more: a date
must exist, a code has no invisible characters, narrative has no active content.

Narrative XHTML has the elements and attributes that R4 allows in a `div` (txt-1 and txt-2). The
checks change nothing: a narrative is stored and returned as sent, or the payload is refused.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from xml.parsers.expat import ExpatError, ParserCreate

from app.fhir.r4 import codes
from app.fhir.r4.strict_json import JsonNumber

_XHTML = codes.XHTML
_SEPARATOR = " "

_ELEMENTS = frozenset(
    {
        "a", "abbr", "acronym", "b", "big", "blockquote", "br", "caption", "cite", "code",
        "col", "colgroup", "dd", "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5",
        "h6", "hr", "i", "img", "li", "ol", "p", "pre", "q", "samp", "small", "span", "strong",
        "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "ul", "var",
    }
)  # fmt: skip
_ATTRIBUTES = frozenset(
    {
        "abbr", "accesskey", "align", "alt", "axis", "bgcolor", "border", "cellhalign",
        "cellpadding", "cellspacing", "cellvalign", "char", "charoff", "charset", "cite",
        "class", "colspan", "compact", "coords", "dir", "frame", "headers", "height", "href",
        "hreflang", "hspace", "id", "lang", "longdesc", "name", "nowrap", "rel", "rev",
        "rowspan", "rules", "scope", "shape", "span", "src", "start", "style", "summary",
        "tabindex", "title", "type", "valign", "value", "vspace", "width",
    }
)  # fmt: skip
_XML_LANG = f"{codes.XML} lang"

# Addresses that run code when a reader follows or shows them. R4 allows all other addresses: an
# image or a link, relative, of this Bundle or of another server, is kept as sent, never fetched.
_RUNS = re.compile(r"(?i)(?:javascript|vbscript|livescript|mocha|data):").match
_IMAGE = re.compile(r"(?i)data:image/[a-z0-9.+-]+[;,]").match
_LIVE_STYLE = re.compile(
    r"(?i)expression\s*\(|javascript\s*:|@import|behavior\s*:|-moz-binding"
).search
_STYLE_COMMENT = re.compile(r"(?s)/\*.*?(?:\*/|\Z)")
_STYLE_ESCAPE = re.compile(r"\\(?:([0-9A-Fa-f]{1,6})\s?|(.))")


class _Unsafe(Exception):
    """Raised for narrative that R4 does not allow."""


class _NarrativeReader:
    """Walks the XML once; raises `_Unsafe` at the first node that R4 does not allow."""

    def __init__(self) -> None:
        self.content = False
        self._depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(_SEPARATOR)
        if namespace != _XHTML or local not in _ELEMENTS or (not self._depth and local != "div"):
            raise _Unsafe
        self._depth += 1
        self.content |= local == "img"
        for key, value in attributes.items():
            _check_attribute(key, value)

    def end(self, _name: str) -> None:
        self._depth -= 1

    def text(self, data: str) -> None:
        self.content |= not data.isspace()

    def refuse(self, *_: object) -> None:
        raise _Unsafe


def _check_attribute(name: str, value: str) -> None:
    if name not in _ATTRIBUTES and name != _XML_LANG:
        raise _Unsafe
    stripped = re.sub(r"[\s\x00-\x20]", "", value)
    image = name == "src" and _IMAGE(stripped)
    if name in ("href", "cite", "longdesc", "src") and _RUNS(stripped) and not image:
        raise _Unsafe
    if name == "style" and _LIVE_STYLE(_plain_style(value)):
        raise _Unsafe


def _plain_style(value: str) -> str:
    """Write a style as browsers read it: without comments, its escapes as characters."""
    return _STYLE_ESCAPE.sub(_spelled, _STYLE_COMMENT.sub("", value))


def _spelled(escape: re.Match[str]) -> str:
    code = int(escape[1], 16) if escape[1] else 0
    return escape[2] or (chr(code) if code <= 0x10FFFF else "")


def is_safe_narrative(value: str) -> bool:
    """Whether `value` is one XHTML `div` with content, made of formatting only."""
    reader = _NarrativeReader()
    parser = ParserCreate(namespace_separator=_SEPARATOR)
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    # A DOCTYPE could define entities. Processing instructions are not allowed in a div.
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.ProcessingInstructionHandler = reader.refuse
    parser.XmlDeclHandler = reader.refuse
    try:
        parser.Parse(value, True)
    except (_Unsafe, ExpatError, UnicodeEncodeError, ValueError):
        return False
    return reader.content


# Invisible characters, which make two codes look alike: controls, zero width, bidi overrides.
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

#: Matches a code without surplus blanks; a business identifier follows the same pattern.
is_code = re.compile(f"[^\\s{_UNSEEN}]+(?: [^\\s{_UNSEEN}]+)*").fullmatch
#: Matches text without invisible characters, for identifiers; their issuer may use any blanks.
is_plain = re.compile(f"[^{_UNSEEN}]*").fullmatch

_MAX_INT = 2_147_483_647
_MAX_TEXT = 1_048_576


class Primitive(NamedTuple):
    """A primitive type: `json` are the Python types of its values, `valid` checks such a value."""

    json: tuple[type, ...]
    valid: Callable[[Any], Any]
    hint: str


def _exists(value: str) -> bool:
    """Whether the month has this day; the pattern has been checked (years 0001 to 9999)."""
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
    # `1.0` and `1e2` are JSON numbers, but no integers of R4.
    return lambda value: type(value) is int and low <= value <= _MAX_INT


def _pattern(expression: str) -> Callable[[str], Any]:
    return re.compile(expression).fullmatch


_NUMBER = (int, JsonNumber, Decimal, float)
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

#: Python type → its words in the error for a wrong JSON type.
JSON_WORDS = {bool: "true or false", str: "a JSON string", int: "a JSON number"}
