"""Reads and changes the outbox of letters. Every statement begins with the plans of the caller.

`status.py` selects the rows with the status of each, `letter.py` writes the letters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from app.base.ids import place_of_id
from app.fhir.r4.strict_json import dumps, parse
from app.fhir.render_communication import letter_sent
from app.policy.discreet import by_result
from app.policy.library import Library
from app.policy.phrases import phrases
from app.policy.stored_form import answer_from_json, question_from_json
from app.policy.vocabulary import language_of, words
from app.store.audit.access import reached, reached_referral
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
from app.views.letters.status import locking, of_referral, page_of, single, to_send
from app.views.member_name import MEMBER_NAME, SHOWN_NAME

#: Of a resource that may have changed since, the version of that moment is read; of a resource that
#: was stored later, the first version.
_LETTER = """SELECT c.outcome, c.recipient, c.organization_id, c.created_at, c.referral_id,
  c.about, r.cin, r.member_id, r.patient_id,
  (SELECT body FROM resource_version WHERE plan = c.plan AND referral_id = c.referral_id
    AND type = 'ServiceRequest' AND version = (c.about::json ->> 'version')::int) AS sent,
  (SELECT json_agg(json_build_array(type || '/' || id, convert_from(body, 'UTF8')))::text FROM (
    SELECT DISTINCT ON (type, id) type, id, body FROM resource_version WHERE plan = c.plan
    AND referral_id = c.referral_id AND updated_at <= c.created_at AND type = ANY
      ('{Patient,RelatedPerson,Practitioner,PractitionerRole,Organization}'::text[])
    ORDER BY type, id, version DESC) came) AS copies,
  (SELECT v.body FROM directory_version v WHERE v.plan = c.plan AND v.type = 'Patient'
    AND v.id = r.member_id ORDER BY (v.updated_at <= c.created_at) DESC,
    CASE WHEN v.updated_at <= c.created_at THEN -v.version ELSE v.version END LIMIT 1) AS roster,
  (SELECT v.body FROM directory_version v WHERE v.plan = c.plan AND v.type = 'Patient'
    AND v.id = r.member_id ORDER BY v.version DESC LIMIT 1) AS roster_now,
  (SELECT v.body FROM directory_version v WHERE v.plan = '*' AND v.type = 'Organization'
    AND v.id = c.organization_id ORDER BY (v.updated_at <= c.created_at) DESC,
    CASE WHEN v.updated_at <= c.created_at THEN -v.version ELSE v.version END LIMIT 1)
    AS organization,
  (SELECT v.body FROM directory_version v WHERE v.plan = '*' AND v.type = 'Organization'
    AND v.id = c.about::json ->> 'performer_id' ORDER BY (v.updated_at <= c.created_at) DESC,
    CASE WHEN v.updated_at <= c.created_at THEN -v.version ELSE v.version END LIMIT 1)
    AS performer,
  (SELECT json_build_array(question, answer)::text FROM determination d WHERE d.plan = c.plan
    AND d.referral_id = c.referral_id AND d.seq <= (c.about::json ->> 'seq')::int
    ORDER BY d.seq DESC LIMIT 1) AS determined
FROM correspondence c JOIN referral r ON r.plan = c.plan AND r.id = c.referral_id
WHERE c.plan = $1::text AND c.referral_id = $2::text AND c.id = $3::text"""
#: Whom each referral is about: as the roster has the member now, else as the referral states them.
_WHOSE = f"""SELECT r.plan, r.id, r.service, r.cin, r.member_id, r.patient_id, {SHOWN_NAME}
FROM unnest($1::text[], $2::text[]) AS q(plan, id)
JOIN referral r ON r.plan = q.plan AND r.id = q.id{MEMBER_NAME}"""
_RELEASE = """UPDATE correspondence SET released_at = $4::timestamptz, released_by = $5::text,
    release_note = $6::text WHERE plan = $1::text AND referral_id = $2::text AND id = $3::text"""
_SENT = """WITH told AS (UPDATE correspondence SET status = 'sent', medium = $3::text,
    sent_at = $4::timestamptz, sent_by = $5::text, note = $6::text
    WHERE plan = $1::text AND referral_id = $8::text AND id = $2::text)
INSERT INTO resource_set (plan, referral_id, version, number, updated_at, names, versions,
    bodies, words)
VALUES ($1::text, $8::text, $7::int, $2::text, $4::timestamptz,
    ARRAY['Communication' || substr($2::text, length($8::text) + 1)], ARRAY[$7::int],
    ARRAY[$9::bytea], ARRAY[$10::text])"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrespondenceQuery:
    """The query for a page. `after` is the last row of the page before: moment and id."""

    plans: Sequence[str]
    status: str | None = None
    outcome: str | None = None
    referral: str | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 50


async def listed(source: Source, wanted: CorrespondenceQuery) -> Sequence[Row]:
    """Read the rows, the oldest first, as it has waited longest; one more row if a next page
    exists.
    """
    shape = (wanted.outcome is not None, wanted.referral is not None, wanted.after is not None)
    at, id_ = wanted.after or (None, None)
    statement = page_of(wanted.status, *shape).called(
        plans=list(wanted.plans),
        outcome=wanted.outcome,
        referral=wanted.referral,
        at=at,
        id=id_,
        rows=wanted.limit + 1,
    )
    return await source.fetch(*statement)


async def whose(source: Source, rows: Sequence[Row]) -> Mapping[str, Row]:
    """Read whom the referrals of the rows are about: referral → service, number and name."""
    if not rows:
        return {}
    keys = dict.fromkeys((row["plan"], row["referral_id"]) for row in rows)
    plans, referrals = zip(*keys, strict=True)
    found = await source.fetch(_WHOSE, list(plans), list(referrals))
    for row in found:
        reached_referral(row["plan"], row["id"], row)
    return {row["id"]: row for row in found}


async def one(source: Source, plans: Sequence[str], id_: str) -> Row | None:
    """Read one row; None: no such row for the plans of the caller."""
    return await source.fetch_one(*single().called(**_named(plans, id_)))


def _named(plans: Sequence[str], id_: str) -> dict[str, Any]:
    return {"plans": list(plans), "referral": place_of_id(id_), "id": id_}


def _key(row: Row) -> tuple[str, str, str]:
    return row["plan"], row["referral_id"], row["id"]


async def told_of(source: Source, plan: str, referral: str) -> Sequence[Row]:
    """Read the letters and messages about one referral, the oldest first."""
    return await source.fetch(*of_referral().called(plan=plan, referral=referral))


async def letters_to_send(source: Source, plans: Sequence[str]) -> int:
    """Count the letters that wait to be sent or released."""
    (row,) = await source.fetch(*to_send().called(plans=list(plans)))
    return int(row["letters"])


async def letter_content(
    source: Source, plans: Sequence[str], id_: str, library: Library
) -> LetterContent | None:
    """Read the content of a letter; None: no such row for the plans of the caller, or the letter is
    skipped.
    """
    shown = await one(source, plans, id_)
    if shown is None or shown["status"] == "skipped":
        return None
    (row,) = await source.fetch(_LETTER, *_key(shown))
    reached_referral(shown["plan"], row["referral_id"], row)
    reached(shown["plan"], f"Communication/{id_}")
    return content(row, library, released=shown["may_go"], unsafe=shown["unsafe"])


def content(row: Row, library: Library, *, released: bool, unsafe: bool = False) -> LetterContent:
    """Turn the stored row into the content of a letter; `released`: it may go to the address that
    only the referral states; `unsafe`: no letter says how to reach the member.

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
    asked = question_from_json(question) if question else None
    determination = answer_from_json(answer) if answer else None
    if determination is not None and asked is not None and not to_member:
        determination = by_result(determination, asked.facts)
    version = snapshot.policy or (determination.policy if determination else None)
    stated = stated_member(sent, copies)
    to = _to(row, sent, copies, roster, released=released)
    if unsafe:
        stated = Addressee(stated.name)
        to = to if row["organization_id"] else Addressee(to.name)
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
            determination,
            asked.claimed if asked else (),
            phrases(library, version, language),
            letter_words,
            language,
            to_the_member=to_member,
        ),
        provider=addressee(parse(row["performer"])) if row["performer"] else None,
        person=person,
    )


def _to(row: Row, sent: Any, copies: Copies, roster: Any, *, released: bool) -> Addressee:
    if row["recipient"] == "member":
        now = parse(row["roster_now"]) if row["roster_now"] else None
        return member(sent, copies, roster, now, released=released)
    if row["organization_id"] is None:
        return requester(sent, copies, released=released)
    return addressee(parse(row["organization"]) if row["organization"] else None)


async def lock(source: Source, plans: Sequence[str], id_: str) -> Row | None:
    """Lock a row, so that no other request marks the letter meanwhile. Returns plan, id, status,
    Communication (`body`), referral id, and whether the member is `known`.
    """
    return await source.fetch_one(*locking().called(**_named(plans, id_)))


async def mark_sent(
    source: Source,
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
    await source.execute(_SENT, row["plan"], row["id"], how, at, by, note, *written)


async def release(source: Source, row: Row, *, at: datetime, by: str, note: str) -> None:
    """Release a letter: from now on it may go to the address that only the referral states."""
    await source.execute(_RELEASE, *_key(row), at, by, note)
