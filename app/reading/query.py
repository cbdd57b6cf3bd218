"""A search as a client wrote it, read into criteria: what is wrong is a 400 that says what to send.

PURE. Building the statement is `app.reading.search`. FHIR R4, "Search": repeated parameters must
all hold, commas separate alternatives; what is not known, not served or empty is ignored with a
warning unless the caller asked for strict handling (`app.reading.ignored`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from fastapi import Request

from app.errors import Issue, Refusal
from app.fhir.subset import Subset
from app.reading import catalog
from app.reading.ignored import (
    MAX_CONDITIONS,
    empty,
    ignored,
    is_empty,
    is_fault,
    too_often,
    unknown,
)
from app.reading.include import INCLUDES, Followed, read_include
from app.reading.parameters import Criterion, Kind, Parameter
from app.reading.subset import SUBSET, narrowed
from app.reading.values import (
    ABOUT_THE_FORM,
    Token,
    Unreadable,
    canonical,
    date_range,
    reference,
    split,
    token,
)
from app.reading.values import words as texts

DEFAULT_COUNT, MAX_COUNT = 20, 100
#: More than any client needs: conditions that must all hold, alternatives of each. They bound what
#: one request asks of the database; parameters are counted before anything is read.
MAX_ALTERNATIVES, MAX_PARAMETERS = 20, 50
_NO_OCTET = re.compile("%(?![0-9A-Fa-f]{2})")
CURSOR = "_cursor"
SORTS = ("_id", "_lastUpdated", "-_lastUpdated")
_ALONG = frozenset({"_include", "_revinclude"})
_ONCE = frozenset({"_count", "_sort", "_total", CURSOR, *SUBSET})

ID = Parameter("_id", "token", "the resource's id, or several separated by commas")
LAST_UPDATED = Parameter("_lastUpdated", "date", "when the resource last changed")


@dataclass(slots=True)
class Query:
    """What to look for, and how much of it to show."""

    kind: str
    criteria: list[Criterion] = field(default_factory=list)
    count: int = DEFAULT_COUNT
    sort: str = "_id"
    #: None: as it comes, where all matches are on the page.
    total: bool | None = None
    cursor: str | None = None
    #: How much of each match is shown.
    subset: Subset = field(default_factory=Subset)
    #: Whose references are followed (`_include`).
    includes: list[Followed] = field(default_factory=list)
    #: What refers to the matches (`_revinclude`): type, and the parameter that finds it.
    revincludes: list[tuple[str, Parameter]] = field(default_factory=list)
    warnings: list[Issue] = field(default_factory=list)
    #: What was used, for the links; the cursor is not part of it.
    used: list[tuple[str, str]] = field(default_factory=list)

    def link(self, base: str, cursor: str | None = None) -> str:
        """The GET that asks this again, from `cursor` on."""
        pairs = [*self.used, *([(CURSOR, cursor)] if cursor else [])]
        encoded = urlencode(pairs, safe=":/|,")
        return f"{base}/{self.kind}" + (f"?{encoded}" if encoded else "")


def asked(request: Request, form: bytes = b"") -> list[tuple[str, str]]:
    """What a request asks for, by its query string and its form. Raises `Refusal` (400)."""
    return pairs(request.scope["query_string"]) + (pairs(form) if form else [])


def pairs(raw: bytes) -> list[tuple[str, str]]:
    """The pairs of a query string or a form body. Raises `Refusal` (400) where it is not text."""
    try:
        found = parse_qsl(
            _decodable(raw),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError:
        said = f"Send at most {MAX_PARAMETERS} parameters, percent-encoded UTF-8."
        raise Refusal(400, [Issue("structure", said)]) from None
    for name, value in found:
        if any(ord(character) < 32 or ord(character) == 127 for character in name + value):
            said = "Leave control characters out of search parameters."
            raise Refusal(400, [Issue("value", said)])
    return found


def _decodable(raw: bytes) -> str:
    """UTF-8, encoded or raw, in which every `%` begins an octet. Raises `ValueError`."""
    text = raw.decode()
    if _NO_OCTET.search(text):
        raise ValueError
    return text


def read_query(
    kind: str, asked: Sequence[tuple[str, str]], *, base: str, strict: bool = False
) -> Query:
    """The query, or a `Refusal` with every fault at once. `base` is our own FHIR base URL."""
    query = Query(kind)
    faults = too_often(asked)
    seen: set[str] = set()
    for name, value in asked:
        if name in ABOUT_THE_FORM:
            continue
        if name in _ONCE and name in seen:
            faults.append(Issue("value", f"{name} may be given once only."))
            continue
        if is_empty(name, value):
            issue: Issue | None = empty(name, strict=strict)
        else:
            seen.add(name)
            issue = _take(query, name, value, base, strict)
        if issue is not None:
            (faults if is_fault(issue) else query.warnings).append(issue)
    for asked_for, what in ((query.criteria, "conditions"), (query.revincludes, "_revinclude")):
        if len(asked_for) > MAX_CONDITIONS:
            said = f"Ask for at most {MAX_CONDITIONS} {what} in one search."
            faults.append(Issue("too-costly", said))
    if faults:
        raise Refusal(400, faults)
    if query.subset.counts:
        query.count = 0
    return query


def _take(query: Query, name: str, value: str, base: str, strict: bool) -> Issue | None:
    """Reads one pair into the query; returns what is wrong with it, or passed over of it."""
    if name == "_sort" and value not in SORTS:
        return ignored(name, f"takes one of {', '.join(SORTS)}.", strict=strict)
    if name in _ONCE:
        fault = _control(query, name, value)
        if fault is None and name != CURSOR:
            query.used.append((name, value))
        return fault
    if name in _ALONG:
        return _along(query, name, value, strict)
    plain, _, modifier = name.partition(":")
    if modifier.startswith("Patient."):  # a chain that names the type: patient:Patient.identifier
        plain, modifier = plain + modifier.removeprefix("Patient"), ""
    known = {"_id": ID, "_lastUpdated": LAST_UPDATED}.get(plain)
    known = known or catalog.parameter(query.kind, plain)
    if known is None:
        return unknown(query.kind, name, strict=strict)
    try:
        criterion = _criterion(known, modifier, value, base)
    except Unreadable as unreadable:
        return Issue("value", f"{plain} {unreadable}")
    query.criteria.append(criterion)
    query.used.append((name, value))
    _point_out(query, criterion)
    return None


def _along(query: Query, name: str, value: str, strict: bool) -> Issue | None:
    """What comes along with the matches; one that is not known is named."""
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
        found = catalog.referring(kind).get(f"{source}:{target}")
        if found:
            if found not in query.revincludes:
                query.revincludes.append(found)
                query.used.append((name, value))
            return None
    if not taken:
        return unknown(kind, name, strict=strict)
    return ignored(name, f"takes {', '.join(taken)}.", strict=strict)


def _control(query: Query, name: str, value: str) -> Issue | None:
    match name:
        case "_count":
            if not (value.isascii() and value.isdigit() and len(value) <= 9):
                return Issue("value", f"_count takes a number from 0 to {MAX_COUNT}.")
            query.count = min(int(value), MAX_COUNT)
        case "_sort":
            query.sort = value
        case "_total":
            if value not in ("none", "estimate", "accurate"):
                return Issue("value", "_total takes none, estimate or accurate.")
            query.total = value == "accurate"
        case "_summary" | "_elements":
            try:
                query.subset = narrowed(query.subset, name, value)
            except Unreadable as unreadable:
                return Issue("value", f"{name} {unreadable}")
        case _:
            query.cursor = value
    return None


def _criterion(known: Parameter, modifier: str, value: str, base: str) -> Criterion:
    kind = known.kind
    if modifier and modifier not in known.modifiers and not _names_type(kind, modifier):
        raise Unreadable("does not take this modifier.")
    if modifier == "missing":
        if value not in ("true", "false"):
            raise Unreadable("with :missing takes true or false.")
        return Criterion(known, modifier, missing=value == "true")
    words = [word for word in split(value) if word.strip()]
    if not words:
        raise Unreadable("needs a value.")
    if len(words) > MAX_ALTERNATIVES:
        raise Unreadable(f"takes at most {MAX_ALTERNATIVES} alternatives.")
    if kind == "token" or modifier == "identifier":
        tokens = tuple(_code(known, token(word)) for word in words)
        return Criterion(known, modifier, tokens=tokens)
    if kind == "reference":
        if modifier:
            words = [word if "/" in word else f"{modifier}/{word}" for word in words]
        found = tuple(reference(word, base) for word in words)
        return Criterion(known, "", references=found, base=base)
    if kind == "canonical":
        return Criterion(known, modifier, tokens=tuple(canonical(word) for word in words))
    if kind == "uri":
        return Criterion(known, modifier, tokens=tuple(Token(None, word) for word in texts(value)))
    if kind == "date":
        return Criterion(known, modifier, ranges=tuple(date_range(word) for word in words))
    return Criterion(known, modifier, texts=tuple(texts(value)))


def _code(known: Parameter, found: Token) -> Token:
    """A token as it is compared: of a code that there is not, the code stays as it was written."""
    read = known.read(found.code) if known.read and found.code else None
    return Token(found.system, read) if read else found


def _names_type(kind: Kind, modifier: str) -> bool:
    """`subject:Patient=…`: the type of the resource referred to."""
    named = modifier.isascii() and modifier.isalpha() and modifier[0].isupper()
    return kind == "reference" and named


def _point_out(query: Query, criterion: Criterion) -> None:
    """An unknown code finds nothing: no error, but pointed out, since it looks like "none"."""
    known = criterion.parameter
    codes = [found.code for found in criterion.tokens if found.code]
    said = ""
    if known.codes and any(code not in known.codes for code in codes):
        listed = ", ".join(sorted(known.codes))
        said = f"`{known.name}` knows {listed}; another code finds nothing."
    elif known.read and any(known.read(code) is None for code in codes):
        said = f"`{known.name}` takes {known.about}; what is none of them finds nothing."
    if said:
        query.warnings.append(Issue("code-invalid", said, severity="warning"))
