"""Recognizes a post that was seen before, by `If-None-Exist`, Idempotency-Key or identifier.

First part: reads `If-None-Exist` to the last character, PURE. A condition that is not understood
must not create: anything but `identifier` is 400, and so is text that cannot be decoded or that has
invisible characters. A condition is a search, and the code of the search reads it. FHIR R4, RESTful
API 3.1.0.8.1 (conditional create).

Second part: looks for the earlier post among the gathered data, and with `matching` by a condition.
`app.journey.refer` looks again when a unique index says that a parallel post was faster: the index
decides the race, and the loser reads the winner's answer (spec.md 7, Repeatable).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

import orjson
from sqlalchemy import select, tuple_

from app.base.errors import Refusal, refuse
from app.journey.intake.submission import Submission
from app.model.known import Known, Twin
from app.store.acting import for_caller
from app.store.database import Source
from app.store.reading.access import Visibility, seen_by, sees_referral
from app.store.reading.columns import identifier_values, with_identifier
from app.store.reading.query import MAX_ALTERNATIVES, pairs
from app.store.reading.subset import MAX_CONDITIONS
from app.store.reading.tables import REFERRAL
from app.store.reading.values import ABOUT_THE_FORM, Token, UnreadableValue, split, token
from app.store.referral.changes import Changes
from app.store.statement import Compiled, compiled, constant, texts_given
from app.store.tables.referral import idempotency_key

#: The identifiers that a referral must all carry, each in one of several forms.
Condition = list[tuple[Token, ...]]

_KIND = "ServiceRequest"
#: Blanks around a header's value, which are no part of the value (RFC 9110 5.5).
_BLANKS = b" \t"


def read_condition(headers: Sequence[str], query: bytes, base: str) -> Condition | None:
    """Reads the condition of a request; None if it has none.

    The condition stands in `If-None-Exist`, or in the query of the POST, where some clients send it
    instead. `headers` are decoded from Latin-1, as HTTP servers do. 400 for different conditions.
    """
    sent = {header.encode("latin-1").strip(_BLANKS) for header in headers}
    conditions = [_read(raw, base) for raw in sent]
    if query and (of_query := _identifiers(query)):
        conditions.append(of_query)
    if len(conditions) > 1 and any(other != conditions[0] for other in conditions):
        raise refuse(400, "value", "Send one If-None-Exist: these conditions differ.")
    return conditions[0] if conditions else None


def read_entry_condition(text: str, base: str) -> Condition:
    """Reads the condition of an entry of a Bundle (`ifNoneExist`)."""
    return _read(text.encode().strip(_BLANKS), base)


def _read(raw: bytes, base: str) -> Condition:
    condition = _identifiers(_query_of(raw, base))
    if not condition:
        raise refuse(400, "value", "If-None-Exist takes identifier=system|value; it was empty.")
    return condition


def _query_of(raw: bytes, base: str) -> bytes:
    """Returns the part after `?`, if the client sent the search with its type or whole URL."""
    place, mark, query = raw.partition(b"?")
    if not mark or b"=" in place:
        return raw
    full_url = f"{base}/{_KIND}"
    known = {"", _KIND, f"/{_KIND}", full_url, urlsplit(full_url).path}
    if place.rstrip(b"/").decode(errors="replace") not in known:
        raise refuse(400, "value", f"If-None-Exist is a search of {_KIND} on this server.")
    return query


def _identifiers(raw: bytes) -> Condition:
    """Reads the pairs of a query as tokens.

    A bare `+` means a blank in a form, and a plus if the client forgot to encode it. Both readings
    become alternatives, so that either finds the identifier.
    """
    blank, plus = (
        [pair for pair in pairs(read) if pair[0] not in ABOUT_THE_FORM]
        for read in (raw, raw.replace(b"+", b"%2B"))
    )
    if len(blank) > MAX_CONDITIONS:
        raise refuse(400, "too-costly", f"Send at most {MAX_CONDITIONS} identifiers to look for.")
    return [
        tuple(dict.fromkeys((*_tokens(*pair), *_tokens(*plus_pair))))
        for pair, plus_pair in zip(blank, plus, strict=True)
    ]


def _tokens(name: str, value: str) -> Iterator[Token]:
    if name != "identifier":
        raise _not_understood()
    alternatives = list(split(value))
    if len(alternatives) > MAX_ALTERNATIVES:
        raise refuse(400, "too-costly", f"Send at most {MAX_ALTERNATIVES} alternatives.")
    for alternative in alternatives:
        try:
            read = token(alternative)
        except UnreadableValue:
            raise _not_understood() from None
        if not read.code or not all(_is_visible(part) for part in (read.system or "", read.code)):
            raise _not_understood()
        yield read


def _is_visible(text: str) -> bool:
    """Whether every character is visible, without a blank at either end."""
    return text.isprintable() and text == text.strip()


def _not_understood() -> Refusal:
    text = (
        "If-None-Exist takes identifier=system|value in percent-encoded UTF-8 and nothing else, "
        "without blanks around a value."
    )
    return refuse(400, "value", text)


# Repeats


_KEY_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-:.")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, as sent and as stored for a repeat."""

    status: int
    headers: dict[str, str]
    body: bytes


def read_key(header: str | None) -> str | None:
    """Reads the Idempotency-Key, bare or quoted as in the draft standard; else 400."""
    if header is None:
        return None
    key = header.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 1 <= len(key) <= 255 or not _KEY_CHARACTERS.issuperset(key):
        text = "Idempotency-Key takes 1 to 255 letters, digits and the characters _ - : and ."
        raise refuse(400, "value", text)
    return key


def replayed(known: Known, submission: Submission) -> Answer | None:
    """Returns the first answer under this key; 422 if the key was used with another body."""
    if known.replay is None:
        return None
    if not submission.fingerprint.matches(known.replay.fingerprint):
        text = "This Idempotency-Key was used with another body. Make a new key for a new referral."
        raise refuse(422, "business-rule", text)
    headers = {**known.replay.headers, "Idempotency-Replayed": "true"}
    return Answer(known.replay.status, headers, known.replay.body)


def twin(known: Known, submission: Submission) -> Twin | None:
    """Finds the referral posted before under one of the identifiers; 409 if its body differs."""
    if not known.twins:
        return None
    first = known.twins[0]
    others = {item.referral_id for item in known.twins} - {first.referral_id}
    if not submission.fingerprint.matches(first.fingerprint) or others:
        raise duplicate(first)
    return first


def duplicate(first: Twin) -> Refusal:
    """Makes the 409 that names the other referral which has the identifier."""
    text = (
        "You have sent another referral with this identifier: "
        f"ServiceRequest/{first.referral_id}. Give each referral an identifier of its own."
    )
    return refuse(409, "duplicate", text, "ServiceRequest.identifier")


async def matching(source: Source, condition: Condition, seen: Visibility) -> list[tuple[str, str]]:
    """Finds (plan, id) of referrals that the caller may see and that carry every identifier.

    At most two, because two already are several.
    """
    values = seen_by(seen)
    for number, alternatives in enumerate(condition):
        for name, each in identifier_values(alternatives).items():
            values[f"{name}{number}"] = each
    statement = _carrying(len(condition), staff=seen.staff).called(**values)
    rows = await for_caller(source, seen.who).fetch(*statement)
    return [(row["plan"], row["id"]) for row in rows]


@cache
def _carrying(identifiers: int, *, staff: bool) -> Compiled:
    """Makes the statement that finds referrals with so many identifiers."""
    key = tuple_(REFERRAL.c.plan, REFERRAL.c.id)
    carried = (
        key.in_(with_identifier(texts_given(f"values{number}"), texts_given(f"of{number}")))
        for number in range(identifiers)
    )
    seen = sees_referral(staff=staff, few=True)
    return compiled(select(REFERRAL.c.plan, REFERRAL.c.id).where(seen, *carried).limit(constant(2)))


def remember(changes: Changes, client_id: str, key: str, fingerprint: str, answer: Answer) -> None:
    """Stores the answer with the referral, in one statement: both are written or neither."""
    changes.add(
        idempotency_key,
        organization_id=changes.after.organization_id,
        client_id=client_id,
        key=key,
        fingerprint=fingerprint,
        status=answer.status,
        headers=orjson.dumps(answer.headers).decode(),
        body=answer.body,
        created_at=changes.after.updated_at,
    )
