"""The body for endpoints that asked for full payloads: made when it is sent, the same each time.

It shows the referral's resources as they stood when the event happened, so every attempt carries
the same bytes. Whoever is no party any more when it is sent gets the thin payload in its place:
that was addressed to them, and says nothing of a person. So does whoever may not read each type of
it any more (their client was switched off, or its scopes shrank), and everybody where the full one
would be larger than `MOST_BYTES`; the links in it lead to the rest. The Bundle is `app.fhir`'s.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.fhir.full_payload import TYPES, full_payload
from app.fhir.searchset import Stored
from app.journey.notification.claim import Claim
from app.journey.notification.subscription_content import ENTITLED, vouched

#: No webhook's body is larger.
MOST_BYTES = 64 * 1024

_RESOURCES = f"""SELECT d.message_id, d.endpoint_id, m.event_type, m.occurred_at,
  v.type, v.id, v.version, v.body
FROM unnest($2::text[], $3::text[]) AS c(message_id, endpoint_id)
JOIN delivery d ON d.plan = $1 AND d.message_id = c.message_id AND d.endpoint_id = c.endpoint_id
JOIN message m ON m.plan = d.plan AND m.id = d.message_id
CROSS JOIN LATERAL (
  SELECT DISTINCT ON (v.type, v.id) v.type, v.id, v.version, v.body FROM resource_version v
  WHERE v.plan = $1 AND v.referral_id = d.referral_id AND v.type = ANY ($4::text[])
    AND v.updated_at <= m.occurred_at
  ORDER BY v.type, v.id, v.version DESC) AS v
JOIN webhook_endpoint e ON e.organization_id = d.organization_id AND e.id = d.endpoint_id
WHERE {ENTITLED} AND {vouched("$4::text[]")}"""


async def enlarge(connection: Any, plan: str, claims: Sequence[Claim], base: str) -> list[Claim]:
    """The claims in their order, with full bodies where they are asked for and may be had.

    `connection` is the worker's own; `base` our FHIR base URL.
    """
    wanted = [claim for claim in claims if claim.full_payload and not claim.subscribed]
    if not wanted:
        return list(claims)
    rows = await connection.fetch(
        _RESOURCES,
        plan,
        [claim.message_id for claim in wanted],
        [claim.endpoint_id for claim in wanted],
        list(TYPES),
    )
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        found[row["message_id"], row["endpoint_id"]].append(row)
    return [
        _enlarged(claim, found.get((claim.message_id, claim.endpoint_id)), base) for claim in claims
    ]


def _enlarged(claim: Claim, rows: Sequence[Any] | None, base: str) -> Claim:
    if not rows:
        return claim
    body = full_payload(
        rows[0]["event_type"],
        rows[0]["occurred_at"],
        claim.message_id,
        base,
        [Stored(row["type"], row["id"], row["version"], row["body"]) for row in rows],
    )
    return claim if len(body) > MOST_BYTES else replace(claim, body=body)
