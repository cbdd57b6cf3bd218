"""What each code of ours means, in words for its reader: one YAML file a language, in `words/`.

Explanations, letters, the timeline and the FHIR displays all read their words of codes here.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

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
