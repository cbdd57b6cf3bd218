"""Identifiers that the service makes: UUIDv7. They sort by time and need no sequence in the
database.

What belongs to a referral (what came with it, its service Tasks, its letters and requests) has the
referral's id, a dot and a part of its own: `01934f3a-7b1c-7a3e-9b77-0f1f0a5a2c11.1e2`. So one row
finds the plan of all of them (`app.store.tables.referral.locator`).
"""

import re
from datetime import UTC, datetime

import uuid_utils

_OF_REFERRAL = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})\.\w+")


def new_id() -> str:
    """Make a new id that FHIR allows. Ids sort by the moment at which they were made."""
    return str(uuid_utils.uuid7())


def made_at(id_: str) -> datetime:
    """Return the moment at which an id was made, by the clock of its process."""
    return datetime.fromtimestamp(int(id_[:8] + id_[9:13], 16) / 1000, UTC)


def first_id(at: datetime) -> str:
    """Return the first id that can be made at a moment, or later; not before 1970."""
    made = f"{max(int(at.timestamp() * 1000), 0):012x}"
    return f"{made[:8]}-{made[8:]}-7000-8000-000000000000"


def id_of_part(referral_id: str, part: str) -> str:
    """Make the id of a resource that belongs to a referral; `part` is unique in the referral."""
    return f"{referral_id}.{part}"


def is_id_of_part(id_: str) -> bool:
    """Tell whether an id has the form of ids of resources that belong to a referral."""
    return _OF_REFERRAL.fullmatch(id_) is not None


def place_of_id(id_: str) -> str:
    """Return the id that finds the plan of a resource: its referral's, or else its own."""
    found = _OF_REFERRAL.fullmatch(id_)
    return found[1] if found else id_
