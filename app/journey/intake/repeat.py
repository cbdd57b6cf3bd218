"""A post that was seen before: the same key, the same identifier, or a condition that matches.

Looked for in what was gathered, and again when a unique index says that a parallel post was faster:
the index decides the race, and the loser reads the winner's answer (spec.md 7, Repeatable).
"""

from dataclasses import dataclass

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from app.base.errors import Refusal, refuse
from app.base.text import as_key
from app.journey.intake.condition import Condition
from app.journey.intake.submission import Submission
from app.model.known import Known, Twin
from app.store.database import fetch
from app.store.reading.access import Sight, Statement, plan_keys, sees_referral
from app.store.referral.changes import Changes
from app.store.tables.intake import idempotency_key

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
    connection: AsyncConnection, condition: Condition, seen: Sight
) -> list[tuple[str, str]]:
    """(plan, id) of the referrals that the caller may see and that carry every identifier."""
    statement = Statement()
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
