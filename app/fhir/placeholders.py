"""Placeholders: text that stands in examples where a person has to write their own words.

Used in the queue's next steps and in the first examples of the contract. A placeholder sent back
unchanged says nothing, so every request that records words refuses it. PURE.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

REASON = "Write your own reason here."
NOTE = "Write your own note here."
QUESTION = "Write your question here."
NUMBER = "write-the-number-here"
ID = "write-the-id-here"
#: Texts of the contract's other examples, which are true of no real referral.
_EXAMPLES = (
    "Say here why the exception is granted.",
    "The county confirms that she lost her place in the shelter.",
    "The hospital reports that she returned to her own home.",
    "We have nobody who speaks the member's language.",
)
_SEPARATORS = re.compile(r"[\W_]+")


def _normalized(text: str) -> str:
    """Normalize a text, so that other capitals, blanks or full stops do not make it a new text."""
    return _SEPARATORS.sub(" ", text).strip().casefold()


_REFUSED = frozenset(map(_normalized, (REASON, NOTE, QUESTION, NUMBER, ID, *_EXAMPLES)))
_LONGEST = 2 * max(map(len, _REFUSED))


def is_placeholder(text: object) -> bool:
    """Whether a text is still a placeholder or an example."""
    return isinstance(text, str) and len(text) <= _LONGEST and _normalized(text) in _REFUSED


def placeholder_text(name: str) -> str:
    """The text of the error for a placeholder in the element `name`."""
    return f"`{name}` still holds the text of an example. Write your own words, or leave it out."


#: A note of a person: without control characters except line ends and tabs.
NoteText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f]+$"),
]


def _refuse_placeholder(note: str) -> str:
    if is_placeholder(note):
        raise ValueError("the note still holds the text of an example")
    return note


#: A note of a person that is not the text of an example.
OwnNote = Annotated[NoteText, AfterValidator(_refuse_placeholder)]
