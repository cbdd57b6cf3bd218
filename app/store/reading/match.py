"""SQL conditions on the words kept beside a version, for each kind of search parameter.

Values arrive parsed (`app.store.reading.values`) and always travel as parameters, never as text.
Both sides were made by our own code: nothing is cast, and nothing depends on the database's locale.
"""

from collections.abc import Sequence

from app.base.text import as_key, plain
from app.store.reading.access import SqlStatement
from app.store.reading.parameters import SearchCriterion
from app.store.reading.values import DateRange, Reference, Token

#: Between the parts of a word, and between words (control characters; see
#: `app.store.reading.words`).
PART, END = "\x1f", "\x1e"


def any_of(conditions: Sequence[str]) -> str:
    """One of several conditions; of none, nothing."""
    return f"({' OR '.join(conditions)})" if conditions else "false"


def found_by(statement: SqlStatement, words: str, asked: SearchCriterion) -> str:
    """A criterion on the column (or expression) of words."""
    name = asked.parameter.indexed_as
    if asked.modifier == "missing":
        return f"strpos({words}, {statement.bind(END + name + PART)}) > 0"
    if asked.ranges:
        return _dated(statement, words, name, asked.ranges)
    if asked.texts:
        return _text(statement, words, name, asked.texts)
    return any_of([has(statement, words, name, value) for value in values(asked)])


def has(statement: SqlStatement, words: str, name: str, value: str) -> str:
    """Whether a value is among the words."""
    return f"strpos({words}, {statement.bind(END + name + PART + value + END)}) > 0"


def values(asked: SearchCriterion) -> list[str]:
    """The words that tokens, references and identifiers of references are found by."""
    if asked.modifier == "identifier":
        return ["identifier" + PART + word for word in tokens(asked.tokens)]
    if asked.references:
        return references(asked.references, asked.base)
    return tokens(asked.tokens)


def tokens(asked: Sequence[Token]) -> list[str]:
    """`code`, `system|code`, `|code` where there is no system, and `system|`."""
    return [
        found.code or "" if found.system is None else found.system + PART + (found.code or "")
        for found in asked
    ]


def references(asked: Sequence[Reference], base: str) -> list[str]:
    """Relative or to this server; an id alone fits any type."""
    found: list[str] = []
    for each in asked:
        if each.type is None:
            found.append(each.id)
        else:
            found += [f"{each.type}/{each.id}", f"{base}/{each.type}/{each.id}"]
    return found


def _text(statement: SqlStatement, words: str, name: str, texts: Sequence[str]) -> str:
    """Text of which a word begins so."""
    each = [f"strpos(w, {statement.bind(' ' + plain(text))}) > 0" for text in texts if plain(text)]
    return _among(statement, words, name, each)


def _dated(statement: SqlStatement, words: str, name: str, ranges: Sequence[DateRange]) -> str:
    """Stretches of time: each word of a date is its first moment and the first after it."""
    start = len(name + PART) + 1
    low, high = f'substr(w, {start}, 26) COLLATE "C"', f'substr(w, {start + 27}, 26) COLLATE "C"'
    each = [compared(statement, low, high, found, "text") for found in ranges]
    return _among(statement, words, name, each)


def _among(statement: SqlStatement, words: str, name: str, conditions: Sequence[str]) -> str:
    begins = statement.bind(name + PART)
    return (
        f"EXISTS (SELECT 1 FROM unnest(string_to_array({words}, {statement.bind(END)})) w"
        f" WHERE starts_with(w, {begins}) AND w <> {begins} AND {any_of(conditions)})"
    )


#: FHIR R4, "Search", prefixes: a stored stretch [low, high) against [first, after), the one asked
#: for. `eq` is wholly within, `gt` reaches beyond, `lt` begins before, `sa` begins after, `eb` ends
#: before; `ge` and `le` are these or equal.
_INSIDE = "({low} >= {first} AND {high} <= {after})"
_PREFIXES = {
    "eq": _INSIDE,
    "ne": "NOT " + _INSIDE,
    "gt": "{high} > {after}",
    "lt": "{low} < {first}",
    "ge": "({high} > {after} OR {low} >= {first} AND {high} <= {after})",
    "le": "({low} < {first} OR {low} >= {first} AND {high} <= {after})",
    "sa": "{low} >= {after}",
    "eb": "{high} <= {first}",
}


def compared(statement: SqlStatement, low: str, high: str, found: DateRange, cast: str) -> str:
    """A stored stretch of time (two expressions) against the one asked for."""
    rule = _PREFIXES[found.prefix]
    ends: dict[str, object] = (
        {"first": found.first, "after": found.after}
        if cast == "text"
        else {"first": found.low, "after": found.high}
    )
    bound = {name: statement.bind(end, cast) for name, end in ends.items() if f"{{{name}}}" in rule}
    return rule.format(low=low, high=high, **bound)


def between(statement: SqlStatement, moment: str, found: DateRange) -> str:
    """A moment of our own column, as the millisecond that is shown of it."""
    low = f"date_trunc('milliseconds', {moment})"
    return compared(statement, low, f"({low} + interval '1 millisecond')", found, "timestamptz")


def indexed(statement: SqlStatement, plans: str, asked: SearchCriterion) -> str:
    """A criterion by the directory's index, for the row `v` (resource_version)."""
    name = asked.parameter.indexed_as
    condition = _index(statement, asked)
    return (
        "(v.plan, v.id) IN (SELECT i.plan, i.id FROM directory_index i"
        f" WHERE i.plan = ANY ({plans}) AND i.type = v.type"
        f" AND i.name = {statement.bind(name)} AND {condition})"
    )


def _index(statement: SqlStatement, asked: SearchCriterion) -> str:
    if asked.modifier == "missing":
        return "true"
    if asked.texts:
        each = [plain(text) for text in asked.texts]
        holds = [f"strpos(i.value, {statement.bind(' ' + text)}) > 0" for text in each if text]
        return any_of([*holds, f"i.value = {statement.bind(END)}"])
    if asked.ranges:
        low, high = 'substr(i.value, 1, 26) COLLATE "C"', 'substr(i.value, 28, 26) COLLATE "C"'
        each = [compared(statement, low, high, found, "text") for found in asked.ranges]
        return f"i.value <> '' AND {any_of(each)}"
    bound = [as_key(value) for value in values(asked)]
    return f"i.value = ANY ({statement.bind(bound, 'text[]')})"
