"""A post that was seen before: the same key, the same identifier, or a condition that matches.

Looked for in what was gathered, and again when a unique index says that a parallel post was faster:
the index decides the race, and the loser reads the winner's answer (spec.md 7, Repeatable).
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from app.database import fetch
from app.errors import Refusal, refuse
from app.intake.known import Known, Twin
from app.intake.submission import Submission
from app.intake.tables import idempotency_key
from app.letters import as_key
from app.reading.access import Sight, Statement, sees_referral
from app.reading.values import ABOUT_THE_FORM, Token, Unreadable, split, token
from app.referral.changes import Changes

#: Identifiers that must all be there, each in one of several forms.
Condition = list[tuple[Token, ...]]

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
    if known.replay.fingerprint != submission.fingerprint:
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
    if first.fingerprint != submission.fingerprint or others:
        raise duplicate(first)
    return first


def duplicate(first: Twin) -> Refusal:
    """409: the identifier stands for another referral, which is named."""
    text = (
        "You have sent another referral with this identifier: "
        f"ServiceRequest/{first.referral_id}. Give each referral an identifier of its own."
    )
    return refuse(409, "duplicate", text, "ServiceRequest.identifier")


def read_condition(header: str | None, query: str) -> Condition | None:
    """`If-None-Exist` (or the query of a POST, which some clients send instead): the identifiers.

    400 for a condition that is empty or on anything but `identifier`: a condition that is not
    understood must not create.
    """
    text = header if header is not None else query
    if header is None and not query:
        return None
    pairs = parse_qsl(text.removeprefix("?"), keep_blank_values=True)
    if header is None:
        pairs = [pair for pair in pairs if pair[0] not in ABOUT_THE_FORM]
        if not pairs:
            return None
    condition: Condition = []
    for name, value in pairs:
        tokens = _tokens(value) if name == "identifier" else ()
        if not tokens or not all(found.code for found in tokens):
            raise refuse(
                400, "value", "If-None-Exist takes identifier=system|value and nothing else."
            )
        condition.append(tokens)
    if not condition:
        raise refuse(400, "value", "If-None-Exist takes identifier=system|value; it was empty.")
    return condition


def _tokens(value: str) -> tuple[Token, ...]:
    if any(character < " " for character in value):
        return ()
    try:
        return tuple(token(word) for word in split(value))
    except Unreadable:
        return ()


async def matching(
    connection: AsyncConnection, condition: Condition, seen: Sight
) -> list[tuple[str, str]]:
    """(plan, id) of the referrals that the caller may see and that carry every identifier."""
    statement = Statement()
    sql = "SELECT r.plan, r.id FROM referral r WHERE " + sees_referral(statement, seen)
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
            f"referral_business_identifier x WHERE {found})"
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
