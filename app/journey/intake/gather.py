"""Gathers everything that the database knows about a submission, in one statement that only reads.

The journey gathers, then decides, then writes: no stage in between asks the database anything.
"""

from base64 import b64decode
from collections.abc import Sequence
from typing import Any

import orjson

from app.base.text import as_key
from app.model.known import (
    HeldAuthorization,
    Inquiry,
    Known,
    KnownMember,
    Offer,
    Organization,
    Replay,
    Twin,
)
from app.model.notices import Listening
from app.store.database import Source
from app.store.referral.store import to_authorization

#: LATERAL with a limit looks up the identifiers one by one. Otherwise PostgreSQL, while its
#: statistics are young, would read all identifiers of the organization to join them.
_SQL = """SELECT
(SELECT row_to_json(k)::text
    FROM (SELECT fingerprint, status, headers, encode(body, 'base64') AS body
    FROM idempotency_key WHERE organization_id = $1 AND client_id = $2 AND key = $3) k) AS replay,
(SELECT json_agg(json_build_array(i.plan, i.referral_id, i.fingerprint, i.locations::json))::text
    FROM unnest($4::text[], $5::text[]) w (system, value) CROSS JOIN LATERAL (
        SELECT * FROM referral_identifier i WHERE i.organization_id = $1
            AND i.system = w.system AND i.value = w.value LIMIT 1) i) AS twins,
(SELECT json_agg(json_build_array(plan, id, birth_date, families, facts))::text FROM member
    WHERE plan = ANY ($6::text[]) AND cin = $7) AS members,
(SELECT json_agg(row_to_json(a))::text FROM service_authorization a
    WHERE plan = ANY ($6::text[]) AND cin = $7 AND status = 'open') AS held,
(SELECT json_agg(json_build_array(plan, id, organization_id, npi, counties, populations, places,
    taken + taken_outside, capacity_status))::text FROM offer
    WHERE plan = ANY ($6::text[]) AND service = $8 AND active) AS offers,
(SELECT json_agg(json_build_array(id, npi, plan))::text FROM organization
    WHERE plan = ANY ($6::text[]) OR id = ANY ($9::text[]) OR npi = ANY ($10::text[]))
    AS organizations,
(SELECT json_agg(b.id)::text FROM (
    SELECT i.plan, i.id FROM unnest($11::text[], $12::text[]) w (system, value)
        CROSS JOIN LATERAL (SELECT plan, referral_id AS id FROM referral_business_identifier b
            WHERE b.plan = ANY ($6::text[]) AND b.system = w.system AND b.value = w.value
            OFFSET 0) i
    UNION SELECT plan, id FROM locator WHERE type = 'ServiceRequest' AND id = ANY ($13::text[])) b
    WHERE b.plan = ANY ($14::text[]) OR EXISTS (SELECT 1 FROM party p WHERE p.plan = b.plan
        AND p.organization_id = $1 AND p.referral_id = b.id AND p.until IS NULL OFFSET 0))
    AS based_on,
(SELECT json_agg(json_build_array(organization_id, plans, event_types))::text FROM webhook_endpoint
    WHERE status = 'active' AND content IS DISTINCT FROM 'empty'
        AND filter_statuses || filter_owners || filter_requesters = '{}' AND organization_id IN (
        SELECT $1::text UNION ALL SELECT unnest($9::text[])
        UNION ALL SELECT id FROM organization WHERE npi = ANY ($10::text[])
        UNION ALL SELECT organization_id FROM offer
            WHERE plan = ANY ($6::text[]) AND service = $8 AND active)) AS listening"""


async def gather(source: Source, inquiry: Inquiry) -> Known:
    """Reads everything that the decision on this submission needs, in one round trip."""
    (row,) = await source.fetch(
        _SQL,
        inquiry.organization_id,
        inquiry.client_id,
        inquiry.idempotency_key,
        [as_key(system) for system, _ in inquiry.identifiers],
        [as_key(value) for _, value in inquiry.identifiers],
        list(inquiry.plans),
        inquiry.cin,
        inquiry.service,
        list(inquiry.organization_ids),
        [as_key(npi) for npi in inquiry.npis],
        [as_key(system) for system, _ in inquiry.based_on_identifiers],
        [as_key(value) for _, value in inquiry.based_on_identifiers],
        list(inquiry.based_on),
        list(inquiry.staff_plans),
    )
    return Known(
        replay=_replay(row["replay"]),
        twins=tuple(Twin(*twin) for twin in _listed(row["twins"])),
        members=tuple(KnownMember(*each) for each in _listed(row["members"])),
        authorizations=tuple(
            HeldAuthorization(held["plan"], held["referral_id"], to_authorization(held))
            for held in _listed(row["held"])
        ),
        offers=_offers(_listed(row["offers"]), inquiry.service),
        organizations=tuple(Organization(*each) for each in _listed(row["organizations"])),
        based_on=frozenset(_listed(row["based_on"])),
        listening=tuple(Listening(*each) for each in _listed(row["listening"])),
    )


def _listed(text: str | None) -> list[Any]:
    """Reads a list from its JSON text; empty where the database found nothing."""
    listed: list[Any] = orjson.loads(text) if text else []
    return listed


def _replay(text: str | None) -> Replay | None:
    if text is None:
        return None
    row = orjson.loads(text)
    return Replay(
        row["fingerprint"], row["status"], orjson.loads(row["headers"]), b64decode(row["body"])
    )


def _offers(rows: Sequence[Sequence[Any]], service: str | None) -> dict[str, list[Offer]]:
    by_plan: dict[str, list[Offer]] = {}
    for plan, id_, organization, npi, counties, populations, places, taken, status in rows:
        by_plan.setdefault(plan, []).append(
            Offer(
                id=id_,
                organization_id=organization,
                npi=npi,
                service=service or "",
                counties=frozenset(counties),
                populations=frozenset(populations),
                places=places,
                taken=taken,
                status=status,
            )
        )
    return by_plan
