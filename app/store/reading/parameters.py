"""Search parameters as values: name, kind, and what each compares. The list is `catalog`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from app.store.reading.access import SqlStatement, Visibility
from app.store.reading.values import DateRange, Reference, Token

#: The name among the words for the identifiers of a referral's own Patient.
IDENTIFIED = "_member"
#: The name among the words for the status in the ServiceRequest itself.
SENT_STATUS = "_status"
#: The kinds of R4, and `canonical`: a reference that is an address, with or without a version.
ParameterKind = Literal["token", "reference", "canonical", "uri", "date", "string"]


@dataclass(frozen=True, slots=True)
class SearchCriterion:
    """One parameter of a search with its values, of which one must fit."""

    parameter: "Parameter"
    modifier: str = ""
    tokens: tuple[Token, ...] = ()
    references: tuple[Reference, ...] = ()
    ranges: tuple[DateRange, ...] = ()
    texts: tuple[str, ...] = ()
    missing: bool = False
    #: This server's FHIR base URL: a reference that begins with it is a reference to us.
    base: str = ""


#: Turns a code as written into the code that is compared; None for an unknown code.
CodeReader = Callable[[str], str | None]
#: Composes a condition on our own columns.
ColumnRule = Callable[[SqlStatement, SearchCriterion, Visibility], str]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter of one resource type."""

    name: str
    kind: ParameterKind
    about: str
    #: The elements that have the value (`a.b | c`): `words` reads them when a version is written.
    #: Empty where `column` answers alone.
    path: str = ""
    #: The implied system of a plain code.
    system: str = ""
    column: ColumnRule | None = None
    #: Composes the condition on the offer of the directory's row.
    offer: ColumnRule | None = None
    #: Reads the parameter's codes, or the codes of its `:identifier`.
    read: CodeReader | None = None
    #: The condition on our columns that the element is present at all (for `:missing`).
    present: str = ""
    #: The closed list of codes; a search for another code gets a warning.
    codes: frozenset[str] = frozenset()
    #: The name among the words, where it is not the parameter's own name.
    index: str = ""
    #: Whether a reference that a `column` answers is also found by `:identifier`.
    by_identifier: bool = False
    #: Types that the reference points to: a search of these finds this type by `_revinclude`.
    targets: tuple[str, ...] = ()
    #: Whether the parameter is this service's own: R4 has no such parameter of this type.
    ours: bool = False

    @property
    def indexed_as(self) -> str:
        """The parameter's name among the words."""
        return self.index or self.name

    @property
    def type(self) -> str:
        """The R4 name of the parameter's kind."""
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
    """A source of rows of a type: a FROM clause, and expressions for plan, id and time of change.

    An `owned` arm starts at the referral (`r`): its rows are visible to the referral's parties. Any
    other arm is the directory's and starts at `resource_version` (`v`).
    """

    source: str
    plan: str
    id: str
    at: str
    owned: bool = True
    #: The words (SQL of type text) of a resource that is made when it is read, not stored.
    words: str = ""
