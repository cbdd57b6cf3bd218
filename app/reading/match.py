"""SQL conditions on stored JSON, column or index, for each kind of search parameter.

Values arrive parsed (`app.reading.values`) and always travel as parameters, never as text. Columns
and JSON paths come from `app.reading.catalog` alone.
"""

from collections.abc import Sequence

from app.reading.access import Statement
from app.reading.values import DateRange, Reference, Token

#: The current body of the row at hand, as JSON; `b` is joined where a condition needs it.
BODY = "b.json"


def any_of(conditions: Sequence[str]) -> str:
    """One of several conditions; of none, nothing."""
    return f"({' OR '.join(conditions)})" if conditions else "false"


def json_token(statement: Statement, path: str, tokens: Sequence[Token], code: str = "code") -> str:
    """Codings or identifiers under a JSON path (`code` is the name of the code's element)."""
    each = [_coding(statement, found, code) for found in tokens]
    return f"EXISTS (SELECT 1 FROM jsonb_path_query({BODY}, '{path}') c WHERE {any_of(each)})"


def _coding(statement: Statement, found: Token, code: str) -> str:
    parts = []
    if found.code is not None:
        parts.append(f"c->>'{code}' = {statement.bind(found.code)}")
    if found.system:
        parts.append(f"c->>'system' = {statement.bind(found.system)}")
    elif found.system is not None:
        parts.append("c->>'system' IS NULL")
    return f"({' AND '.join(parts)})"


def json_text(statement: Statement, path: str, values: Sequence[str]) -> str:
    """Plain values (`status`, `active`) under a JSON path."""
    bound = statement.bind(list(values), "text[]")
    found = f"SELECT 1 FROM jsonb_path_query({BODY}, '{path}') c"
    return f"EXISTS ({found} WHERE c #>> '{{}}' = ANY ({bound}))"


def json_prefix(statement: Statement, path: str, values: Sequence[str]) -> str:
    """Text that begins with a value, whatever its case."""
    each = [f"lower(c #>> '{{}}') LIKE {statement.bind(like(value))}" for value in values]
    return f"EXISTS (SELECT 1 FROM jsonb_path_query({BODY}, '{path}') c WHERE {any_of(each)})"


def like(value: str) -> str:
    """A LIKE pattern for "begins with", the value's own signs escaped."""
    escaped = value.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped + "%"


def json_reference(
    statement: Statement, path: str, references: Sequence[Reference], base: str
) -> str:
    """References under a JSON path, relative or to this server; an id alone fits any type."""
    whole: list[str] = []
    ids: list[str] = []
    for found in references:
        if found.type is None:
            whole.append(found.id)
            ids.append(found.id)
        else:
            whole += [f"{found.type}/{found.id}", f"{base}/{found.type}/{found.id}"]
    return (
        f"EXISTS (SELECT 1 FROM jsonb_path_query({BODY}, '{path}') c"
        f" WHERE c #>> '{{}}' = ANY ({statement.bind(whole, 'text[]')})"
        f" OR split_part(c #>> '{{}}', '/', -1) = ANY ({statement.bind(ids, 'text[]')}))"
    )


def json_date(statement: Statement, path: str, ranges: Sequence[DateRange]) -> str:
    """Dates under a JSON path: each stands for the moment at which it begins, in UTC."""
    moment = (
        "(CASE length(c #>> '{}') WHEN 4 THEN (c #>> '{}') || '-01-01'"
        " WHEN 7 THEN (c #>> '{}') || '-01'"
        " ELSE c #>> '{}' END)::timestamptz"
    )
    return (
        f"EXISTS (SELECT 1 FROM jsonb_path_query({BODY}, '{path}') c"
        f" WHERE {any_of([between(statement, moment, found) for found in ranges])})"
    )


def between(statement: Statement, moment: str, found: DateRange, cast: str = "timestamptz") -> str:
    """A moment against a range (FHIR R4, Search, "date"): eq within, gt after, ge from its start …

    With `cast` text, `moment` is an ISO day and so are the bounds: they sort as days do.
    """
    day = cast == "text"
    low: object = found.low.date().isoformat() if day else found.low
    high: object = found.high.date().isoformat() if day else found.high
    match found.prefix:
        case "gt" | "sa":
            return f"{moment} >= {statement.bind(high, cast)}"
        case "ge":
            return f"{moment} >= {statement.bind(low, cast)}"
        case "lt" | "eb":
            return f"{moment} < {statement.bind(low, cast)}"
        case "le":
            return f"{moment} < {statement.bind(high, cast)}"
        case _:
            first, after = statement.bind(low, cast), statement.bind(high, cast)
            inside = f"({moment} >= {first} AND {moment} < {after})"
            return f"NOT {inside}" if found.prefix == "ne" else inside


def indexed(statement: Statement, plans: str, name: str, condition: str) -> str:
    """A condition on `i.value` of the directory's index, for the row `v` (resource_version)."""
    return (
        "(v.plan, v.id) IN (SELECT i.plan, i.id FROM directory_index i"
        f" WHERE i.plan = ANY ({plans}) AND i.type = v.type"
        f" AND i.name = {statement.bind(name)} AND {condition})"
    )


def index_words(tokens: Sequence[Token]) -> list[str]:
    """The index holds `code` and `system|code`, and `|code` where there is no system."""
    return [
        found.code or "" if found.system is None else f"{found.system}|{found.code or ''}"
        for found in tokens
    ]


def index_references(references: Sequence[Reference]) -> list[str]:
    """The index holds `Type/id` and the id alone."""
    return [found.id if found.type is None else f"{found.type}/{found.id}" for found in references]
