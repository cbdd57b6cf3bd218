"""Writes one move of a referral as a Provenance, from its row of history, when the row is read.

The Provenance is written in SQL, because searches compare the shown values: so a row of history is
never stored twice, and a search finds exactly what a read shows. `h` is a row of
`referral_history`. The plan's own notes are left out.
"""

import re

from app.fhir.r4 import codes

#: The referral's id, then the move's number in five digits: so ids sort in the order of moves.
ID = "h.referral_id || '-' || lpad(h.seq::text, 5, '0')"
_ID = re.compile(r"(.+)-([0-9]{5})")

_AT = """to_char(h.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
#: The ServiceRequest version that the move made: the first written at the move's time or later.
_VERSION = """(SELECT s.version FROM resource_version s WHERE s.plan = h.plan
    AND s.type = 'ServiceRequest' AND s.id = h.referral_id AND s.updated_at >= h.at
    ORDER BY s.version LIMIT 1)"""
_REASONS = f"""(SELECT jsonb_agg(jsonb_build_object(
        'coding', CASE WHEN c->>'code' = '' THEN NULL ELSE jsonb_build_array(
            jsonb_build_object('system', '{codes.DETERMINATION_REASON}', 'code', c->>'code')) END,
        'text', CASE WHEN c->>'text' = '' THEN NULL ELSE c->>'text' END))
    FROM jsonb_array_elements(h.reason::jsonb) c)"""

#: The resource as jsonb; elements without a known value are left out.
JSON = f"""jsonb_strip_nulls(jsonb_build_object(
    'resourceType', 'Provenance',
    'id', {ID},
    'meta', jsonb_build_object('versionId', '1', 'lastUpdated', {_AT}),
    'target', jsonb_build_array(jsonb_build_object('reference', 'ServiceRequest/' || h.referral_id
        || coalesce('/_history/' || {_VERSION}, ''))),
    'recorded', {_AT},
    'occurredDateTime', {_AT},
    'policy', CASE WHEN h.policy IS NULL THEN NULL
        ELSE jsonb_build_array('{codes.BASE}policy/' || h.policy) END,
    'reason', CASE WHEN h.event = 'receive' THEN NULL ELSE {_REASONS} END,
    'activity', jsonb_build_object('coding', jsonb_build_array(
        jsonb_build_object('system', '{codes.REFERRAL_EVENT}', 'code', h.event))),
    'agent', jsonb_build_array(jsonb_build_object(
        'type', jsonb_build_object('coding', jsonb_build_array(
            jsonb_build_object('system', '{codes.PROVENANCE_PARTICIPANT}', 'code', 'performer'))),
        'who', CASE WHEN h.organization_id IS NOT NULL
            THEN jsonb_build_object('reference', 'Organization/' || h.organization_id)
            ELSE jsonb_build_object('display', CASE h.actor
                WHEN 'rules' THEN 'The rules of the plan' WHEN 'clock' THEN 'The clock'
                ELSE 'This service' END) END))))"""

_FIRST = """to_char(date_trunc('milliseconds', h.at{}) AT TIME ZONE 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS.US')"""
#: The values that a search compares, in the form of `app.store.reading.words`: the time (a
#: millisecond) and the agent.
WORDS = f"""(E'\\x1erecorded\\x1f\\x1erecorded\\x1f' || {_FIRST.format("")} || E'\\x1f'
    || {_FIRST.format(" + interval '1 millisecond'")} || E'\\x1eagent\\x1f\\x1e' || coalesce(
        E'agent\\x1fOrganization/' || h.organization_id || E'\\x1eagent\\x1f'
        || h.organization_id || E'\\x1e', ''))"""

#: Condition: the move that a row `k` (plan, id) names; an id of another form names no move.
OF_KEY = """h.plan = k.plan AND h.referral_id = regexp_replace(k.id, '-[0-9]{5}$', '')
    AND h.seq = substring(k.id from '-([0-9]{5})$')::int"""


def move_named(provenance_id: str) -> tuple[str, int] | None:
    """Read the referral's id and the move's number; None for a Provenance that a client sent."""
    match = _ID.fullmatch(provenance_id)
    return (match[1], int(match[2])) if match else None
