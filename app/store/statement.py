"""Compiles statements whose shape varies: Core expressions become the driver's text and values.

A statement is compiled once for each shape. So whoever builds one keeps it in a cache whose key is
the shape (which columns, which criteria), and gives the values of each call by name:

    @cache
    def _rename(columns: tuple[str, ...]) -> Compiled:
        marks = {name: bindparam(name) for name in columns}
        return compiled(client.update().where(client.c.id == bindparam("key")).values(marks))

    await source.execute(*_rename(("active",)).called(key="hospital", active=False))
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    DateTime,
    Integer,
    Table,
    Text,
    bindparam,
    literal,
    literal_column,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

SqlExpression = ColumnElement[Any]
SqlCondition = ColumnElement[bool]

_DRIVER: Any = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement's text, the names of its parameters in order, and the constants among them."""

    sql: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]

    def called(self, **values: Any) -> tuple[Any, ...]:
        """Returns text and parameters, as `Source.fetch` takes them. KeyError if one is missing."""
        given = {**self.constants, **values} if self.constants else values
        return (self.sql, *map(given.__getitem__, self.names))


def compiled(expression: ClauseElement) -> Compiled:
    """Compiles a Core expression for the driver."""
    made: Any = expression.compile(dialect=_DRIVER)
    constants = {
        name: bind.effective_value for bind, name in made.bind_names.items() if not bind.required
    }
    return Compiled(made.string, tuple(made.positiontup), constants)


def column_types(table: Table) -> list[tuple[str, str]]:
    """Lists the columns of a table with the names of their types, as a statement writes them."""
    return [(column.name, column.type.compile(dialect=_DRIVER)) for column in table.columns]


def constant(value: str | int) -> SqlExpression:
    """Makes a value of our own part of the text: the planner knows it, and no call sends it."""
    made = literal(value)
    written = made.compile(dialect=_DRIVER, compile_kwargs={"literal_binds": True})
    return literal_column(str(written), made.type)


def text_given(name: str) -> BindParameter[str]:
    """Makes the parameter of this name, a text."""
    return bindparam(name, type_=Text())


def texts_given(name: str) -> BindParameter[Any]:
    """Makes the parameter of this name, an array of texts."""
    return bindparam(name, type_=ARRAY(Text()))


def number_given(name: str) -> BindParameter[int]:
    """Makes the parameter of this name, a number."""
    return bindparam(name, type_=Integer())


def moment_given(name: str) -> BindParameter[Any]:
    """Makes the parameter of this name, a moment."""
    return bindparam(name, type_=DateTime(timezone=True))
