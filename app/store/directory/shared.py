"""Members whose number stands in the rosters of several plans: told to whoever loads a roster.

Such a member's referral that names no plan goes to a person (`app.journey.eligibility.identify`).
Told by the ids of the roster's Patients, never by the number.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import fetch

#: The plans that have members, one step in the index for each: every key of `member` begins with
#: the plan, and a number or an id is looked up in each.
PLANS = """(WITH RECURSIVE p(plan) AS (
    (SELECT plan FROM member ORDER BY plan LIMIT 1)
    UNION ALL
    SELECT (SELECT m.plan FROM member m WHERE m.plan > p.plan ORDER BY m.plan LIMIT 1)
    FROM p WHERE p.plan IS NOT NULL
) SELECT plan FROM p WHERE plan IS NOT NULL) AS p"""
_SHARED = f"""SELECT m.plan || ' Patient/' || m.id, o.plan || ' Patient/' || o.id
FROM {PLANS} CROSS JOIN unnest($1::text[]) AS k(id)
JOIN member m ON m.plan = p.plan AND m.id = k.id
CROSS JOIN {PLANS.removesuffix("p")}q JOIN member o ON o.plan = q.plan AND o.cin = m.cin
WHERE o.plan <> m.plan ORDER BY 1, 2"""


async def in_several_rosters(connection: AsyncConnection, patients: Sequence[str]) -> list[str]:
    """A sentence for each of these Patients and each other plan's that has the same CIN."""
    rows = await fetch(connection, _SHARED, (list(patients),))
    return [f"{one}: {other} has the same CIN, too." for one, other in rows]
