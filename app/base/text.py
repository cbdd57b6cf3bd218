"""Letters as they are compared: one form for what is stored and what is asked, whatever the
database's locale; and text that is too long for a key. PURE.
"""

import hashlib
import unicodedata

#: Bytes of a client's text that a key holds as they are; several of them fit one index row.
MAX_KEY = 400
#: Left out rather than read as a space: O'Brien is Obrien.
_WITHIN = frozenset("'\u2019\u2018\u02bc`.")


def plain(text: str) -> str:
    """Without case, accents, punctuation and spare spaces: `Álvarez-López` is `alvarez lopez`.

    FHIR R4, "Search", string. Text that is punctuation alone keeps it.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = "".join(_letter(each) for each in folded)
    return " ".join(kept.split()) or " ".join(folded.split())


def _letter(each: str) -> str:
    if each in _WITHIN or unicodedata.category(each) == "Mn":
        return ""
    return " " if unicodedata.category(each)[0] in "PZC" else each


def as_key(text: str) -> str:
    """The text as a key holds it: itself, or where it is too long its beginning and a digest."""
    data = text.encode()
    if len(data) <= MAX_KEY:
        return text
    return f"{text[:40]}\u2026{hashlib.sha256(data).hexdigest()}"


def is_cut(text: str) -> bool:
    """Whether a key holds only the beginning of what a client sent."""
    return text[40:41] == "\u2026" and len(text) == 105
