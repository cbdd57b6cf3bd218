"""A letter as data: what it is made of, and what it is when it is made. PURE."""

from dataclasses import dataclass
from datetime import datetime

from app.policy.policy import Policy
from app.store.referral.snapshot import Occasion
from app.views.letters.criteria import Decisive


@dataclass(frozen=True, slots=True)
class Addressee:
    """Somebody to write to: a name, the lines of the address, and how to reach them otherwise."""

    name: str | None = None
    lines: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    faxes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """All that a letter is made of."""

    outcome: str
    recipient: str  # requesting | servicing | member
    language: str
    at: datetime
    referral_id: str
    to: Addressee
    #: The member's name: as it was sent, unless the letter is theirs.
    member: str | None
    occasion: Occasion
    #: How the performer reaches the member; for the performer of an approval alone.
    member_reached: Addressee | None = None
    policy: Policy | None = None
    decisive: tuple[Decisive, ...] = ()
    provider: Addressee | None = None
    #: The requester is the member or family: a letter to a person, not to an office.
    person: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a list, and the lines below it."""

    text: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One part under its heading: paragraphs, a list, paragraphs after it, points."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    after: tuple[str, ...] = ()
    #: Points with a heading of their own, and what it says.
    points: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter, ready to be laid out."""

    language: str
    sender: str
    date: str
    addressee: tuple[str, ...]
    title: str
    about: tuple[tuple[str, str], ...]
    greeting: str
    sections: tuple[Section, ...]
    taglines: tuple[tuple[str, str], ...]  # language, words
    page: str  # "Page {number} of {count}"
