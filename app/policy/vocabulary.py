"""Words for the codes of this service, and the words of letters. Each file is read once.

- `words/` has one YAML file for each language: kind of code → code → reader → words. Explanations,
  letters, the timeline and the FHIR displays take the words of codes from these files.
- `templates/` has one `letter.yaml` for each language, all with the same keys and the same
  placeholders. `app.views.letters.letter` writes the letters.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from app.policy.catalog_schema import TranslatedWords as Translated

#: `display` names the code; the others are sentences: to staff, to the member, to anybody else.
Audience = Literal["display", "staff", "member", "others"]

_FILES = Path(__file__).with_name("words")
#: Kind of code → code → reader → words.
_Vocabulary = Mapping[str, Mapping[str, Mapping[str, str]]]


@cache
def words_of(kind: str, reader: Audience = "display", language: str = "en") -> Mapping[str, str]:
    """Map each code of a kind (`reasons`, `events` …) to its words. Codes without words for this
    reader are left out. Raises KeyError for a kind that the language does not have.
    """
    entries = _read(language)[kind].items()
    return {code: words[reader] for code, words in entries if reader in words}


@cache
def _read(language: str) -> _Vocabulary:
    text = (_FILES / f"{language}.yaml").read_text("utf-8")
    read: _Vocabulary = yaml.load(text, Loader=yaml.CSafeLoader)
    return read


# The words of letters

TEMPLATES = Path(__file__).with_name("templates")
#: The languages of letters; a letter in any other language is written in English.
LANGUAGES = ("en", "es", "hmn")

LetterWords = Mapping[str, Any]


def language_of(tag: str | None) -> str:
    """Choose the language of a letter by the reader's language tag (BCP 47): `es-MX` → `es`.

    `mww` and `hnj` (Hmong Daw, Hmong Njua) count as Hmong (`hmn`).
    """
    base = (tag or "").lower().replace("_", "-").partition("-")[0]
    known = {"es": "es", "spa": "es", "hmn": "hmn", "mww": "hmn", "hnj": "hmn"}
    return known.get(base, "en")


def translated(name: Translated, language: str) -> str:
    """Return a name of the policy files in a language; without a translation, in English."""
    other: str | None = getattr(name, language)
    return other or name.en


@cache
def words(language: str) -> LetterWords:
    """Return all words of letters in one of `LANGUAGES`."""
    text = (TEMPLATES / language / "letter.yaml").read_text("utf-8")
    read: LetterWords = yaml.load(text, Loader=yaml.CSafeLoader)
    return read


def reason_in_words(language: str, code: str, *, to_member: bool) -> str:
    """Word a coded reason for the member, or for another reader about the member; empty where the
    code has no words. A reason without words for other readers has the words for the member.
    """
    member_words = words_of("reasons", "member", language).get(code, "")
    if to_member:
        return member_words
    return words_of("reasons", "others", language).get(code, member_words)


def with_advice(known: str, advice: str | None) -> str:
    """Join the words of a reason and the plan's advice to whole sentences, each said once."""
    begun = known.rstrip(".")
    if not advice:
        return known
    if advice.casefold().startswith(begun.partition(";")[0].casefold()):
        return advice  # it says the reason itself, and more
    if advice[:1].islower():
        return f"{begun}; {advice.rstrip('.')}."
    return f"{begun}. {advice}"


def english() -> LetterWords:
    """Return the English words of letters."""
    return words("en")
