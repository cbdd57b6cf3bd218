"""Members whose number stands in the rosters of several plans: told to whoever loads a roster.

Such a member's referral that names no plan goes to a person (`app.eligibility.identify`). Told by
the ids of the roster's Patients, never by the number.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from app.database import fetch

_SHARED = """SELECT m.plan || ' Patient/' || m.id, o.plan || ' Patient/' || o.id
FROM member m JOIN member o ON o.cin = m.cin AND o.plan <> m.plan
WHERE m.id = ANY ($1::text[]) ORDER BY 1, 2"""


async def in_several_rosters(connection: AsyncConnection, patients: Sequence[str]) -> list[str]:
    """A sentence for each of these Patients and each other plan's that has the same CIN."""
    rows = await fetch(connection, _SHARED, (list(patients),))
    return [f"{one}: {other} has the same CIN, too." for one, other in rows]
