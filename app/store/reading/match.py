"""Conditions on the words stored beside a version, for each kind of search parameter.

`app.store.reading.values` has parsed the values of a client; they always are parameters of the
statement, never parts of its text. Our own code made both sides of a comparison: nothing is cast,
and nothing depends on the database's locale.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    DateTime,
    Text,
    and_,
    any_,
    column,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from app.base.text import as_key, plain
from app.store.reading.access import DIRECTORY_PLANS, Visibility
from app.store.reading.parameters import GivenValues, SearchCriterion, SearchRule, Values
from app.store.reading.tables import LISTED
from app.store.reading.values import PREFIXES, DateRange, Reference, Token
from app.store.statement import SqlCondition, SqlExpression, constant
from app.store.tables.directory import directory_index

#: The control characters between the parts of a word, and between words
#: (see `app.store.reading.words`).
PART, END = "\x1f", "\x1e"
#: An array of texts.
TEXTS = ARRAY(Text())
_MOMENT = DateTime(timezone=True)
MILLISECOND: SqlExpression = literal_column("interval '1 millisecond'")


# Words


def has_any(text: SqlExpression, parts: SqlExpression) -> SqlCondition:
    """Makes the condition that a text has one of the parts, for any number of these.

    `OFFSET 0` keeps the planner from joining the parts with the rows.
    """
    each = func.unnest(parts).table_valued(column("part", Text())).render_derived(name="one")
    found = select(constant(1)).where(func.strpos(text, each.c.part) > constant(0))
    return found.offset(constant(0)).correlate_except(each).exists()


def has_values(name: str, values: Iterable[str]) -> list[str]:
    """Lists the words that have one of the values under a name, as they stand among others."""
    return [END + name + PART + value + END for value in values]


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


def _word_values(asked: SearchCriterion, _seen: Visibility) -> Values:
    if asked.modifier == "missing":
        return {}
    if asked.ranges:
        return range_values(asked.ranges, lambda each: (each.first, each.after))
    if asked.texts:
        return _text_values(asked)
    return {"words": has_values(asked.parameter.indexed_as, values(asked))}


def _text_values(asked: SearchCriterion) -> Values:
    """Returns texts as they stand at the beginning of a word; a text of nothing finds nothing."""
    return {"texts": [" " + text for text in map(plain, asked.texts) if text]}


def _found_by_words(given: GivenValues) -> SqlCondition:
    """Makes the condition of a criterion on a row's words."""
    name = given.parameter.indexed_as
    if given.modifier == "missing":
        return func.strpos(given.words, constant(END + name + PART)) > constant(0)
    if "words" in given:
        return has_any(given.words, given.texts("words"))
    begins = constant(name + PART)
    split = func.string_to_array(given.words, constant(END))
    each = func.unnest(split).table_valued(column("word", Text())).render_derived(name="w")
    word = each.c.word
    if "texts" in given:
        fits = has_any(word, given.texts("texts"))
    else:
        start = len(name + PART) + 1
        fits = compared(given, *_ends(word, start), Text())
    return (
        select(constant(1))
        .where(func.starts_with(word, begins), word != begins, fits)
        .correlate_except(each)
        .exists()
    )


#: Compares a criterion with the words stored beside the row.
WORDS = SearchRule(_found_by_words, _word_values)


# Dates


def _ends(word: SqlExpression, start: int) -> tuple[SqlExpression, SqlExpression]:
    """Takes the first moment of a date's word, and the first one after it; they sort by bytes."""
    low, high = (func.substr(word, constant(at), constant(26)) for at in (start, start + 27))
    return low.collate("C"), high.collate("C")


def _fits(prefix: str, low: Any, high: Any, first: Any, after: Any) -> SqlCondition:
    """Compares a stored stretch of time [low, high) with the stretch [first, after) asked for.

    FHIR R4, "Search", prefixes. `eq`: the stored stretch is within, `gt` reaches beyond, `lt`
    begins before, `sa` begins after, `eb` ends before; `ge` and `le`: `gt` and `lt`, or `eq`.
    """
    inside: SqlCondition = and_(low >= first, high <= after)
    fits: Mapping[str, SqlCondition] = {
        "eq": inside,
        "ne": not_(inside),
        "gt": high > after,
        "lt": low < first,
        "ge": or_(high > after, inside),
        "le": or_(low < first, inside),
        "sa": low >= after,
        "eb": high <= first,
    }
    return fits[prefix]


def range_values(
    ranges: Sequence[DateRange], ends: Callable[[DateRange], tuple[Any, Any]]
) -> Values:
    """Returns the stretches of each prefix: the two ends of one, or two arrays of ends."""
    found: dict[str, Any] = {}
    for prefix in PREFIXES:
        stretches = [ends(each) for each in ranges if each.prefix == prefix]
        if len(stretches) == 1:
            found[prefix + "_first"], found[prefix + "_after"] = stretches[0]
        elif stretches:
            found[prefix + "_firsts"], found[prefix + "_afters"] = zip(*stretches, strict=True)
    return found


def compared(
    given: GivenValues, low: SqlExpression, high: SqlExpression, kind: TypeEngine[Any]
) -> SqlCondition:
    """Compares a stored stretch of time with those that were asked for: one of them must fit."""
    fits: list[SqlCondition] = []
    for prefix in PREFIXES:
        if prefix + "_first" in given:
            first = given.value(prefix + "_first", kind)
            fits.append(_fits(prefix, low, high, first, given.value(prefix + "_after", kind)))
        elif prefix + "_firsts" in given:
            arrays = (given.value(prefix + end, ARRAY(kind)) for end in ("_firsts", "_afters"))
            each = func.unnest(*arrays).table_valued(
                column("first", kind), column("after", kind)
            ).render_derived(name=prefix)  # fmt: skip
            one = select(constant(1)).where(_fits(prefix, low, high, *each.c))
            fits.append(one.correlate_except(each).exists())
    return or_(false(), *fits)


def _changed(given: GivenValues) -> SqlCondition:
    """Compares a moment of our own column, as the millisecond that the resource shows."""
    low = func.date_trunc(constant("milliseconds"), given.arm.at, type_=_MOMENT)
    high = low.op("+")(MILLISECOND)
    return compared(given, low, high, _MOMENT)


#: Compares a criterion with the time of the row's last change.
CHANGED = SearchRule(
    _changed, lambda asked, _: range_values(asked.ranges, lambda each: (each.low, each.high))
)


# The directory's index


def _index_values(asked: SearchCriterion, seen: Visibility) -> Values:
    if asked.modifier == "missing" or asked.ranges or asked.texts:
        return _word_values(asked, seen)
    return {"keys": [as_key(value) for value in values(asked)]}


def _found_by_index(given: GivenValues) -> SqlCondition:
    """Makes the condition of a criterion on a row of `LISTED`: the index has it."""
    i = directory_index.alias("i")
    found = select(i.c.plan, i.c.id).where(
        i.c.plan == any_(DIRECTORY_PLANS),
        i.c.type == LISTED.c.type,
        i.c.name == constant(given.parameter.indexed_as),
        _index(given, i.c.value),
    )
    indexed = tuple_(LISTED.c.plan, LISTED.c.id).in_(found.correlate_except(i))
    # The index also finds names that are too long for it.
    return and_(indexed, _found_by_words(given)) if "texts" in given else indexed


def _index(given: GivenValues, value: SqlExpression) -> SqlCondition:
    if given.modifier == "missing":
        return true()
    if "texts" in given:
        return or_(has_any(value, given.texts("texts")), value == constant(END))
    if "keys" in given:
        return value == any_(given.texts("keys"))
    return and_(value != constant(""), compared(given, *_ends(value, 1), Text()))


#: Compares a criterion with the directory's index.
INDEXED = SearchRule(_found_by_index, _index_values)
