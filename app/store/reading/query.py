"""Reads a search of the database, as a client wrote it, into criteria. PURE.

A fault is a 400 that says what to send. `app.store.reading.reader` reads the parts that all
searches have in common; `app.store.reading.search` builds the statement.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import parse_qsl

from app.base.errors import Issue, Refusal
from app.store.reading import catalog
from app.store.reading.include import INCLUDES, Followed, read_include
from app.store.reading.parameters import Parameter, ParameterKind, SearchCriterion
from app.store.reading.reader import COUNT, CURSOR, Search, read_into
from app.store.reading.subset import MAX_CONDITIONS, SUBSET, ignored, unknown
from app.store.reading.values import (
    Token,
    UnreadableValue,
    canonical,
    date_range,
    reference,
    split,
    token,
)
from app.store.reading.values import words as texts

DEFAULT_COUNT = 20
#: The most alternatives of one condition, and parameters of one request: more than any client
#: needs. They bound the work of the database; parameters are counted before any of them is read.
MAX_ALTERNATIVES, MAX_PARAMETERS = 20, 50
_NO_OCTET = re.compile("%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
SORTS = ("_id", "_lastUpdated", "-_lastUpdated")

ID = Parameter("_id", "token", "the resource's id, or several separated by commas")
LAST_UPDATED = Parameter("_lastUpdated", "date", "when the resource last changed")
_OF_ALL = {known.name: known for known in (ID, LAST_UPDATED)}


@dataclass(slots=True)
class Query(Search):
    """A search of the database: its criteria, and how its matches are shown."""

    count: int = DEFAULT_COUNT
    criteria: list[SearchCriterion] = field(default_factory=list)
    sort: str = "_id"
    #: Whether to count all matches; None: only where the page shows all of them anyway.
    total: bool | None = None
    #: The elements whose references are followed (`_include`).
    includes: list[Followed] = field(default_factory=list)
    #: Resources that refer to the matches (`_revinclude`): type, and the parameter that finds them.
    revincludes: list[tuple[str, Parameter]] = field(default_factory=list)
    #: This server's FHIR base.
    base: str = ""

    ONCE: ClassVar[frozenset[str]] = frozenset({COUNT, "_sort", "_total", CURSOR, *SUBSET})

    def take(self, name: str, value: str, *, strict: bool) -> Issue | None:
        """Reads a criterion, an inclusion of other resources, or how matches are shown."""
        match name:
            case "_sort":
                return _order(self, name, value, strict)
            case "_total":
                return _count_all(self, name, value)
            case "_include" | "_revinclude":
                return _include_others(self, name, value, strict)
            case _:
                return _find(self, name, value, strict)

    def named(self, name: str) -> tuple[str, str]:
        """Splits name and modifier; reads `patient:Patient.identifier` as `patient.identifier`."""
        plain, _, modifier = name.partition(":")
        if modifier.startswith("Patient."):
            return plain + modifier.removeprefix("Patient"), ""
        return plain, modifier

    def excess(self) -> list[Issue]:
        """Lists the faults of a search with too many conditions or too many `_revinclude`."""
        lists = ((self.criteria, "conditions"), (self.revincludes, "_revinclude"))
        return [
            Issue("too-costly", f"Ask for at most {MAX_CONDITIONS} {what} in one search.")
            for asked_for, what in lists
            if len(asked_for) > MAX_CONDITIONS
        ]


def pairs(raw: bytes) -> list[tuple[str, str]]:
    """Reads the pairs of a query string or form body. Raises `Refusal` (400) if not text."""
    if not raw:
        return []
    try:
        named_values = parse_qsl(
            _decodable(raw),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError:
        text = f"Send at most {MAX_PARAMETERS} parameters, percent-encoded UTF-8."
        raise Refusal(400, [Issue("structure", text)]) from None
    for name, value in named_values:
        if _CONTROL.search(name) or _CONTROL.search(value):
            text = "Leave control characters out of search parameters."
            raise Refusal(400, [Issue("value", text)])
    return named_values


def _decodable(raw: bytes) -> str:
    """Reads UTF-8 in which every `%` begins an encoded octet; else raises `ValueError`."""
    text = raw.decode()
    if _NO_OCTET.search(text):
        raise ValueError
    return text


def read_query(
    kind: str, asked: Sequence[tuple[str, str]], *, base: str, strict: bool = False
) -> Query:
    """Reads a query. Raises `Refusal` with every fault at once. `base`: our own FHIR base URL."""
    query = Query(kind, base=base)
    read_into(query, asked, strict=strict)
    if query.subset.counts:
        query.count = 0
    return query


def _order(query: Query, name: str, value: str, strict: bool) -> Issue | None:
    if value not in SORTS:
        return ignored(name, f"takes one of {', '.join(SORTS)}.", strict=strict)
    query.sort = value
    query.used.append((name, value))
    return None


def _count_all(query: Query, name: str, value: str) -> Issue | None:
    if value not in ("none", "estimate", "accurate"):
        return Issue("value", f"{name} takes none, estimate or accurate.")
    query.total = value == "accurate"
    query.used.append((name, value))
    return None


def _find(query: Query, name: str, value: str, strict: bool) -> Issue | None:
    """Reads a criterion into the query."""
    plain, modifier = query.named(name)
    known = _OF_ALL.get(plain) or catalog.parameter(query.kind, plain)
    if known is None:
        return unknown(query.kind, name, strict=strict)
    criterion = _criterion(known, modifier, value, query.base)
    query.criteria.append(criterion)
    query.used.append((name, value))
    _warn_of_unknown_code(query, criterion)
    return None


def _include_others(query: Query, name: str, value: str, strict: bool) -> Issue | None:
    """Reads an `_include` or `_revinclude`; an unknown value is answered with the known values."""
    kind = query.kind
    if name == "_include":
        taken = [f"{kind}:{one}" for one in INCLUDES.get(kind, ())]
        if followed := read_include(kind, value):
            query.includes.append(followed)
            query.used.append((name, value))
            return None
    else:
        taken = list(catalog.referring(kind))
        source, _, target = value.removesuffix(f":{kind}").partition(":")
        referrer = catalog.referring(kind).get(f"{source}:{target}")
        if referrer:
            if referrer not in query.revincludes:
                query.revincludes.append(referrer)
                query.used.append((name, value))
            return None
    if not taken:
        return unknown(kind, name, strict=strict)
    return ignored(name, f"takes {', '.join(taken)}.", strict=strict)


def _criterion(known: Parameter, modifier: str, value: str, base: str) -> SearchCriterion:
    kind = known.kind
    if modifier and modifier not in known.modifiers and not _names_type(kind, modifier):
        raise UnreadableValue("does not take this modifier.")
    if modifier == "missing":
        if value not in ("true", "false"):
            raise UnreadableValue("with :missing takes true or false.")
        return SearchCriterion(known, modifier, missing=value == "true")
    words = [word for word in split(value) if word.strip()]
    if not words:
        raise UnreadableValue("needs a value.")
    if len(words) > MAX_ALTERNATIVES:
        raise UnreadableValue(f"takes at most {MAX_ALTERNATIVES} alternatives.")
    if kind == "token" or modifier == "identifier":
        tokens = tuple(_code(known, token(word)) for word in words)
        return SearchCriterion(known, modifier, tokens=tokens)
    if kind == "reference":
        if modifier:
            words = [word if "/" in word else f"{modifier}/{word}" for word in words]
        references = tuple(reference(word, base) for word in words)
        return SearchCriterion(known, "", references=references, base=base)
    if kind == "canonical":
        return SearchCriterion(known, modifier, tokens=tuple(canonical(word) for word in words))
    if kind == "uri":
        return SearchCriterion(
            known, modifier, tokens=tuple(Token(None, word) for word in texts(value))
        )
    if kind == "date":
        return SearchCriterion(known, modifier, ranges=tuple(date_range(word) for word in words))
    return SearchCriterion(known, modifier, texts=tuple(texts(value)))


def _code(known: Parameter, written: Token) -> Token:
    """Returns the token in the form that is compared; an unknown code stays as it was written."""
    read = known.read(written.code) if known.read and written.code else None
    return Token(written.system, read) if read else written


def _names_type(kind: ParameterKind, modifier: str) -> bool:
    """Tells whether the modifier names the type of the target, as in `subject:Patient=…`."""
    named = modifier.isascii() and modifier.isalpha() and modifier[0].isupper()
    return kind == "reference" and named


def _warn_of_unknown_code(query: Query, criterion: SearchCriterion) -> None:
    """Warns of an unknown code: it is no error, but its empty result looks like "none"."""
    known = criterion.parameter
    codes = [asked.code for asked in criterion.tokens if asked.code]
    text = ""
    if known.codes and any(code not in known.codes for code in codes):
        listed = ", ".join(sorted(known.codes))
        text = f"`{known.name}` knows {listed}; another code finds nothing."
    elif known.read and any(known.read(code) is None for code in codes):
        text = f"`{known.name}` takes {known.about}; what is none of them finds nothing."
    if text:
        query.warnings.append(Issue("code-invalid", text, severity="warning"))
