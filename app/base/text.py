"""Text for comparison, for keys of the database, and for sentences. PURE.

Stored text and searched text get one plain form, so that the locale of the database does not
matter. Text that is too long for a key is shortened.
"""

import hashlib
import re
import unicodedata

#: A key holds a text of at most so many bytes unchanged; several such keys fit one index row.
MAX_KEY = 400
#: These marks are left out, not read as a space: `O'Brien` is `obrien`.
_WITHIN = frozenset("'\u2019\u2018\u02bc`.")


def plain(text: str) -> str:
    """Remove case, accents, punctuation and extra spaces: `Álvarez-López` → `alvarez lopez`.

    See FHIR R4, "Search", string. Text of nothing but punctuation keeps its punctuation.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = folded.translate(_ASCII) if folded.isascii() else "".join(map(_letter, folded))
    return " ".join(kept.split()) or " ".join(folded.split())


def _letter(each: str) -> str:
    if each in _WITHIN or unicodedata.category(each) == "Mn":
        return ""
    return " " if unicodedata.category(each)[0] in "PZC" else each


#: What `_letter` makes of the letters that most names have.
_ASCII = {code: _letter(chr(code)) for code in range(128)}


def as_key(text: str) -> str:
    """Return the text; text that is too long becomes its first 40 letters, `…` and a digest."""
    data = text.encode()
    if len(data) <= MAX_KEY:
        return text
    return f"{text[:40]}\u2026{hashlib.sha256(data).hexdigest()}"


def is_cut(text: str) -> bool:
    """Tell whether a key holds only the beginning of a client's text (see `as_key`)."""
    return text[40:41] == "\u2026" and len(text) == 105


#: Marks that end a sentence.
_ENDS = (".", "?", "!", ":", "…")


def sentence(text: str) -> str:
    """Begin a text with a capital and end it with one full stop, whoever wrote it.

    A name that begins small (`iPad`) or a text without letters keeps its beginning.
    """
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"([^.])\.\.+$", r"\1.", text)
    if not text:
        return text
    first = text.partition(" ")[0]
    if first.islower():
        text = text[0].upper() + text[1:]
    inner = text.rstrip("”\"')")
    return text if inner.endswith(_ENDS) else f"{text}."
