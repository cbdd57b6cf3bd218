"""Identifiers that the service makes: UUIDv7. They sort by time and need no sequence in the
database.
"""

import uuid_utils


def new_id() -> str:
    """Make a new id that FHIR allows. Ids sort by the moment at which they were made."""
    return str(uuid_utils.uuid7())
