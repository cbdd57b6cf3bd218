"""`If-None-Exist` as a client wrote it, read to the last character: the identifiers that it names.

PURE. A condition that is not understood must not create: anything but `identifier` is 400, and so
is what cannot be decoded, or carries characters that nobody sees. The words are those of a search,
read by the same code. FHIR R4, RESTful API 3.1.0.8.1 (conditional create).
"""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from app.base.errors import Refusal, refuse
from app.store.reading.ignored import MAX_CONDITIONS
from app.store.reading.query import MAX_ALTERNATIVES, pairs
from app.store.reading.values import ABOUT_THE_FORM, Token, Unreadable, split, token

#: Identifiers that must all be there, each in one of several forms.
Condition = list[tuple[Token, ...]]

_KIND = "ServiceRequest"
#: Blanks around a header's value are no part of it (RFC 9110 5.5).
_BLANKS = b" \t"


def read_condition(headers: Sequence[str], query: bytes, base: str) -> Condition | None:
    """The condition of a request's `If-None-Exist`, or of the query of its POST, which some clients
    send instead; None where it has none. `headers` are decoded as HTTP servers do, in Latin-1.
    """
    sent = {header.encode("latin-1").strip(_BLANKS) for header in headers}
    found = [_read(raw, base) for raw in sent]
    if query and (said := _identifiers(query)):
        found.append(said)
    if len(found) > 1 and any(other != found[0] for other in found):
        raise refuse(400, "value", "Send one If-None-Exist: these conditions differ.")
    return found[0] if found else None


def read_entry_condition(text: str, base: str) -> Condition:
    """The condition of an entry of a Bundle (`ifNoneExist`)."""
    return _read(text.encode().strip(_BLANKS), base)


def _read(raw: bytes, base: str) -> Condition:
    condition = _identifiers(_query_of(raw, base))
    if not condition:
        raise refuse(400, "value", "If-None-Exist takes identifier=system|value; it was empty.")
    return condition


def _query_of(raw: bytes, base: str) -> bytes:
    """What stands after `?` where a client sent the search with its type or its whole URL."""
    place, mark, query = raw.partition(b"?")
    if not mark or b"=" in place:
        return raw
    whole = f"{base}/{_KIND}"
    known = {"", _KIND, f"/{_KIND}", whole, urlsplit(whole).path}
    if place.rstrip(b"/").decode(errors="replace") not in known:
        raise refuse(400, "value", f"If-None-Exist is a search of {_KIND} on this server.")
    return query


def _identifiers(raw: bytes) -> Condition:
    """The pairs as tokens. A bare `+` is a blank in a form and a plus to whoever forgot to encode
    it: either finds the identifier.
    """
    blank, plus = (
        [pair for pair in pairs(read) if pair[0] not in ABOUT_THE_FORM]
        for read in (raw, raw.replace(b"+", b"%2B"))
    )
    if len(blank) > MAX_CONDITIONS:
        raise refuse(400, "too-costly", f"Send at most {MAX_CONDITIONS} identifiers to look for.")
    return [
        tuple(dict.fromkeys((*_tokens(*one), *_tokens(*other))))
        for one, other in zip(blank, plus, strict=True)
    ]


def _tokens(name: str, value: str) -> Iterator[Token]:
    if name != "identifier":
        raise _not_understood()
    alternatives = list(split(value))
    if len(alternatives) > MAX_ALTERNATIVES:
        raise refuse(400, "too-costly", f"Send at most {MAX_ALTERNATIVES} alternatives.")
    for alternative in alternatives:
        try:
            found = token(alternative)
        except Unreadable:
            raise _not_understood() from None
        if not found.code or not all(_is_seen(part) for part in (found.system or "", found.code)):
            raise _not_understood()
        yield found


def _is_seen(text: str) -> bool:
    """Whether every character shows, none of them a blank at an end."""
    return text.isprintable() and text == text.strip()


def _not_understood() -> Refusal:
    said = (
        "If-None-Exist takes identifier=system|value in percent-encoded UTF-8 and nothing else, "
        "without blanks around a value."
    )
    return refuse(400, "value", said)
