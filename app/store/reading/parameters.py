"""Search parameters as values: what each is called, takes and compares. See `catalog`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from app.store.reading.access import SqlStatement, Visibility
from app.store.reading.values import DateRange, Reference, Token

#: The word for the identifiers of whom a referral's own Patient is.
IDENTIFIED = "_member"
#: The word for the status that the ServiceRequest itself says.
SENT_STATUS = "_status"
#: As R4 has them, but `canonical`: a reference that is an address, with or without a version.
ParameterKind = Literal["token", "reference", "canonical", "uri", "date", "string"]


@dataclass(frozen=True, slots=True)
class SearchCriterion:
    """One parameter as asked: any of its values will do."""

    parameter: "Parameter"
    modifier: str = ""
    tokens: tuple[Token, ...] = ()
    references: tuple[Reference, ...] = ()
    ranges: tuple[DateRange, ...] = ()
    texts: tuple[str, ...] = ()
    missing: bool = False
    #: This server's FHIR base: references to it are references to us.
    base: str = ""


#: A code as it is compared, from one as it was written; None: there is no such.
CodeReader = Callable[[str], str | None]
#: Makes the condition on our own columns.
ColumnRule = Callable[[SqlStatement, SearchCriterion, Visibility], str]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter of one resource type."""

    name: str
    kind: ParameterKind
    about: str
    #: The elements that hold it (`a.b | c`): `words` takes them when a version is written. Empty
    #: where `column` answers alone.
    path: str = ""
    #: The system that a plain code has without saying so.
    system: str = ""
    column: ColumnRule | None = None
    #: Makes the condition on the offer of the directory's row.
    offer: ColumnRule | None = None
    #: How its codes, or those of its `:identifier`, are read.
    read: CodeReader | None = None
    #: Whether the parameter is present at all, on our columns (for `:missing`).
    present: str = ""
    #: The closed list of codes, so that an unknown one is pointed out.
    codes: frozenset[str] = frozenset()
    #: Type of the directory's index entry where its name is not the parameter's.
    index: str = ""
    #: Whether a reference is found by `:identifier` though its `column` answers.
    by_identifier: bool = False
    #: Types that its references bring it along with (`_revinclude`).
    targets: tuple[str, ...] = ()
    #: R4 has no such parameter of this type: it is this service's.
    ours: bool = False

    @property
    def indexed_as(self) -> str:
        """Its name among the words."""
        return self.index or self.name

    @property
    def type(self) -> str:
        """What R4 calls its kind."""
        return "reference" if self.kind == "canonical" else self.kind

    @property
    def modifiers(self) -> tuple[str, ...]:
        missing = ("missing",) if self.path or self.present else ()
        match self.kind:
            case "token":
                return ("not", *missing)
            case "reference":
                known = self.by_identifier or bool(self.path)
                return ("identifier", *missing) if known else missing
            case _:
                return missing


@dataclass(frozen=True, slots=True)
class Arm:
    """Where rows of a type come from: a FROM clause and its plan, id and time of change.

    `owned` arms start at the referral (`r`) and are subject to its parties; the others are the
    directory's and start at `resource_version` (`v`).
    """

    source: str
    plan: str
    id: str
    at: str
    owned: bool = True
    #: What is made when it is read, not stored: its words (SQL of type text).
    words: str = ""
