"""Identifiers that we make: UUIDv7, in Python, so that order follows time and no sequence is
shared.
"""

import uuid_utils


def new_id() -> str:
    """A fresh FHIR-shaped id. Sorts by the moment it was made."""
    return str(uuid_utils.uuid7())
