"""The demonstration's network and roster, enlarged: members and performers for thousands of
referrals, so that they do not all compete for one offer nor repeat members.
"""

from typing import Any

from bench.bodies import PERFORMERS

_MEMBERS = """
INSERT INTO member (plan, id, cin, birth_date, facts, reachable, version, updated_at)
SELECT plan, 'bench-' || n, (9100000 + n) || 'XA', birth_date,
    replace(facts, cin, (9100000 + n) || 'XA'), reachable, version, updated_at
FROM member, generate_series(0, $1::int - 1) n WHERE plan = 'HPSM' AND cin = '9000001XA'
"""
_ORGANIZATIONS = """
INSERT INTO organization (id, name, npi, plan, active, version, updated_at)
SELECT 'org-bench-' || n, 'Performer ' || n, (9100000000 + n)::text, NULL, true, 1, now()
FROM generate_series(0, $1::int - 1) n
"""
_OFFERS = """
INSERT INTO offer (plan, id, organization_id, npi, service, counties, populations, places,
    taken_outside, taken, capacity_status, active, version, updated_at)
SELECT plan, 'offer-bench-' || n, 'org-bench-' || n, (9100000000 + n)::text, service, counties,
    populations, 1000000, 0, 0, 'capacity', true, 1, now()
FROM offer, generate_series(0, $1::int - 1) n WHERE id = 'offer-tidepool-ecm'
"""
_ENDPOINTS = """
INSERT INTO webhook_endpoint (organization_id, id, url, event_types, plans, payload, status,
    secrets, created_at, updated_at)
SELECT 'org-bench-' || n, 'endpoint-bench-' || n, $2::text || n, '{}', plans, payload, status,
    secrets, created_at, updated_at
FROM webhook_endpoint, generate_series(0, $1::int - 1) n WHERE id = $3
"""


async def enlarge(connection: Any, members: int) -> None:
    """So many members of `bodies.cin`, and the performers of `bodies.npi` with an offer each."""
    await connection.execute(_MEMBERS, members)
    await connection.execute(_ORGANIZATIONS, PERFORMERS)
    await connection.execute(_OFFERS, PERFORMERS)
    await connection.execute("ANALYZE member, organization, offer")


async def performers_listen(connection: Any, url: str, like: str) -> None:
    """An endpoint for every performer at `url` and its number, otherwise as the endpoint `like`."""
    await connection.execute(_ENDPOINTS, PERFORMERS, url, like)
