"""What each code of ours means, in words for its reader: one YAML file a language, in `words/`.

Explanations, letters, the timeline and the FHIR displays all read their words of codes here.

The words of letters: one YAML file a language, all with the same keys and the same placeholders.
The words of coded reasons are in `app.policy.vocabulary`.

Reads files once; what a letter says with them is `letter.py`.
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
    """Maps each code of a kind (`reasons`, `events` …) to its words; codes that have none for this
    reader are left out. Raises KeyError for a kind that the language does not have.
    """
    entries = _read(language)[kind].items()
    return {code: words[reader] for code, words in entries if reader in words}


@cache
def _read(language: str) -> _Vocabulary:
    text = (_FILES / f"{language}.yaml").read_text("utf-8")
    read: _Vocabulary = yaml.load(text, Loader=yaml.CSafeLoader)
    return read


TEMPLATES = Path(__file__).with_name("templates")
#: The languages that letters are written in; English stands for every other.
LANGUAGES = ("en", "es", "hmn")

LetterWords = Mapping[str, Any]


def language_of(tag: str | None) -> str:
    """The language of a letter to somebody whose language tag (BCP 47) this is.

    `mww` and `hnj` (Hmong Daw, Hmong Njua) are read as Hmong.
    """
    base = (tag or "").lower().replace("_", "-").partition("-")[0]
    known = {"es": "es", "spa": "es", "hmn": "hmn", "mww": "hmn", "hnj": "hmn"}
    return known.get(base, "en")


def translated(name: Translated, language: str) -> str:
    """A name of the policy files in a language; in English where there is no other."""
    other: str | None = getattr(name, language)
    return other or name.en


@cache
def words(language: str) -> LetterWords:
    """All words of one of `LANGUAGES`."""
    text = (TEMPLATES / language / "letter.yaml").read_text("utf-8")
    read: LetterWords = yaml.load(text, Loader=yaml.CSafeLoader)
    return read


def reason_in_words(language: str, code: str, *, to_member: bool) -> str:
    """A coded reason, to the member or of the member; empty where the code has no words."""
    to_all = words_of("reasons", "member", language).get(code, "")
    return to_all if to_member else words_of("reasons", "others", language).get(code, to_all)


def english() -> LetterWords:
    """The words that are there for everybody."""
    return words("en")
