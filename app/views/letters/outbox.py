"""Reads and changes the outbox of letters. Every statement begins with the plans of the caller.

Two statuses are computed from the deliveries and the parties at each read: `failed`, a message that
the endpoint of the organization never took, so that a later delivery makes it `sent` again; and
`skipped`, a letter to a performer that no longer has the referral. `letter.py` writes the letters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from app.fhir.r4.strict_json import dumps, parse
from app.fhir.render_communication import letter_sent
from app.policy.library import Library
from app.policy.phrases import phrases
from app.policy.stored_form import answer_from_json, question_from_json
from app.policy.vocabulary import language_of, words
from app.store.database import Row, Source
from app.store.reading.words import words as found_by
from app.store.referral.snapshot import LetterSnapshot
from app.views.letters.addressee import (
    Copies,
    addressee,
    is_family,
    member,
    member_language,
    requester,
    stated_member,
)
from app.views.letters.content import Addressee, LetterContent
from app.views.letters.criteria import decisive

_UNHEARD = """(c.status = 'sent' AND c.medium = 'endpoint' AND EXISTS (SELECT 1 FROM delivery d
    WHERE d.plan = c.plan AND d.message_id = c.message_id
    AND d.organization_id = c.organization_id AND d.state IN ('dead', 'held'))
  AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.plan = c.plan AND d.message_id = c.message_id
    AND d.organization_id = c.organization_id AND d.state IN ('pending', 'delivered')))"""
#: The letter is for a performer that has declined since, or that another performer replaced.
OVERTAKEN = """(c.status = 'to-send' AND c.recipient = 'servicing' AND NOT EXISTS (
    SELECT 1 FROM party p WHERE p.plan = c.plan AND p.referral_id = c.referral_id
    AND p.organization_id = c.organization_id AND p.until IS NULL))"""
#: Staff of the plan entered the referral: they asked for the address themselves.
_ENTERED = """EXISTS (SELECT 1 FROM referral w JOIN organization s ON s.id = w.organization_id
    WHERE w.plan = c.plan AND w.id = c.referral_id AND s.plan IS NOT NULL)"""
#: The letter is for a person whose address only the referral states, and no staff have released the
#: address yet: it might be a stranger's. A member with an address in the roster needs no release.
_UNRELEASED = f"""(c.status = 'to-send' AND c.released_at IS NULL AND CASE c.recipient
  WHEN 'member' THEN NOT EXISTS (SELECT 1 FROM referral w
    JOIN member m ON m.plan = w.plan AND m.id = w.member_id
    WHERE w.plan = c.plan AND w.id = c.referral_id AND m.reachable)
  WHEN 'requesting' THEN c.organization_id IS NULL
  ELSE false END AND NOT {_ENTERED})"""
_KNOWN = """EXISTS (SELECT 1 FROM referral w
    WHERE w.plan = c.plan AND w.id = c.referral_id AND w.member_id IS NOT NULL)"""
STATUS = f"""CASE WHEN {_UNHEARD} THEN 'failed' WHEN {OVERTAKEN} THEN 'skipped'
    WHEN {_UNRELEASED} THEN 'waiting' ELSE c.status END"""
REASON = f"""CASE WHEN {OVERTAKEN} THEN 'The organization has the referral no more.'
    WHEN {_UNRELEASED} AND {_KNOWN} THEN 'Only the referral states where to send it. Release '
        'it once you know that the address is right.'
    WHEN {_UNRELEASED} THEN 'Nobody knows yet who the member is: first identify them.'
    ELSE c.reason END"""
#: Status → condition. The further condition of `failed` lets PostgreSQL begin with the few
#: deliveries that did not arrive.
_CONDITIONS = {
    "to-send": f"c.status = 'to-send' AND NOT {OVERTAKEN} AND NOT {_UNRELEASED}",
    "waiting": f"c.status = 'to-send' AND {_UNRELEASED}",
    "skipped": f"(c.status = 'skipped' OR {OVERTAKEN})",
    "sent": f"c.status = 'sent' AND NOT {_UNHEARD}",
    "failed": f"""{_UNHEARD} AND c.message_id IN (SELECT message_id FROM delivery
        WHERE plan = ANY ($1::text[]) AND state IN ('dead', 'held'))""",
}
_COLUMNS = f"""c.plan, c.id, c.referral_id, c.outcome, c.recipient, c.organization_id,
    o.name AS organization, {STATUS} AS status, {REASON} AS reason, c.medium,
    c.sent_at, c.sent_by, c.note, c.released_at, c.released_by, c.release_note, c.created_at"""
_FROM = "correspondence c LEFT JOIN organization o ON o.id = c.organization_id"

#: Selects the version of that moment; of a resource that was stored later, the first version.
_THEN = """ORDER BY (v.updated_at <= c.created_at) DESC,
    CASE WHEN v.updated_at <= c.created_at THEN -v.version ELSE v.version END LIMIT 1"""
_LETTER = f"""SELECT c.outcome, c.recipient, c.organization_id, c.created_at, c.referral_id,
  {STATUS} AS status, c.about, r.cin, c.released_at IS NOT NULL
    OR {_ENTERED} AS released,
  (SELECT body FROM resource_version WHERE plan = c.plan AND type = 'ServiceRequest'
    AND id = c.referral_id AND version = (c.about::json ->> 'version')::int) AS sent,
  (SELECT json_agg(json_build_array(type || '/' || id, convert_from(body, 'UTF8')))::text FROM (
    SELECT DISTINCT ON (type, id) type, id, body FROM resource_version WHERE plan = c.plan
    AND referral_id = c.referral_id AND updated_at <= c.created_at AND type = ANY
      ('{{Patient,RelatedPerson,Practitioner,PractitionerRole,Organization}}'::text[])
    ORDER BY type, id, version DESC) came) AS copies,
  (SELECT v.body FROM resource_version v WHERE v.plan = c.plan AND v.type = 'Patient'
    AND v.id = r.member_id {_THEN}) AS roster,
  (SELECT v.body FROM resource_version v WHERE v.plan = c.plan AND v.type = 'Patient'
    AND v.id = r.member_id ORDER BY v.version DESC LIMIT 1) AS roster_now,
  (SELECT v.body FROM resource_version v WHERE v.plan = '*' AND v.type = 'Organization'
    AND v.id = c.organization_id {_THEN}) AS organization,
  (SELECT v.body FROM resource_version v WHERE v.plan = '*' AND v.type = 'Organization'
    AND v.id = c.about::json ->> 'performer_id' {_THEN}) AS performer,
  (SELECT json_build_array(question, answer)::text FROM determination d WHERE d.plan = c.plan
    AND d.referral_id = c.referral_id AND d.seq <= (c.about::json ->> 'seq')::int
    ORDER BY d.seq DESC LIMIT 1) AS determined
FROM correspondence c JOIN referral r ON r.plan = c.plan AND r.id = c.referral_id
WHERE c.plan = ANY ($1::text[]) AND c.id = $2::text"""

_LOCK = f"""SELECT c.plan, c.id, {STATUS} AS status, (SELECT v.body FROM resource_version v
    WHERE v.plan = c.plan AND v.type = 'Communication' AND v.id = c.id
    ORDER BY v.version DESC LIMIT 1) AS body, c.referral_id, {_KNOWN} AS known
FROM correspondence c WHERE c.plan = ANY ($1::text[]) AND c.id = $2::text FOR UPDATE OF c"""
_RELEASE = """UPDATE correspondence SET released_at = $3::timestamptz, released_by = $4::text,
    release_note = $5::text WHERE plan = $1::text AND id = $2::text"""
_SENT = """WITH told AS (UPDATE correspondence SET status = 'sent', medium = $3::text,
    sent_at = $4::timestamptz, sent_by = $5::text, note = $6::text
    WHERE plan = $1::text AND id = $2::text)
INSERT INTO resource_version (plan, type, id, version, referral_id, updated_at, body,
    words)
VALUES ($1::text, 'Communication', $2::text, $7::int, $8::text, $4::timestamptz, $9::bytea,
    $10::text)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrespondenceQuery:
    """The query for a page. `after` is the last row of the page before: moment and id."""

    plans: Sequence[str]
    status: str | None = None
    outcome: str | None = None
    referral: str | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 50


async def listed(connection: Source, wanted: CorrespondenceQuery) -> Sequence[Row]:
    """Read the rows, the oldest first, as it has waited longest; one more row if a next page
    exists.
    """
    values: list[Any] = [list(wanted.plans)]
    conditions = ["c.plan = ANY ($1::text[])"]
    if wanted.status is not None:
        conditions.append(_CONDITIONS[wanted.status])
    for column, value in (("outcome", wanted.outcome), ("referral_id", wanted.referral)):
        if value is not None:
            values.append(value)
            conditions.append(f"c.{column} = ${len(values)}::text")
    if wanted.after is not None:
        values += wanted.after
        last = len(values)
        conditions.append(f"(c.created_at, c.id) > (${last - 1}::timestamptz, ${last}::text)")
    values.append(wanted.limit + 1)
    sql = f"""SELECT {_COLUMNS} FROM {_FROM} WHERE {" AND ".join(conditions)}
    ORDER BY c.created_at, c.id LIMIT ${len(values)}::int"""
    return await connection.fetch(sql, *values)


async def one(connection: Source, plans: Sequence[str], id_: str) -> Row | None:
    """Read one row; None: no such row for the plans of the caller."""
    sql = f"SELECT {_COLUMNS} FROM {_FROM} WHERE c.plan = ANY ($1::text[]) AND c.id = $2::text"
    return await connection.fetch_one(sql, list(plans), id_)


async def letter_content(
    connection: Source, plans: Sequence[str], id_: str, library: Library
) -> LetterContent | None:
    """Read the content of a letter; None: no such row for the plans of the caller, or the letter is
    skipped.
    """
    row = await connection.fetch_one(_LETTER, list(plans), id_)
    if row is None or row["status"] == "skipped":
        return None
    return content(row, library)


def content(row: Row, library: Library) -> LetterContent:
    """Turn the stored row into the content of a letter.

    Data of the roster about the member (spelling, address, phone) goes into letters to the member
    only.
    """
    snapshot, sent = LetterSnapshot.from_json(row["about"]), parse(row["sent"])
    copies = [(name, parse(body.encode())) for name, body in orjson.loads(row["copies"] or "[]")]
    roster = parse(row["roster"]) if row["roster"] else None
    person = row["organization_id"] is None and is_family(sent, row["cin"])
    to_member = row["recipient"] == "member"
    known_as = roster if to_member else None
    tag = member_language(sent, copies, known_as) if to_member or person else None
    language = language_of(tag)
    letter_words = words(language)
    question, answer = orjson.loads(row["determined"] or "[null, null]")
    claimed = question_from_json(question).claimed if question else ()
    determination = answer_from_json(answer) if answer else None
    version = snapshot.policy or (determination.policy if determination else None)
    stated = stated_member(sent, copies)
    to = _to(row, sent, copies, roster)
    return LetterContent(
        outcome=row["outcome"],
        recipient=row["recipient"],
        language=language,
        at=row["created_at"],
        referral_id=row["referral_id"],
        to=to,
        member=to.name if to_member else stated.name,
        snapshot=snapshot,
        member_reached=stated if row["recipient"] == "servicing" else None,
        policy=library.version(version) if version else None,
        decisive=decisive(
            determination, claimed, phrases(library, version, language), letter_words, language
        ),
        provider=addressee(parse(row["performer"])) if row["performer"] else None,
        person=person,
    )


def _to(row: Row, sent: Any, copies: Copies, roster: Any) -> Addressee:
    if row["recipient"] == "member":
        now = parse(row["roster_now"]) if row["roster_now"] else None
        return member(sent, copies, roster, now, released=row["released"])
    if row["organization_id"] is None:
        return requester(sent, copies, released=row["released"])
    return addressee(parse(row["organization"]) if row["organization"] else None)


async def lock(connection: Source, plans: Sequence[str], id_: str) -> Row | None:
    """Lock a row, so that no other request marks the letter meanwhile. Returns plan, id, status,
    Communication (`body`), referral id, and whether the member is `known`.
    """
    return await connection.fetch_one(_LOCK, list(plans), id_)


async def mark_sent(
    connection: Source,
    row: Row,
    *,
    at: datetime,
    how: str,
    by: str,
    note: str | None,
) -> None:
    """Mark a letter as sent: write the row and the next version of its Communication, as one
    statement.
    """
    sent = letter_sent(parse(row["body"]), at=at, how=how)
    version = int(sent["meta"]["versionId"])
    written = (version, row["referral_id"], dumps(sent), found_by(sent))
    await connection.execute(_SENT, row["plan"], row["id"], how, at, by, note, *written)


async def release(connection: Source, row: Row, *, at: datetime, by: str, note: str) -> None:
    """Release a letter: from now on it may go to the address that only the referral states."""
    await connection.execute(_RELEASE, row["plan"], row["id"], at, by, note)
