"""`If-None-Exist` as a client wrote it, read to the last character: the identifiers that it names.

PURE. A condition that is not understood must not create: anything but `identifier` is 400, and so
is what cannot be decoded, or carries characters that nobody sees. The words are those of a search,
read by the same code. FHIR R4, RESTful API 3.1.0.8.1 (conditional create).

A post that was seen before: the same key, the same identifier, or a condition that matches.

Looked for in what was gathered, and again when a unique index says that a parallel post was faster:
the index decides the race, and the loser reads the winner's answer (spec.md 7, Repeatable).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from app.base.errors import Refusal, refuse
from app.base.text import as_key
from app.journey.intake.submission import Submission
from app.model.known import Known, Twin
from app.store.database import fetch
from app.store.reading.access import SqlStatement, Visibility, plan_keys, sees_referral
from app.store.reading.query import MAX_ALTERNATIVES, pairs
from app.store.reading.subset import MAX_CONDITIONS
from app.store.reading.values import ABOUT_THE_FORM, Token, UnreadableValue, split, token
from app.store.referral.changes import Changes
from app.store.tables.referral import idempotency_key

#: Identifiers that must all be there, each in one of several forms.
Condition = list[tuple[Token, ...]]

_KIND = "ServiceRequest"
#: Blanks around a header's value are no part of it (RFC 9110 5.5).
_BLANKS = b" \t"


def read_condition(headers: Sequence[str], query: bytes, base: str) -> Condition | None:
    """The condition of a request's `If-None-Exist`, or of the query of its POST, which some clients
    send instead; None where it has none. `headers` are decoded as HTTP servers do, in Latin-1.
    """
    sent = {header.encode("latin-1").strip(_BLANKS) for header in headers}
    found = [_read(raw, base) for raw in sent]
    if query and (said := _identifiers(query)):
        found.append(said)
    if len(found) > 1 and any(other != found[0] for other in found):
        raise refuse(400, "value", "Send one If-None-Exist: these conditions differ.")
    return found[0] if found else None


def read_entry_condition(text: str, base: str) -> Condition:
    """The condition of an entry of a Bundle (`ifNoneExist`)."""
    return _read(text.encode().strip(_BLANKS), base)


def _read(raw: bytes, base: str) -> Condition:
    condition = _identifiers(_query_of(raw, base))
    if not condition:
        raise refuse(400, "value", "If-None-Exist takes identifier=system|value; it was empty.")
    return condition


def _query_of(raw: bytes, base: str) -> bytes:
    """What stands after `?` where a client sent the search with its type or its whole URL."""
    place, mark, query = raw.partition(b"?")
    if not mark or b"=" in place:
        return raw
    whole = f"{base}/{_KIND}"
    known = {"", _KIND, f"/{_KIND}", whole, urlsplit(whole).path}
    if place.rstrip(b"/").decode(errors="replace") not in known:
        raise refuse(400, "value", f"If-None-Exist is a search of {_KIND} on this server.")
    return query


def _identifiers(raw: bytes) -> Condition:
    """The pairs as tokens. A bare `+` is a blank in a form and a plus to whoever forgot to encode
    it: either finds the identifier.
    """
    blank, plus = (
        [pair for pair in pairs(read) if pair[0] not in ABOUT_THE_FORM]
        for read in (raw, raw.replace(b"+", b"%2B"))
    )
    if len(blank) > MAX_CONDITIONS:
        raise refuse(400, "too-costly", f"Send at most {MAX_CONDITIONS} identifiers to look for.")
    return [
        tuple(dict.fromkeys((*_tokens(*one), *_tokens(*other))))
        for one, other in zip(blank, plus, strict=True)
    ]


def _tokens(name: str, value: str) -> Iterator[Token]:
    if name != "identifier":
        raise _not_understood()
    alternatives = list(split(value))
    if len(alternatives) > MAX_ALTERNATIVES:
        raise refuse(400, "too-costly", f"Send at most {MAX_ALTERNATIVES} alternatives.")
    for alternative in alternatives:
        try:
            found = token(alternative)
        except UnreadableValue:
            raise _not_understood() from None
        if not found.code or not all(_is_seen(part) for part in (found.system or "", found.code)):
            raise _not_understood()
        yield found


def _is_seen(text: str) -> bool:
    """Whether every character shows, none of them a blank at an end."""
    return text.isprintable() and text == text.strip()


def _not_understood() -> Refusal:
    said = (
        "If-None-Exist takes identifier=system|value in percent-encoded UTF-8 and nothing else, "
        "without blanks around a value."
    )
    return refuse(400, "value", said)


_KEY_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-:.")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as it is sent, and as it is kept for a repeat."""

    status: int
    headers: dict[str, str]
    body: bytes


def read_key(header: str | None) -> str | None:
    """The Idempotency-Key, quoted as the draft standard has it or bare; 400 for anything else."""
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
    """The first answer under this key; 422 when the key was used for another body."""
    if known.replay is None:
        return None
    if not submission.fingerprint.matches(known.replay.fingerprint):
        text = "This Idempotency-Key was used with another body. Make a new key for a new referral."
        raise refuse(422, "business-rule", text)
    headers = {**known.replay.headers, "Idempotency-Replayed": "true"}
    return Answer(known.replay.status, headers, known.replay.body)


def twin(known: Known, submission: Submission) -> Twin | None:
    """The referral posted before under one of these identifiers; 409 when its body differs."""
    if not known.twins:
        return None
    first = known.twins[0]
    others = {item.referral_id for item in known.twins} - {first.referral_id}
    if not submission.fingerprint.matches(first.fingerprint) or others:
        raise duplicate(first)
    return first


def duplicate(first: Twin) -> Refusal:
    """409: the identifier stands for another referral, which is named."""
    text = (
        "You have sent another referral with this identifier: "
        f"ServiceRequest/{first.referral_id}. Give each referral an identifier of its own."
    )
    return refuse(409, "duplicate", text, "ServiceRequest.identifier")


async def matching(
    connection: AsyncConnection, condition: Condition, seen: Visibility
) -> list[tuple[str, str]]:
    """(plan, id) of the referrals that the caller may see and that carry every identifier."""
    statement = SqlStatement()
    sql = "SELECT r.plan, r.id FROM referral r WHERE " + sees_referral(statement, seen, few=True)
    plans = statement.bind(list(plan_keys()), "text[]")
    for alternatives in condition:
        found = " OR ".join(
            f"x.value = {statement.bind(as_key(each.code or ''))}"
            + (
                f" AND x.system = {statement.bind(as_key(each.system))}"
                if each.system is not None
                else ""
            )
            for each in alternatives
        )
        sql += (
            " AND (r.plan, r.id) IN (SELECT x.plan, x.referral_id FROM "
            f"referral_business_identifier x WHERE x.plan = ANY ({plans}) AND ({found}))"
        )
    rows = await fetch(connection, sql + " LIMIT 2", statement.values)
    return [(row[0], row[1]) for row in rows]


def remember(changes: Changes, client_id: str, key: str, fingerprint: str, answer: Answer) -> None:
    """The answer is kept beside the referral, in the same statement: both or neither."""
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
