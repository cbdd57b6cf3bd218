"""Text that stands where a person has to write: in the queue's next steps, in the first examples of
the contract. Sent back as it is, it says nothing, and is refused wherever words are recorded.

PURE.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

REASON = "Write your own reason here."
NOTE = "Write your own note here."
QUESTION = "Write your question here."
NUMBER = "write-the-number-here"
ID = "write-the-id-here"
#: Texts of the contract's other examples: true of nobody's referral.
_SHOWN = (
    "Say here why the exception is granted.",
    "The county confirms that she lost her place in the shelter.",
    "The hospital reports that she returned to her own home.",
    "We have nobody who speaks the member's language.",
)
_SEPARATORS = re.compile(r"[\W_]+")


def _bare(text: str) -> str:
    """Letters alone: capitals, blanks and full stops do not make it one's own."""
    return _SEPARATORS.sub(" ", text).strip().casefold()


_REFUSED = frozenset(map(_bare, (REASON, NOTE, QUESTION, NUMBER, ID, *_SHOWN)))
_LONGEST = 2 * max(map(len, _REFUSED))


def is_placeholder(text: object) -> bool:
    """Whether nobody has written anything in its place."""
    return isinstance(text, str) and len(text) <= _LONGEST and _bare(text) in _REFUSED


def said(name: str) -> str:
    """What to do about it."""
    return f"`{name}` still holds the text of an example. Write your own words, or leave it out."


#: A note of a person: no control characters but line ends and tabs.
NoteText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f]+$"),
]


def _own_words(note: str) -> str:
    if is_placeholder(note):
        raise ValueError("the note still holds the text of an example")
    return note


#: A note that somebody has written, not the text of an example.
OwnNote = Annotated[NoteText, AfterValidator(_own_words)]
