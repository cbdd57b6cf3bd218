"""Search parameters as values: name, kind, and what each compares. The list is `catalog`.

A search is one statement for each shape, and a shape has no values. So every rule of comparison is
a pair of functions: one returns the values of a criterion by name, the other makes the condition
from parameters of these names. Where the condition depends on the values (another system of a
code, one date or several), it depends on their names alone: these belong to the shape.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BindParameter, FromClause, bindparam
from sqlalchemy.types import TypeEngine

from app.store.reading.access import Visibility
from app.store.reading.values import DateRange, Reference, Token
from app.store.statement import SqlCondition, SqlExpression, text_given, texts_given

#: The name among the words for the identifiers of a referral's own Patient.
IDENTIFIED = "_member"
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


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """A source of rows of a type: a FROM clause, and expressions for plan, id and time of change.

    An `owned` arm starts at `REFERRAL`: its rows are visible to the referral's parties. Any other
    arm is the directory's and starts at `LISTED`.
    """

    source: FromClause
    plan: SqlExpression
    id: SqlExpression
    at: SqlExpression
    owned: bool = True
    #: The words of a resource that is made when it is read, not stored.
    words: SqlExpression | None = None
    #: The stored versions that are the rows, where no other table has a row for each resource.
    stored: FromClause | None = None


@dataclass(frozen=True, slots=True)
class GivenValues:
    """What a condition is made from: the names of the criterion's values, and where it looks."""

    parameter: "Parameter"
    modifier: str
    names: Collection[str]
    #: What tells this criterion's values from those of others in the statement.
    prefix: str
    arm: Arm
    #: The words of the row.
    words: SqlExpression

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def text(self, name: str) -> BindParameter[str]:
        """Makes the parameter for a text."""
        return text_given(self.prefix + name)

    def texts(self, name: str) -> BindParameter[Any]:
        """Makes the parameter for an array of texts."""
        return texts_given(self.prefix + name)

    def value(self, name: str, kind: TypeEngine[Any]) -> BindParameter[Any]:
        """Makes the parameter for a value of another type."""
        return bindparam(self.prefix + name, type_=kind)


#: The values of a criterion by name.
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SearchRule:
    """How a criterion is compared: the condition, and its values for one caller."""

    condition: Callable[[GivenValues], SqlCondition]
    values: Callable[[SearchCriterion, Visibility], Values]


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One search parameter of one resource type. Each is itself alone: part of the shape."""

    name: str
    kind: ParameterKind
    about: str
    #: The elements that have the value (`a.b | c`): `words` reads them when a version is written.
    #: Empty where `column` answers alone.
    path: str = ""
    #: The implied system of a plain code.
    system: str = ""
    #: The rule of the columns of our own that answer.
    column: SearchRule | None = None
    #: The rule on the offer of the directory's row.
    offer: SearchRule | None = None
    #: Reads the parameter's codes, or the codes of its `:identifier`.
    read: CodeReader | None = None
    #: The condition on our columns that the element is present at all (for `:missing`).
    present: SqlCondition | None = None
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
        missing = ("missing",) if self.path or self.present is not None else ()
        match self.kind:
            case "token":
                return ("not", *missing)
            case "reference":
                known = self.by_identifier or bool(self.path)
                return ("identifier", *missing) if known else missing
            case _:
                return missing
