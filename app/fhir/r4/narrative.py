"""Narrative XHTML: which elements and attributes R4 lets a `div` hold (txt-1 and txt-2).

Judges only; a narrative is stored and given back as sent, or the payload is refused.
"""

import re
from xml.parsers.expat import ExpatError, ParserCreate

from app.fhir import codes

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

# What runs when it is followed or shown. All else may stand there, as R4 lets it: an image or a
# link, relative, of this Bundle or of another server, is kept as sent and never fetched by us.
_RUNS = re.compile(r"(?i)(?:javascript|vbscript|livescript|mocha|data):").match
_IMAGE = re.compile(r"(?i)data:image/[a-z0-9.+-]+[;,]").match
_LIVE_STYLE = re.compile(
    r"(?i)expression\s*\(|javascript\s*:|@import|behavior\s*:|-moz-binding"
).search
_STYLE_COMMENT = re.compile(r"(?s)/\*.*?(?:\*/|\Z)")
_STYLE_ESCAPE = re.compile(r"\\(?:([0-9A-Fa-f]{1,6})\s?|(.))")


class _Unsafe(Exception):
    """Narrative that R4 does not allow."""


class _Reader:
    """Walks the XML once; raises `_Unsafe` at the first thing that may not stand there."""

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
    """A style as it is understood: without comments, its escapes spelled out."""
    return _STYLE_ESCAPE.sub(_spelled, _STYLE_COMMENT.sub("", value))


def _spelled(escape: re.Match[str]) -> str:
    code = int(escape[1], 16) if escape[1] else 0
    return escape[2] or (chr(code) if code <= 0x10FFFF else "")


def is_safe_narrative(value: str) -> bool:
    """Whether this is one XHTML `div` with content, made of formatting only."""
    reader = _Reader()
    parser = ParserCreate(namespace_separator=_SEPARATOR)
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    # No DOCTYPE: no entities of the sender's making. Instructions have no place in a div.
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.ProcessingInstructionHandler = reader.refuse
    parser.XmlDeclHandler = reader.refuse
    try:
        parser.Parse(value, True)
    except (_Unsafe, ExpatError, UnicodeEncodeError, ValueError):
        return False
    return reader.content
