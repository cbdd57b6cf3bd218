"""The second floor: writes the rows that a referral becomes, and does nothing else for it.

No token, no check, no rule, no resource composed: the rows of one referral that the service took,
under new names, in one statement with all their columns as parameters, into tables with the same
columns, indexes and constraints. `python -m bench.same_rows PORT DATABASE_URL REFERRAL REFERRAL
TABLE…` serves it: the rows of these tables are the first referral's, and the second, of the same
performer, tells which of its values are its own.
"""

import itertools
import re
import sys
from collections.abc import Iterator
from typing import Any

import asyncpg
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uuid_utils import uuid7

from bench.floor import serve
from bench.models import Rows, Table, own_values, posted, tables

_FOREIGN = """SELECT conrelid::regclass::text AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
    AND conrelid::regclass::text = ANY ($1) AND confrelid::regclass::text = ANY ($1)"""


async def make_tables(connection: Any, names: list[str]) -> None:
    """The schema `same_rows` with tables as the service's, and their foreign keys."""
    foreign = await connection.fetch(_FOREIGN, names)
    await connection.execute("CREATE SCHEMA same_rows; SET search_path TO same_rows, public")
    for name in names:
        await connection.execute(f'CREATE TABLE "{name}" (LIKE public."{name}" INCLUDING ALL)')
    for row in foreign:
        await connection.execute(f"ALTER TABLE {row['name']} ADD {row['definition']}")
    await connection.execute("RESET search_path")


class Copies:
    """Makes the parameters of the statement, for one copy after another."""

    def __init__(self, known: list[Table], model: Rows, own: set[str]) -> None:
        self._names = sorted(own)
        named = "|".join(re.escape(name) for name in sorted(own, key=len, reverse=True))
        self._split = re.compile(f"({named})")
        self._places = {name: place for place, name in enumerate(self._names)}
        self._values: list[Any] = []
        columns = {table.name: table.columns for table in known}
        parts = (
            f'"{name}_rows" AS ({self._insert(name, columns[name], rows)})'
            for name, rows in model.items()
        )
        self.sql = f"WITH {', '.join(parts)} SELECT 1"
        self._number = itertools.count(1)

    def _insert(self, name: str, columns: dict[str, str], rows: list[Any]) -> str:
        values = []
        for row in rows:
            marks = []
            for column, kind in columns.items():
                self._values.append(self._pieces(row[column]))
                marks.append(f"${len(self._values)}::{kind}")
            values.append(f"({', '.join(marks)})")
        return f'INSERT INTO same_rows."{name}" VALUES {", ".join(values)}'

    def _pieces(self, value: Any) -> Any:
        """The value; or, where it has names in it, its pieces with the names' places between."""
        if not isinstance(value, str | bytes):
            return value
        text = value if isinstance(value, str) else value.decode("latin-1")
        pieces: list[Any] = self._split.split(text)
        if len(pieces) == 1:
            return value
        pieces[1::2] = [self._places[name] for name in pieces[1::2]]
        return (isinstance(value, bytes), pieces)

    def next(self) -> Iterator[Any]:
        """The values of one more copy."""
        number = next(self._number)
        names = [str(uuid7()) if len(name) == 36 else f"{name}-{number}" for name in self._names]
        for value in self._values:
            if not isinstance(value, tuple):
                yield value
                continue
            encoded, pieces = value
            parts = list(pieces)
            parts[1::2] = [names[place] for place in parts[1::2]]
            text = "".join(parts)
            yield text.encode("latin-1") if encoded else text


async def copies(connection: Any, referral: str, other: str, *names: str) -> Copies:
    """Copies of the first referral; makes their tables."""
    known = await tables(connection, names)
    model, second = await posted(connection, known, (referral, other))
    await make_tables(connection, list(model))
    return Copies(known, model, own_values(known, [model, second])[0])


async def _post(request: Request) -> Response:
    sent = orjson.loads(await request.body())
    sent["id"] = str(uuid7())
    state = request.app.state
    async with state.pool.acquire() as connection:
        await connection.execute(state.copies.sql, *state.copies.next())
    return Response(orjson.dumps(sent), 201, media_type="application/fhir+json")


async def _prepare(app: Any, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        app.state.copies = await copies(connection, *sys.argv[3:])


if __name__ == "__main__":
    serve([Route("/floor", _post, methods=["POST"])], _prepare)
