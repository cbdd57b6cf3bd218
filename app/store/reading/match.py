"""SQL conditions on the words stored beside a version, for each kind of search parameter.

`app.store.reading.values` has parsed the values of a client; they always are parameters of the
statement, never parts of its text. Our own code made both sides of a comparison: nothing is cast,
and nothing depends on the database's locale.
"""

from collections.abc import Sequence

from app.base.text import as_key, plain
from app.store.reading.access import SqlStatement
from app.store.reading.parameters import SearchCriterion
from app.store.reading.values import DateRange, Reference, Token

#: The control characters between the parts of a word, and between words
#: (see `app.store.reading.words`).
PART, END = "\x1f", "\x1e"


def any_of(conditions: Sequence[str]) -> str:
    """Joins conditions of which one must hold; without conditions, nothing is found."""
    return f"({' OR '.join(conditions)})" if conditions else "false"


def found_by(statement: SqlStatement, words: str, asked: SearchCriterion) -> str:
    """Composes a criterion on a column (or an expression) that holds words."""
    name = asked.parameter.indexed_as
    if asked.modifier == "missing":
        return f"strpos({words}, {statement.bind(END + name + PART)}) > 0"
    if asked.ranges:
        return _dated(statement, words, name, asked.ranges)
    if asked.texts:
        return _text(statement, words, name, asked.texts)
    return any_of([has(statement, words, name, value) for value in values(asked)])


def has(statement: SqlStatement, words: str, name: str, value: str) -> str:
    """Composes the condition that a value is among the words."""
    return f"strpos({words}, {statement.bind(END + name + PART + value + END)}) > 0"


def values(asked: SearchCriterion) -> list[str]:
    """Lists the words for the tokens, references or identifiers of references of a criterion."""
    if asked.modifier == "identifier":
        return ["identifier" + PART + word for word in tokens(asked.tokens)]
    if asked.references:
        return references(asked.references, asked.base)
    return tokens(asked.tokens)


def tokens(asked: Sequence[Token]) -> list[str]:
    """Lists the words for tokens: `code`, `system|code`, `|code` (without a system), `system|`."""
    return [
        token.code or "" if token.system is None else token.system + PART + (token.code or "")
        for token in asked
    ]


def references(asked: Sequence[Reference], base: str) -> list[str]:
    """Lists the words for references, relative or to this server; an id alone fits any type."""
    words: list[str] = []
    for each in asked:
        if each.type is None:
            words.append(each.id)
        else:
            words += [f"{each.type}/{each.id}", f"{base}/{each.type}/{each.id}"]
    return words


def _text(statement: SqlStatement, words: str, name: str, texts: Sequence[str]) -> str:
    """Composes the condition that a word of the stored text begins with one of the texts."""
    each = [f"strpos(w, {statement.bind(' ' + plain(text))}) > 0" for text in texts if plain(text)]
    return _among(statement, words, name, each)


def _dated(statement: SqlStatement, words: str, name: str, ranges: Sequence[DateRange]) -> str:
    """Compares stretches of time: a date's word is its first moment and the first one after it."""
    start = len(name + PART) + 1
    low, high = f'substr(w, {start}, 26) COLLATE "C"', f'substr(w, {start + 27}, 26) COLLATE "C"'
    each = [compared(statement, low, high, stretch, "text") for stretch in ranges]
    return _among(statement, words, name, each)


def _among(statement: SqlStatement, words: str, name: str, conditions: Sequence[str]) -> str:
    begins = statement.bind(name + PART)
    return (
        f"EXISTS (SELECT 1 FROM unnest(string_to_array({words}, {statement.bind(END)})) w"
        f" WHERE starts_with(w, {begins}) AND w <> {begins} AND {any_of(conditions)})"
    )


#: FHIR R4, "Search", prefixes: compares a stored stretch of time [low, high) with the stretch
#: [first, after) that was asked for. `eq`: the stored stretch is within, `gt` reaches beyond, `lt`
#: begins before, `sa` begins after, `eb` ends before; `ge` and `le`: `gt` and `lt`, or `eq`.
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


def compared(statement: SqlStatement, low: str, high: str, stretch: DateRange, cast: str) -> str:
    """Compares a stored stretch of time (two SQL expressions) with the stretch asked for."""
    rule = _PREFIXES[stretch.prefix]
    ends: dict[str, object] = (
        {"first": stretch.first, "after": stretch.after}
        if cast == "text"
        else {"first": stretch.low, "after": stretch.high}
    )
    bound = {name: statement.bind(end, cast) for name, end in ends.items() if f"{{{name}}}" in rule}
    return rule.format(low=low, high=high, **bound)


def between(statement: SqlStatement, moment: str, stretch: DateRange) -> str:
    """Compares a moment of our own column, as the millisecond that the resource shows."""
    low = f"date_trunc('milliseconds', {moment})"
    return compared(statement, low, f"({low} + interval '1 millisecond')", stretch, "timestamptz")


def indexed(statement: SqlStatement, plans: str, asked: SearchCriterion) -> str:
    """Composes a criterion by the directory's index, on the row `v` (resource_version)."""
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
        each = [compared(statement, low, high, stretch, "text") for stretch in asked.ranges]
        return f"i.value <> '' AND {any_of(each)}"
    bound = [as_key(value) for value in values(asked)]
    return f"i.value = ANY ({statement.bind(bound, 'text[]')})"
